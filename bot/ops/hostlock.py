"""One bot per host: a locked file that says who holds it.

The kernel's lock decides, because it ends with its process however that ends
and stays while a process is merely stopped. The content - JSON, or a bare PID
as older versions wrote - is for people, and for a holder that did not lock.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.domain.errors import ConfigurationFault, LockHeld
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US, format_seconds
from bot.ops.processes import born_us, own_host, start_time

PRODUCTION_PATH = Path("/var/run/kalshi-bot.lock")
LOCAL_PATH = Path("/tmp/kalshi-bot.lock")  # noqa: S108 - the documented path; opened without following links
_POLL_S = 0.2
_CONTENT_MAX = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who wrote the lock file."""

    pid: int
    host: str | None
    start_time: int | None
    created_at: str | None

    def is_running(self, written_us: int) -> bool:
        """Whether that very process still runs on this host.

        A bare PID tells no start time; the process is then another one if the
        file was written before it could have been.
        """
        if self.host is not None and self.host != own_host():
            return False
        started = start_time(self.pid)
        if started is None:
            return False
        if self.start_time is not None:
            return started == self.start_time
        began_us = born_us(self.pid)
        return began_us is None or began_us <= written_us + 2 * SECOND_US


class HostLock:
    """A held lock. Use as a context manager or call :meth:`release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Remove the file and let go. A second call does nothing."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        # Removed while still locked, so that nobody else's file can be hit.
        if _is_at(self.path, descriptor):
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def default_path() -> Path:
    """The production path where this user may write it, else the local one."""
    production = PRODUCTION_PATH
    place = production if production.exists() else production.parent
    return production if os.access(place, os.W_OK) else LOCAL_PATH


async def acquire(path: Path, clock: Clock, wait_s: float = 0.0) -> HostLock:
    """Take the lock, waiting for its holder up to ``wait_s``.

    Raises:
        LockHeld: another process holds it.
        ConfigurationFault: the file cannot be created there.
    """
    deadline_us = clock.monotonic_us() + round(wait_s * SECOND_US)
    while True:
        try:
            return try_acquire(path, clock)
        except LockHeld:
            if clock.monotonic_us() >= deadline_us:
                raise
        await asyncio.sleep(_POLL_S)


def try_acquire(path: Path, clock: Clock) -> HostLock:
    """Take the lock now, or say who holds it. Raises as :func:`acquire` does."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(descriptor)
            os.close(descriptor)
            raise LockHeld(_conflict(path, holder)) from None
        if not _is_at(path, descriptor):
            # The holder before us removed it between our opening and our locking.
            os.close(descriptor)
            continue
        holder = _read(descriptor)
        if _is_rival(holder, descriptor):
            os.close(descriptor)
            raise LockHeld(_conflict(path, holder))
        _write(descriptor, clock)
        return HostLock(path, descriptor)


def running_holder(path: Path) -> Holder | None:
    """Who holds the lock now; ``None`` if it is free or stale. Changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        holder = _read(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder or Holder(pid=0, host=None, start_time=None, created_at=None)
        return holder if _is_rival(holder, descriptor) else None
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o644)
    except OSError as fault:
        is_forbidden = isinstance(fault, PermissionError)
        grant = f"grant write permission on {path.parent}, or " if is_forbidden else ""
        reason = "permission denied" if is_forbidden else fault.strerror
        told = f"Failed to acquire lock {path}: {reason}; {grant}choose another with --lock-file"
        raise ConfigurationFault([told]) from fault


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the opened file still is the one at ``path``."""
    try:
        at_path = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (at_path.st_dev, at_path.st_ino) == (opened.st_dev, opened.st_ino)


def _is_rival(holder: Holder | None, descriptor: int) -> bool:
    if holder is None or holder.pid == os.getpid():
        return False
    return holder.is_running(os.fstat(descriptor).st_mtime_ns // 1_000)


def _read(descriptor: int) -> Holder | None:
    text = os.pread(descriptor, _CONTENT_MAX, 0).decode("utf-8", errors="replace").strip()
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if isinstance(content, int) and content > 0:
        return Holder(pid=content, host=None, start_time=None, created_at=None)
    if not isinstance(content, dict) or not isinstance(content.get("pid"), int):
        return None
    started = content.get("start_time")
    return Holder(
        pid=content["pid"],
        host=str(content["host"]) if content.get("host") else None,
        start_time=started if isinstance(started, int) else None,
        created_at=str(content["created_at"]) if content.get("created_at") else None,
    )


def _write(descriptor: int, clock: Clock) -> None:
    pid = os.getpid()
    content = {
        "pid": pid,
        "created_at": format_seconds(clock.now_us()),
        "host": own_host(),
        "start_time": start_time(pid),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(content) + "\n").encode(), 0)
    os.fsync(descriptor)


def _conflict(path: Path, holder: Holder | None) -> str:
    if holder is None:
        return f"Failed to acquire lock {path}: another process holds it"
    since = f" since {holder.created_at}" if holder.created_at else ""
    return (
        f"Failed to acquire lock {path}: the bot runs as PID {holder.pid}{since};"
        " see it with: ps aux | grep 'python -m bot'"
    )
