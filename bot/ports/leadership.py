"""What the elector needs from the database. Every call is one short transaction.

All of them raise ``StorageUnavailable`` when the database cannot answer; the
caller sets the deadline. Time in rows is the database's, never the caller's.
"""

from collections.abc import Callable
from typing import Protocol

from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import (
    Acquisition,
    Candidate,
    InstanceRow,
    InstanceState,
    LeaseRow,
    Reading,
    Renewal,
    Roster,
)


class LeaseStore(Protocol):
    """The rows of ``bot_deployments``, ``bot_instances`` and ``leader_lease``."""

    async def register(self, candidate: Candidate) -> InstanceRow:
        """Insert the instance, not wanted yet; rank its deployment on first sight.

        Repeating it is harmless: the existing row is returned.
        """
        ...

    async def read(self, scope: Scope, me: InstanceId) -> Reading:
        """One consistent reading; also stamps our own heartbeat while we are registered."""
        ...

    async def claim(self, scope: Scope, me: InstanceId, instead_of: InstanceId | None) -> bool:
        """Make us wanted and everybody else not, if ``instead_of`` is still the one wanted.

        The lease stays with its holder, who drains and releases. ``False``:
        somebody else was faster, read again.
        """
        ...

    async def acquire(
        self, scope: Scope, me: InstanceId, seen: LeaseRow, lease_us: int
    ) -> Acquisition | None:
        """Take the lease under a new epoch, if it is as ``seen`` and we are still wanted."""
        ...

    async def renew(self, scope: Scope, me: InstanceId, epoch: Epoch, lease_us: int) -> Renewal:
        """Stamp the heartbeat and extend the lease, if it is ours and has not ended."""
        ...

    async def release(
        self, scope: Scope, me: InstanceId, epoch: Epoch, *, is_clean: bool, is_leaving: bool
    ) -> bool:
        """Give the lease up. ``False``: it was not ours any more.

        ``is_clean`` promises that no order of this epoch is in flight;
        ``is_leaving`` that the process ends, so that it is not wanted afterwards.
        """
        ...

    async def mark(self, me: InstanceId, state: InstanceState) -> None:
        """Say what we are doing."""
        ...

    async def retire(self, me: InstanceId, reason: str) -> None:
        """The last write of an instance: stopped, not wanted, with the reason."""
        ...

    async def bury(self, scope: Scope, dead: InstanceId, reason: str) -> bool:
        """Give up whatever a process still held that is dead *for certain*.

        Only whoever reaped that process may call it. The release is unclean, since orders
        may have been in flight. ``False``: it did not hold the lease.
        """
        ...

    async def hear(self, scope: Scope, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever somebody changes who leads. Never returns.

        A hint that may be lost or absent; polling is the guarantee.
        """
        ...


class InstanceDesk(Protocol):
    """What an operator may do from outside any instance."""

    async def roster(self, scope: Scope, limit: int) -> Roster:
        """The instances of a scope, at most ``limit``, and who has the lease."""
        ...

    async def last_led(self, scope: Scope) -> Roster:
        """The instance that led last, alone in a roster; none where nobody ever led."""
        ...

    async def activate(self, instance_id: InstanceId) -> None:
        """Make one living instance the wanted one of its scope.

        Raises:
            ActivationRefused: no such instance, or it is not alive; nothing was changed.
        """
        ...

    async def deactivate_all(self, scope: Scope | None) -> list[InstanceId]:
        """Stand down whoever is wanted; returns who was. Every scope when ``None``."""
        ...
