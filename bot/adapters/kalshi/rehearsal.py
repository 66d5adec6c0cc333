"""A stream that nobody sends: frames made here, read in the way of real ones.

Between two orders the processor forgets how a frame is read. This reminds it, on a
connection, a session and a listener of its own that nothing real knows of.
"""

import json
from itertools import count

import msgspec

from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import StreamSettings
from bot.adapters.kalshi.socket import Talk
from bot.domain.ids import MarketTicker
from bot.kit.clock import Clock
from bot.kit.loop_breaker import LoopBreaker
from bot.ports.exchange import FeedListener
from bot.ports.recording import Tape

TICKER = MarketTicker("REHEARSAL-00-T0")
_BID, _ASK = "0.3000", "0.5000"
"""The ask is the same price on either leg, whichever was asked for."""
_CHANGE = (
    b'{"type":"orderbook_delta","sid":%d,"seq":%d,"msg":{"market_ticker":"%b",'
    b'"market_id":"00000000-0000-0000-0000-000000000000","clock":%d,"price_dollars":"%b",'
    b'"delta_fp":"%b","side":"yes","ts":"2026-01-01T00:00:00.000000Z","ts_ms":1767225600000}}'
)


class _Nowhere:
    """A connection to nobody."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.said.append(frame)

    def hold(self, *, is_held: bool) -> None:
        """There is nothing to leave unread."""

    def abort(self) -> None:
        """There is nothing to close."""

    async def gone(self) -> None:
        """It never was."""


class StreamRehearsal:
    """One market whose best bid grows and shrinks. The listener must be nobody else's."""

    def __init__(
        self,
        listener: FeedListener,
        clock: Clock,
        settings: StreamSettings,
        tape: Tape | None = None,
    ) -> None:
        """``tape`` keeps the frames, to measure what that costs; nothing real is given one."""
        session = FeedSession(settings.session)
        session.watch([TICKER], clock.now_us())
        line = _Nowhere()
        breaker = LoopBreaker(threshold=1, cooldown_us=0)
        self._talk = Talk(session, listener, clock, settings, tape, breaker=breaker)
        self._talk.connected(line)
        self._numbers = count(2)
        self._sid = self._subscribe(line)

    def step(self) -> None:
        """Read one change, as if it were all that one read brought.

        Raises what the listener raises.
        """
        number = next(self._numbers)
        change = b"1.00" if number % 2 == 0 else b"-1.00"
        frame = _CHANGE % (
            self._sid,
            number,
            TICKER.encode(),
            number,
            _BID.encode(),
            change,
        )
        self._talk.frame(frame)
        self._talk.batch_ended()
        self._talk.raise_fault()

    def _subscribe(self, line: _Nowhere) -> int:
        """Accept every subscription and send the book; the book's number."""
        sids = count(1)
        book_sid = 0
        for command in map(json.loads, tuple(line.said)):
            (channel,) = command["params"]["channels"]
            sid = next(sids)
            told = {"channel": channel, "sid": sid}
            self._hear({"id": command["id"], "type": "subscribed", "msg": told})
            if channel == "orderbook_delta":
                book_sid = sid
        levels = {"yes_dollars_fp": [[_BID, "10.00"]], "no_dollars_fp": [[_ASK, "10.00"]]}
        book = {"market_ticker": TICKER, "clock": 1, **levels}
        self._hear({"type": "orderbook_snapshot", "sid": book_sid, "seq": 1, "msg": book})
        self._talk.batch_ended()
        return book_sid

    def _hear(self, message: dict[str, object]) -> None:
        self._talk.frame(msgspec.json.encode(message))
