"""What an operator looks at closely: one market, one order, one period, one machine.

Like ``operations``: values without a way to be shown, ``None`` for "not known". Prices
are the held side's own where the field says so, of the YES leg otherwise.
"""

from dataclasses import dataclass

from bot.domain.ids import EventTicker, MarketTicker, OrderId, StrategyId
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import FeedView, LoopView, PositionView
from bot.domain.orders import OrderStatus, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """The newest backup that lies where backups go."""

    name: str
    size_bytes: int
    made_us: int
    is_durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """The process and what it stands on."""

    now_us: int
    started_us: int
    database: str
    """``sqlite`` or ``postgresql``."""
    database_us: int
    """What a read took."""
    loop_lag_us: int
    """The longest that a look of a moment had to wait for its turn."""
    feed: FeedView | None
    commands_waiting: int
    messages_waiting: int
    events_waiting: int | None
    """In the engine's inbox; ``None`` without an engine."""
    memory_bytes: int | None
    disk_free_bytes: int | None
    """Where the bot keeps its files."""
    backup: LastBackup | None
    loops: tuple[LoopView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One of our orders. ``price`` is the held side's own."""

    ticker: MarketTicker
    purpose: Purpose
    is_yes: bool
    """Which side is bought or sold."""
    price: Price
    quantity: Quantity
    filled: Quantity
    status: OrderStatus
    is_in_doubt: bool
    """Nobody knows what became of it yet."""
    decided_us: int
    expires_us: int | None
    order_id: OrderId | None

    @property
    def is_entry(self) -> bool:
        """Whether it buys."""
        return self.purpose is Purpose.ENTRY


@dataclass(frozen=True, slots=True, kw_only=True)
class FillView:
    """An execution of ours. ``price`` is of the YES leg."""

    executed_us: int
    price: Price
    quantity: Quantity
    fee: Money
    is_bid: bool
    """Whether YES was bought (which also sells NO)."""
    is_taker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """A closed position. Prices are means of the held side's own."""

    closed_us: int
    entered_us: int
    ticker: MarketTicker
    title: str
    series: str
    """Empty where it is not known."""
    strategy_id: StrategyId
    is_yes: bool
    quantity: Quantity
    entry_price: Price
    exit_price: Price
    fees: Money
    profit: Money
    """After fees."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDetail:
    """Everything about one held market."""

    position: PositionView
    strategy_id: StrategyId | None
    """``None`` where no bracket of ours holds it."""
    state: str
    entry_price: Price
    """Mean, the held side's own."""
    entered_us: int | None
    close_us: int | None
    is_mark_live: bool
    """Whether the mark is a present bid, not the last one there was."""
    orders: tuple[OrderView, ...]
    fills: tuple[FillView, ...]
    """Since it was opened, newest first."""
    past: tuple[TradeView, ...]
    """Closed before in the same market, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesResult:
    """One series' part of a period."""

    series: str
    trades: int
    profit: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodResult:
    """What was closed within some trading days."""

    first_day: str | None
    """``None``: since the beginning."""
    trades: int
    wins: int
    losses: int
    profit: Money
    """After fees."""
    fees: Money
    win_rate_e6: int | None
    break_even_e6: int | None
    best: Money | None
    worst: Money | None
    by_series: tuple[SeriesResult, ...]
    """The largest result first, gained or lost."""
    unrealized: Money | None
    """Of what is open now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureLine:
    """What one event, series or release group could lose at worst."""

    name: str
    at_risk: Money
    limit: Money
    markets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureView:
    """What could be lost, and how much may be."""

    equity: Money
    total: Money
    total_limit: Money
    events: tuple[ExposureLine, ...]
    series: tuple[ExposureLine, ...]
    release_groups: tuple[ExposureLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One limit and how much of it is used. Amounts are texts with their units."""

    name: str
    used: str
    limit: str
    used_e6: int | None
    """The share in millionths; ``None`` where it is none, as with a band of prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketLine:
    """A watched market in a list."""

    ticker: MarketTicker
    title: str
    bid: Price | None
    ask: Price | None
    close_us: int
    is_held: bool
    is_trusted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketsView:
    """Watched markets that fit a search, and how many there are."""

    found: tuple[MarketLine, ...]
    """The soonest to close first."""
    matching: int
    watched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDetail:
    """One market now. Prices are of the YES leg."""

    ticker: MarketTicker
    event_ticker: EventTicker
    title: str
    status: str
    bid: Price | None
    ask: Price | None
    bid_size: Quantity
    ask_size: Quantity
    bid_depth: Quantity
    """Contracts on all levels of the side."""
    ask_depth: Quantity
    last_price: Price | None
    volume_24h: Quantity
    open_interest: Quantity
    close_us: int
    is_watched: bool
    is_trusted: bool
    """Whether the book is ours and believed; otherwise the exchange was asked for it."""
    position: PositionView | None
    why_not: str
    """The newest reason not to buy here; empty where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleView:
    """One cycle of the collection."""

    hour: str
    outcome: str
    scanned: int
    inserted: int
    errors: int
    started_us: int
    finished_us: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the log that is kept in the database: warnings and worse."""

    at_us: int
    level: str
    logger: str
    message: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """An effective setting. Secrets have no value here, only whether they are set."""

    name: str
    value: str
    origin: str
    """``default``, ``file``, a variable, or the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingView:
    """How quickly the parts answer."""

    database_us: int
    exchange_us: int | None
    """``None`` where it did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where the page is."""

    url: str
    is_public: bool
    """Whether it can be reached from elsewhere than the bot's machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A file for the chat, and what is said with it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDrawn:
    """Why there is no picture."""

    why: str
