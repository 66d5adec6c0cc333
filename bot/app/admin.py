"""What the command line reads and repairs in the database, without being the bot.

Nothing here takes the host lock: it must work while the bot runs.
"""

from dataclasses import asdict, dataclass

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.migrations import check as check_schema
from bot.adapters.storage.migrations import code_version
from bot.adapters.storage.queries import (
    SqlQueries,
    last_leader_of,
    leader_of,
    led_scopes,
)
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.basics import open_database, open_existing_database, real_means
from bot.app.settings import BotSettings
from bot.app.staleness import BACKFILL, DISCOVERY, Marks, done_of, judge_staleness, parts_of
from bot.collect import cursors
from bot.domain.ids import InstanceId
from bot.domain.leadership import InstanceRow, Roster
from bot.kit.times import format_seconds

_INSTANCES_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAnswer:
    """Instances for people and for machines."""

    facts: dict[str, object]
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
        marks = await freshness(database, settings)
    return judge_staleness(parts_of(settings), marks, now_us)


async def freshness(database: Database, settings: BotSettings) -> Marks:
    """What freshness is judged by.

    Raises:
        StorageUnavailable: it cannot be read now.
    """
    queries = SqlQueries(database, settings.scope)
    status = await queries.collect_status()
    moved_us = await queries.marks_us({DISCOVERY: cursors.DISCOVERY, BACKFILL: cursors.MIN_CLOSE})
    leader = await leader_of(database, settings.scope)
    lease = await last_leader_of(database, settings.scope)
    return Marks(
        leader=leader,
        done_us=done_of(status, moved_us),
        led_until_us=lease["renewed_us"] if lease is not None and leader is None else None,
    )


async def instances(
    settings: BotSettings, *, activate: str | None, deactivate_all: bool
) -> InstanceAnswer:
    """List instances of this scope, after standing one down or choosing another if asked."""
    facts: dict[str, object] = {"scope": settings.scope}
    done: list[str] = []
    async with open_existing_database(settings) as database:
        desk = SqlLeaseStore(database)
        if activate:
            await desk.activate(InstanceId(activate))
            facts["activated"] = activate
            done.append(f"{activate} is wanted now; it leads once the present leader let go")
        if deactivate_all:
            facts["deactivated"] = stood_down = await desk.deactivate_all(settings.scope)
            done.append(f"stood down: {', '.join(stood_down) or 'nobody was wanted'}")
        roster = await desk.roster(settings.scope, _INSTANCES_SHOWN)
        others = [one for one in await led_scopes(database) if one != settings.scope]
    facts["instances"] = [_instance_facts(roster, row) for row in roster.rows]
    lines = [_instance_line(roster, row) for row in roster.rows]
    if not lines:
        elsewhere = f"; led here: {', '.join(others)}" if others else ""
        lines = [f"no instance of {settings.scope} has registered yet{elsewhere}"]
    return InstanceAnswer(facts=facts, lines=[*done, *lines])


def _instance_facts(roster: Roster, row: InstanceRow) -> dict[str, object]:
    since_us = roster.leads_since_us(row)
    return {
        **asdict(row),
        "is_alive": roster.is_alive(row),
        "has_lease": since_us is not None,
        "leads_since_utc": format_seconds(since_us) if since_us is not None else None,
    }


def _instance_line(roster: Roster, row: InstanceRow) -> str:
    since_us = roster.leads_since_us(row)
    marks = [
        word
        for word, holds in (
            (f"leads since {format_seconds(since_us or 0)}", since_us is not None),
            ("wanted", row.is_active),
            ("not alive", row.stopped_us is None and not roster.is_alive(row)),
            (f"stopped {format_seconds(row.stopped_us or 0)}", row.stopped_us is not None),
        )
        if holds
    ]
    return (
        f"{row.instance_id}  {row.state.value:<10}  {', '.join(marks) or 'waits'}  "
        f"epoch {row.epoch or '-'}  deployment {row.deployment_id}  {row.host} pid {row.pid}  "
        f"heartbeat {format_seconds(row.heartbeat_us)}"
    )
