"""What the breakers look at, and the limits they compare it with."""

from dataclasses import dataclass

from bot.domain.money import Money
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from bot.risk.limits import BASIS


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When breakers trip. Comparisons are inclusive: at exactly the limit it trips."""

    daily_loss_bp: int = 500
    drawdown_bp: int = 1_500
    position_loss_bp: int = 400
    confirm_us: int = 30 * SECOND_US
    """How long a loss on paper must last; a realised one counts at once."""
    losses_max: int = 5
    api_error_bp: int = 1_000
    api_calls_min: int = 20
    api_window_us: int = 5 * MINUTE_US
    silence_us: int = 15 * SECOND_US
    recovery_us: int = 30 * SECOND_US
    """How long all must be well before a breaker that clears itself does so."""
    self_clears_per_hour: int = 3
    unknown_orders_max: int = 3
    clock_skew_us: int = 2 * SECOND_US
    stale_books_bp: int = 5_000
    stale_books_min: int = 3
    stale_books_us: int = MINUTE_US
    rejections_max: int = 5
    takeovers_max: int = 4
    takeovers_window_us: int = HOUR_US
    forced_allowance_bp: int = 100
    forced_pause_us: int = 5 * MINUTE_US

    def __post_init__(self) -> None:
        shares = (self.daily_loss_bp, self.drawdown_bp, self.position_loss_bp, self.api_error_bp)
        if not all(0 < share <= BASIS for share in shares):
            raise ValueError("daily_loss_bp, drawdown_bp, position_loss_bp, api_error_bp: 1..10000")
        if self.daily_loss_bp > self.drawdown_bp:
            raise ValueError("daily_loss_bp must not exceed drawdown_bp")
        counts = (
            self.losses_max,
            self.api_calls_min,
            self.unknown_orders_max,
            self.rejections_max,
            self.takeovers_max,
            self.stale_books_min,
        )
        if min(counts) < 1:
            raise ValueError("losses_max, api_calls_min and the other counts must be at least 1")
        if self.silence_us < 11 * SECOND_US:
            raise ValueError("silence_us must exceed 11 s: the exchange pings every 10 s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """One moment, measured. ``None`` is not known, and what is not known trips nothing."""

    trading_day: str
    is_flat: bool
    baseline: Money | None
    equity: Money | None
    """At liquidation, or at the last mark; ``None`` until the cash is known."""
    realized_today: Money
    """Closed positions of the day, after fees."""
    peak_equity: Money
    worst_position_loss: Money
    """The largest loss of one open position at liquidation, above zero."""
    loss_streak: int
    api_calls: int
    api_failed: int
    silence_us: int
    """Since the last frame; 0 while the exchange itself is closed."""
    unknown_orders: int
    clock_skew_us: int
    stale_books: int
    watched_books: int
    rejections: int
    """Orders the venue refused in a row."""
    takeovers: int
    """Leaderships within the window that followed an unclean end."""
    groups_tripped: int
