"""How positions are protected and left: the numbers, and which of them fit together."""

from dataclasses import dataclass

from bot.kit.times import MINUTE_US, SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketRules:
    """How positions are protected and left. Prices are in the held side's terms; 0 is off."""

    stop_confirm_quotes: int = 2
    stop_confirm_us: int = 2 * SECOND_US
    stop_spread_max_e4: int = 500
    catastrophe_below_e4: int = 1_000
    """How far below the stop no confirmation is waited for."""
    catastrophe_spread_max_e4: int = 2_000
    trail_by_e4: int = 0
    """The stop follows the best bid upwards at this distance; it never goes back."""
    trail_after_e4: int = 0
    """But only once the bid stands this far above the entry."""
    trail_step_e4: int = 100
    no_stop_us: int = 10 * MINUTE_US
    """The stop is off this long before the close, and before a release of the market's group."""
    after_release_us: int = 2 * MINUTE_US
    """And this long after one, while the book finds itself again."""
    flatten_before_close_us: int = 0
    max_hold_us: int = 0
    exit_step_e4: int = 100
    exit_slack_max_e4: int = 1_000
    """How far below the best bid the last repricing round may go."""
    exit_pause_us: int = SECOND_US
    exit_alarm_rounds: int = 5
    resize_pause_us: int = SECOND_US
    """How long a too small take-profit may wait before it is replaced; a too big one never does."""
    refusal_pause_us: int = 5 * SECOND_US
    lookup_pause_us: int = 3 * SECOND_US
    fills_pause_us: int = 5 * SECOND_US
    fills_patience_us: int = 2 * MINUTE_US
    """How long a finished position waits for its executions before it is closed at limits."""

    def __post_init__(self) -> None:
        if self.stop_confirm_quotes < 1 or self.stop_confirm_us < 0:
            raise ValueError("stop_confirm_quotes must be at least 1, stop_confirm_us not negative")
        if not 0 < self.exit_step_e4 <= self.exit_slack_max_e4:
            raise ValueError("exit_step_e4 must be positive and at most exit_slack_max_e4")
        if self.stop_spread_max_e4 > self.catastrophe_spread_max_e4:
            raise ValueError("stop_spread_max_e4 must not exceed catastrophe_spread_max_e4")
        if min(self.trail_by_e4, self.trail_after_e4) < 0 or self.trail_step_e4 <= 0:
            raise ValueError("trail_by_e4, trail_after_e4: not negative; trail_step_e4: positive")
        if min(self.exit_pause_us, self.lookup_pause_us, self.fills_pause_us) <= 0:
            raise ValueError("exit_pause_us, lookup_pause_us and fills_pause_us must be positive")
