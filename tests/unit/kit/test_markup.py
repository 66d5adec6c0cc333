"""Any text may be shown, and any length may be sent."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kit.markup import bold, clean, code, escape, length, moment, plain, span, split

NOW_US = 1_795_245_300_000_000


@given(st.text())
def test_escaping_is_undone_by_plain(text: str) -> None:
    assert plain(bold(text)) == clean(text)
    assert plain(code(escape("x"))) == "x"


@given(st.text(), st.integers(20, 200))
def test_every_part_fits_and_nothing_but_markup_and_blank_lines_is_lost(
    text: str, limit: int
) -> None:
    source = "\n".join(bold(line) for line in text.split("\n"))
    parts = split(source, limit)
    assert all(0 < length(part) <= limit for part in parts)
    together = "".join(plain(part) for part in parts)
    assert "".join(together.split()) == "".join(plain(source).split())


def test_lines_stay_whole_where_they_fit():
    text = "\n".join(f"<b>{number:03d}</b>" for number in range(10))
    assert split(text, 21) == tuple(
        f"<b>{number:03d}</b>\n<b>{number + 1:03d}</b>" for number in range(0, 10, 2)
    )


def test_an_entity_is_never_cut():
    parts = split("&amp;" * 10, 12)
    assert parts == ("&amp;&amp;",) * 5


def test_length_counts_as_telegram_does():
    assert length("a\N{GRINNING FACE}") == 3


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (-5, "0 s"),
        (59_999_999, "59 s"),
        (60_000_000, "1 min"),
        (3_600_000_000, "1 h"),
        (3_660_000_000, "1 h 1 min"),
        (86_400_000_000, "1 d"),
        (90_000_000_000, "1 d 1 h"),
    ],
)
def test_spans_are_read_at_a_glance(microseconds, text):
    assert span(microseconds) == text


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("UTC", "21 Nov 07:15:00 UTC", "24 Jul 07:15:00 UTC"),
        ("America/New_York", "21 Nov 02:15:00 EST", "24 Jul 03:15:00 EDT"),
        ("Europe/Berlin", "21 Nov 08:15:00 CET", "24 Jul 09:15:00 CEST"),
        ("America/Sao_Paulo", "21 Nov 04:15:00 UTC-03", "24 Jul 04:15:00 UTC-03"),
        ("Asia/Kathmandu", "21 Nov 13:00:00 UTC+0545", "24 Jul 13:00:00 UTC+0545"),
    ],
)
def test_times_are_on_the_reader_s_clock_and_say_which(zone, winter, summer):
    assert moment(NOW_US, ZoneInfo(zone)) == winter
    assert moment(NOW_US - 120 * 86_400_000_000, ZoneInfo(zone)) == summer


_LINES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["", "b", "code", "i"]),
            st.text(st.characters(codec="utf-8"), max_size=80).map(
                lambda text: text.replace("\n", " ")
            ),
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=40,
)


@given(_LINES, st.integers(min_value=40, max_value=400))
def test_every_part_has_balanced_tags_and_keeps_whole_lines_that_fit(lines, limit):
    shown = [
        "".join(f"<{tag}>{escape(text)}</{tag}>" if tag else escape(text) for tag, text in line)
        for line in lines
    ]
    parts = split("\n".join(shown), limit)
    for part in parts:
        assert length(part) <= limit
        for tag in ("b", "code", "i"):
            assert part.count(f"<{tag}>") == part.count(f"</{tag}>")
    kept = [line for part in parts for line in part.split("\n")]
    for line in shown:
        if line.strip() and length(line) <= limit:
            assert line in kept
