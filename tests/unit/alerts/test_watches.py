"""Each watch begins once, ends once, and does not flap at its limit."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.watches import (
    FRESH,
    NAMES,
    Level,
    Pause,
    Purse,
    WatchFacts,
    WatchRules,
    WatchState,
    announce,
    from_json,
    look,
)
from bot.domain.alerts import AlertKind
from bot.domain.errors import InvariantBroken
from bot.domain.money import Money
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US

NOW_US = 1_790_000_000_000_000
RULES = WatchRules()
NOTHING = WatchFacts(now_us=NOW_US)


def dollars(amount: float) -> Money:
    return Money(round(amount * 1_000_000))


def played(*steps: dict[str, object]) -> tuple[list[tuple[AlertKind, str]], WatchState]:
    """What is told when these facts are found one after the other."""
    told: list[tuple[AlertKind, str]] = []
    state = FRESH
    for step in steps:
        facts = replace(NOTHING, **step)  # type: ignore[arg-type]
        state, _, changes = look(facts, RULES, state)
        told += [(change.kind, change.text) for change in changes]
    return told, state


def kinds(*steps: dict[str, object]) -> list[AlertKind]:
    return [kind for kind, _ in played(*steps)[0]]


ENDED = AlertKind.WATCH_ENDED


def won(wins: int, losses: int) -> dict[str, object]:
    return {"won": wins, "lost": losses, "break_even_e6": 800_000}


def test_a_win_rate_is_judged_beside_what_would_break_even_once_there_are_enough() -> None:
    told, _ = played(won(5, 14), won(15, 5), won(16, 4), won(40, 10), won(81, 19))
    assert told == [
        (
            AlertKind.WIN_RATE_LOW,
            "15 of the last 20 won (75.0 %), break-even 80.0 %, target 60.0 %",
        ),
        (ENDED, "81 of the last 100 won (81.0 %), break-even 80.0 %, target 60.0 %"),
    ]
    assert kinds(won(16, 4)) == [], "a rate that breaks even is not below it"
    assert kinds(won(19, 1), {}) == []


@pytest.mark.parametrize(
    ("calls", "failed", "told"),
    [
        (19, 19, []),
        (20, 0, []),
        (100, 4, []),
        (20, 1, [AlertKind.API_ERROR_RATE]),
        (100, 5, [AlertKind.API_ERROR_RATE]),
    ],
)
def test_failing_calls_are_told_at_five_percent_of_twenty(
    calls: int, failed: int, told: list[AlertKind]
) -> None:
    assert kinds({"calls": calls, "failed": failed}) == told


def test_failing_calls_end_below_four_percent_or_with_no_failure_left() -> None:
    begun = {"calls": 100, "failed": 6}
    assert kinds(begun, {"calls": 100, "failed": 4}, begun) == [AlertKind.API_ERROR_RATE]
    assert kinds(begun, {"calls": 100, "failed": 3}) == [AlertKind.API_ERROR_RATE, ENDED]
    assert kinds(begun, {"calls": 3, "failed": 1}) == [AlertKind.API_ERROR_RATE]
    assert kinds(begun, {"calls": 0, "failed": 0}) == [AlertKind.API_ERROR_RATE, ENDED]


def held(count: int) -> dict[str, object]:
    return {"positions": count, "positions_max": 10}


def test_positions_are_told_near_the_limit_and_once_more_at_it() -> None:
    near = AlertKind.POSITIONS_NEAR_LIMIT
    assert kinds(held(7)) == []
    assert kinds(held(8), held(7), held(8), held(9)) == [near]
    assert kinds(*map(held, (8, 10, 9, 10, 9, 10, 7))) == [near, near]
    assert kinds(*map(held, (8, 10, 6, 10))) == [near, near, ENDED, near]
    assert played(held(10))[0] == [
        (near, "10 of at most 10 are open or being opened: no new entry until one is closed")
    ]


def lost(amount: float) -> dict[str, object]:
    return {"result_today": dollars(-amount), "loss_limit": dollars(50)}


def test_a_loss_is_told_at_half_of_what_stops_entries() -> None:
    begun = AlertKind.DAILY_LOSS_NEAR
    assert kinds(lost(24.99)) == []
    assert kinds(lost(25), lost(24), lost(21), lost(26)) == [begun]
    assert kinds(lost(25), lost(19.99), lost(25)) == [begun, ENDED, begun]
    assert played(lost(25))[0] == [(begun, "-$25.00 today; at -$50.00 entries stop")]
    assert kinds(lost(-100)) == []


def expires(days: float) -> dict[str, object]:
    until_us = NOW_US + round(days * DAY_US)
    return {"key_expires_us": until_us, "attested_until_us": until_us + HOUR_US}


def test_what_expires_is_told_days_ahead_and_again_when_it_has() -> None:
    key, place = AlertKind.KEY_EXPIRES, AlertKind.ATTESTATION_EXPIRES
    assert kinds(expires(7.1)) == []
    assert kinds(expires(6.5), expires(3), expires(0.2)) == [key, place]
    assert kinds(expires(6.5), expires(-1), expires(30)) == [key, place, key, place, ENDED, ENDED]
    texts = [text for _, text in played(expires(2.5), expires(0.5), expires(-1))[0]]
    assert texts == ["expires in 2 days", "expires in 2 days", "expired", "expired"]


def purse(cash: float, shard: int | None = 2) -> Purse:
    return Purse(shard=shard, cash=dollars(cash), need=dollars(5))


def test_money_is_told_where_the_next_entry_could_not_be_paid() -> None:
    low = AlertKind.BALANCE_LOW
    rich = purse(900, 0)
    told, _ = played({"purses": (rich, purse(4.99))}, {"purses": (rich, purse(5.4))})
    assert told == [(low, "$4.99 free on shard 2, the next entry may need $5.00")]
    assert kinds({"purses": (rich, purse(4))}, {"purses": (rich, purse(5.5))}) == [low, ENDED]
    assert kinds({"purses": (purse(5),)}) == []
    assert played({"purses": (purse(1, None),)})[0][0][1].startswith("$1.00 free in all")


def test_the_stream_is_only_shown_for_it_tells_of_itself() -> None:
    _, findings, changes = look(replace(NOTHING, is_connected=False), RULES, FRESH)
    assert [(one.name, one.level) for one in findings] == [("WebSocket", Level.BEGUN)]
    assert changes == ()


def test_collection_is_told_beyond_its_limit() -> None:
    stale = {"silent_us": 7_201 * 1_000_000, "silent_max_us": 7_200 * 1_000_000}
    fresh = stale | {"silent_us": 1}
    assert kinds(stale, stale, fresh) == [AlertKind.STALE, ENDED]


def test_what_is_not_known_changes_nothing() -> None:
    begun = {**won(1, 29), **held(10), **lost(40), **expires(1), "purses": (purse(1),)}
    _, state = played(begun)
    again, findings, changes = look(NOTHING, RULES, state)
    assert (again, findings, changes) == (state, (), ())
    assert set(state.told) <= set(NAMES)


def test_the_state_survives_being_stored() -> None:
    _, state = played(held(9))
    state, _ = announce(
        [Pause(start_us=NOW_US + 1, end_us=NOW_US + 2, why="")], RULES, state, NOW_US
    )
    assert from_json(state.to_json()) == state
    for damaged in ("", "[]", "{}", '{"told": {"a": "b"}, "pauses_us": []}', "null"):
        with pytest.raises(InvariantBroken):
            from_json(damaged)


def test_a_pause_is_told_once_some_time_ahead() -> None:
    pause = Pause(start_us=NOW_US + HOUR_US, end_us=NOW_US + 3 * HOUR_US, why="trading hours")
    other = replace(pause, start_us=pause.start_us + DAY_US)
    state, told = FRESH, []
    for minute in range(200):
        now_us = NOW_US + minute * MINUTE_US
        state, due = announce([pause, other], RULES, state, now_us)
        told += [(minute, one) for one in due]
        state = from_json(state.to_json())
    assert told == [(30, pause)]
    _, due = announce([pause], replace(RULES, pause_ahead_us=0), FRESH, NOW_US + 59 * MINUTE_US)
    assert due == ()


def test_a_pause_that_began_before_the_start_is_not_announced() -> None:
    begun = Pause(start_us=NOW_US - 1, end_us=NOW_US + HOUR_US, why="maintenance")
    assert announce([begun], RULES, FRESH, NOW_US)[1] == ()


_AT_A_LIMIT = st.one_of(
    # Each stays between where its watch begins and where it ends.
    st.lists(st.sampled_from([held(8), held(7)]), max_size=30),
    st.lists(st.floats(20.01, 25).map(lost), max_size=30),
    st.lists(
        st.integers(40, 60).map(lambda failed: {"calls": 1_000, "failed": failed}), max_size=30
    ),
    st.lists(st.floats(4.5, 5.49).map(lambda cash: {"purses": (purse(cash),)}), max_size=30),
    st.lists(st.integers(395, 404).map(lambda wins: won(wins, 500 - wins)), max_size=30),
    st.lists(st.floats(6.97, 7.03).map(expires), max_size=30),
)


@given(_AT_A_LIMIT)
def test_what_stands_at_its_limit_is_told_at_most_once(steps: list[dict[str, object]]) -> None:
    told = kinds(*steps)
    assert ENDED not in told
    assert len(told) == len(set(told))


_ANY = st.fixed_dictionaries(
    {},
    optional={
        "won": st.integers(0, 60),
        "lost": st.integers(0, 60),
        "break_even_e6": st.integers(0, 1_000_000),
        "calls": st.integers(0, 200),
        "failed": st.integers(0, 200),
        "positions": st.integers(0, 15),
        "positions_max": st.integers(0, 12),
        "result_today": st.integers(-(10**9), 10**9),
        "loss_limit": st.integers(-5, 10**8),
        "is_connected": st.booleans(),
        "key_expires_us": st.integers(0, 2 * NOW_US),
        "silent_us": st.integers(0, 10**12),
    },
)


@given(st.lists(_ANY, max_size=40))
def test_every_end_has_its_beginning_and_every_beginning_one_end(
    steps: list[dict[str, object]],
) -> None:
    state, open_now = FRESH, set()
    for step in steps:
        state, _, changes = look(replace(NOTHING, **step), RULES, state)  # type: ignore[arg-type]
        for change in changes:
            if change.is_end:
                open_now.remove(change.name)
            else:
                open_now.add(change.name)
    assert open_now == {name for name, level in state.told.items() if level} - {"WebSocket"}
