"""The recorder: written within a second, bounded in memory and on the disk, never in the way."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.adapters.recording.recorder import FrameRecorder, RecorderSettings
from bot.adapters.recording.shelf import NoRoom, Shelf, ShelfSettings, folder_of
from bot.kit.clock import SystemClock
from bot.kit.frames import (
    NOTE,
    SAID,
    Told,
    frame_files,
    note,
    read_note,
    read_records,
    read_summary,
    summary_path,
)
from bot.kit.times import HOUR_US
from tests.fakes.clock import ManualClock
from tests.support.house import until

pytestmark = pytest.mark.looptime(False)

MB = 1 << 20
START_US = 1_790_000_000_000_000 // HOUR_US * HOUR_US
FRAME = b'{"type":"ticker"}\n'
QUICK = RecorderSettings(flush_s=0.01, retry_us=50_000)


def shelf(root: Path, **changes: object) -> Shelf:
    facts: dict[str, object] = {
        "dir": root, "scope": "paper:main:0", "budget": 64 * MB, "free_min": 0, "keep_us": HOUR_US,
    }  # fmt: skip
    return Shelf(ShelfSettings(**(facts | changes)))  # type: ignore[arg-type]


@asynccontextmanager
async def recording(
    root: Path, clock: ManualClock, told: list[str | None], **changes: object
) -> AsyncIterator[FrameRecorder]:
    recorder = FrameRecorder(shelf(root, **changes), clock, "ab12cd34", told.append, QUICK)
    running = asyncio.get_running_loop().create_task(recorder.run())
    try:
        yield recorder
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until_written(root: Path, frames: int) -> None:
    await until(lambda: sum(read_summary(path).frames for path in frame_files(root)) >= frames, 5)


async def test_a_conversation_is_in_its_hours_file_soon(tmp_path: Path) -> None:
    clock, told = ManualClock(START_US), list[str | None]()
    async with recording(tmp_path, clock, told) as recorder:
        tape = recorder.tape()
        assert tape.wants_turn(START_US)
        tape.turn(START_US, {"subscriptions": []})
        tape.keep(START_US + 5)
        tape.keep(FRAME)
        tape.keep(Told(START_US + 6, SAID, b"{}"))
        tape.keep(lambda: [note(START_US + 7, "late")])
        assert not tape.wants_turn(START_US + 7)
        await until_written(tmp_path, 2)
        (path,) = frame_files(tmp_path)
        assert not summary_path(path).exists()
    assert path.relative_to(tmp_path).parts[0] == "paper-main-0"
    assert path.name == f"{START_US // HOUR_US % 24:02d}-ab12cd34-0001.frames.zst"
    first, *rest = read_records(path)
    assert read_note(first) == {"note": "began", "subscriptions": []}
    assert [(record.at_us - START_US, record.kind) for record in rest] == [
        (5, "<"), (6, ">"), (7, "#"),
    ]  # fmt: skip
    assert read_summary(path).is_whole
    assert told == []


async def test_each_hour_has_its_file_and_a_full_one_makes_way(tmp_path: Path) -> None:
    clock, told = ManualClock(START_US), list[str | None]()
    async with recording(tmp_path, clock, told, budget=8 * MB) as recorder:
        tape = recorder.tape()
        for number in range(2):
            now_us = START_US + number * HOUR_US
            assert tape.wants_turn(now_us)
            tape.turn(now_us, {})
            tape.keep(now_us)
            tape.keep(FRAME)
            await until_written(tmp_path, number + 1)
        tape.keep(os.urandom(2 * MB).replace(b"\n", b" "))
        await until_written(tmp_path, 3)
        assert tape.wants_turn(START_US + HOUR_US + 1)
        tape.turn(START_US + HOUR_US + 1, {})
        tape.end(START_US + HOUR_US + 2, "closed")
        await until(lambda: len(frame_files(tmp_path)) >= 3, 5)
    names = [path.name.partition("-")[2] for path in frame_files(tmp_path)]
    assert names == ["ab12cd34-0001.frames.zst"] * 2 + ["ab12cd34-0001~01.frames.zst"]
    assert {read_summary(path).connection for path in frame_files(tmp_path)} == {"ab12cd34-0001"}


async def test_the_oldest_recordings_make_way_for_new_ones(tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now_us())
    old = tmp_path / "live-main-0" / "2026-01-01" / "00-x-0001.frames.zst"
    full = tmp_path / "live-main-0" / "2026-01-02" / "00-x-0001.frames.zst"
    for path, size in ((old, 10), (full, 20 * MB)):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size))
        summary_path(path).write_text("{}")
    now_s = clock.now_us() // 1_000_000
    os.utime(old, (now_s - 7_200, now_s - 7_200))
    async with recording(tmp_path, clock, [], budget=16 * MB) as recorder:
        tape = recorder.tape()
        tape.turn(clock.now_us(), {})
        tape.keep(FRAME)
        await until(lambda: not (full.exists() or old.exists()), 5)
    assert not old.parent.exists()
    assert len(frame_files(tmp_path)) == 1


async def test_a_full_disk_stops_it_with_a_word_and_it_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    clock, told = ManualClock(START_US), list[str | None]()
    place = shelf(tmp_path, free_min=1 << 60)
    with pytest.raises(NoRoom, match=r"recorder\.min_free_mb"):
        place.require_room()
    recorder = FrameRecorder(place, clock, "ab12cd34", told.append, QUICK)
    running = asyncio.get_running_loop().create_task(recorder.run())
    tape = recorder.tape()
    tape.turn(START_US, {})
    tape.keep(FRAME)
    await until(lambda: bool(told), 5)
    assert "MB free" in str(told[0])
    assert frame_files(tmp_path) == []
    tape.keep(FRAME)
    recorder._shelf = shelf(tmp_path)
    clock.advance(QUICK.retry_us)
    await until(lambda: len(told) >= 2, 5)
    assert told[1] is None
    assert tape.wants_turn(START_US), "a file that begins in mid-conversation needs its context"
    tape.turn(clock.now_us(), {})
    tape.keep(clock.now_us())
    tape.keep(FRAME)
    await until_written(tmp_path, 1)
    running.cancel()
    await asyncio.wait({running})
    assert recorder.lost >= 1


async def test_a_broken_folder_is_told_and_nothing_is_raised(tmp_path: Path) -> None:
    place, told = tmp_path / "not a folder", list[str | None]()
    place.write_text("x")
    async with recording(place, ManualClock(START_US), told) as recorder:
        recorder.tape().turn(START_US, {})
        await until(lambda: bool(told), 5)
    assert str(place) in str(told[0])


async def test_what_a_slow_disk_cannot_take_is_a_gap_that_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stuck")
    clock = ManualClock(START_US)
    settings = RecorderSettings(flush_s=0.01, waiting_max=100, finish_s=0.05)
    recorder = FrameRecorder(shelf(tmp_path / "r"), clock, "ab12cd34", [].append, settings)
    running = asyncio.get_running_loop().create_task(recorder.run())
    tape = recorder.tape()
    tape.turn(START_US, {})

    def stuck() -> list[Told]:
        with (tmp_path / "stuck").open("rb"):
            return []

    tape.keep(stuck)
    async with asyncio.timeout(5):
        while not recorder.lost:
            tape.keep(START_US)
            for _ in range(50):
                tape.keep(FRAME)
            await asyncio.sleep(0.005)
    assert len(tape.waiting) < 1_000
    assert tape.wants_turn(START_US)
    with (tmp_path / "stuck").open("wb"):
        pass
    tape.turn(START_US, {})
    tape.end(START_US + 1, "closed")
    await until(lambda: len(frame_files(tmp_path / "r")) >= 2, 5)
    running.cancel()
    await asyncio.wait({running})
    told = [read_note(one) for one in read_records(frame_files(tmp_path / "r")[0])]
    assert any(one.get("note") == "gap" and int(str(one["lost"])) >= 100 for one in told)


async def test_a_disk_that_hangs_does_not_hold_up_a_hand_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stuck")
    settings = RecorderSettings(flush_s=0.01, finish_s=0.05)
    recorder = FrameRecorder(shelf(tmp_path / "r"), ManualClock(START_US), "ab", print, settings)
    running = asyncio.get_running_loop().create_task(recorder.run())
    tape, hangs = recorder.tape(), threading.Event()
    tape.turn(START_US, {})

    def stuck() -> list[Told]:
        hangs.set()
        with (tmp_path / "stuck").open("rb"):
            return []

    tape.keep(stuck)
    await until(hangs.is_set, 5)
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=2)
    with (tmp_path / "stuck").open("wb"):
        pass
    assert done
    (path,) = frame_files(tmp_path / "r")
    await until(summary_path(path).exists, 5)


KILLED = """
import asyncio, sys
from pathlib import Path
from bot.adapters.recording.recorder import FrameRecorder
from bot.adapters.recording.shelf import Shelf, ShelfSettings
from bot.kit.clock import SystemClock

async def main():
    clock = SystemClock()
    shelf = Shelf(ShelfSettings(dir=Path(sys.argv[1]), scope="paper:main:0", budget=1 << 24,
                                free_min=0, keep_us=10**12))
    recorder = FrameRecorder(shelf, clock, "ab12cd34", print)
    task = asyncio.get_running_loop().create_task(recorder.run())
    tape = recorder.tape()
    tape.turn(clock.now_us(), {})
    number = 0
    while True:
        tape.keep(clock.now_us())
        tape.keep(b'{"seq":%d}' % number)
        number += 1
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


def test_a_killed_bot_loses_no_more_than_a_second(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)]) as process:
        time.sleep(2.5)  # noqa: TID251 - a real process is killed in the middle of its work
        killed_us = SystemClock().now_us()
        process.send_signal(signal.SIGKILL)
    (path,) = frame_files(tmp_path)
    records = [record for record in read_records(path) if record.kind != NOTE]
    assert [record.data for record in records] == [
        b'{"seq":%d}' % number for number in range(len(records))
    ]
    assert killed_us - records[-1].at_us < 1_000_000
    assert not read_summary(path).is_whole


def test_a_scope_names_a_folder() -> None:
    assert folder_of("paper:main:0") == "paper-main-0"


def test_limits_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="budget must be at least 8 MB"):
        shelf(tmp_path, budget=MB)
    with pytest.raises(ValueError, match="time to keep above 0"):
        shelf(tmp_path, keep_us=0)
