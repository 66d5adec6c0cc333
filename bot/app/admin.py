"""What the command line reads and repairs in the database, without being the bot.

Nothing here takes the host lock: it must work while the bot runs.
"""

from dataclasses import asdict, dataclass

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.migrations import check as check_schema
from bot.adapters.storage.migrations import code_version
from bot.adapters.storage.queries import (
    SqlQueries,
    last_leader_of,
    leader_of,
)
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.basics import open_database, open_existing_database, real_means
from bot.app.settings import BotSettings
from bot.app.staleness import judge_staleness
from bot.collect.gaps import GapReport, find_gaps, gap_lines
from bot.domain.ids import InstanceId, SeriesTicker
from bot.domain.leadership import InstanceRow
from bot.kit.times import HOUR_US, format_seconds, hour_key

_INSTANCES_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GapAnswer:
    """Gaps for people and for machines."""

    report: GapReport

    @property
    def has_gaps(self) -> bool:
        """Whether an hour is missing."""
        return bool(self.report.missing)

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self.report)

    @property
    def lines(self) -> list[str]:
        """For people."""
        return gap_lines(self.report)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAnswer:
    """Instances for people and for machines."""

    rows: list[dict[str, object]]
    lines: list[str]


async def read_status(settings: BotSettings) -> dict[str, object]:
    """Who leads, what stops trading, how collecting fares: from the database alone."""
    async with open_existing_database(settings) as database:
        schema = await check_schema(database)
        queries = SqlQueries(database, settings.scope)
        store = SqlTradingStore(database, settings.scope)
        facts = await queries.collect_facts()
        lease = await last_leader_of(database, settings.scope)
        halt = await store.halt()
        totals = await queries.totals()
        leader = await leader_of(database, settings.scope)
    return {
        "scope": settings.scope,
        "mode": settings.mode,
        "orders": settings.trading_mode,
        "leader": leader or "nobody",
        "epoch": lease["epoch"] if lease else 0,
        "halted": f"{halt.reason} (by {halt.set_by})" if halt.halted else "no",
        **facts.status,
        "last_scanned": facts.scanned,
        "last_inserted": facts.inserted,
        "last_errors": facts.errors,
        "snapshots": facts.snapshots,
        "positions_opened": totals.brackets_opened,
        "positions_closed": totals.brackets_closed,
        "schema": schema.value,
    }


async def read_gaps(settings: BotSettings, *, hours: int | None, series: str | None) -> GapAnswer:
    """Missing hours, over everything stored or the last ``hours`` finished ones."""
    now_us = real_means().clock.now_us()
    window = {}
    if hours is not None:
        window = {
            "first_hour": hour_key(now_us - hours * HOUR_US),
            "last_hour": hour_key(now_us - HOUR_US),
        }
    async with open_existing_database(settings) as database:
        report = await find_gaps(
            SqlCollectionStore(database),
            series=SeriesTicker(series) if series else None,
            **window,
        )
    return GapAnswer(report=report)


async def migrate(settings: BotSettings) -> dict[str, object]:
    """Bring the schema up to date."""
    async with open_database(settings, migrated=False) as database:
        before = await check_schema(database)
    async with open_database(settings, migrated=True) as database:
        after = await check_schema(database)
    return {"version": code_version(), "before": before.value, "schema": after.value}


async def health(settings: BotSettings) -> tuple[bool, dict[str, object]]:
    """Whether the periodic work is fresh, from the database alone."""
    now_us = real_means().clock.now_us()
    async with open_existing_database(settings) as database:
        facts = await SqlQueries(database, settings.scope).collect_facts()
        leader = await leader_of(database, settings.scope)
    return judge_staleness(
        facts.status,
        leader=leader,
        now_us=now_us,
        stale_after_us=round(settings.web.stale_after_s * 1_000_000),
    )


async def instances(
    settings: BotSettings, *, activate: str | None, deactivate_all: bool
) -> InstanceAnswer:
    """List instances of this scope, after standing one down or choosing another if asked."""
    async with open_existing_database(settings) as database:
        desk = SqlLeaseStore(database)
        if activate:
            await desk.activate(InstanceId(activate))
        if deactivate_all:
            await desk.deactivate_all(settings.scope)
        rows = await desk.instances(settings.scope, _INSTANCES_SHOWN)
    return InstanceAnswer(
        rows=[asdict(row) for row in rows],
        lines=[_instance_line(row) for row in rows] or ["no instance has registered yet"],
    )


def _instance_line(row: InstanceRow) -> str:
    wanted = "wanted" if row.is_active else "      "
    ended = f" stopped {format_seconds(row.stopped_us)}" if row.stopped_us else ""
    return (
        f"{row.instance_id}  {wanted}  {row.state.value:<10}  epoch {row.epoch or '-'}  "
        f"{row.host} pid {row.pid}  heartbeat {format_seconds(row.heartbeat_us)}{ended}"
    )
