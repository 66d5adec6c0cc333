"""Cursors are read as they were written, and never claim what is not stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.cursors import (
    OpenWindow,
    TradeCursor,
    candle_key,
    read_instant,
    read_trade_cursor,
    trade_key,
    write_instant,
)
from bot.domain.ids import MarketTicker

T = MarketTicker("KXFED-26DEC-T4")
TIMES = st.integers(0, 4 * 10**15)


def test_keys_are_the_documented_ones() -> None:
    assert candle_key(T, 60) == "backfill_last_ts:KXFED-26DEC-T4:60"
    assert candle_key(T, 1, "open") == "backfill_last_ts:KXFED-26DEC-T4:1:open"
    assert trade_key(T) == "backfill_trades:KXFED-26DEC-T4"


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("2026-11-29T18:00:00Z", 1_795_975_200_000_000),
        ("2026-11-29T13:00:00-05:00", 1_795_975_200_000_000),
        ("1795975200", 1_795_975_200_000_000),
        ("1795975200.25", 1_795_975_200_250_000),
        (" 1795975200 ", 1_795_975_200_000_000),
        ("", None),
        ("soon", None),
        ("2026-11-29", None),
        ("-5", None),
    ],
)
def test_a_mark_is_epoch_or_iso(text: str, at_us: int | None) -> None:
    assert read_instant(text) == at_us


@given(TIMES)
def test_whole_seconds_survive(at_us: int) -> None:
    assert read_instant(write_instant(at_us)) == at_us - at_us % 1_000_000


@given(TIMES, TIMES, TIMES, st.booleans(), st.booleans())
def test_a_trade_cursor_is_read_as_written(
    done_us: int, until_us: int, reached_us: int, is_archive: bool, is_open: bool
) -> None:
    window = OpenWindow(until_us, reached_us, is_archive) if is_open else None
    cursor = TradeCursor(done_us, window)
    assert read_trade_cursor(cursor.text()) == cursor


@pytest.mark.parametrize("text", ["", "x", "1 2", "1 2 3 near", "1 2 x live"])
def test_what_is_no_cursor_starts_anew(text: str) -> None:
    assert read_trade_cursor(text) is None


def test_a_window_is_done_when_both_tiers_are() -> None:
    open_ = TradeCursor(10).opened(90)
    assert open_ == TradeCursor(10, OpenWindow(90, 90, is_archive=False))
    assert open_.opened(200) == open_, "what was begun is finished first"
    lower = open_.reached(50)
    assert lower == TradeCursor(10, OpenWindow(90, 50, is_archive=False))
    assert lower.reached(70) == lower
    assert lower.live_done(needs_archive=False) == TradeCursor(90)
    archive = lower.live_done(needs_archive=True)
    assert archive == TradeCursor(10, OpenWindow(90, 90, is_archive=True))
    assert archive.reached(20).archive_done() == TradeCursor(90)
    with pytest.raises(ValueError, match="no window"):
        TradeCursor(10).archive_done()
