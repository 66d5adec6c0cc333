"""What the stream said: ticks, order books, lifecycle events, and where any of it is missing.

Markets are small numbers here (``market_numbers``), because a ticker would be half of
a row. Ticks and books are thousands a second, so nothing may be empty that need not be:
an empty side is written as the venue writes it, a bid of $0 and an ask of $1. On
PostgreSQL the large tables are partitioned by month, and a month is dropped whole.

The key of a tick is its content (``digest``): told twice, by two connections or by a
retry, it is one row. The key leads with the time, so that rows are added at the end of
the index and a day is read in one piece.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from bot.adapters.storage.schema import ROW_ID, metadata

market_numbers = Table(
    "market_numbers",
    metadata,
    Column("market_no", Integer, primary_key=True, autoincrement=True),
    Column("ticker", Text, nullable=False, unique=True),
)

# The widest columns first: PostgreSQL pads every column to its own width.
market_ticks = Table(
    "market_ticks",
    metadata,
    Column("exchange_us", BigInteger, primary_key=True, autoincrement=False),
    Column("received_us", BigInteger, nullable=False),
    Column("volume_e2", BigInteger, nullable=False),
    Column("open_interest_e2", BigInteger, nullable=False),
    Column("bid_size_e2", BigInteger, nullable=False),
    Column("ask_size_e2", BigInteger, nullable=False),
    Column("market_no", Integer, primary_key=True, autoincrement=False),
    Column("digest", Integer, primary_key=True, autoincrement=False),
    Column("price_e4", SmallInteger, nullable=False),
    Column("bid_e4", SmallInteger, nullable=False),
    Column("ask_e4", SmallInteger, nullable=False),
    postgresql_partition_by="RANGE (exchange_us)",
    sqlite_with_rowid=False,
)

book_snapshots = Table(
    "book_snapshots",
    metadata,
    Column("market_no", Integer, primary_key=True, autoincrement=False),
    Column("snapshot_us", BigInteger, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("bids_json", Text, nullable=False),
    Column("asks_json", Text, nullable=False),
    postgresql_partition_by="RANGE (snapshot_us)",
    sqlite_with_rowid=False,
)

book_deltas = Table(
    "book_deltas",
    metadata,
    Column("snapshot_us", BigInteger, primary_key=True, autoincrement=False),
    Column("received_us", BigInteger, nullable=False),
    Column("exchange_us", BigInteger),
    Column("change_e2", BigInteger, nullable=False),
    Column("market_no", Integer, primary_key=True, autoincrement=False),
    Column("change_no", Integer, primary_key=True, autoincrement=False),
    Column("price_e4", SmallInteger, nullable=False),
    Column("is_bid", Boolean, nullable=False),
    postgresql_partition_by="RANGE (snapshot_us)",
    sqlite_with_rowid=False,
)

lifecycle_events = Table(
    "lifecycle_events",
    metadata,
    Column("market_no", Integer, primary_key=True, autoincrement=False),
    Column("received_us", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("close_us", BigInteger),
    Column("result", Text),
    Column("value_e4", Integer),
    Index(None, "received_us"),
)

stream_gaps = Table(
    "stream_gaps",
    metadata,
    Column("gap_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("stream", Text, nullable=False),
    Column("market_no", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger),
    Column("lost", BigInteger, nullable=False),
    Column("ended", Text, nullable=False),
    Column("detail", Text, nullable=False),
    # Noted again after a retry, or found again by the next process: still one gap.
    UniqueConstraint("stream", "market_no", "reason", "from_us"),
    Index(None, "from_us"),
)

PARTITIONED = {
    "market_ticks": "exchange_us",
    "book_snapshots": "snapshot_us",
    "book_deltas": "snapshot_us",
}
"""The tables with a partition for each month on PostgreSQL, and the column that decides."""
