"""What the operator's console may ask the running bot.

Reads may raise ``StorageUnavailable``, ``NotLeader`` or ``ExchangeUnavailable``;
the console answers those with one line. An act carries an ``Authority``:
repeated under the same number it must have no second effect and return the
same outcome. The store's ledger (``Audit.find``) is how an implementation, or
the console after a crash, finds out that it already happened.
"""

from typing import Protocol

from bot.domain.handles import EntryView, ProposalView
from bot.domain.ids import InstanceId, MarketTicker
from bot.domain.operations import (
    AccountView,
    Authority,
    BackupFile,
    Banner,
    BreakerView,
    GapsView,
    HaltView,
    InstanceView,
    Outcome,
    PnlView,
    PositionView,
    QualityView,
    StatusView,
    VersionView,
    WhyView,
)
from bot.ports.adjusting import Adjusting
from bot.ports.alert_control import AlertControl
from bot.ports.cockpit import Cockpit
from bot.ports.people import People


class Operator(Protocol):
    """The bot as its operator meets it."""

    @property
    def adjusting(self) -> Adjusting:
        """What may be changed about running trading."""
        ...

    @property
    def people(self) -> People:
        """Who may speak."""
        ...

    @property
    def alerts(self) -> AlertControl:
        """How alerts interrupt."""
        ...

    @property
    def cockpit(self) -> Cockpit:
        """Everything that is only looked at, closely."""
        ...

    def banner(self) -> Banner:
        """Who answers. Never waits, never fails."""
        ...

    def halt_now(self, authority: Authority, reason: str) -> None:
        """Shut the gate in memory at once and have the entry groups triggered.

        Never waits, never fails, works while activating and without a database.
        Saving starts in the background and goes on until the halt is durable.
        Called before the command has a number: ``authority.number`` is negative,
        the channel's own id of the message. Repeating it is harmless.
        """
        ...

    async def halt(self, authority: Authority, reason: str) -> HaltView:
        """Do ``halt_now`` and return once the halt is durable.

        Cancelled by a deadline, the halt stands in memory and saving goes on.
        """
        ...

    async def unhalt(self, authority: Authority) -> Outcome:
        """End the person's halt, after a reconciliation. Breakers stay as they are."""
        ...

    async def reset_breaker(self, authority: Authority, name: str, *, force: bool) -> Outcome:
        """Reset one breaker; refused while its condition holds, unless forced."""
        ...

    async def acknowledge(self, authority: Authority, ticker: MarketTicker) -> Outcome:
        """Accept what is not ours in this market, and take over an orphan there.

        Entries may go on in it afterwards.
        """
        ...

    async def close(self, authority: Authority, ticker: MarketTicker | None) -> Outcome:
        """Sell what our brackets hold in this market, or everywhere with ``None``."""
        ...

    async def panic(self, authority: Authority, *, everything: bool) -> Outcome:
        """Halt, cancel and sell all that is ours; with ``everything`` a person's as well.

        Returns once the exchange has proved it, or after some seconds with what hinders it.
        """
        ...

    async def reconcile(self, authority: Authority) -> Outcome:
        """Compare with the exchange's account now; refused when it does not answer in time."""
        ...

    async def judge_entry(
        self,
        authority: Authority,
        proposal: str,
        *,
        is_approved: bool,
        contracts: int | None = None,
    ) -> Outcome:
        """Approve a proposed entry, or skip it; one that expired is refused.

        ``contracts`` approves only so many of it.
        """
        ...

    async def cancel_entries(self, authority: Authority, chosen: str | None = None) -> Outcome:
        """Cancel every resting entry of ours, or those of one order id or ticker.

        Take-profits stay.
        """
        ...

    async def adopt(self, authority: Authority) -> Outcome:
        """Shut the order groups that another bot was found to have; the halt stays."""
        ...

    async def hand_over(self, authority: Authority, successor: InstanceId) -> Outcome:
        """Give the lead to another living instance; refused where that one cannot take it."""
        ...

    async def backup(self, authority: Authority) -> BackupFile:
        """Make and check a backup small enough for a chat.

        Raises:
            StorageUnavailable: it could not be made; the text says why.
        """
        ...

    async def check_restore(self, authority: Authority) -> Outcome:
        """Restore the newest backup into a scratch file and read it back; nothing is replaced.

        Raises:
            StorageUnavailable: it took too long.
        """
        ...

    async def halt_state(self) -> HaltView:
        """The person's stop as it stands."""
        ...

    async def breakers(self) -> tuple[BreakerView, ...]:
        """Every breaker, tripped or not."""
        ...

    async def status(self) -> StatusView:
        """Everything at once; parts that cannot be read are ``None``."""
        ...

    async def positions(self) -> tuple[PositionView, ...]:
        """Every held market, largest cost first."""
        ...

    async def entries(self) -> tuple[EntryView, ...]:
        """Our entries that rest, the oldest first."""
        ...

    async def proposals(self) -> tuple[ProposalView, ...]:
        """Entries that wait for a person's yes."""
        ...

    async def pnl(self) -> PnlView:
        """The running trading day's result."""
        ...

    async def balance(self) -> AccountView:
        """Cash, equity and exposure."""
        ...

    async def instances(self) -> tuple[InstanceView, ...]:
        """Registered instances of this scope, the living first."""
        ...

    async def gaps(self) -> GapsView:
        """What the collection misses, and why."""
        ...

    async def repair(self, authority: Authority) -> Outcome:
        """Fetch again what the exchange still has of what is missing, for up to a minute."""
        ...

    async def quality(self) -> QualityView:
        """Whether the newest stored hour makes sense."""
        ...

    async def why(self, ticker: MarketTicker | None) -> WhyView:
        """Why there was or was not a trade, in general or in one market."""
        ...

    async def version(self) -> VersionView:
        """What is running."""
        ...
