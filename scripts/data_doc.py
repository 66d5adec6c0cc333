"""Writes ``docs/data.md`` from the tables and views of the code.

python scripts/data_doc.py          rewrite the page
python scripts/data_doc.py --check  exit 1 if it is not current

Columns and types come from the schema; what a table is for is said here, and what a
column means in ``scripts/data_meanings.py`` or in the column's own ``doc=``. A table, view or
column without its words is an error that names it, and a test fails: whoever adds one says
what it means in the same change.
"""

# ruff: noqa: INP001 - a script is no package

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import data_meanings  # noqa: E402
import made_pages  # noqa: E402
from sqlalchemy import Column, MetaData, Table, UniqueConstraint, create_engine, inspect  # noqa: E402

from bot.adapters.storage.tables import metadata  # noqa: E402
from bot.adapters.storage.views import VIEW_NAMES, create_views  # noqa: E402

PAGE = ROOT / "docs" / "data.md"

UNITS = {
    "_us": "microseconds since 1970, UTC",
    "_e4": "$0.0001",
    "_e2": "0.01 contract",
    "_e6": "$0.000001",
    "_json": "JSON text",
    "_utc": "ISO time, UTC",
}

GROUPS: dict[str, dict[str, str]] = {
    "Schema and leadership": {
        "schema_version": "One row for each migration. Code older than `min_code_version` "
        "must not use the database.",
        "bot_deployments": "The generations: deployments in the order they were first seen. "
        "A newer one may depose an older one.",
        "bot_instances": "One row for each process start. `is_active` means wanted; operators may "
        "change it by SQL, and it acts on running processes.",
        "leader_lease": "One row for each scope: who really leads, under which epoch, until when.",
    },
    "What stops trading": {
        "risk_state": "The halt of a person. A missing row is a first start: halted.",
        "breaker_state": "One row for each breaker that ever changed.",
        "approval_steps": "What happened to each entry that a person was asked about "
        "(`approve_first`, `approve_above_dollars`); each step at most once.",
        "equity_baselines": "Equity at the beginning of each trading day (New York).",
    },
    "Orders, fills, positions": {
        "signals": "Every decision of a strategy, sent or refused, with the reason.",
        "order_intents": "Every order, stored before it is sent.",
        "fills": "Every execution of ours. Positions are computed from them.",
        "positions": "What is held. `quantity_e2` above 0 is YES, below 0 is NO.",
        "brackets": "An entry with its stop and target, from the order to the result. Prices are "
        "of the YES leg; 0 means none.",
        "order_groups": "Order groups at the exchange, by epoch: the fence against an old leader.",
        "account_snapshots": "Cash, equity and exposure, every 300 s while mode `trade` leads.",
        "paper_journal": "The memory of the paper exchange: what happened to paper orders.",
    },
    "Operators": {
        "command_inbox": "Commands from every channel, stored before they are answered.",
        "command_audit": "What was commanded, by whom, and what came of it.",
        "operators": "People let in by a one-time code, beside those that the settings list.",
        "pairing_codes": "One-time codes that nobody has used yet.",
        "outbox": "Messages and alerts on their way to a channel.",
        "alert_preferences": "How alerts interrupt: what `/mute`, `/quiet`, `/verbosity` set.",
        "channel_states": "Where messages arrive, by channel and recipient, and where they do not.",
        "job_runs": "One row for each job and time slot. A slot runs once, whoever leads.",
        "logs": "Warnings and errors of the running bot (not of single commands).",
    },
    "Collected data": {
        "market_snapshots": "One row for each market and hour. The exchange's own JSON is "
        "read from the view `snapshots`. "
        "`probability_bucket` is by the middle of bid and ask.",
        "snapshot_templates": "The part of a payload that stays for days: the exchange's JSON with "
        "a mark (character 127) in the place of each price, size and volume. Stored once.",
        "snapshot_payloads": "Those values of one payload, with its template. Stored once, however "
        "many hours repeat it. Of the two kilobytes of a market an hour adds some hundred bytes.",
        "quarantine": "What the exchange sent and the bot could not read, for 30 days.",
        "collect_cycles": "One row for each collect cycle with its counts.",
        "status": "Facts about the last cycle: `last_success_at_utc`, `last_error_at_utc`, "
        "`last_cycle_id`, `last_mode`, `last_duration_s` and others.",
        "events": "One row for each event that discovery has seen. `is_exclusive`: at most one of "
        "its markets can win.",
        "markets": "One row for each market that discovery has seen, as last listed. Strikes are "
        "the exchange's own text; `first_close_us` is the close when it was first seen.",
        "market_candles": "Open, high, low and close of bid, ask and trades for each period "
        "(1, 60 or 1440 minutes, named by its end). A bid of 0 or an ask of 10000 is an empty "
        "side; prices are empty where nothing traded. Days end at midnight in New York.",
        "market_trades": "Public trades, each once by the exchange's id, from the backfill and "
        "from the stream. `taker_side` is the side of the YES book that crossed: `bid` or `ask`.",
        "market_settlements": "The ledger: one row for each market that has settled. `result` is "
        "`yes`, `no`, `scalar` (paid `settlement_value_e4`) or empty (void).",
        "market_settlement_prices": "What a settled market showed so long before its close, and "
        "by what that is known (`candle_1`, `candle_60`, `candle_1440`, `snapshot`).",
        "market_numbers": "A small number for each ticker, given once and never to another: the "
        "tables of the stream hold it in the ticker's place.",
        "market_ticks": "The WebSocket's `ticker` messages. A bid of 0, an ask of 10000 and a "
        "price of 0 stand for an empty side and for no trade yet. The key is the content: what is "
        "told twice is one row. The channel has no sequence numbers. On PostgreSQL one partition "
        "for each month of `exchange_us`.",
        "book_snapshots": "Whole order books, each the beginning of a chain of changes. A book is "
        "rebuilt from the latest one of its market and the rows of `book_deltas` that name it. On "
        "PostgreSQL one partition for each month of `snapshot_us`.",
        "book_deltas": "Changes of one level of a book. `change_no` counts from 1 in each chain: "
        "a hole would be a lost change. On PostgreSQL one partition for each month of "
        "`snapshot_us`.",
        "lifecycle_events": "Steps in the lives of watched markets, in the exchange's words.",
        "stream_gaps": "Times for which something of the stream is missing, and why.",
        "ingest_state": "How far reading has come: `last_discovery_ts`, `last_min_close_ts`, and "
        "a cursor for each market (`backfill_last_ts:<ticker>:<minutes>`, "
        "`backfill_trades:<ticker>`). Of the stream: `last_tick_ts` and `last_ws_tick_ts` (the "
        "exchange's stamp and our receipt of the newest stored tick), `ws_heartbeat`, "
        "`ws_stored_us:<stream>` (everything received until then is stored or in a gap) and "
        "`ws_active_cursor:<stream>`.",
        "exchange_states": "How the exchange was found, minute by minute: consecutive looks that "
        "agree are one row, and what nobody looked at is in none.",
        "exchange_closures": "When the exchange's schedule says that it does not trade.",
        "gap_repairs": "What was fetched later for something missing, or why nothing could be. "
        "A snapshot or order book of a past hour never can.",
    },
}

VIEWS = {
    "trades": "One row for each position that was entered. Prices are of the held side, in "
    "dollars; `realized_pnl` is after fees, once closed.",
    "executions": "Every fill with the purpose of its order, newest first.",
    "daily_performance": "Closed positions by trading day (New York): count, wins, result, fees.",
    "active_positions": "What is held now, with strategy, stop and target.",
    "recent_errors": "Errors of the table `logs`, newest first.",
    "missing_hours": "Hours without a snapshot between the first and the last, with the reason "
    "(the words of `python -m bot gaps`).",
    "missing_markets": "Markets without a snapshot in an hour in which others have one, though "
    "they have one before and one after.",
    "snapshots": "Every snapshot with the exchange's own JSON as received, byte for byte. "
    "Read `payload_json` here: `SELECT payload_json FROM snapshots WHERE market_id = '...'`.",
    "command_history": "The audit with readable times, newest first.",
    "ticks": "Ticks with tickers, dollars and times. Unordered: ask for a time.",
    "lifecycle_history": "Lifecycle events, newest first.",
    "stream_gap_history": "Gaps of the stream, newest first. Without a ticker it concerns every "
    "market that was watched.",
    "active_markets": "Markets that traded when they were last seen.",
}

_HEAD = """# Data: every table and view

Made by `python scripts/data_doc.py` from `bot/adapters/storage/tables.py`; do not edit by hand.

Machines read the tables: whole numbers with the unit in the name. People read the views and the
computed columns: times as text, amounts in dollars. SQLite and PostgreSQL have the same tables and
views. `python -m bot export` writes every table to Parquet (`docs/research.md`), cut into days
where a table has a time of its own.

| ending | unit |
| --- | --- |
{units}

`scope` is mode, account name and subaccount (`paper:main:0`): paper results never mix with live
ones. `epoch` is the number of the leadership that wrote the row; a trigger refuses a row of a
leadership that is over.
"""


def page() -> str:
    """The whole page.

    Raises:
        ValueError: a table, view or column has no words, or words have no table or column.
    """
    described = {name for group in GROUPS.values() for name in group}
    _match("tables", described, set(metadata.tables))
    _match("views", set(VIEWS), set(VIEW_NAMES))
    columns = _view_columns()
    _match_columns(columns)
    units = "\n".join(f"| `{end}` | {unit} |" for end, unit in UNITS.items())
    parts = [_HEAD.format(units=units)]
    for title, group in GROUPS.items():
        parts.append(f"## {title}\n")
        parts.extend(_table(metadata.tables[name], told) for name, told in group.items())
    parts.append("## Views\n")
    parts.extend(_view(name, told, columns[name]) for name, told in VIEWS.items())
    return "\n".join(parts)


def _match(what: str, described: set[str], existing: set[str]) -> None:
    if missing := existing - described:
        raise ValueError(f"{what} without a description: {', '.join(sorted(missing))}")
    if gone := described - existing:
        raise ValueError(f"{what} described but not there: {', '.join(sorted(gone))}")


def _match_columns(view_columns: Mapping[str, list[str]]) -> None:
    """Each column of each table and view has a meaning, and each meaning a column."""
    documented = {
        name: {column.name: column.doc or "" for column in table.columns}
        for name, table in metadata.tables.items()
    }
    documented |= {name: dict.fromkeys(columns, "") for name, columns in view_columns.items()}
    known = data_meanings.TABLES | data_meanings.VIEWS
    missing = [
        f"{name}.{column}"
        for name, columns in documented.items()
        for column, own in columns.items()
        if not (own or meaning(name, column))
    ]
    if missing:
        raise ValueError(
            f"columns without a meaning: {', '.join(missing)};"
            " say it in scripts/data_meanings.py or as doc= of the column"
        )
    _match("tables or views", set(known), set(documented) & set(known))
    for name, meanings in known.items():
        _match(f"columns of {name}", set(meanings), set(documented[name]) & set(meanings))


def meaning(table: str, column: str) -> str:
    """What is said of a column, empty for nothing."""
    own = (data_meanings.TABLES | data_meanings.VIEWS).get(table, {})
    return own.get(column) or data_meanings.EVERYWHERE.get(column, "")


def _table(table: Table, told: str) -> str:
    rows = "\n".join(_row(table.name, column) for column in table.columns)
    unique = "".join(f"\nUnique: {one}.\n" for one in _unique(table))
    head = "| column | type | unit | meaning |\n| --- | --- | --- | --- |"
    return f"### {table.name}\n\n{told}\n\n{head}\n{rows}\n{unique}"


def _unique(table: Table) -> Iterator[str]:
    for constraint in sorted(table.constraints, key=lambda one: str(one.name)):
        if isinstance(constraint, UniqueConstraint):
            yield ", ".join(f"`{column.name}`" for column in constraint.columns)


def _row(table: str, column: Column[object]) -> str:
    kind = "computed" if column.computed is not None else column.type.__class__.__name__.lower()
    kind += ", may be empty" if column.nullable and column.computed is None else ""
    kind += ", key" if column.primary_key else ""
    told = column.doc or meaning(table, column.name)
    return f"| `{column.name}` | {kind} | {_unit(column.name)} | {told} |"


def _unit(column: str) -> str:
    return next((unit for end, unit in UNITS.items() if column.endswith(end)), "")


def _view(name: str, told: str, columns: list[str]) -> str:
    rows = "\n".join(f"| `{one}` | {_unit(one)} | {meaning(name, one)} |" for one in columns)
    head = "| column | unit | meaning |\n| --- | --- | --- |"
    return f"### {name}\n\n{told}\n\n{head}\n{rows}\n"


def _view_columns() -> dict[str, list[str]]:
    """The columns of the views, asked of a database in memory."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        bare = MetaData()
        for table in metadata.sorted_tables:
            # Only names matter here; computed columns would need the migration's own functions.
            Table(table.name, bare, *(Column(one.name, one.type) for one in table.columns))
        bare.create_all(connection)
        for statement in create_views("sqlite"):
            connection.exec_driver_sql(statement)
        looked = inspect(connection)
        return {name: [one["name"] for one in looked.get_columns(name)] for name in VIEW_NAMES}


if __name__ == "__main__":
    sys.exit(made_pages.write_or_check(PAGE, page(), __file__))
