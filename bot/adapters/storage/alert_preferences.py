"""Preferences of alerts on either database: one row for each scope."""

import json
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import record_act
from bot.adapters.storage.sql_terms import insert_ignoring
from bot.adapters.storage.tables import alert_preferences
from bot.domain.alert_preferences import (
    PreferenceChange,
    Preferences,
    QuietHours,
    Verbosity,
    changed,
)
from bot.domain.alerts import AlertKind
from bot.domain.ids import Scope
from bot.ports.messages import AuditEntry

_KINDS = frozenset(kind.value for kind in AlertKind)


class SqlPreferenceStore:
    """``PreferenceStore`` in the table ``alert_preferences``."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope
        self._query = select(alert_preferences).where(alert_preferences.c.scope == scope)

    async def load(self) -> Preferences:
        """See :meth:`PreferenceStore.load`."""
        async with self._database.read() as connection:
            row = (await connection.execute(self._query)).mappings().one_or_none()
        return _preferences_of(row)

    async def change(self, act: AuditEntry, change: PreferenceChange) -> Preferences:
        """See :meth:`PreferenceStore.change`."""
        async with self._database.begin() as connection:
            is_new = await record_act(connection, self._scope, act)
            query = self._query.with_for_update()
            row = (await connection.execute(query)).mappings().one_or_none()
            before = _preferences_of(row)
            if not is_new:
                return before
            after = changed(before, change)
            await self._store(connection, after, act)
        return after

    async def _store(
        self, connection: AsyncConnection, preferences: Preferences, act: AuditEntry
    ) -> None:
        values = {
            "value_json": json.dumps(_json_of(preferences)),
            "changed_us": act.at_us,
            "changed_by": act.actor,
        }
        made = insert_ignoring(connection, alert_preferences).values(scope=self._scope, **values)
        if (await connection.execute(made)).rowcount == 0:
            mine = alert_preferences.c.scope == self._scope
            await connection.execute(update(alert_preferences).where(mine).values(values))


def _json_of(preferences: Preferences) -> dict[str, Any]:
    quiet = preferences.quiet
    return {
        "verbosity": {kind.value: one.value for kind, one in preferences.verbosity.items()},
        "muted_until_us": {kind.value: us for kind, us in preferences.muted_until_us.items()},
        "all_muted_until_us": preferences.all_muted_until_us,
        "quiet": None if quiet is None else [quiet.from_minute, quiet.to_minute],
    }


def _preferences_of(row: RowMapping | None) -> Preferences:
    """What was stored; a kind that this code does not know is left out."""
    if row is None:
        return Preferences()
    stored = json.loads(row["value_json"])
    quiet = stored["quiet"]
    return Preferences(
        verbosity={
            AlertKind(kind): Verbosity(one)
            for kind, one in stored["verbosity"].items()
            if kind in _KINDS
        },
        muted_until_us={
            AlertKind(kind): us for kind, us in stored["muted_until_us"].items() if kind in _KINDS
        },
        all_muted_until_us=stored["all_muted_until_us"],
        quiet=None if quiet is None else QuietHours(from_minute=quiet[0], to_minute=quiet[1]),
    )
