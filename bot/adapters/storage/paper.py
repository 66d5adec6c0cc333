"""The paper exchange's journal in SQL. The primary key is what lets only one writer succeed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from bot.adapters.storage.database import Database
from bot.adapters.storage.tables import paper_journal
from bot.domain.ids import Scope
from bot.ports.paper import JournalEntry


class SqlPaperJournal:
    """``PaperJournal`` of one scope."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def append(self, entry: JournalEntry) -> bool:
        """See :meth:`PaperJournal.append`."""
        insert = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        statement = (
            insert(paper_journal)
            .values(
                scope=self._scope,
                seq=entry.seq,
                at_us=entry.at_us,
                kind=entry.kind,
                data_json=entry.data_json,
            )
            .on_conflict_do_nothing()
        )
        async with self._database.begin() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def read(self, after_seq: int) -> Sequence[JournalEntry]:
        """See :meth:`PaperJournal.read`."""
        query = (
            select(paper_journal)
            .where(paper_journal.c.scope == self._scope, paper_journal.c.seq > after_seq)
            .order_by(paper_journal.c.seq)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            JournalEntry(seq=row.seq, at_us=row.at_us, kind=row.kind, data_json=row.data_json)
            for row in rows
        ]
