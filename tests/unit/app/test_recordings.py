"""What the list of recordings tells, and the listings beside the frames."""

import json
import os
from pathlib import Path

import pytest

from bot.app.recording import LISTING, ListingTape, recorder_of
from bot.app.recordings import listed_dir, read_recordings, recordings_dir, told_lines
from bot.app.sections import RecorderSection
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault
from bot.domain.events import MarketsListed
from bot.domain.ids import InstanceId, MarketTicker
from bot.domain.listing import Listing
from bot.domain.money import Quantity
from bot.kit.frames import FrameFile, Told, read_note, summary_path
from bot.kit.times import HOUR_US, MINUTE_US
from bot.kit.values import from_plain
from tests.fakes.clock import ManualClock
from tests.fakes.tapes import MemoryTape, MemoryTapes
from tests.support.trading import START_US, a_listing

OTHER = MarketTicker("KXCPI-26DEC-T0.3")
FRAME = b'{"type":"ticker"}'


def no_bar(done: int, total: int | None, text: str) -> None:
    """Nobody looks."""


def a_file(root: Path, began_us: int, name: str = "a-0001") -> FrameFile:
    hour = began_us // HOUR_US % 24
    file = FrameFile(root / "2026-09-21" / f"{hour:02d}-{name}.frames.zst", name, began_us)
    file.write([began_us + 10, FRAME, FRAME])
    return file


def test_the_list_shows_whole_cut_and_damaged_files_and_the_holes(tmp_path: Path) -> None:
    a_file(tmp_path, START_US).close()
    cut = a_file(tmp_path, START_US + 2 * HOUR_US)
    cut._file.close()
    os.utime(cut.path, (1, 1))
    bad = a_file(tmp_path, START_US + 3 * HOUR_US)
    bad.close()
    summary_path(bad.path).unlink()
    bad.path.write_bytes(b"x" + bad.path.read_bytes()[1:])
    found = read_recordings(tmp_path, no_bar)
    assert sorted(one.state for one in found.files) == ["cut", "damaged", "whole"]
    assert found.is_damaged
    assert found.holes == [(START_US + 10, START_US + 2 * HOUR_US + 10)]
    lines = list(found.lines)
    assert lines[-1].startswith("3 files, 4 frames")
    assert any("damaged after 0 frames" in line for line in lines)
    facts = json.loads(json.dumps(found.facts))
    assert {one["frames"] for one in facts["files"] if one["state"] != "damaged"} == {2}


def test_a_file_being_written_is_open(tmp_path: Path) -> None:
    file = a_file(tmp_path, START_US)
    (found,) = read_recordings(tmp_path, no_bar).files
    assert (found.state, "2 frames" in found.line) == ("open", True)
    assert next(told_lines(file.path)).endswith('< {"type":"ticker"}')
    file.close()


def test_no_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    settings = BotSettings(recorder=RecorderSection(dir=tmp_path))
    with pytest.raises(ConfigurationFault, match="paper-main-0: there are no recordings"):
        recordings_dir(settings, None)
    assert recordings_dir(settings, tmp_path) == tmp_path


def test_a_bot_that_has_recorded_nothing_yet_is_no_fault(tmp_path: Path) -> None:
    settings = BotSettings(recorder=RecorderSection(dir=tmp_path / "none"))
    found = read_recordings(listed_dir(settings, None), no_bar)
    assert list(found.lines) == [
        "nothing is recorded here; mode trade does it by itself, --dir looks elsewhere"
    ]
    assert (found.facts, found.is_damaged) == ({"files": [], "holes": []}, False)
    with pytest.raises(ConfigurationFault, match="there are no recordings"):
        listed_dir(settings, tmp_path / "mistyped")


@pytest.mark.parametrize(
    ("mode", "enabled", "is_on"),
    [("collect", None, False), ("trade", None, True), ("trade", False, False)],
)
def test_a_bot_that_trades_records_unless_told_otherwise(
    tmp_path: Path, mode: str, enabled: bool | None, is_on: bool
) -> None:
    section = RecorderSection(dir=tmp_path, enabled=enabled)
    settings = BotSettings(recorder=section).model_copy(update={"mode": mode})
    told: list[tuple[AlertKind, dict[str, str | int]]] = []
    made = recorder_of(
        settings, ManualClock(), InstanceId("01a2-b3c4d5e6"), lambda *one: told.append(one)
    )
    assert (made is not None) == is_on
    if made is not None:
        assert made.tape().connection == "b3c4d5e6-0001"
        made._told("full")
        made._told(None)
        assert [kind for kind, _ in told] == [
            AlertKind.RECORDING_STOPPED, AlertKind.RECORDING_RESUMED,
        ]  # fmt: skip


def written(tape: MemoryTape) -> list[Listing]:
    """What the writer's thread would make of the tape so far."""
    told: list[Told] = []
    for one in tape.kept:
        if callable(one):
            told += one()
    tape.kept[:] = [one for one in tape.kept if not callable(one)]
    notes = [read_note(one) for one in told]  # type: ignore[arg-type]
    assert {one["note"] for one in notes} <= {LISTING}
    return [from_plain(Listing, one["listing"]) for one in notes]


def test_listings_are_kept_when_they_change_and_all_of_them_in_a_new_file() -> None:
    tapes, clock = MemoryTapes(), ManualClock(START_US)
    keeper = ListingTape(tapes, clock, {})
    (tape,) = tapes.made
    first, second = a_listing(), a_listing(OTHER)

    def hear(*listings: Listing) -> list[Listing]:
        clock.advance(MINUTE_US)
        keeper.hear(MarketsListed(received_us=clock.now_us(), listings=listings))
        return written(tape)

    assert hear(first, second) == [first, second]
    assert hear(first, second) == []
    changed = a_listing(OTHER, volume=Quantity(5))
    assert hear(first, changed) == [changed]
    tape.is_hour_over = True
    assert hear(first) == [first, changed], "a file is understood without the one before"
