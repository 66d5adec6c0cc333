"""``ChannelStates`` on either database."""

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from bot.adapters.storage.database import Database
from bot.adapters.storage.tables_channels import channel_states
from bot.domain.ids import Scope
from bot.ports.carriers import ChannelState

_REASON_KEPT_MAX = 500


class SqlChannelStates:
    """``ChannelStates`` in the table ``channel_states``."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def read(self) -> tuple[ChannelState, ...]:
        """See :meth:`ChannelStates.read`."""
        table = channel_states.c
        query = (
            select(*(one for one in table if one is not table.scope))
            .where(table.scope == self._scope)
            .order_by(table.channel, table.recipient)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            return tuple(ChannelState(**row) for row in rows)

    async def save(self, state: ChannelState) -> None:
        """See :meth:`ChannelStates.save`."""
        row = {"scope": self._scope, **asdict(state), "reason": state.reason[:_REASON_KEPT_MAX]}
        async with self._database.begin() as connection:
            kind = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = kind.insert(channel_states).values(row)
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["scope", "channel", "recipient"],
                    set_={name: statement.excluded[name] for name in _CHANGING},
                )
            )


_CHANGING = ("is_failing", "reason", "changed_us", "delivered_us")
