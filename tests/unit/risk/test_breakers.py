"""Breakers trip at exactly their limit, stay tripped, and come back as their row says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvariantBroken
from bot.domain.money import Money
from bot.domain.records import BreakerRecord
from bot.kit.times import HOUR_US, SECOND_US
from bot.risk.breakers import (
    BREAKERS,
    BreakerState,
    Rearm,
    evaluate,
    fresh,
    from_records,
    judged,
    marked,
    refusal,
    reset,
    to_record,
)
from bot.risk.readings import BreakerLimits, Readings

LIMITS = BreakerLimits()
BASELINE = Money(1_000_000_000)
WELL = Readings(
    trading_day="2026-11-20",
    is_flat=True,
    baseline=BASELINE,
    equity=BASELINE,
    realized_today=Money(0),
    peak_equity=BASELINE,
    worst_position_loss=Money(0),
    loss_streak=0,
    api_calls=0,
    api_failed=0,
    silence_us=0,
    unknown_orders=0,
    clock_skew_us=0,
    stale_books=0,
    watched_books=10,
    rejections=0,
    takeovers=0,
    groups_tripped=0,
)
TOMORROW = "2026-11-21"


class Board:
    """The table over time."""

    def __init__(self) -> None:
        self.states = from_records([])
        self.now_us = HOUR_US

    def see(self, readings: Readings, seconds: int = 0) -> list[str]:
        """Evaluate each second; returns the changes, with a minus for a re-armed one."""
        told: list[str] = []
        for _ in range(max(1, seconds)):
            self.now_us += SECOND_US
            self.states, changes = evaluate(self.states, readings, LIMITS, self.now_us)
            told += [f"{'' if c.state.is_tripped else '-'}{c.state.name}" for c in changes]
        return told

    def state(self, name: str) -> BreakerState:
        return next(state for state in self.states if state.name == name)

    def reset(self, name: str, readings: Readings, *, is_forced: bool = False) -> None:
        after = reset(self.state(name), readings, LIMITS, self.now_us, is_forced=is_forced)
        self.states = tuple(after if one.name == name else one for one in self.states)


def seen(**changes: object) -> Readings:
    return replace(WELL, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "below", "at_limit"),
    [
        (
            "daily_loss",
            {"realized_today": Money(-49_999_999)},
            {"realized_today": Money(-50_000_000)},
        ),
        ("consecutive_losses", {"loss_streak": 4}, {"loss_streak": 5}),
        (
            "api_error_rate",
            {"api_calls": 201, "api_failed": 20},
            {"api_calls": 200, "api_failed": 20},
        ),
        ("api_error_rate", {"api_calls": 19, "api_failed": 19}, {"api_calls": 20, "api_failed": 2}),
        (
            "websocket_silence",
            {"silence_us": 15 * SECOND_US - 1},
            {"silence_us": 15 * SECOND_US},
        ),
        ("unknown_orders", {"unknown_orders": 2}, {"unknown_orders": 3}),
        ("clock_skew", {"clock_skew_us": 1_999_999}, {"clock_skew_us": -2_000_000}),
        ("rejected_orders", {"rejections": 4}, {"rejections": 5}),
        ("order_group", {"groups_tripped": 0}, {"groups_tripped": 1}),
        ("flapping", {"takeovers": 3}, {"takeovers": 4}),
    ],
)
def test_it_trips_at_exactly_its_limit_and_at_once(
    name: str, below: dict[str, object], at_limit: dict[str, object]
) -> None:
    board = Board()
    assert board.see(seen(**below), seconds=100) == []
    assert board.see(seen(**at_limit)) == [name]
    assert board.state(name).reason


@pytest.mark.parametrize(
    ("name", "below", "at_limit", "lasting_s"),
    [
        ("daily_loss", {"equity": Money(950_000_001)}, {"equity": Money(950_000_000)}, 30),
        (
            "single_position_loss",
            {"worst_position_loss": Money(39_999_999)},
            {"worst_position_loss": Money(40_000_000)},
            30,
        ),
        ("stale_books", {"stale_books": 4}, {"stale_books": 5}, 60),
    ],
)
def test_what_may_be_a_flicker_has_to_last(
    name: str, below: dict[str, object], at_limit: dict[str, object], lasting_s: int
) -> None:
    board = Board()
    assert board.see(seen(**below), seconds=200) == []
    assert board.see(seen(**at_limit), seconds=lasting_s) == []
    assert board.see(WELL) == []
    assert board.see(seen(**at_limit), seconds=lasting_s) == []
    assert board.see(seen(**at_limit)) == [name]


def test_a_drawdown_trips_beside_the_daily_loss() -> None:
    board = Board()
    told = board.see(seen(equity=Money(850_000_000)), seconds=31)
    assert told == ["daily_loss", "drawdown"]


def test_an_unknown_equity_neither_trips_nor_clears() -> None:
    board = Board()
    bad, unknown = seen(equity=Money(900_000_000)), seen(equity=None)
    board.see(bad, seconds=20)
    assert board.see(unknown, seconds=100) == []
    assert board.see(bad) == ["daily_loss"], "the loss was there before and after"
    assert board.see(replace(unknown, trading_day=TOMORROW), seconds=100) == []


def test_silence_clears_itself_after_thirty_good_seconds_three_times_an_hour() -> None:
    board = Board()
    silent = seen(silence_us=20 * SECOND_US)
    for _ in range(3):
        assert board.see(silent) == ["websocket_silence"]
        assert board.see(WELL, seconds=30) == []
        assert board.see(WELL) == ["-websocket_silence"]
    assert board.see(silent) == ["websocket_silence"]
    assert board.see(WELL, seconds=600) == [], "latched"
    board.now_us += HOUR_US
    assert board.see(WELL) == ["-websocket_silence"]


def test_good_data_has_to_be_good_throughout() -> None:
    board = Board()
    silent = seen(silence_us=20 * SECOND_US)
    board.see(silent)
    assert board.see(WELL, seconds=29) == []
    board.see(silent)
    assert board.see(WELL, seconds=29) == []


def test_the_daily_loss_comes_back_on_the_new_day_when_flat() -> None:
    board = Board()
    board.see(seen(realized_today=Money(-60_000_000)))
    assert board.see(WELL, seconds=1_000) == [], "not on the same day"
    held = seen(trading_day=TOMORROW, is_flat=False)
    assert board.see(held, seconds=10) == []
    assert board.see(replace(held, is_flat=True)) == ["-daily_loss"]


def test_a_loss_streak_starts_anew_on_the_new_day_or_after_a_reset() -> None:
    board = Board()
    streak = seen(loss_streak=5)
    board.see(streak)
    assert refusal(board.state("consecutive_losses"), streak, LIMITS) == ""
    assert board.see(replace(streak, trading_day=TOMORROW)) == ["-consecutive_losses"]
    assert board.state("consecutive_losses").counted_from_us == board.now_us


def test_some_breakers_wait_for_a_person_whatever_day_it_is() -> None:
    board = Board()
    board.see(seen(groups_tripped=1, takeovers=4))
    assert board.see(seen(trading_day=TOMORROW), seconds=100) == []
    by_person = {breaker.name for breaker in BREAKERS if breaker.rearm is Rearm.PERSON}
    assert by_person == {"drawdown", "order_group", "flapping"}


def test_a_reset_is_refused_while_the_condition_holds_and_says_what_would_have_to_change() -> None:
    board = Board()
    loss = seen(realized_today=Money(-60_000_000))
    board.see(loss)
    why = refusal(board.state("daily_loss"), loss, LIMITS)
    assert "-6.00 %" in why
    assert "5.00 %" in why
    assert refusal(board.state("daily_loss"), WELL, LIMITS) == ""
    assert "not tripped" in refusal(fresh("daily_loss"), WELL, LIMITS)


def test_a_forced_reset_grants_one_more_percent_and_only_today() -> None:
    board = Board()
    loss = seen(realized_today=Money(-60_000_000))
    board.see(loss)
    board.reset("daily_loss", loss, is_forced=True)
    assert board.see(loss, seconds=100) == []
    assert board.see(seen(realized_today=Money(-70_000_000))) == []
    assert board.see(seen(realized_today=Money(-70_200_000))) == ["daily_loss"]
    board.reset("daily_loss", WELL)
    tomorrow = seen(trading_day=TOMORROW, realized_today=Money(-50_000_000))
    assert board.see(tomorrow) == ["daily_loss"], "the grant was for one day"


def test_a_forced_reset_of_a_lasting_fault_grants_five_minutes() -> None:
    board = Board()
    skewed = seen(clock_skew_us=3_000_000)
    board.see(skewed)
    board.reset("clock_skew", skewed, is_forced=True)
    assert board.see(skewed, seconds=299) == []
    assert board.see(skewed, seconds=2) == ["clock_skew"]


def test_an_unforced_reset_grants_nothing() -> None:
    board = Board()
    loss = seen(realized_today=Money(-60_000_000))
    board.see(loss)
    board.reset("daily_loss", WELL)
    assert board.see(loss) == ["daily_loss"]


def test_moments_are_counted_within_their_window() -> None:
    state = fresh("flapping")
    for at_us in (0, 10, HOUR_US + 5):
        state = marked(state, at_us, HOUR_US)
    assert state.marks == (10, HOUR_US + 5)


readings = st.builds(
    seen,
    trading_day=st.sampled_from(["2026-11-20", TOMORROW]),
    equity=st.one_of(st.none(), st.integers(800_000_000, 1_100_000_000).map(Money)),
    realized_today=st.integers(-80_000_000, 80_000_000).map(Money),
    loss_streak=st.integers(0, 7),
    silence_us=st.integers(0, 30 * SECOND_US),
    api_calls=st.integers(0, 50),
    api_failed=st.integers(0, 5),
    rejections=st.integers(0, 6),
    is_flat=st.booleans(),
)


@given(st.lists(readings, max_size=30))
def test_a_stored_board_goes_on_exactly_as_the_one_in_memory(sequence: list[Readings]) -> None:
    kept, restored = Board(), Board()
    for one in sequence:
        restored.states = from_records([to_record(state) for state in restored.states])
        assert kept.see(one) == restored.see(one)
        assert kept.states == restored.states


@given(st.lists(readings, min_size=1, max_size=30))
def test_a_tripped_breaker_never_rearms_on_its_day_while_its_condition_holds(
    sequence: list[Readings],
) -> None:
    board = Board()
    for one in sequence:
        before = {state.name: state for state in board.states}
        board.see(one)
        for state in board.states:
            was = before[state.name]
            if was.is_tripped and not state.is_tripped and one.trading_day == was.tripped_day:
                assert not judged(was, one, LIMITS).is_met


def test_a_row_set_by_hand_counts_and_an_unreadable_one_stops_the_start() -> None:
    by_hand = BreakerRecord(
        name="drawdown", tripped=True, reason="by SQL", data_json="{}", changed_us=3
    )
    states = from_records([by_hand])
    state = next(one for one in states if one.name == "drawdown")
    assert (state.is_tripped, state.reason) == (True, "by SQL")
    assert len(states) == len(BREAKERS)
    with pytest.raises(InvariantBroken):
        from_records([replace(by_hand, data_json='{"odd": 1}')])


@pytest.mark.parametrize(
    "wrong",
    [
        {"daily_loss_bp": 0},
        {"daily_loss_bp": 2_000},
        {"api_calls_min": 0},
        {"silence_us": 5 * SECOND_US},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BreakerLimits(**wrong)
