"""What a person changed about the configuration, as values. Pure."""

from dataclasses import dataclass, field

from bot.engine.settings import EngineSettings
from bot.risk import adjustable
from bot.risk.adjustable import Adjustable

ADJUSTED = "adjusted"
"""The name of the stored row, beside the breakers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A limit as a person set it. ``configured`` is what the configuration said then."""

    value: int
    configured: int
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """All that differs from the configuration."""

    limits: dict[str, Override] = field(default_factory=dict)
    off: frozenset[str] = frozenset()
    """Strategies that are switched off."""

    def holds(self, one: Adjustable, configured: EngineSettings) -> Override | None:
        """The override of a limit, if it still holds over this configuration."""
        found = self.limits.get(one.name)
        if found is None:
            return None
        now = adjustable.value_in(one, configured.limits, configured.breakers)
        return found if found.value < now or found.configured == now else None
