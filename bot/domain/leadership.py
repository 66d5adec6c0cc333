"""What the database says about who leads: rows and one reading of them.

``is_active`` on an instance means *wanted*; the lease's ``holder`` *has* the
lead. An instance leads while both are true. All times are microseconds of the
database's clock and serve people; nothing is decided by their age.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.ids import Epoch, InstanceId, Scope

OPERATOR = "operator"
"""``decided_by`` of a row whose ``is_active`` was typed by a person."""

OFF_PLATFORM = "start-"
"""How a deployment's name begins where there is no platform to name it."""

ALIVE_US = 15_000_000
"""An instance whose last heartbeat is older cannot be activated."""


class InstanceState(StrEnum):
    """What an instance last said about itself."""

    STANDBY = "standby"
    ACTIVATING = "activating"
    LEADING = "leading"
    DRAINING = "draining"
    RELEASED = "released"
    """Gave the lead away and waits, alive and idle, until its successor leads."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One process start that may lead."""

    instance_id: InstanceId
    scope: Scope
    deployment_id: str
    """The platform's, or a fresh one for each start where there is no platform."""
    replica_id: str | None
    host: str
    pid: int
    code_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """One row of ``bot_instances``."""

    instance_id: InstanceId
    scope: Scope
    deployment_id: str
    generation: int
    """Rank: the order in which deployments were first seen in this scope."""
    replica_id: str | None
    host: str
    pid: int
    code_version: str
    state: InstanceState
    is_active: bool
    decided_by: str
    epoch: Epoch | None
    started_us: int
    heartbeat_us: int
    stopped_us: int | None
    stop_reason: str | None

    @property
    def is_on_platform(self) -> bool:
        """Whether a platform named its deployment."""
        return not self.deployment_id.startswith(OFF_PLATFORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """The row of ``leader_lease``. Epoch 0 is a scope nobody has led yet."""

    epoch: Epoch
    holder: InstanceId | None
    generation: int
    renew_seq: int
    acquired_us: int | None
    renewed_us: int | None
    expires_us: int
    clean_release: bool
    stood_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Lease, own row and wanted row, read in one transaction."""

    lease: LeaseRow
    me: InstanceRow | None
    """``None`` when the row was deleted, e.g. by a restore."""
    active: InstanceRow | None
    database_now_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The instances of a scope and its lease, read in one transaction, for people."""

    rows: tuple[InstanceRow, ...]
    """The living first, then by start, newest first."""
    lease: LeaseRow | None
    """``None`` for a scope nobody has registered in."""
    database_now_us: int

    def is_alive(self, row: InstanceRow) -> bool:
        """Whether it could be made the leader now."""
        return row.stopped_us is None and row.heartbeat_us >= self.database_now_us - ALIVE_US

    def leads_since_us(self, row: InstanceRow) -> int | None:
        """Since when it has the lease; ``None`` if it has not, or no longer."""
        lease = self.lease
        if lease is None or lease.holder != row.instance_id:
            return None
        return lease.acquired_us if lease.expires_us > self.database_now_us else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """Whoever led last, also when its lease has been released."""

    instance_id: InstanceId
    end: str | None
    """Its last word, or that of whoever saw it die; ``None``: it just fell silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """A lease just won, and what it was before."""

    epoch: Epoch
    previous: LeaseRow
    database_now_us: int
    predecessor: Predecessor | None = None
    """``None`` for a scope never led, or when its row was deleted."""

    @property
    def unled_us(self) -> int:
        """How long nobody renewed, on the database's clock; 0 for a scope never led."""
        last_us = self.previous.renewed_us
        return 0 if last_us is None else max(0, self.database_now_us - last_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The answer to a heartbeat."""

    is_kept: bool
    """Whether the lease was extended."""
    is_holder: bool
    """Whether the row still names us under our epoch; a typed deactivation leaves it so."""
    is_active: bool
    """Whether we are still wanted."""
    active_id: InstanceId | None
    """Who is wanted now."""


def next_epoch(previous: Epoch, database_now_us: int) -> Epoch:
    """Above every earlier epoch; by the clock, so that a restored backup cannot reissue one."""
    return Epoch(max(previous + 1, database_now_us // 1_000_000))
