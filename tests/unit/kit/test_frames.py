"""Kept conversations: byte by byte, up to any cut, never half a line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bot.kit.frames import (
    HEARD,
    NOTE,
    SAID,
    DamagedFile,
    FrameFile,
    Record,
    Told,
    frame_files,
    note,
    read_note,
    read_records,
    read_summary,
    summary_path,
)

NAME = "18-ab12cd34-1.frames.zst"
FRAME = b'{"type":"ticker","sid":1,"msg":{"market_ticker":"A"}}'


def written(path: Path, *batches: list[int | bytes | Told]) -> FrameFile:
    file = FrameFile(path, "ab12cd34-1", 5)
    for batch in batches:
        file.write(batch)
    return file


def test_what_was_kept_is_read_back_with_its_stamps(tmp_path: Path) -> None:
    path = tmp_path / NAME
    items = [10, FRAME, FRAME + b"\n", Told(11, SAID, b'{"id":1}'), 12, FRAME, note(13, "gap", n=2)]
    file = written(path, items)
    summary = file.close()
    assert list(read_records(path)) == [
        Record(10, HEARD, FRAME),
        Record(10, HEARD, FRAME + b"\n"),
        Record(11, SAID, b'{"id":1}'),
        Record(12, HEARD, FRAME),
        Record(13, NOTE, b'{"note": "gap", "n": 2}'),
    ]
    assert read_note(list(read_records(path))[-1]) == {"note": "gap", "n": 2}
    assert (summary.frames, summary.gaps, summary.began_us, summary.ended_us) == (4, 1, 5, 13)
    assert summary.frame_bytes == 3 * len(FRAME) + 1 + 8
    assert read_summary(path) == summary


def test_anybody_can_read_it_as_lines_of_json(tmp_path: Path) -> None:
    written(tmp_path / NAME, [10, FRAME + b"\n"]).close()
    with (tmp_path / NAME).open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).readall()
    assert [json.loads(line) for line in text.splitlines()] == [[10, "<n", json.loads(FRAME)]]


@given(
    frames=st.lists(st.binary(max_size=60), max_size=30),
    size=st.integers(min_value=1, max_value=7),
)
def test_any_bytes_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, frames: list[bytes], size: int
) -> None:
    path = tmp_path_factory.mktemp("frames") / NAME
    written(path, *([7, *frames[at : at + size]] for at in range(0, len(frames), size))).close()
    assert [record.data for record in read_records(path)] == frames


@given(share=st.floats(min_value=0, max_value=1))
def test_a_cut_anywhere_leaves_whole_frames_in_order(
    tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / NAME
    frames = [b'{"seq":%d}' % number for number in range(200)]
    written(path, *([number, frame] for number, frame in enumerate(frames))).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    summary_path(path).unlink()
    read = [record.data for record in read_records(path)]
    assert read == frames[: len(read)]
    summary = read_summary(path)
    assert (summary.frames, summary.is_whole) == (len(read), False)


WRITER = """
import sys, time
from pathlib import Path
from bot.kit.frames import FrameFile
file = FrameFile(Path(sys.argv[1]), "ab12cd34-1", 1)
number = 0
while True:
    file.write([number, *(b'{"seq":%d}' % (number * 10 + one) for one in range(10))])
    number += 1
    print(number * 10, flush=True)
"""


def test_a_killed_writer_leaves_everything_it_had_written(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 3_000:
                break
        time.sleep(0.02)  # noqa: TID251 - a real process is killed in the middle of its work
        process.kill()
        # Its last line may be torn; the one before it was said after the write.
        said = [3_000, *(int(line) for line in process.stdout.read().splitlines()[:-1])]
    read = [record.data for record in read_records(path)]
    assert len(read) >= said[-1]
    assert read == [b'{"seq":%d}' % number for number in range(len(read))]
    assert not read_summary(path).is_whole


def test_a_changed_byte_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    written(path, [1, *(b'{"seq":%d,"x":"%d"}' % (n, n * 7919) for n in range(500))]).close()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedFile, match="damaged after"):
        list(read_records(path))


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / NAME, [1, FRAME]).close()
    with pytest.raises(FileExistsError):
        FrameFile(tmp_path / NAME, "ab12cd34-1", 5)


def test_files_are_found_in_the_order_they_began(tmp_path: Path) -> None:
    names = ["2026-11-29/23-b-1", "2026-11-30/00-a-1", "2026-11-29/08-z-1"]
    for name in names:
        written(tmp_path / f"{name}.frames.zst", [1, FRAME]).close()
    found = [str(path.relative_to(tmp_path)).partition(".")[0] for path in frame_files(tmp_path)]
    assert found == [names[2], names[0], names[1]]
    assert frame_files(tmp_path / "2026-11-30" / "00-a-1.frames.zst") != []
    assert frame_files(tmp_path / "2026-11-30" / "00-a-1.json") == []
