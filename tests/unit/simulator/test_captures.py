"""Reading recordings of both layouts, old formats included."""

from pathlib import Path

import pytest

from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.simulator import captures
from bot.simulator.capture_events import Kind
from tests.support.capture import START_US, folder, frames

SECOND = 1_000_000


def test_a_folder_is_one_stream_by_arrival_and_sequence(tmp_path: Path) -> None:
    found = list(captures.read_captures([folder(tmp_path)]))
    assert [event.kind for event in found] == [
        Kind.WATCH, Kind.SNAPSHOT, Kind.DELTA, Kind.DELTA, Kind.DELTA, Kind.DELTA, Kind.TICKER,
        Kind.SNAPSHOT,
    ]  # fmt: skip
    assert found[0].at_us == START_US
    assert [event.msg.get("delta_fp") for event in found[4:6]] == ["1.00", "-5.00"]


def test_raw_frames_take_the_time_they_carry_or_the_last_one(tmp_path: Path) -> None:
    path = frames(tmp_path)
    found = list(captures.read_captures([path]))
    assert [(event.kind, event.at_us - START_US) for event in found] == [
        (Kind.SNAPSHOT, 0), (Kind.DELTA, 0), (Kind.TRADE, SECOND), (Kind.DELTA, 2 * SECOND),
    ]  # fmt: skip
    assert captures.last_us(path) == START_US + 2 * SECOND


def test_captures_are_found_in_folders(tmp_path: Path) -> None:
    file = frames(tmp_path)
    assert captures.capture_files(file) == [file]
    assert captures.capture_files(tmp_path) == [file]
    where = folder(tmp_path)
    assert captures.capture_files(where) == captures.capture_files(tmp_path) == [where]
    assert captures.has_tickers([where])
    assert not captures.has_tickers([file])


def test_old_and_new_messages_read_alike(tmp_path: Path) -> None:
    new = list(captures.read_captures([folder(tmp_path)]))
    assert list(captures.levels_of(new[1].msg, "no")) == [(Price(8_500), Quantity(750))]
    assert captures.change_of(new[3].msg) == (BookSide.ASK, Price(8_400), Quantity(200))
    old = list(captures.read_captures([frames(tmp_path)]))
    assert list(captures.levels_of(old[0].msg, "yes")) == [(Price(7_900), Quantity(1_200))]
    assert captures.change_of(old[3].msg) == (BookSide.ASK, Price(8_000), Quantity(-200))
    assert captures.trade_of(old[2].msg) == (Price(8_000), Quantity(200), BookSide.BID)


@pytest.mark.parametrize("leg", ["yes", "no"])
def test_a_missing_side_is_empty(leg: str) -> None:
    assert list(captures.levels_of({}, leg)) == []
