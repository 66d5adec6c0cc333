"""Kept conversations: lines of JSON in one zstandard stream, readable up to wherever it was cut.

A line is ``[stamp_us,"kind",frame]``: ``<`` was heard, ``>`` was said, ``#`` is a
note of the recorder. The frame stands there byte by byte, so it is read back
without being understood. Two things would break a line and are marked: ``n`` after the kind is a
frame that ended in a newline, ``b`` one that holds newlines elsewhere, as base64.

Every write ends a block of the stream: what a killed process had written is
read back, and a torn tail is left out. ``zstdcat FILE | jq`` reads it as well.
"""

import base64
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import zstandard

SUFFIX = ".frames.zst"
HEARD, SAID, NOTE = "<", ">", "#"

# By measurement on 278,000 real frames of 281 bytes: level 1 takes 20 bytes and 0.5 us a frame,
# level 3 takes 22 bytes and 0.8 us, level 6 takes 19 bytes and 2.6 us.
_LEVEL = 1
_AT_ONCE = 500
"""Frames encoded before the interpreter's lock is given away: about 0.2 ms."""
_READ_BYTES = 1 << 18
_NEWLINE = b"\n"
_GAP = b'{"note": "gap"'


class Told(NamedTuple):
    """Something that was not heard: said, or noted."""

    at_us: int
    kind: str
    data: bytes


Item: TypeAlias = int | bytes | Told
"""What is kept, in order: a stamp, frames that were heard then, or something else."""


class Record(NamedTuple):
    """One line, read back. ``data`` is the frame as it was."""

    at_us: int
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a file holds. ``is_whole`` is false for one that was never closed: open, or cut."""

    connection: str
    began_us: int
    ended_us: int
    frames: int
    frame_bytes: int
    gaps: int
    """Notes of lost messages: at the exchange's end, or frames that could not be kept."""
    is_whole: bool = True


class DamagedFile(ValueError):
    """Not a cut but a wrong stream; the text names the file and how far it could be read."""


class FrameFile:
    """A file being written. Not for several threads at once."""

    def __init__(self, path: Path, connection: str, began_us: int) -> None:
        """Make it; an existing file is never touched.

        Raises:
            OSError: it cannot be made.
        """
        self.path = path
        self._connection = connection
        self._began_us = self._stamp_us = began_us
        self._frames = self._frame_bytes = self._gaps = 0
        self._stream = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("xb", buffering=0)
        self.size = 0

    def write(self, items: Sequence[Item]) -> None:
        """Append and hand over to the system: a kill of this process loses nothing of it.

        Raises:
            OSError: there is no room, or the disk is broken; close it then.
        """
        parts = [
            self._stream.compress(self._lines(items[at : at + _AT_ONCE]))
            for at in range(0, len(items), _AT_ONCE)
        ]
        parts.append(self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
        self._put(b"".join(parts))

    def close(self) -> Summary:
        """End the stream, have it on the disk, and leave the summary beside it.

        Raises:
            OSError: as for ``write``; the file is closed all the same.
        """
        with self._file:
            self._put(self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))
            os.fsync(self._file.fileno())
        summary = self.summary(is_whole=True)
        write_summary(self.path, summary)
        return summary

    def summary(self, *, is_whole: bool) -> Summary:
        """What it holds so far."""
        return Summary(
            connection=self._connection,
            began_us=self._began_us,
            ended_us=self._stamp_us,
            frames=self._frames,
            frame_bytes=self._frame_bytes,
            gaps=self._gaps,
            is_whole=is_whole,
        )

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(data)

    def _lines(self, items: Iterable[Item]) -> bytes:
        lines = []
        for item in items:
            if isinstance(item, int):
                self._stamp_us = item
                continue
            at_us, kind, data = (self._stamp_us, HEARD, item) if isinstance(item, bytes) else item
            if kind != NOTE:
                self._frames += 1
                self._frame_bytes += len(data)
            elif data.startswith(_GAP):
                self._gaps += 1
            self._stamp_us = max(self._stamp_us, at_us)
            lines.append(_line(at_us, kind, data))
        return b"".join(lines)


def _line(at_us: int, kind: str, data: bytes) -> bytes:
    if _NEWLINE in data:
        if data.find(_NEWLINE) == len(data) - 1:
            kind, data = f"{kind}n", data[:-1]
        else:
            kind, data = f"{kind}b", b'"%b"' % base64.b64encode(data)
    return b'[%d,"%b",%b]\n' % (at_us, kind.encode(), data)


def note(at_us: int, name: str, **facts: object) -> Told:
    """A note of the recorder, e.g. ``gap``; ``facts`` are plain values."""
    return Told(at_us, NOTE, json.dumps({"note": name, **facts}).encode())


# --- reading --------------------------------------------------------------------------------


def read_records(path: Path) -> Iterator[Record]:
    """Every record up to the end or the cut.

    Raises:
        DamagedFile: the stream is no zstandard, or was changed.
        OSError: it cannot be read.
    """
    count = 0
    try:
        for line in _whole_lines(path):
            yield _record(line)
            count += 1
    except (zstandard.ZstdError, ValueError) as fault:
        raise DamagedFile(f"{path}: damaged after {count} frames ({fault})") from fault


def _whole_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        rest = b""
        while block := stream.read(_READ_BYTES):
            *lines, rest = (rest + block).split(_NEWLINE)
            yield from lines


def _record(line: bytes) -> Record:
    stamp, kind, data = line[1:-1].split(b",", 2)
    told = kind[1:-1].decode()
    match told[1:]:
        case "n":
            data += _NEWLINE
        case "b":
            data = base64.b64decode(data[1:-1], validate=True)
        case _:
            pass
    return Record(int(stamp), told[:1], data)


def frame_files(root: Path) -> list[Path]:
    """Every file under a folder, or the one it is, in the order they began."""
    if root.is_file():
        return [root] if root.name.endswith(SUFFIX) else []
    return sorted(root.rglob(f"*{SUFFIX}"), key=lambda path: (path.parent.name, path.name))


# --- summaries ------------------------------------------------------------------------------


def summary_path(path: Path) -> Path:
    """Where the summary of a file is."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".json")


def write_summary(path: Path, summary: Summary) -> None:
    """Put it beside its file, whole or not at all."""
    place = summary_path(path)
    draft = place.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(summary)) + "\n", encoding="utf-8")
    draft.replace(place)


def read_summary(path: Path) -> Summary:
    """The summary beside a file, or what reading the file shows where there is none.

    Raises:
        DamagedFile: the file cannot be read to its end or cut.
        OSError: it is not there.
    """
    with_names = {field.name for field in fields(Summary)}
    try:
        facts = json.loads(summary_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _scanned(path)
    if not isinstance(facts, dict) or set(facts) != with_names:
        return _scanned(path)
    return Summary(**facts)


def _scanned(path: Path) -> Summary:
    frames = frame_bytes = gaps = began_us = ended_us = 0
    for record in read_records(path):
        began_us = began_us or record.at_us
        ended_us = max(ended_us, record.at_us)
        if record.kind != NOTE:
            frames += 1
            frame_bytes += len(record.data)
        elif record.data.startswith(_GAP):
            gaps += 1
    return Summary(
        connection=connection_of(path),
        began_us=began_us,
        ended_us=ended_us,
        frames=frames,
        frame_bytes=frame_bytes,
        gaps=gaps,
        is_whole=False,
    )


def connection_of(path: Path) -> str:
    """The connection a file's name tells: ``18-1a2b3c4d-1.frames.zst``."""
    return path.name.removesuffix(SUFFIX).partition("-")[2].partition("~")[0]


def read_note(record: Record) -> Mapping[str, object]:
    """What a note says; empty where it says nothing that can be read."""
    try:
        said = json.loads(record.data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
