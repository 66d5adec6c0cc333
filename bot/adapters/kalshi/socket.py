"""The WebSocket under a session: connects, signs, reconnects for ever.

It understands no message. Frames go from the library's callback through the
session to the listener at once; a slow listener slows the socket, it never loses
a frame in between. Pings count as life, because the venue sends nothing else on
a quiet feed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from random import Random
from urllib.parse import urlsplit

from bot.adapters.kalshi.dialing import Call, Dial, DialFailed, Line, fastest
from bot.adapters.kalshi.session import GAP, FeedSession
from bot.adapters.kalshi.settings import StreamSettings
from bot.adapters.kalshi.signing import Signer
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker
from bot.kit.backoff import Backoff
from bot.kit.clock import Clock
from bot.kit.frames import SAID, Told, note
from bot.kit.loop_breaker import LoopBreaker
from bot.kit.metrics import Metric, emit
from bot.kit.times import SECOND_US, seconds
from bot.ports.exchange import FeedListener
from bot.ports.recording import Tape, TapeMaker

logger = logging.getLogger(__name__)

_LOOKED_AT_ONCE = 50
"""Books whose snapshots are asked for in one look, when a new recording file begins."""


class Talk:
    """One connection, as an :class:`~bot.adapters.kalshi.dialing.Ear`: all its callbacks do."""

    def __init__(
        self,
        session: FeedSession,
        listener: FeedListener,
        clock: Clock,
        settings: StreamSettings,
        tape: Tape | None,
        *,
        breaker: LoopBreaker,
    ) -> None:
        self._session = session
        self._breaker = breaker
        self._began_us = clock.monotonic_us()
        self._listener = listener
        self._clock = clock
        self._settings = settings
        self._tape = tape
        self._keep = None if tape is None else tape.keep
        self._unlooked: list[MarketTicker] = []
        """Trusted books that the file begun last does not show yet."""
        self._told_us = clock.monotonic_us()
        self._batch_us = 0
        """When the frames being handled were read; 0 between two reads."""
        self._heard_us = clock.monotonic_us()
        self._line: Line | None = None
        self._is_held = False
        self._fault: Exception | None = None
        self._end: str | None = None
        self._over = asyncio.Event()
        self.invalid_frames = 0

    # --- what the connection calls ----------------------------------------------------------

    def connected(self, line: Line) -> None:
        """Subscribe to everything wanted."""
        self._line = line
        if self._end is not None:
            # The dialing was given up, and the library did not know.
            line.abort()
            return
        now_us = self._clock.now_us()
        try:
            self._session.connected(self._listener, now_us)
        except Exception as fault:  # noqa: BLE001 - raised again by ``follow``
            self._fail(fault)
        if self._tape is not None:
            self._turn(self._tape, now_us)
        self._tell_end()
        self.flush()

    def frame(self, data: bytes) -> None:
        """Read one message. All of one read from the socket bear the same stamp."""
        if self._end is not None:
            return
        now_us, keep = self._batch_us, self._keep
        if not now_us:
            now_us = self._batch_us = self._clock.now_us()
            if keep is not None:
                keep(now_us)
        if keep is not None:
            keep(data)
        try:
            self._session.receive(data, now_us)
        except InvalidMessage as error:
            self.invalid_frames += 1
            extra = {"reason": str(error), "count": self.invalid_frames, "bytes": len(data)}
            logger.warning("websocket frame unreadable", extra=extra)
        except Exception as fault:  # noqa: BLE001 - raised again by ``follow``
            self._fail(fault)

    def batch_ended(self) -> None:
        """Let the listener act, note the sign of life, send what the session answers."""
        now_us, self._batch_us = self._batch_us, 0
        if self._end is None:
            self._tell_end()
        self._heard_us = self._clock.monotonic_us()
        if self._end is None:
            self._session.heard(now_us or self._clock.now_us())
            self.flush()

    def ended(self, reason: str) -> None:
        """The first reason counts."""
        if self._end is None:
            self._end = reason
            self._over.set()
            if self._tape is not None:
                self._tape.end(self._clock.now_us(), reason)

    # --- what the socket calls --------------------------------------------------------------

    async def follow(self) -> str:
        """Look after the connection until it ends; returns why. Raises what the listener raised."""
        while self._end is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.tick_s):
                    await self._over.wait()
            if self._end is None:
                self._look_after()
        self.raise_fault()
        return self._end

    def raise_fault(self) -> None:
        """Raise what the listener raised, if it did."""
        if self._fault is not None:
            raise self._fault

    def flush(self) -> None:
        """Log what went wrong, send what is to be sent."""
        for trouble in self._session.troubles():
            logger.warning(trouble.phrase, extra=dict(trouble.facts))
            if trouble.phrase == GAP and self._keep is not None:
                self._keep(note(self._clock.now_us(), "gap", **dict(trouble.facts)))
        if self._line is not None and self._end is None:
            for frame in self._session.frames_to_send():
                self._line.send(frame)
                if self._keep is not None:
                    self._keep(Told(self._clock.now_us(), SAID, frame))

    def hold(self, *, is_held: bool) -> None:
        """See :meth:`MarketFeed.hold`."""
        if self._line is not None and self._end is None and is_held != self._is_held:
            self._line.hold(is_held=is_held)
        self._is_held = is_held

    def close(self) -> None:
        """Whatever still comes is not told."""
        self.ended("closed")
        if self._line is not None:
            self._line.abort()

    async def gone(self) -> None:
        """Close, and return when nothing is left of the connection."""
        self.close()
        if self._line is not None:
            await self._line.gone()

    def _look_after(self) -> None:
        """Let the session check what is overdue, end a connection that cannot be trusted."""
        now_us = self._clock.monotonic_us()
        if now_us - self._began_us > self._settings.steady_after_s * SECOND_US:
            self._breaker.succeeded()
        self._tell_heartbeat(now_us)
        if self._tape is not None:
            self._look_after_tape(self._tape)
        self._session.tick(self._clock.now_us())
        self.flush()
        if self._is_held:
            self._heard_us = now_us
        if now_us - self._heard_us > self._settings.silence_max_s * SECOND_US:
            self.ended(f"silent for {self._settings.silence_max_s} s")
        elif self._session.reconnect_reason is not None:
            self.ended(self._session.reconnect_reason)

    def _tell_heartbeat(self, now_us: int) -> None:
        if now_us - self._told_us < self._settings.heartbeat_s * SECOND_US:
            return
        self._told_us = now_us
        silent_s = seconds(now_us - self._heard_us)
        emit(Metric.WS_HEARTBEAT, silent_s=silent_s, invalid_frames=self.invalid_frames)

    def _look_after_tape(self, tape: Tape) -> None:
        """Each file is to be understood alone: it begins with the subscriptions, then the books."""
        now_us = self._clock.now_us()
        # The answer to a command means nothing in a file that does not hold the command.
        if tape.wants_turn(now_us) and self._session.is_settled:
            self._turn(tape, now_us)
            self._unlooked = self._session.held_books()
        if self._unlooked:
            looked = [self._unlooked.pop() for _ in self._unlooked[-_LOOKED_AT_ONCE:]]
            self._session.look_again(looked, now_us)

    def _turn(self, tape: Tape, now_us: int) -> None:
        session = self._settings.session
        facts = {
            "uses_yes_price": session.uses_yes_price,
            "wants_private": session.wants_private,
            "wants_trades": session.wants_trades,
            "subscriptions": self._session.spoken_of(),
        }
        tape.turn(now_us, facts)

    def _tell_end(self) -> None:
        try:
            self._listener.read_ended()
        except Exception as fault:  # noqa: BLE001 - raised again by ``follow``
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        """The library would log it and go on: it is kept for the task that owns the connection."""
        if self._fault is None:
            self._fault = fault
        self.ended("listener failed")


class StreamSocket:
    """One WebSocket at a time, replaced whenever it dies.

    After ``failure_threshold`` failures in a row the breaker is open: from then on
    one ``failure_cooldown_s`` passes before each try, until one lives. ``breaker`` is there
    to be looked at.
    """

    def __init__(
        self,
        url: str,
        settings: StreamSettings,
        *,
        signer: Signer,
        clock: Clock,
        random: Random,
        dial: Dial | None = None,
        tapes: TapeMaker | None = None,
    ) -> None:
        """``dial`` makes the connection, by default the fastest library there is.

        ``tapes`` keeps what every connection hears and says.
        """
        self._url = url
        self._path = urlsplit(url).path
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self._random = random
        self._dial = dial or fastest()
        self._tapes = tapes
        self._session = FeedSession(settings.session)
        self._talk: Talk | None = None
        self._is_held = False
        self.breaker = LoopBreaker(
            threshold=settings.failure_threshold,
            cooldown_us=round(settings.failure_cooldown_s * SECOND_US),
        )
        self.reconnects = 0
        self.invalid_frames = 0

    async def run(self, listener: FeedListener) -> None:
        """See :meth:`MarketFeed.run`."""
        waits = self._waits()
        while True:
            began_us = self._clock.monotonic_us()
            reason = await self._live(listener)
            lived_us = self._clock.monotonic_us() - began_us
            if lived_us > self._settings.steady_after_s * SECOND_US:
                waits = self._waits()
            await self._pause(waits, reason)

    async def watch(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.watch`."""
        self._session.watch(tickers, self._clock.now_us())
        if self._talk is not None:
            self._talk.flush()

    def refresh(self, tickers: Sequence[MarketTicker]) -> None:
        """See :meth:`MarketFeed.refresh`."""
        self._session.refresh(tickers, self._clock.now_us())

    def hold(self, *, is_held: bool) -> None:
        """See :meth:`MarketFeed.hold`."""
        self._is_held = is_held
        if self._talk is not None:
            self._talk.hold(is_held=is_held)

    async def _live(self, listener: FeedListener) -> str:
        """One connection from dialing to its end; returns why it ended."""
        tape = None if self._tapes is None else self._tapes.tape()
        talk = Talk(
            self._session, listener, self._clock, self._settings, tape, breaker=self.breaker
        )
        headers = self._signer.headers(self._clock.now_us() // 1_000, "GET", self._path)
        call = Call(
            url=self._url,
            headers=dict(headers),
            frame_bytes_max=self._settings.frame_bytes_max,
            timeout_s=self._settings.connect_timeout_s,
        )
        try:
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    await self._dial(call, talk)
            except (DialFailed, OSError) as error:
                return _text(error)
            emit(Metric.WS_CONNECTED, reconnects=self.reconnects, state="websocket up")
            self._talk = talk
            talk.hold(is_held=self._is_held)
            reason = await talk.follow()
            self._session.disconnected(self._clock.now_us(), reason)
            listener.read_ended()
            await talk.gone()
            return reason
        finally:
            self._talk = None
            self.invalid_frames += talk.invalid_frames
            talk.close()

    def _waits(self) -> Iterator[float]:
        settings = self._settings
        return Backoff(settings.backoff_base_s, settings.backoff_cap_s).waits(self._random)

    async def _pause(self, waits: Iterator[float], reason: str) -> None:
        self.reconnects += 1
        is_open = self.breaker.failed(self._clock.monotonic_us())
        wait_s = next(waits)
        if is_open:
            wait_s = max(wait_s, seconds(self.breaker.cooldown_us))
        emit(
            Metric.WS_RECONNECT,
            level=logging.WARNING,
            errors_total=self.reconnects,
            consecutive_failures=self.breaker.failures,
            backoff_s=wait_s,
            breaker="open" if is_open else "closed",
            reason=f"websocket: {reason}",
        )
        await asyncio.sleep(wait_s)


def _text(error: Exception) -> str:
    if isinstance(error, DialFailed):
        return str(error)
    return f"{type(error).__name__}: {error}".rstrip(": ")
