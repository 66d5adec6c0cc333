"""The folder of recordings: what may be written to it, and what goes when it is full."""

import contextlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bot.kit.frames import SUFFIX, frame_files, summary_path
from bot.kit.times import DAY_US, HOUR_US, SECOND_US, format_rfc3339

_MEBIBYTE = 1 << 20
_PARTS = 8
"""One file takes at most this part of the budget, so that there is always an old one to drop."""


class NoRoom(Exception):
    """Nothing may be written now; the text says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfSettings:
    """``dir`` holds the recordings of every scope; sizes in bytes."""

    dir: Path
    scope: str
    budget: int
    free_min: int
    keep_us: int

    def __post_init__(self) -> None:
        if self.budget < _PARTS * _MEBIBYTE:
            raise ValueError(f"the budget must be at least {_PARTS} MB")
        if self.free_min < 0 or self.keep_us <= 0:
            raise ValueError("the free space must not be negative, the time to keep above 0")


class Shelf:
    """Blocks on the disk: for a thread."""

    def __init__(self, settings: ShelfSettings) -> None:
        self._settings = settings

    @property
    def file_max(self) -> int:
        """The size at which a file is to end, in bytes."""
        return self._settings.budget // _PARTS

    def place(self, connection: str, began_us: int) -> Path:
        """Where the next file of a connection goes: by day, hour and connection."""
        day, hour = format_rfc3339(began_us)[:10], began_us % DAY_US // HOUR_US
        folder = self._settings.dir / folder_of(self._settings.scope) / day
        name = f"{hour:02d}-{connection}"
        again = len(list(folder.glob(f"{name}[.~]*{SUFFIX[1:]}"))) if folder.is_dir() else 0
        return folder / (f"{name}~{again:02d}{SUFFIX}" if again else f"{name}{SUFFIX}")

    def require_room(self) -> None:
        """Look at the disk.

        Raises:
            NoRoom: less is free than must stay free.
            OSError: the folder cannot be made or looked at.
        """
        folder = self._settings.dir
        folder.mkdir(parents=True, exist_ok=True)
        free, least = shutil.disk_usage(folder).free, self._settings.free_min
        if free < least:
            raise NoRoom(
                f"{folder} has {free // _MEBIBYTE} MB free, recorder.min_free_mb is "
                f"{least // _MEBIBYTE}; free some space, or lower it"
            )

    def tidy(self, now_us: int, in_use: Collection[Path]) -> None:
        """Remove what is too old, then the oldest until the budget is kept."""
        found = [one for one in self._files() if one[2] not in in_use]
        total = sum(size for _, size, _ in self._files())
        for written_us, size, path in sorted(found):
            is_old = now_us - written_us > self._settings.keep_us
            if not is_old and total <= self._settings.budget:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                summary_path(path).unlink(missing_ok=True)
                total -= size
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # a day that is empty now

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each was written last, its size, and where it is."""
        found = []
        for path in frame_files(self._settings.dir):
            with contextlib.suppress(OSError):
                stat = path.stat()
                found.append((round(stat.st_mtime * SECOND_US), stat.st_size, path))
        return found


def folder_of(scope: str) -> str:
    """A scope as the name of a folder."""
    return scope.replace(":", "-")
