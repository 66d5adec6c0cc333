"""The engine's inbox: one lane that never drops, one that keeps only the newest.

Quotes and ticks of the clock are conflated, so a burst costs memory for the
markets it touches and not for its length. Everything else waits in order and is
never dropped; if that lane fills up, the process is beyond help and stops.
"""

import asyncio
from collections import OrderedDict, deque

from bot.domain.errors import InvariantBroken
from bot.domain.events import (
    BooksDistrusted,
    Event,
    FeedHeard,
    FeedLost,
    MarketsDropped,
    QuoteChanged,
    TimeAdvanced,
)
from bot.domain.ids import MarketTicker


class EngineInbox:
    """A queue of events with one reader, on one event loop."""

    def __init__(self, events_max: int = 100_000) -> None:
        self._events_max = events_max
        self._kept: deque[Event] = deque()
        # A plain dict looks for its first key from the start again: the square of a burst.
        self._newest: OrderedDict[MarketTicker | type[Event], Event] = OrderedDict()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._kept) + len(self._newest)

    def put(self, event: Event) -> None:
        """Add an event.

        Raises:
            InvariantBroken: the lane that never drops is full.
        """
        self.gather(event)
        self._arrived.set()

    def gather(self, event: Event) -> None:
        """Add an event without waking the reader, who is about to look.

        Raises:
            InvariantBroken: the lane that never drops is full.
        """
        if isinstance(event, QuoteChanged):
            self._newest[event.quote.ticker] = event
        elif isinstance(event, FeedHeard | TimeAdvanced):
            self._newest[type(event)] = event
        else:
            self._keep(event)

    def wake(self) -> None:
        """Have the reader look."""
        self._arrived.set()

    def take(self) -> Event | None:
        """The next event, or ``None``. Events that are never dropped go first."""
        if self._kept:
            return self._kept.popleft()
        if self._newest:
            return self._newest.popitem(last=False)[1]
        self._arrived.clear()
        return None

    async def wait(self) -> None:
        """Return once there is something to take."""
        await self._arrived.wait()

    def _keep(self, event: Event) -> None:
        if len(self._kept) >= self._events_max:
            raise InvariantBroken(f"the engine is {self._events_max} events behind")
        # A quote from before the loss of trust must not be read after it.
        match event:
            case BooksDistrusted() | MarketsDropped():
                self._forget_quotes(event.tickers)
            case FeedLost():
                self._forget_quotes(
                    tuple(
                        quoted.quote.ticker
                        for quoted in self._newest.values()
                        if isinstance(quoted, QuoteChanged)
                    )
                )
            case _:
                pass
        self._kept.append(event)

    def _forget_quotes(self, tickers: tuple[MarketTicker, ...]) -> None:
        for ticker in tickers:
            self._newest.pop(ticker, None)
