"""Reads for pages and the command line; they never write and need no lead."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.engine import RowMapping

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.sql_terms import NOW_US
from bot.adapters.storage.trading_rows import breaker_of
from bot.domain.ids import MarketTicker, Scope, StrategyId
from bot.domain.money import Price, Quantity
from bot.domain.operations import Decision, Severity, SignalFacts
from bot.domain.orders import BookSide
from bot.domain.records import BracketState, BreakerRecord
from bot.ports.alert_control import ToldAlert
from bot.ports.messages import Channel

_CLOSED = (BracketState.CLOSED.value, BracketState.SETTLED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectFacts:
    """How the last cycle went and how much is stored."""

    status: dict[str, str]
    scanned: int
    inserted: int
    errors: int
    outcome: str | None
    snapshots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRow:
    """A message of a chat that is read instead of delivered to."""

    id: int
    kind: str
    severity: str
    text: str
    attachment: str | None
    buttons: list[list[dict[str, str]]]
    edits: int | None
    """The earlier message that this one takes the place of."""
    created_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Positions opened and closed since the beginning, and rows of the outbox."""

    brackets_opened: int
    brackets_closed: int
    alerts: int


class SqlQueries:
    """Reads of one scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def collect_status(self) -> dict[str, str]:
        """The status rows alone: what a watch asks for must not count the snapshots."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(tables.status))).mappings().all()
        return {row["key"]: row["value"] for row in rows}

    async def collect_facts(self) -> CollectFacts:
        """Status rows, the last cycle's counts, the number of snapshots."""
        cycles = tables.collect_cycles
        # By the hour first: that has an index.
        order = cycles.c.snapshot_hour_utc.desc(), cycles.c.started_us.desc()
        newest = select(cycles).order_by(*order).limit(1)
        async with self._database.read() as connection:
            rows = (await connection.execute(select(tables.status))).mappings().all()
            cycle = (await connection.execute(newest)).mappings().one_or_none()
            count = select(func.count()).select_from(tables.market_snapshots)
            snapshots: int = (await connection.execute(count)).scalar_one()
        return CollectFacts(
            status={row["key"]: row["value"] for row in rows},
            scanned=cycle["scanned"] if cycle else 0,
            inserted=cycle["inserted"] if cycle else 0,
            errors=cycle["errors"] if cycle else 0,
            outcome=cycle["outcome"] if cycle else None,
            snapshots=snapshots,
        )

    async def decisions(self, limit: int, ticker: MarketTicker | None = None) -> list[Decision]:
        """The newest verdicts on signals."""
        signals = tables.signals
        query = select(signals).where(signals.c.scope == self._scope)
        if ticker is not None:
            query = query.where(signals.c.ticker == ticker)
        query = query.order_by(signals.c.decided_us.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            Decision(
                at_us=row["decided_us"],
                ticker=MarketTicker(row["ticker"]),
                verdict=row["verdict"],
                reason=row["reason"],
                quantity=Quantity(row["quantity_e2"]),
                case=json.loads(row["case_json"]),
                signal=SignalFacts(
                    strategy_id=StrategyId(row["strategy_id"]),
                    side=BookSide(row["side"]),
                    price=Price(row["price_e4"]),
                    inputs=tuple(json.loads(row["inputs_json"]).items()),
                ),
            )
            for row in rows
        ]

    async def breaker_changed_us(self, name: str) -> int | None:
        """When the stored state of a breaker last changed."""
        states = tables.breaker_state
        query = select(states.c.changed_us).where(
            states.c.scope == self._scope, states.c.name == name
        )
        async with self._database.read() as connection:
            found: int | None = (await connection.execute(query)).scalar_one_or_none()
            return found

    async def marks_us(self, keys: Mapping[str, str]) -> dict[str, int]:
        """When marks of the past were moved last, by the names given to them."""
        marks = tables.ingest_state.c
        query = select(marks.key, marks.updated_at_us).where(marks.key.in_(list(keys.values())))
        async with self._database.read() as connection:
            moved = {row.key: row.updated_at_us for row in await connection.execute(query)}
        return {name: moved[key] for name, key in keys.items() if key in moved}

    async def kept(self, name: str) -> str | None:
        """What is remembered under this name beside the breakers, as JSON."""
        states = tables.breaker_state
        query = select(states.c.data_json).where(
            states.c.scope == self._scope, states.c.name == name
        )
        async with self._database.read() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
            return found

    async def panic(self) -> BreakerRecord | None:
        """The last order to get out of everything, over or not."""
        states = tables.breaker_state
        query = select(states).where(states.c.scope == self._scope, states.c.name == "panic")
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            return breaker_of(row) if row is not None else None

    async def totals(self) -> Totals:
        """Counts over all time."""
        brackets, outbox = tables.brackets, tables.outbox
        mine = (brackets.c.scope == self._scope) & (brackets.c.entered_e2 > 0)
        opened = select(func.count()).select_from(brackets).where(mine)
        alerts = (
            select(func.count())
            .select_from(outbox)
            .where(outbox.c.scope == self._scope, outbox.c.kind != "reply")
        )
        async with self._database.read() as connection:
            return Totals(
                brackets_opened=(await connection.execute(opened)).scalar_one(),
                brackets_closed=(
                    await connection.execute(opened.where(brackets.c.state.in_(_CLOSED)))
                ).scalar_one(),
                alerts=(await connection.execute(alerts)).scalar_one(),
            )

    async def alerts(self, limit: int) -> tuple[ToldAlert, ...]:
        """The newest alerts as the page was told them, the newest last."""
        outbox = tables.outbox
        query = (
            select(outbox)
            .where(
                outbox.c.scope == self._scope,
                outbox.c.channel == Channel.PORTAL.value,
                outbox.c.alert.is_not(None),
            )
            .order_by(outbox.c.id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(
            ToldAlert(
                name=row["alert"],
                at_us=row["created_us"],
                kind=row["kind"],
                severity=Severity(row["severity"]),
                text=row["text"],
            )
            for row in reversed(rows)
        )

    async def chat(self, channel: Channel, after: int, limit: int) -> Sequence[ChatRow]:
        """Messages of a channel with an id above ``after``; only the newest ``limit``."""
        outbox = tables.outbox
        query = (
            select(outbox)
            .where(
                outbox.c.scope == self._scope,
                outbox.c.channel == channel.value,
                outbox.c.id > after,
            )
            .order_by(outbox.c.id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_chat_row(row) for row in reversed(rows)]

    async def attachment(self, channel: Channel, message_id: int) -> str | None:
        """The file that a message of a channel came with."""
        outbox = tables.outbox
        query = select(outbox.c.attachment).where(
            outbox.c.scope == self._scope,
            outbox.c.channel == channel.value,
            outbox.c.id == message_id,
        )
        async with self._database.read() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
            return found


def _chat_row(row: RowMapping) -> ChatRow:
    extra = json.loads(row["extra_json"])
    return ChatRow(
        id=row["id"],
        kind=row["kind"],
        severity=row["severity"],
        text=row["text"],
        attachment=row["attachment"],
        buttons=extra.get("buttons", []),
        edits=extra.get("edits"),
        created_us=row["created_us"],
    )


async def leader_of(database: Database, scope: Scope) -> str | None:
    """Whose lease has not ended by the database's clock, or ``None``."""
    lease = tables.leader_lease
    query = select(lease.c.holder).where(
        lease.c.scope == scope,
        lease.c.holder.is_not(None),
        lease.c.expires_us > text(NOW_US[database.dialect]),
    )
    async with database.read() as connection:
        found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found


async def led_scopes(database: Database) -> list[Scope]:
    """Every scope whose lease has not ended."""
    lease = tables.leader_lease
    query = (
        select(lease.c.scope)
        .where(lease.c.holder.is_not(None), lease.c.expires_us > text(NOW_US[database.dialect]))
        .order_by(lease.c.scope)
    )
    async with database.read() as connection:
        return [Scope(found) for found in (await connection.execute(query)).scalars()]


async def last_leader_of(database: Database, scope: Scope) -> RowMapping | None:
    """The lease row, whoever holds it or held it last."""
    lease = tables.leader_lease
    async with database.read() as connection:
        rows = await connection.execute(select(lease).where(lease.c.scope == scope))
        return rows.mappings().one_or_none()


async def replies_to(
    database: Database, scope: Scope, channel: Channel, recipient: str
) -> list[ChatRow]:
    """What was queued for one recipient of a channel that is read instead of delivered to."""
    outbox = tables.outbox
    query = (
        select(outbox)
        .where(
            outbox.c.scope == scope,
            outbox.c.channel == channel.value,
            outbox.c.recipient == recipient,
        )
        .order_by(outbox.c.id)
    )
    async with database.read() as connection:
        return [_chat_row(row) for row in (await connection.execute(query)).mappings()]


async def command_number(
    database: Database, scope: Scope, channel: Channel, update_id: int
) -> int | None:
    """The number a stored command was given; its answers are addressed to it."""
    inbox = tables.command_inbox
    query = select(inbox.c.id).where(
        inbox.c.scope == scope, inbox.c.channel == channel.value, inbox.c.update_id == update_id
    )
    async with database.read() as connection:
        found: int | None = (await connection.execute(query)).scalar_one_or_none()
        return found
