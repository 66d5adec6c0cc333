"""What the operator's console may ask and change about alerts.

Everything may raise ``StorageUnavailable``. A change carries an ``Authority``:
repeated under the same number it has no second effect.
"""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.alert_preferences import PreferenceChange, Preferences
from bot.domain.operations import Authority, Severity
from bot.ports.messages import HeldBack


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAlert:
    """One alert, as the page was told it."""

    name: str
    at_us: int
    kind: str
    severity: Severity
    text: str
    """With markup, and the line that says who speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsView:
    """How alerts interrupt, and what they were."""

    preferences: Preferences
    held: tuple[HeldBack, ...]
    latest: tuple[ToldAlert, ...]
    """The newest last."""


class AlertControl(Protocol):
    """Alerts as their reader meets them."""

    async def view(self, latest: int) -> AlertsView:
        """What holds, what is held back, and the newest alerts."""
        ...

    async def change(
        self, authority: Authority, line: str, change: PreferenceChange
    ) -> Preferences:
        """Choose otherwise, for good, and return what holds now.

        What is held back already goes by the new choice, too.
        """
        ...

    async def release(self) -> int:
        """Let go whatever is held back; return how many alerts that were."""
        ...
