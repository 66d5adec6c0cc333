"""Writes conversations to files, off the event loop.

On the way of an order stands one ``list.append`` a frame. Several times a second
what has gathered goes to a thread, which compresses and writes it and gives the
interpreter's lock away in between. A disk that is slow, full or broken costs
frames, and a message to a person; it never costs trading.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from bot.adapters.recording.shelf import NoRoom, Shelf
from bot.kit.clock import Clock
from bot.kit.frames import FrameFile, Item, note
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from bot.ports.recording import Late

logger = logging.getLogger(__name__)

_SILENT = "the disk does not answer"


class _Turn(NamedTuple):
    at_us: int
    facts: Mapping[str, object]


_Kept: TypeAlias = Item | Late | _Turn
_Batches: TypeAlias = "Sequence[tuple[KeptTape, Sequence[_Kept]]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """How often is written, and how much may wait for a slow disk."""

    flush_s: float = 0.5
    waiting_max: int = 200_000
    """Items of one conversation in memory: 60 MB of usual frames."""
    retry_us: int = 30 * SECOND_US
    finish_s: float = 2.0
    tidy_us: int = MINUTE_US


class KeptTape:
    """Implements :class:`~bot.ports.recording.Tape`."""

    def __init__(self, connection: str) -> None:
        self.connection = connection
        self.waiting: list[_Kept] = []
        self.keep: Callable[[Item | Late], None] = self.waiting.append
        self.is_ended = False
        self.file: FrameFile | None = None
        """The writer's."""
        self.is_full = False
        self._hour = -1

    def wants_turn(self, now_us: int) -> bool:
        """See :class:`Tape`."""
        return now_us // HOUR_US > self._hour or self.is_full

    def turn(self, now_us: int, facts: Mapping[str, object]) -> None:
        """See :class:`Tape`."""
        self._hour = now_us // HOUR_US
        self.is_full = False
        self.waiting.append(_Turn(now_us, facts))

    def end(self, now_us: int, reason: str) -> None:
        """See :class:`Tape`."""
        self.waiting.append(note(now_us, "ended", reason=reason))
        self.is_ended = True

    def must_turn(self) -> None:
        """What follows needs a file of its own."""
        self._hour = -1

    def take(self) -> list[_Kept]:
        """What has gathered; the list itself stays, as others hold its ``append``."""
        taken = self.waiting.copy()
        self.waiting.clear()
        return taken


class FrameRecorder:
    """A service of the leader. Implements :class:`~bot.ports.recording.TapeMaker`."""

    name = "recorder"

    def __init__(
        self,
        shelf: Shelf,
        clock: Clock,
        instance: str,
        told: Callable[[str | None], None],
        settings: RecorderSettings | None = None,
    ) -> None:
        """``told`` hears why recording stopped, and ``None`` when it goes on."""
        self._shelf = shelf
        self._clock = clock
        self._instance = instance
        self._told = told
        self._settings = settings or RecorderSettings()
        self._tapes: list[KeptTape] = []
        self._made = 0
        self._stopped_us: int | None = None
        self._is_hung = False
        """Whether the disk kept a write for longer than a hand-over waits."""
        self._tidied_us: int | None = None
        self.lost = 0
        """Frames that could not be kept."""

    def tape(self) -> KeptTape:
        """See :class:`~bot.ports.recording.TapeMaker`."""
        self._made += 1
        made = KeptTape(f"{self._instance}-{self._made:04d}")
        self._tapes.append(made)
        return made

    async def run(self) -> None:
        """Write until cancelled, then write the rest."""
        try:
            while True:
                await asyncio.sleep(self._settings.flush_s)
                await self._flush()
        finally:
            await self._finish()

    async def drain(self) -> None:
        """What is said last is written when the run ends."""

    async def _flush(self) -> None:
        """One batch of every tape, in a thread; what piles up meanwhile is bounded."""
        now_us = self._clock.now_us()
        if self._stopped_us is not None and now_us - self._stopped_us < self._settings.retry_us:
            self._drop_all()
            return
        batches = self._take()
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(None, self._write, batches, now_us)
        try:
            while not (await asyncio.wait({writing}, timeout=self._settings.flush_s))[0]:
                self._shed(now_us)
        except asyncio.CancelledError:
            done, _ = await asyncio.wait({writing}, timeout=self._settings.finish_s)
            self._is_hung = not done
            raise
        finally:
            if writing.done():
                self._judge(writing.exception(), now_us)

    def _judge(self, fault: BaseException | None, now_us: int) -> None:
        match fault:
            case None:
                if self._stopped_us is not None:
                    self._stopped_us = None
                    self._told(None)
                self._tapes = [tape for tape in self._tapes if not tape.is_ended or tape.waiting]
            case NoRoom() | OSError():
                self._stop(str(fault), now_us)
            case _:
                # A fault of ours must not end trading either; it is not hidden.
                logger.error("recorder broken", exc_info=fault)
                self._stop(f"{type(fault).__name__}: {fault}", now_us)

    def _stop(self, reason: str, now_us: int) -> None:
        if self._stopped_us is None:
            logger.warning("recording stopped", extra={"reason": reason})
            self._told(reason)
        self._stopped_us = now_us
        self._drop_all()

    def _take(self) -> list[tuple[KeptTape, list[_Kept]]]:
        return [(tape, tape.take()) for tape in self._tapes]

    def _drop_all(self) -> None:
        for tape in self._tapes:
            # A turn among them is lost as well.
            tape.must_turn()
            self.lost += sum(isinstance(item, bytes) for item in tape.take())
        self._tapes = [tape for tape in self._tapes if not tape.is_ended]

    def _shed(self, now_us: int) -> None:
        """The disk is slower than the stream: better a gap that is told than all the memory."""
        for tape in self._tapes:
            if len(tape.waiting) > self._settings.waiting_max:
                dropped = tape.take()
                self.lost += len(dropped)
                logger.warning("recorder behind", extra={"lost": len(dropped)})
                tape.waiting.append(note(now_us, "gap", lost=len(dropped)))
                tape.must_turn()

    async def _finish(self) -> None:
        """Whatever the disk does, a hand-over does not wait for it long."""
        if self._is_hung:
            logger.warning("recording stopped", extra={"reason": _SILENT})
        if self._is_hung or self._stopped_us is not None:
            return
        batches, now_us = self._take(), self._clock.now_us()
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(None, self._write_last, batches, now_us)
        done, _ = await asyncio.wait({writing}, timeout=self._settings.finish_s)
        fault = writing.exception() if done else TimeoutError(_SILENT)
        if fault is not None:
            logger.warning("recording stopped", extra={"reason": str(fault)})

    # --- in a thread ------------------------------------------------------------------------

    def _write(self, batches: _Batches, now_us: int) -> None:
        try:
            self._look_after(batches, now_us)
            for tape, items in batches:
                self._write_tape(tape, items)
            if self._is_hung:
                self._close_all(batches)  # nobody waits for it any more
        except (NoRoom, OSError):
            self._close_all(batches)
            raise

    def _write_last(self, batches: _Batches, now_us: int) -> None:
        self._write(batches, now_us)
        self._close_all(batches)

    def _close_all(self, batches: _Batches) -> None:
        for tape, _ in batches:
            file, tape.file = tape.file, None
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def _look_after(self, batches: _Batches, now_us: int) -> None:
        self._shelf.require_room()
        if self._tidied_us is None or now_us - self._tidied_us >= self._settings.tidy_us:
            self._tidied_us = now_us
            in_use = {tape.file.path for tape, _ in batches if tape.file is not None}
            self._shelf.tidy(now_us, in_use)

    def _write_tape(self, tape: KeptTape, items: Sequence[_Kept]) -> None:
        part: list[Item] = []
        for item in items:
            if isinstance(item, _Turn):
                self._append(tape, part)
                part = [note(item.at_us, "began", **item.facts)]
                self._open(tape, item.at_us)
            elif callable(item):
                part += item()
            else:
                part.append(item)
        self._append(tape, part)
        if tape.is_ended and tape.file is not None and not tape.waiting:
            file, tape.file = tape.file, None
            file.close()

    def _append(self, tape: KeptTape, items: Sequence[Item]) -> None:
        """Before its first turn a tape has no file, and what is said there cannot be read."""
        if tape.file is None:
            self.lost += sum(isinstance(item, bytes) for item in items)
            return
        if items:
            tape.file.write(items)
            tape.is_full = tape.is_full or tape.file.size > self._shelf.file_max

    def _open(self, tape: KeptTape, now_us: int) -> None:
        file, tape.file = tape.file, None
        if file is not None:
            file.close()
        tape.file = FrameFile(self._shelf.place(tape.connection, now_us), tape.connection, now_us)
