"""How much room snapshots of the whole exchange will take, before the first one is stored. Pure.

The bytes are measured on full databases (``docs/performance.md``); how many
markets change or are new is assumed, and said with the estimate.
"""

from dataclasses import dataclass

GIB = 1 << 30

ROW_BYTES = 400
"""One snapshot with its entries in six indexes: 373 on SQLite, 401 on PostgreSQL."""
PAYLOAD_BYTES = 330
"""The values of one payload that differs from the one before: 196 and 327 with index entries."""
TEMPLATE_BYTES = 3_600
"""What stays of a market's payload, once for each version of its terms: one page of SQLite."""
UPDATED_PER_HOUR_PERMILLE = 30
"""Markets whose terms or status change within an hour."""
NEW_PER_DAY_PERMILLE = 150
"""Markets that are listed anew within a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlan:
    """What is asked for."""

    markets: int
    whole_every_hours: int
    kept_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is. ``free`` is unknown where the database is on another machine."""

    budget: int
    used: int
    free: int | None


def rows_per_day(plan: ScanPlan) -> int:
    """Snapshots a day: the whole scans, and what is updated in the hours between."""
    updates = plan.markets * UPDATED_PER_HOUR_PERMILLE // 1_000
    whole_permille = 24_000 // plan.whole_every_hours
    return (plan.markets * whole_permille + updates * (24_000 - whole_permille)) // 1_000


def bytes_needed(plan: ScanPlan) -> int:
    """What the kept days take once they are full; every snapshot counts as changed."""
    rows = rows_per_day(plan) * plan.kept_days
    templates = plan.markets + plan.markets * NEW_PER_DAY_PERMILLE * plan.kept_days // 1_000
    return rows * (ROW_BYTES + PAYLOAD_BYTES) + templates * TEMPLATE_BYTES


def why_no_room(plan: ScanPlan, room: Room) -> str | None:
    """Why the scan must not start, with the numbers; ``None`` where there is room."""
    needed = bytes_needed(plan)
    told = (
        f"collect.whole_exchange: about {_gib(needed)} for {plan.markets} markets kept"
        f" {plan.kept_days} days ({rows_per_day(plan)} snapshots a day)"
    )
    if needed > room.budget:
        return (
            f"{told}, more than collect.storage_budget_gib allows ({_gib(room.budget)}):"
            " raise it, keep fewer days (collect.retention_days) or scan the whole less often"
            " (collect.whole_every_hours)"
        )
    missing = needed - room.used
    if room.free is not None and missing > room.free:
        return (
            f"{told}; the disk has {_gib(room.free)} free and the database holds"
            f" {_gib(room.used)} of it: make room, or keep fewer days (collect.retention_days)"
        )
    return None


def why_over_budget(used: int, budget: int) -> str | None:
    """Why no more of the exchange may be stored now; ``None`` where there is room, or no limit."""
    if not budget or used < budget:
        return None
    return (
        f"the snapshots take {_gib(used)} of the {_gib(budget)} of collect.storage_budget_gib:"
        " raise it, or keep fewer days (collect.retention_days)"
    )


def _gib(size: int) -> str:
    tenths = size * 10 // GIB
    return f"{tenths // 10}.{tenths % 10} GiB"
