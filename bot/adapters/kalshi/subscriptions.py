"""One subscription of a WebSocket session: what it should hold, what it holds, what is under way.

Declarative on purpose: ``wanted`` is set from outside, ``confirmed`` by the
venue's replies, and ``next_command`` is whatever brings one to the other. One
command at a time, so that a reply never has two meanings. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bot.adapters.kalshi.settings import SessionSettings
from bot.domain.ids import MarketTicker
from bot.ports.exchange import KeptBook

# The venue takes up to 10,000 commands a second and any number of tickers; this keeps frames small.
_BATCH_MAX = 500


class Channel(StrEnum):
    """The venue's channel names."""

    BOOK = "orderbook_delta"
    TICKER = "ticker"
    TRADE = "trade"
    FILL = "fill"
    ORDERS = "user_orders"
    GROUPS = "order_group_updates"
    LIFECYCLE = "market_lifecycle_v2"

    @property
    def takes_tickers(self) -> bool:
        """Whether it is subscribed market by market."""
        return self in (Channel.BOOK, Channel.TICKER, Channel.TRADE)

    @property
    def is_sequenced(self) -> bool:
        """Whether every message carries the next number. On the others a loss shows nowhere."""
        return self not in (Channel.TICKER, Channel.FILL, Channel.ORDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command without its reply yet."""

    command_id: int
    verb: str
    tickers: frozenset[MarketTicker]
    sent_us: int


@dataclass(slots=True, kw_only=True)
class BookMark:
    """How far a trusted book has come."""

    clock: int | None
    snapshot_us: int
    book: KeptBook
    """The listener's own."""
    is_untouched: bool = True
    """Whether no numbered delta has followed the snapshot yet."""

    def may_follow(self, clock: int | None) -> bool:
        """Whether a change of that clock comes after everything the book holds."""
        if clock is None or self.clock is None or clock > self.clock:
            return True
        return clock == self.clock and not self.is_untouched

    def follow(self, clock: int | None) -> None:
        """A change of that clock was taken."""
        if clock is not None and self.clock is not None:
            self.clock = clock
            self.is_untouched = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something the log should hold: a constant phrase and its facts."""

    phrase: str
    facts: tuple[tuple[str, object], ...]


Request: TypeAlias = tuple[str, frozenset[MarketTicker], dict[str, object]]


@dataclass(slots=True, eq=False)
class Subscription:
    """One channel with its own sid and sequence."""

    channel: Channel
    wanted: set[MarketTicker] = field(default_factory=set)
    confirmed: set[MarketTicker] = field(default_factory=set)
    books: dict[MarketTicker, BookMark] = field(default_factory=dict)
    missing_since_us: dict[MarketTicker, int] = field(default_factory=dict)
    sid: int | None = None
    last_seq: int | None = None
    repeats: int = 0
    pending: Command | None = None
    batch_max: int = _BATCH_MAX
    is_refused: bool = False
    not_before_us: int = 0
    delay_us: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wanted, held or under way: it can be forgotten."""
        return (
            self.channel is Channel.BOOK
            and not self.wanted
            and self.sid is None
            and self.pending is None
        )

    def facts(self) -> dict[str, object]:
        """What it holds, as plain values."""
        return {
            "channel": self.channel.value,
            "sid": self.sid,
            "last_seq": self.last_seq,
            "tickers": sorted(self.confirmed & self.wanted),
        }

    # --- commands ---------------------------------------------------------------------------

    def next_command(self, now_us: int, uses_yes_price: bool) -> Request | None:
        """The next step from what is held to what is wanted, if it may be taken now."""
        if self.pending is not None or self.is_refused or now_us < self.not_before_us:
            return None
        if self.sid is None:
            return self._subscribe(uses_yes_price)
        if not self.channel.takes_tickers:
            return None
        return self._change()

    def begin(
        self, command_id: int, verb: str, tickers: frozenset[MarketTicker], now_us: int
    ) -> None:
        """A command is on its way."""
        self.pending = Command(command_id=command_id, verb=verb, tickers=tickers, sent_us=now_us)

    def confirm(self, now_us: int) -> None:
        """The pending command was accepted."""
        command = self.pending
        assert command is not None
        self.pending = None
        self.batch_max = _BATCH_MAX
        if command.verb == "delete_markets":
            self.confirmed -= command.tickers
            return
        self.confirmed |= command.tickers
        if self.channel is Channel.BOOK:
            for ticker in (command.tickers & self.wanted) - self.books.keys():
                self.missing_since_us.setdefault(ticker, now_us)

    def absorb(self, other: "Subscription") -> None:
        """Take over the markets of one that the venue merged into this sid."""
        self.wanted |= other.wanted
        self.confirmed |= other.confirmed
        self.missing_since_us.update(other.missing_since_us)

    def reset(self) -> None:
        """The venue has no such subscription any more."""
        self.sid = self.last_seq = self.pending = None
        self.repeats = 0
        self.confirmed.clear()
        self.missing_since_us.clear()

    def delay(self, now_us: int, settings: SessionSettings) -> None:
        """Wait before the next command: at once after a calm time, then ever longer."""
        if now_us - self.not_before_us > 2 * settings.retry_max_us:
            self.delay_us = 0
        self.not_before_us = now_us + self.delay_us
        self.delay_us = min(max(self.delay_us * 2, settings.retry_min_us), settings.retry_max_us)

    def add(self, ticker: MarketTicker) -> None:
        """A market is wanted here. One that never left needs its snapshot at once."""
        self.wanted.add(ticker)
        if ticker in self.confirmed and ticker not in self.books:
            self.missing_since_us[ticker] = 0

    def remove(self, ticker: MarketTicker) -> None:
        """A market is not wanted here any more."""
        self.wanted.discard(ticker)
        self.books.pop(ticker, None)
        self.missing_since_us.pop(ticker, None)

    def _subscribe(self, uses_yes_price: bool) -> Request | None:
        params: dict[str, object] = {"channels": [self.channel.value]}
        if not self.channel.takes_tickers:
            return "subscribe", frozenset(), params
        tickers = self._batch(self.wanted)
        if not tickers:
            return None
        params["market_tickers"] = sorted(tickers)
        if self.channel is Channel.BOOK:
            # Explicit because the venue has announced that its default will change.
            params["use_yes_price"] = uses_yes_price
        if self.channel is Channel.TICKER:
            params["send_initial_snapshot"] = True
        return "subscribe", tickers, params

    def _change(self) -> Request | None:
        if not self.wanted:
            return "unsubscribe", frozenset(), {"sids": [self.sid]}
        for action, difference in (
            ("add_markets", self.wanted - self.confirmed),
            ("delete_markets", self.confirmed - self.wanted),
        ):
            tickers = self._batch(difference)
            if tickers:
                params: dict[str, object] = {
                    "sids": [self.sid],
                    "market_tickers": sorted(tickers),
                    "action": action,
                }
                if action == "add_markets" and self.channel is Channel.TICKER:
                    params["send_initial_snapshot"] = True
                return action, tickers, params
        return None

    def _batch(self, tickers: Iterable[MarketTicker]) -> frozenset[MarketTicker]:
        return frozenset(sorted(tickers)[: self.batch_max])

    # --- books ------------------------------------------------------------------------------

    def trust_book(self, ticker: MarketTicker, mark: BookMark) -> None:
        """A snapshot arrived: deltas after it count."""
        self.books[ticker] = mark
        self.missing_since_us.pop(ticker, None)

    def forget_book(self, ticker: MarketTicker, now_us: int) -> None:
        """One book is wrong until its next snapshot."""
        self.books.pop(ticker, None)
        self.missing_since_us[ticker] = now_us

    def forget_books(self, now_us: int) -> list[MarketTicker]:
        """Every book is wrong; returns whose."""
        if self.channel is not Channel.BOOK:
            return []
        tickers = sorted(self.confirmed & self.wanted)
        self.books.clear()
        self.missing_since_us = dict.fromkeys(tickers, now_us)
        return tickers

    def overdue(self, now_us: int, limit_us: int) -> list[MarketTicker]:
        """Markets whose snapshot has not come in time."""
        if not self.missing_since_us:
            return []
        return sorted(
            ticker for ticker, since in self.missing_since_us.items() if now_us - since > limit_us
        )

    def snapshots_asked(self, tickers: Sequence[MarketTicker], now_us: int) -> None:
        """Give the reply its time before it is overdue again."""
        for ticker in tickers:
            self.missing_since_us[ticker] = now_us
