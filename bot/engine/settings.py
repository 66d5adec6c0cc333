"""What can be set about trading, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.tradingday import NEW_YORK
from bot.execution.rules import BracketRules
from bot.kit.times import MINUTE_US, SECOND_US
from bot.risk.limits import RiskLimits
from bot.risk.readings import BreakerLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything the engine goes by. ``entries_on`` false collects, protects and opens nothing."""

    entries_on: bool = True
    is_read_only: bool = False
    """The account is only watched: nothing is sent, and what others do is told, not objected to."""
    limits: RiskLimits = field(default_factory=RiskLimits)
    breakers: BreakerLimits = field(default_factory=BreakerLimits)
    rules: BracketRules = field(default_factory=BracketRules)
    releases: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """When figures are published, by release group, in microseconds."""
    zone: str = NEW_YORK
    foreign_blocks_entries: bool = True
    """False for an account that is also traded by hand: foreign activity is only reported."""
    reconcile_every_us: int = MINUTE_US
    reconcile_retry_us: int = 10 * SECOND_US
    snapshot_every_us: int = 5 * MINUTE_US
    refusal_repeat_us: int = MINUTE_US
    """A refusal with the same reason is stored again after this long."""

    approvals_first: int = 0
    """So many entries, ever, wait for a person's yes before they are sent."""
    approve_above_e6: int = 0
    """An entry that may cost more than this, with its fee, waits for a person's yes; 0 is off."""
    approval_valid_us: int = 5 * MINUTE_US
    skipped_for_us: int = 60 * MINUTE_US
    proposals_max: int = 3
    """So many questions wait at a time, one a market; what needs no yes goes on beside them."""

    def nearest_release_us(self, group: str, now_us: int) -> int | None:
        """The publication of this group that is nearest in time, past or to come."""
        known = self.releases.get(group, ())
        return min(known, key=lambda one: abs(one - now_us), default=None)

    def __post_init__(self) -> None:
        if self.reconcile_every_us < self.reconcile_retry_us or self.reconcile_retry_us <= 0:
            raise ValueError("0 < reconcile_retry_us <= reconcile_every_us must hold")
        if self.approve_above_e6 < 0 or self.approval_valid_us <= 0 or self.proposals_max < 1:
            raise ValueError("approve_above_e6 >= 0, approval_valid_us and proposals_max > 0")
        if self.snapshot_every_us <= 0:
            raise ValueError("snapshot_every_us must be positive")
        if self.rules.no_stop_us > self.limits.close_distance_min_us:
            raise ValueError(
                "limits.close_distance_min_us must be at least rules.no_stop_us: "
                "an entry must not begin its life without a stop"
            )
