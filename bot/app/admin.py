"""What the command line does without being the bot: read, repair, and give commands.

Nothing here takes the host lock: reading, backing up and commanding must work
while the bot runs.
"""

import asyncio
import contextlib
import getpass
import os
import re
from dataclasses import asdict, dataclass
from html import unescape
from pathlib import Path

from bot.adapters.storage.collection import SqlCollectionStore
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.messages import SqlInbox, SqlOutbox
from bot.adapters.storage.migrations import check as check_schema
from bot.adapters.storage.migrations import code_version
from bot.adapters.storage.queries import (
    SqlQueries,
    command_number,
    last_leader_of,
    leader_of,
    replies_to,
)
from bot.adapters.storage.restores import restorer_for
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.backups import backups_of, format_named, is_durable, quiet_or
from bot.app.build import exchange_of, open_database, real_means, signer_of
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.app.staleness import judge_staleness
from bot.collect.gaps import GapReport, find_gaps, gap_lines
from bot.domain.errors import ConfigurationFault, OrderRejected
from bot.domain.ids import InstanceId, SeriesTicker
from bot.domain.leadership import InstanceRow
from bot.domain.operations import AccessLevel
from bot.domain.orders import OrderStatus
from bot.domain.records import HaltRecord
from bot.kit.times import HOUR_US, format_seconds, hour_key
from bot.ops import doctor, hostlock
from bot.ops.backup import BackupKind
from bot.ops.restore import restore as restore_backup
from bot.ports.backups import BackupContents
from bot.ports.messages import Channel, IncomingCommand

_POLL_S = 0.2
_INSTANCES_SHOWN = 20
_TAG = re.compile(r"<[^>]+>")


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
class CommandAnswer:
    """What came back for a command. ``is_done`` false: refused, or nobody answered in time."""

    text: str
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAnswer:
    """Instances for people and for machines."""

    rows: list[dict[str, object]]
    lines: list[str]


async def read_status(settings: BotSettings) -> dict[str, object]:
    """Who leads, what stops trading, how collecting fares: from the database alone."""
    async with open_database(settings, migrated=False) as database:
        schema = await check_schema(database)
        if schema.value == "behind":
            return {"schema": "behind: run `python -m bot migrate`, or start the bot once"}
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
    async with open_database(settings, migrated=True) as database:
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


async def backup(
    settings: BotSettings, *, core: bool, nightly: bool, form: str, bar: OnAdvance | None
) -> dict[str, object]:
    """Make a checked backup."""
    async with open_database(settings, migrated=True) as database:
        report = await backups_of(settings, database, real_means().clock).make(
            quiet_or(bar),
            kind=BackupKind.NIGHTLY if nightly else BackupKind.MANUAL,
            contents=BackupContents.CORE if core else BackupContents.FULL,
            form=format_named(form),
        )
    rows = sum(report.manifest.counts.values()) if report.manifest else None
    durable = is_durable(settings, report.path)
    return {
        "backup": str(report.path),
        "bytes": report.size_bytes,
        "rows": rows,
        "sha256": report.sha256,
        "durable": "yes" if durable else "no: this disk does not survive a deploy; copy it away",
        "removed": ", ".join(report.removed) or None,
    }


async def restore(
    settings: BotSettings, file: Path, *, target: str | None, force: bool, bar: OnAdvance | None
) -> dict[str, object]:
    """Replace the database, or the one at ``target``."""
    url = settings.database.url.get_secret_value() if target is None else _address(target)
    lock = settings.lock_file or hostlock.default_path()

    async def lock_is_held() -> str | None:
        holder = await asyncio.to_thread(hostlock.running_holder, lock)
        return None if holder is None else f"PID {holder.pid} holds the lock {lock}"

    report = await restore_backup(
        file,
        restorer_for(url),
        real_means().clock,
        quiet_or(bar),
        guards=(lock_is_held,),
        force=force,
    )
    return {
        "restored": str(report.backup),
        "rows": sum(report.manifest.counts.values()),
        "replaced": report.kept or "nothing was there",
        "warnings": "; ".join(report.warnings) or None,
        "next": "trading is halted until /unhalt; start the bot",
    }


async def health(settings: BotSettings) -> tuple[bool, dict[str, object]]:
    """Whether the periodic work is fresh, from the database alone."""
    now_us = real_means().clock.now_us()
    async with open_database(settings, migrated=False) as database:
        facts = await SqlQueries(database, settings.scope).collect_facts()
        leader = await leader_of(database, settings.scope)
    return judge_staleness(
        facts.status,
        leader=leader,
        now_us=now_us,
        stale_after_us=round(settings.web.stale_after_s * 1_000_000),
    )


async def examine(settings: BotSettings) -> tuple[doctor.Finding, ...]:
    """Look at everything the bot needs."""
    means = real_means()
    signer = None
    with contextlib.suppress(ConfigurationFault):
        signer = signer_of(settings)
    has_key = settings.secrets.kalshi_key_id is not None

    async def schema() -> str:
        async with open_database(settings, migrated=False) as database:
            return (await check_schema(database)).value

    async with exchange_of(settings, means, signer).open() as exchange:
        return await doctor.examine(
            [
                doctor.configuration(lambda: settings),
                doctor.signing_key((lambda: signer_of(settings)) if has_key else None),
                doctor.database(schema),
                doctor.exchange(exchange.status),
                doctor.clock_skew(exchange.status, means.clock),
                doctor.disk_space(Path.cwd()),
                doctor.writable_directory("backups", settings.backup.dir),
                doctor.writable_directory("reports", settings.collect.reports_dir),
                doctor.port_free(settings.web.host, settings.web.port),
            ]
        )


async def instances(
    settings: BotSettings, *, activate: str | None, deactivate_all: bool
) -> InstanceAnswer:
    """List instances of this scope, after standing one down or choosing another if asked."""
    async with open_database(settings, migrated=True) as database:
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


async def give_command(settings: BotSettings, line: str, *, wait_s: float) -> CommandAnswer:
    """Have the leader answer a command; halt and unhalt also work while nobody leads."""
    async with open_database(settings, migrated=True) as database:
        if await leader_of(database, settings.scope) is None:
            return await _without_leader(SqlTradingStore(database, settings.scope), line)
        means = real_means()
        now_us = means.clock.now_us()
        # A conversation of its own, so that the answer can be told from others.
        conversation = means.random.getrandbits(48)
        command = IncomingCommand(
            channel=Channel.CLI,
            bot_id=0,
            update_id=conversation,
            user_id=os.getuid(),
            user_name=getpass.getuser(),
            chat_id=conversation,
            is_private=True,
            text=line,
            button=None,
            sent_us=now_us,
            received_us=now_us,
            is_urgent=line.startswith("/halt"),
            granted=AccessLevel.ADMIN,
            is_confirmed=True,
        )
        await SqlInbox(database, settings.scope, means.clock).put([command])
        number = await command_number(database, settings.scope, Channel.CLI, conversation)
        outbox = SqlOutbox(database, settings.scope, means.clock)
        for _ in range(max(1, round(wait_s / _POLL_S))):
            rows = await replies_to(database, settings.scope, Channel.CLI, str(number))
            if rows:
                await outbox.mark_sent([row.id for row in rows], means.clock.now_us())
                told = "\n".join(_plain(row.text) for row in rows)
                return CommandAnswer(text=told, is_done=not _is_refusal(told))
            await asyncio.sleep(_POLL_S)
    return CommandAnswer(
        text=f"stored, but not answered within {wait_s:.0f} s; the leader takes it when it can",
        is_done=False,
    )


async def _without_leader(store: SqlTradingStore, line: str) -> CommandAnswer:
    word, _, reason = line.partition(" ")
    if word not in {"/halt", "/unhalt"}:
        return CommandAnswer(text="nobody leads: start the bot first", is_done=False)
    halted = word == "/halt"
    await store.save_halt(
        HaltRecord(
            halted=halted,
            reason=reason or ("no reason given" if halted else "ended at the command line"),
            set_by=f"cli:{getpass.getuser()}",
            changed_us=real_means().clock.now_us(),
        )
    )
    done = "halted" if halted else "the halt is ended"
    return CommandAnswer(
        text=f"saved: {done}; nobody leads, the next leader reads it", is_done=True
    )


async def cancel_orders(settings: BotSettings, *, including_exits: bool) -> dict[str, object]:
    """Cancel at the exchange itself; works without a running bot."""
    if settings.trading_mode == "paper":
        raise ConfigurationFault(
            ["paper orders live in the running bot: `python -m bot halt` cancels its entries"]
        )
    means = real_means()
    async with exchange_of(settings, means, signer_of(settings)).open() as exchange:
        resting = await exchange.orders(status=OrderStatus.RESTING)
        if including_exits:
            await exchange.cancel_all()
            return {"cancelled": f"all of {len(resting)} resting orders", "note": _PAUSE_NOTE}
        async with open_database(settings, migrated=True) as database:
            stored = await SqlTradingStore(database, settings.scope).load(means.clock.now_us())
        entries = {
            one.progress.order_id for one in stored.orders if one.intent.purpose.value == "entry"
        }
        cancelled, gone = 0, 0
        for order in resting:
            if order.order_id in entries:
                try:
                    await exchange.cancel_order(order.order_id, order.ticker)
                    cancelled += 1
                except OrderRejected:
                    gone += 1
    return {"cancelled": cancelled, "already gone": gone, "left resting": len(resting) - cancelled}


_PAUSE_NOTE = "the exchange may also cancel what is placed in the next minute"


def _address(target: str) -> str:
    return target if "://" in target else f"sqlite:///{target}"


def _instance_line(row: InstanceRow) -> str:
    wanted = "wanted" if row.is_active else "      "
    ended = f" stopped {format_seconds(row.stopped_us)}" if row.stopped_us else ""
    return (
        f"{row.instance_id}  {wanted}  {row.state.value:<10}  epoch {row.epoch or '-'}  "
        f"{row.host} pid {row.pid}  heartbeat {format_seconds(row.heartbeat_us)}{ended}"
    )


def _plain(text: str) -> str:
    return unescape(_TAG.sub("", text))


def _is_refusal(told: str) -> bool:
    return told.startswith(("Failed:", "Refused", "Not ", "I do not know", "There is no"))
