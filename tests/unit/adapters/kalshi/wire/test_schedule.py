"""The exchange's weekly hours and maintenance windows become planned closures."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire.schedule import read_closures
from bot.domain.errors import InvalidMessage
from bot.kit.times import DAY_US, HOUR_US, format_seconds, parse_rfc3339
from bot.ports.gaps import ClosureKind

WHOLE = [{"open_time": "00:00", "close_time": "00:00"}]
SPLIT = [
    {"open_time": "00:00", "close_time": "03:00"},
    {"open_time": "05:00", "close_time": "00:00"},
]
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def body(maintenance: list[dict[str, str]] | None = None, **days: object) -> bytes:
    week = {
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2027-12-31T00:00:00Z",
        **dict.fromkeys(DAYS, WHOLE),
        **days,
    }
    hours = {"standard_hours": [week], "maintenance_windows": maintenance or []}
    return json.dumps({"schedule": hours}).encode()


def between(content: bytes, first: str, last: str) -> list[tuple[str, str, str]]:
    found = read_closures(content, parse_rfc3339(first), parse_rfc3339(last))
    return [
        (format_seconds(one.start_us), format_seconds(one.end_us), one.kind.value) for one in found
    ]


def test_a_week_without_a_break_has_no_closure_not_even_at_midnight() -> None:
    assert between(body(), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z") == []


def test_the_break_of_a_thursday_is_new_yorks_time_in_summer_and_in_winter() -> None:
    thursday = body(thursday=SPLIT)
    assert between(thursday, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z") == [
        ("2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z", "trading hours")
    ]
    assert between(thursday, "2026-07-20T00:00:00Z", "2026-07-27T00:00:00Z") == [
        ("2026-07-23T07:00:00Z", "2026-07-23T09:00:00Z", "trading hours")
    ]


def test_a_closed_day_joins_what_is_closed_around_it() -> None:
    content = body(friday=[{"open_time": "00:00", "close_time": "20:00"}], saturday=[])
    assert between(content, "2026-11-26T00:00:00Z", "2026-11-30T12:00:00Z") == [
        ("2026-11-28T01:00:00Z", "2026-11-29T05:00:00Z", "trading hours")
    ]


def test_maintenance_is_told_as_it_is_planned() -> None:
    window = {
        "start_datetime": "2026-11-25T07:00:00Z",
        "end_datetime": "2026-11-25T08:30:00-05:00",
    }
    content = body([window])
    assert between(content, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z") == [
        ("2026-11-25T07:00:00Z", "2026-11-25T13:30:00Z", "maintenance")
    ]
    assert between(content, "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z") == []


def test_a_time_no_week_speaks_of_is_not_claimed_to_be_closed() -> None:
    assert between(body(), "2025-06-01T00:00:00Z", "2025-06-08T00:00:00Z") == []
    assert between(b'{"schedule":{}}', "2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z") == []


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        body(monday=[{"open_time": "25:00", "close_time": "00:00"}]),
        body([{"start_datetime": "soon", "end_datetime": "later"}]),
    ],
)
def test_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidMessage):
        between(content, "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z")


def test_too_long_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="400 days"):
        between(body(), "2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z")


@given(
    st.integers(0, 350),
    st.integers(1, 40),
    st.dictionaries(
        st.sampled_from(DAYS),
        st.lists(
            st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda one: one[0] < one[1]),
            max_size=3,
        ),
    ),
)
def test_closures_lie_in_the_window_in_order_and_never_touch(
    start_day: int, days: int, open_hours: dict[str, list[tuple[int, int]]]
) -> None:
    content = body(
        **{
            day: [
                {"open_time": f"{opens:02d}:00", "close_time": f"{closes % 24:02d}:00"}
                for opens, closes in sessions
            ]
            for day, sessions in open_hours.items()
        }
    )
    from_us = parse_rfc3339("2026-01-02T00:00:00Z") + start_day * DAY_US
    to_us = from_us + days * DAY_US
    found = read_closures(content, from_us, to_us)
    assert all(one.kind is ClosureKind.HOURS for one in found)
    assert all(from_us <= one.start_us < one.end_us <= to_us for one in found)
    assert all(left.end_us < right.start_us for left, right in itertools.pairwise(found))
    assert all((one.end_us - one.start_us) >= HOUR_US // 2 for one in found[1:-1])
