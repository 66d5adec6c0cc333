"""What is recorded: which times, how much, and where something is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.adapters.recording.shelf import folder_of
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault
from bot.kit.clock import SystemClock
from bot.kit.frames import DamagedFile, Summary, frame_files, read_records, read_summary
from bot.kit.times import MINUTE_US, SECOND_US, format_rfc3339, format_seconds

_OPEN_US = 10 * SECOND_US
_HOLE_US = MINUTE_US
"""Shorter is a reconnection."""
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """One file. ``state`` is whole, open, cut (its writer was killed) or damaged."""

    path: Path
    size: int
    state: str
    summary: Summary | None
    reason: str = ""

    @property
    def holds_frames(self) -> bool:
        """Whether it is a conversation; the others hold the terms of markets."""
        return self.summary is not None and self.summary.frames > 0

    @property
    def line(self) -> str:
        """For people."""
        if self.summary is None:
            return f"{self.path}  damaged: {self.reason}"
        told = self.summary
        what = f"{told.frames} frames" if self.holds_frames else "market terms"
        gaps = f", {told.gaps} gaps" if told.gaps else ""
        return (
            f"{format_seconds(told.began_us)} - {format_seconds(told.ended_us)}  "
            f"{told.connection}  {what}{gaps}  {self.size / _MEBIBYTE:.1f} MB  "
            f"{self.state}  {self.path}"
        )

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        told: Mapping[str, object] = {} if self.summary is None else asdict(self.summary)
        return {
            "path": str(self.path),
            "size_bytes": self.size,
            "state": self.state,
            "reason": self.reason,
            **{name: value for name, value in told.items() if name != "is_whole"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """All of a folder."""

    files: Sequence[RecordedFile]
    holes: Sequence[tuple[int, int]]
    """Longer than a minute without any conversation, from when to when."""

    @property
    def is_damaged(self) -> bool:
        """Whether something cannot be read at all."""
        return any(one.summary is None for one in self.files)

    @property
    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.files:
            yield "nothing is recorded here; mode trade does it by itself, --dir looks elsewhere"
            return
        for one in self.files:
            yield one.line
        for began_us, ended_us in self.holes:
            yield f"nothing between {format_seconds(began_us)} and {format_seconds(ended_us)}"
        frames = sum(one.summary.frames for one in self.files if one.summary)
        size = sum(one.size for one in self.files)
        yield f"{len(self.files)} files, {frames} frames, {size / _MEBIBYTE:.1f} MB"

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "files": [one.facts for one in self.files],
            "holes": [
                {"began_us": began_us, "ended_us": ended_us} for began_us, ended_us in self.holes
            ],
        }


def recordings_dir(settings: BotSettings, given: Path | None) -> Path:
    """The folder that was named, else that of the configured scope.

    Raises:
        ConfigurationFault: it is not there.
    """
    root = given or settings.recorder.dir / folder_of(settings.scope)
    if not root.exists():
        raise ConfigurationFault(
            [f"{root}: there are no recordings; mode trade makes them, --dir names another place"]
        )
    return root


def listed_dir(settings: BotSettings, given: Path | None) -> Path:
    """The same for a list: that our own is not there yet is no fault.

    Raises:
        ConfigurationFault: the folder that was named is not there.
    """
    own = settings.recorder.dir / folder_of(settings.scope)
    return own if given is None else recordings_dir(settings, given)


def read_recordings(root: Path, bar: OnAdvance) -> Recordings:
    """Look at every file; those that were never closed are read."""
    found, paths = [], frame_files(root)
    for number, path in enumerate(paths):
        bar(number, len(paths), path.name)
        found.append(_looked_at(path))
    found.sort(key=lambda one: one.summary.began_us if one.summary else 0)
    return Recordings(files=found, holes=_holes(found))


def _looked_at(path: Path) -> RecordedFile:
    stat = path.stat()
    try:
        summary = read_summary(path)
    except DamagedFile as fault:
        reason = str(fault).partition(": ")[2]
        return RecordedFile(
            path=path, size=stat.st_size, state="damaged", summary=None, reason=reason
        )
    state = "whole"
    if not summary.is_whole:
        age_us = SystemClock().now_us() - round(stat.st_mtime * SECOND_US)
        state = "open" if age_us < _OPEN_US else "cut"
    return RecordedFile(path=path, size=stat.st_size, state=state, summary=summary)


def _holes(files: Sequence[RecordedFile]) -> list[tuple[int, int]]:
    holes = []
    until_us: int | None = None
    for one in files:
        if one.summary is None or not one.holds_frames:
            continue
        if until_us is not None and one.summary.began_us - until_us > _HOLE_US:
            holes.append((until_us, one.summary.began_us))
        until_us = max(until_us or 0, one.summary.ended_us)
    return holes


def told_lines(path: Path) -> Iterator[str]:
    """Every record of a file as text: time, direction, frame.

    Raises:
        DamagedFile: from where on it cannot be read.
    """
    for record in read_records(path):
        text = record.data.decode(errors="replace").rstrip("\n")
        yield f"{format_rfc3339(record.at_us)} {record.kind} {text}"
