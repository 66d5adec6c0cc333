"""What the live stream said, kept: ticks, trades, order books, lifecycle events, and the gaps.

A book is kept as *chains*: a whole book (``BookStart``) and the changes after it,
numbered from 1 without a hole (``BookChange``). So a lost change shows in the data
itself, any moment of a book can be rebuilt, and no chain depends on another one.

Every call may raise ``StorageUnavailable``; nothing of that call is stored then, unless
it was the answer to a commit that was lost: hence ``may_repeat``.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.quotes import BookLevel, PublicTrade, TickerUpdate
from bot.ports.exchange import MarketLifecycle


class Origin(StrEnum):
    """Where a whole book came from."""

    VENUE = "venue"
    """The exchange sent it."""
    KEPT = "kept"
    """Written down from the book that was kept from the stream, to begin a new chain."""


class GapReason(StrEnum):
    """Why something of the stream is missing."""

    RESTART = "restart"
    """The process ended: killed, stopped, or another one leads."""
    DISCONNECTED = "disconnected"
    SEQUENCE = "sequence"
    """The venue's numbers skipped, or a message of a book could not be used."""
    BACKPRESSURE = "backpressure"
    """More came than could be stored."""
    DATABASE = "database"
    """More came than could wait while the database was away."""
    UNWATCHED = "unwatched"
    """A market was let go: it closed, a filter left it out, or others had their turn."""


class GapEnd(StrEnum):
    """How a gap ended."""

    OPEN = ""
    RESUMED = "resumed"
    """Data came again."""
    SNAPSHOT = "snapshot"
    """A whole book came."""
    RESUBSCRIBED = "resubscribed"
    NOTED = "noted"
    """A loss without a length: what was lost lies between two messages."""


REFUSED = "refused"
"""Begins the detail of a gap that is a batch which the database would not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookStart:
    """A whole book, both sides best first. ``snapshot_us`` names its chain."""

    ticker: MarketTicker
    snapshot_us: int
    origin: Origin
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


class BookChange(NamedTuple):
    """A signed change of one level; the ``change_no``-th of its chain."""

    ticker: MarketTicker
    snapshot_us: int
    change_no: int
    is_bid: bool
    price: Price
    change: Quantity
    received_us: int
    exchange_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGap:
    """A time for which something is missing; known by stream, market, reason and beginning.

    ``ticker`` is ``None`` where it concerns everything that was watched, ``to_us`` while it
    lasts. ``lost`` counts the records that are known to be lost; often nobody can know.
    """

    stream: str
    reason: GapReason
    from_us: int
    ticker: MarketTicker | None = None
    to_us: int | None = None
    lost: int = 0
    ended: GapEnd = GapEnd.OPEN
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class StreamBatch:
    """Records of one write. Stored together or not at all."""

    ticks: list[TickerUpdate] = field(default_factory=list)
    trades: list[PublicTrade] = field(default_factory=list)
    starts: list[BookStart] = field(default_factory=list)
    changes: list[BookChange] = field(default_factory=list)
    lifecycle: list[MarketLifecycle] = field(default_factory=list)
    gaps: list[StreamGap] = field(default_factory=list)
    """New ones, and known ones that have changed."""
    prepared: object = None
    """What a store has made of it ahead: the store's own business."""

    def __len__(self) -> int:
        few = len(self.trades) + len(self.starts) + len(self.lifecycle) + len(self.gaps)
        return len(self.ticks) + len(self.changes) + few


class StreamStore(Protocol):
    """Where a stream is written. Made for one writer, on the loop it is used on."""

    async def prepare(self, batch: StreamBatch, *, in_hurry: bool) -> None:
        """Do what can be done ahead of ``append``, while another batch is being stored.

        Without hurry other threads have their turn often.
        """
        ...

    async def append(self, batch: StreamBatch, *, may_repeat: bool) -> int:
        """Store a batch; returns how many of its ticks are new.

        Nothing is ever stored twice. ``may_repeat`` says that something of the batch may be
        there already, which is looked at first; without it that costs a second attempt.
        """
        ...

    async def marks(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those rows of ``ingest_state`` that exist."""
        ...

    async def put_marks(self, marks: Mapping[str, str], at_us: int) -> None:
        """Insert or replace rows of ``ingest_state``."""
        ...

    async def open_gaps(self, stream: str, since_us: int) -> Sequence[StreamGap]:
        """The gaps of a stream that have not ended and began since then, oldest first."""
        ...

    async def close(self) -> None:
        """Let go of the connection. A later call opens a new one."""
        ...


class StreamReads(Protocol):
    """Reads back. Both ends of a span are included."""

    def ticks(self, first_us: int, last_us: int) -> AsyncIterator[TickerUpdate]:
        """By the venue's stamp, oldest first."""
        ...

    async def book_chain(
        self, ticker: MarketTicker, at_us: int
    ) -> tuple[BookStart, Sequence[BookChange]] | None:
        """The latest chain of a market that began by ``at_us``, and its changes until then."""
        ...

    async def lifecycle(self, first_us: int, last_us: int) -> Sequence[MarketLifecycle]:
        """By when they were received, oldest first."""
        ...

    async def gaps(self, first_us: int, last_us: int) -> Sequence[StreamGap]:
        """Those that touch the span, oldest first. One that lasts touches everything after it.

        One of a market lasts no longer than to the market's close, where that is known.
        """
        ...


class StreamUpkeep(Protocol):
    """Keeps the room for what comes and lets go of what is too old."""

    async def keep(self, now_us: int, before_us: int | None) -> Mapping[str, int]:
        """Make partitions ahead; drop ticks and books before a moment. Counts, for the log."""
        ...
