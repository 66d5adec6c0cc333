"""What explains a gap: how the exchange was found, what it planned, what was fetched later.

Rows are facts about the exchange and the collection, the same for every account: no scope,
no epoch.
"""

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint

from bot.adapters.storage.schema import ROW_ID, metadata

exchange_states = Table(
    "exchange_states",
    metadata,
    Column("since_us", BigInteger, primary_key=True, autoincrement=False, doc="first look"),
    Column("until_us", BigInteger, nullable=False, doc="last look that found the same state"),
    Column(
        "state",
        Text,
        nullable=False,
        doc="`open`, `trading_paused`, `closed` or `unreachable`",
    ),
    Column("resume_us", BigInteger, doc="when the exchange expects to resume, by its own word"),
    Column("detail", Text, nullable=False, doc="what the last look was answered"),
)

exchange_closures = Table(
    "exchange_closures",
    metadata,
    Column("start_us", BigInteger, primary_key=True, autoincrement=False, doc="from when"),
    Column("end_us", BigInteger, primary_key=True, autoincrement=False, doc="until when"),
    Column("kind", Text, nullable=False, doc="`trading hours` or `maintenance`"),
    Column("seen_us", BigInteger, nullable=False, doc="when the schedule said so last"),
)

gap_repairs = Table(
    "gap_repairs",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column(
        "what",
        Text,
        nullable=False,
        doc="`snapshots`, `candles`, `trades`, `settlements` or `order books`",
    ),
    Column("subject", Text, nullable=False, doc="market or series; empty: everything of the time"),
    Column("from_us", BigInteger, nullable=False, doc="begin of the gap"),
    Column("to_us", BigInteger, nullable=False, doc="end of the gap"),
    Column("outcome", Text, nullable=False, doc="`refetched`, `impossible` or `failed`"),
    Column("row_count", BigInteger, nullable=False, doc="rows added by all tries together"),
    Column("reason", Text, nullable=False, doc="why it is missing, or why nothing came of it"),
    Column("at_us", BigInteger, nullable=False, doc="last try"),
    UniqueConstraint("what", "subject", "from_us", "to_us"),
    Index(None, "from_us"),
)
