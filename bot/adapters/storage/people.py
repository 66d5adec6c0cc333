"""``PeopleStore`` in the tables ``operators`` and ``pairing_codes``."""

import hmac
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import record_act
from bot.adapters.storage.outbox import insert_messages
from bot.adapters.storage.tables import command_audit, operators, pairing_codes
from bot.domain.ids import Scope
from bot.domain.operations import AccessLevel
from bot.ports.messages import AuditEntry, OutgoingMessage
from bot.ports.people import PairingOffer, Person

_OPEN_MAX = 5


class SqlPeople:
    """See :class:`bot.ports.people.PeopleStore`."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def everybody(self) -> tuple[Person, ...]:
        """See the port."""
        query = (
            select(operators)
            .where(operators.c.scope == self._scope)
            .order_by(operators.c.added_us, operators.c.user_id)
        )
        async with self._database.read() as connection:
            return tuple(
                Person(
                    user_id=row["user_id"],
                    name=row["name"],
                    level=AccessLevel(row["level"]),
                    added_by=row["added_by"],
                    added_us=row["added_us"],
                )
                for row in (await connection.execute(query)).mappings()
            )

    async def offer(self, made: PairingOffer) -> None:
        """See the port."""
        table = pairing_codes.c
        newest = (
            select(table.digest)
            .where(table.scope == self._scope, table.expires_us > made.made_us)
            .order_by(table.made_us.desc())
            .limit(_OPEN_MAX - 1)
        )
        async with self._database.begin() as connection:
            kept = [row.digest for row in await connection.execute(newest)]
            await connection.execute(
                delete(pairing_codes).where(
                    table.scope == self._scope, table.digest.not_in([*kept, made.digest])
                )
            )
            await connection.execute(
                insert(pairing_codes).values(
                    scope=self._scope,
                    digest=made.digest,
                    level=int(made.level),
                    made_by=made.made_by,
                    made_us=made.made_us,
                    expires_us=made.expires_us,
                )
            )

    async def redeem(
        self, digest: str, person: Person, act: AuditEntry, messages: Sequence[OutgoingMessage]
    ) -> AccessLevel | None:
        """See the port."""
        now_us = person.added_us or 0
        async with self._database.begin() as connection:
            code = await self._take(connection, digest, now_us)
            if code is None:
                return None
            level, made_by = code
            await record_act(connection, self._scope, act)
            had = await self._level(connection, person.user_id)
            kept = AccessLevel(max(level, had or 0))
            await connection.execute(
                delete(operators).where(
                    operators.c.scope == self._scope, operators.c.user_id == person.user_id
                )
            )
            await connection.execute(
                insert(operators).values(
                    scope=self._scope,
                    user_id=person.user_id,
                    name=person.name,
                    level=int(kept),
                    added_by=made_by,
                    added_us=now_us,
                )
            )
            await insert_messages(connection, self._scope, messages, now_us)
            return kept

    async def remove(self, user_id: int, *, admins_besides: int, act: AuditEntry) -> bool:
        """See the port."""
        table = operators.c
        async with self._database.begin() as connection:
            # Locks every row of the scope, so that two admins cannot take each other out.
            rows = await connection.execute(
                select(table.user_id, table.level)
                .where(table.scope == self._scope)
                .with_for_update()
            )
            others = [row.level for row in rows if row.user_id != user_id]
            if await self._was_done(connection, act.number):
                return True
            if not admins_besides and AccessLevel.ADMIN not in others:
                return False
            await record_act(connection, self._scope, act)
            await connection.execute(
                delete(operators).where(table.scope == self._scope, table.user_id == user_id)
            )
            return True

    async def _take(
        self, connection: AsyncConnection, digest: str, now_us: int
    ) -> tuple[AccessLevel, str] | None:
        """Use up the code; ``None`` when there is none, or somebody was quicker."""
        table = pairing_codes.c
        rows = await connection.execute(
            select(table.digest, table.level, table.made_by).where(
                table.scope == self._scope, table.expires_us > now_us
            )
        )
        # Every one is compared, each in constant time: how long it takes tells nothing.
        matches = [row for row in rows if hmac.compare_digest(row.digest, digest)]
        if not matches:
            return None
        used = await connection.execute(
            delete(pairing_codes).where(
                table.scope == self._scope, table.digest == matches[0].digest
            )
        )
        found = matches[0]
        return (AccessLevel(found.level), found.made_by) if used.rowcount == 1 else None

    async def _level(self, connection: AsyncConnection, user_id: int) -> int | None:
        found = await connection.execute(
            select(operators.c.level).where(
                operators.c.scope == self._scope, operators.c.user_id == user_id
            )
        )
        level: int | None = found.scalar_one_or_none()
        return level

    async def _was_done(self, connection: AsyncConnection, number: int) -> bool:
        found = await connection.execute(
            select(func.count()).where(command_audit.c.command_id == number)
        )
        return bool(found.scalar_one())
