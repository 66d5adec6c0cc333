"""Every table, once: Alembic migrates to this, statements are built from it.

Columns carry their unit: ``_us`` microseconds UTC, ``_e4`` $0.0001, ``_e2`` 0.01
contract, ``_e6`` $0.000001. Where an operator types a documented name
(``start_time``, ``created_at`` ...) it is a readable column computed from the
machine's one. ``scope`` is mode, account and subaccount; a write that only the
leader may make carries the ``epoch`` it was made under, and a trigger checks it
against ``leader_lease``.

A change here needs a revision of its own under ``alembic/versions``: those that
have been released never change.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from bot.adapters.storage import tables_channels, tables_gaps, tables_market, tables_stream
from bot.adapters.storage.schema import ROW_ID
from bot.adapters.storage.schema import metadata as _metadata
from bot.adapters.storage.sql_terms import DOLLARS, READABLE_TIME, dollars, readable_time

metadata = _metadata
# The venue's own facts and the channels have modules of their own; naming them here makes
# their tables ours.
PARTS = (tables_channels, tables_gaps, tables_market, tables_stream)

_HAS_NUMBER = text("order_id IS NOT NULL")

# --- schema and leadership ------------------------------------------------------------------

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("revision", Text, nullable=False),
    Column("min_code_version", Integer, nullable=False),
    Column("applied_at_us", BigInteger, nullable=False),
)

bot_deployments = Table(
    "bot_deployments",
    metadata,
    Column("generation", ROW_ID, primary_key=True, autoincrement=True),
    Column("scope", Text, nullable=False),
    Column("deployment_id", Text, nullable=False),
    Column("first_seen_us", BigInteger, nullable=False),
    UniqueConstraint("scope", "deployment_id"),
)

bot_instances = Table(
    "bot_instances",
    metadata,
    Column("instance_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("deployment_id", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("replica_id", Text),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    # Who set is_active last, and when: an instance id, or "operator" for a statement typed by hand.
    # The bot always moves decided_us; a trigger knows a typed statement by its standing still.
    Column("decided_by", Text, nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("epoch", BigInteger),
    Column("started_us", BigInteger, nullable=False),
    Column("heartbeat_us", BigInteger, nullable=False),
    Column("stopped_us", BigInteger),
    Column("stop_reason", Text),
    Column("start_time", READABLE_TIME, readable_time("started_us")),
    Column("last_heartbeat", READABLE_TIME, readable_time("heartbeat_us")),
)

leader_lease = Table(
    "leader_lease",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text),
    Column("generation", BigInteger, nullable=False),
    Column("renew_seq", BigInteger, nullable=False),
    Column("acquired_us", BigInteger),
    Column("renewed_us", BigInteger),
    Column("expires_us", BigInteger, nullable=False),
    Column("clean_release", Boolean, nullable=False),
    # An operator deactivated the leader by hand: waiting instances must not take the lead.
    Column("stood_down", Boolean, nullable=False, server_default=false()),
    # Makes the epoch a key column: a renewal never waits for an order write, a take-over does.
    UniqueConstraint("scope", "epoch"),
)

# --- what stops trading ---------------------------------------------------------------------

risk_state = Table(
    "risk_state",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("halted", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

breaker_state = Table(
    "breaker_state",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("tripped", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data_json", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

approval_steps = Table(
    "approval_steps",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("proposal", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("ticker", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("own_price_e4", BigInteger, nullable=False),
    Column("quantity_e2", BigInteger, nullable=False),
    Column("cost_e6", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("created_at", READABLE_TIME, readable_time("at_us")),
    Column("cost", DOLLARS, dollars("cost_e6")),
    Index(None, "scope", "at_us"),
)

equity_baselines = Table(
    "equity_baselines",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("trading_day", Text, primary_key=True),
    Column("equity_e6", BigInteger, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

# --- orders, fills, positions, brackets -----------------------------------------------------

signals = Table(
    "signals",
    metadata,
    Column("signal_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("ticker", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("price_e4", BigInteger, nullable=False),
    Column("quantity_e2", BigInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("inputs_json", Text, nullable=False),
    Column("case_json", Text, nullable=False, server_default="{}"),
    Column("decided_us", BigInteger, nullable=False),
    Index(None, "scope", "decided_us"),
)

order_intents = Table(
    "order_intents",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("strategy_id", Text, nullable=False),
    Column("signal_id", Text),
    Column("bracket_id", Text),
    Column("purpose", Text, nullable=False),
    Column("ticker", Text, nullable=False),
    Column("exchange_index", Integer, nullable=False),
    Column("side", Text, nullable=False),
    Column("price_e4", BigInteger, nullable=False),
    Column("quantity_e2", BigInteger, nullable=False),
    Column("time_in_force", Text, nullable=False),
    Column("post_only", Boolean, nullable=False),
    Column("reduce_only", Boolean, nullable=False),
    Column("expires_us", BigInteger),
    Column("order_group_id", Text),
    Column("status", Text, nullable=False),
    Column("order_id", Text),
    Column("filled_e2", BigInteger, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column(
        "decision_json",
        Text,
        doc="an entry's signals and bracket until they have rows of their own, which is with the"
        " next thing written; then empty",
    ),
    Index(None, "scope", "status"),
    # An order waits for its row, and has no number of the exchange's yet.
    Index(None, "order_id", sqlite_where=_HAS_NUMBER, postgresql_where=_HAS_NUMBER),
)

fills = Table(
    "fills",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("fill_id", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("ticker", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("price_e4", BigInteger, nullable=False),
    Column("quantity_e2", BigInteger, nullable=False),
    Column("fee_e6", BigInteger, nullable=False),
    Column("is_taker", Boolean, nullable=False),
    Column("executed_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Index(None, "scope", "executed_us"),
    Index(None, "order_id"),
)

positions = Table(
    "positions",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("ticker", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("quantity_e2", BigInteger, nullable=False),
    Column("cost_e6", BigInteger, nullable=False),
    Column("realized_e6", BigInteger, nullable=False),
    Column("fees_e6", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
)

brackets = Table(
    "brackets",
    metadata,
    Column("bracket_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("signal_id", Text, nullable=False, unique=True),
    Column("strategy_id", Text, nullable=False),
    Column("ticker", Text, nullable=False),
    Column("event_ticker", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("entry_price_e4", BigInteger, nullable=False),
    Column("stop_price_e4", BigInteger, nullable=False),
    Column("target_price_e4", BigInteger, nullable=False),
    Column("wanted_e2", BigInteger, nullable=False),
    Column("entered_e2", BigInteger, nullable=False),
    Column("entry_cost_e6", BigInteger, nullable=False),
    Column("exited_e2", BigInteger, nullable=False),
    Column("exit_value_e6", BigInteger, nullable=False),
    Column("fees_e6", BigInteger, nullable=False),
    Column("exit_reason", Text),
    Column("data_json", Text, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("entered_us", BigInteger),
    Column("closed_us", BigInteger),
    Column("updated_us", BigInteger, nullable=False),
    CheckConstraint("entered_e2 >= exited_e2", name="never_over_closed"),
    Index(None, "scope", "state"),
)

order_groups = Table(
    "order_groups",
    metadata,
    Column("order_group_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("exchange_index", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("is_triggered", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

account_snapshots = Table(
    "account_snapshots",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("scope", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("cash_e6", BigInteger, nullable=False),
    Column("equity_e6", BigInteger, nullable=False),
    Column("exposure_e6", BigInteger, nullable=False),
    Column("realized_today_e6", BigInteger, nullable=False),
    Column("unrealized_e6", BigInteger, nullable=False),
    Column("open_positions", Integer, nullable=False),
    Column("trades_today", Integer, nullable=False),
    Column("wins_today", Integer, nullable=False),
    Column("losses_today", Integer, nullable=False),
    Column("stopped_by", Text, nullable=False),
    Column("created_at", READABLE_TIME, readable_time("taken_us")),
    Column("total_balance", DOLLARS, dollars("equity_e6")),
    Column("available_balance", DOLLARS, dollars("cash_e6")),
    Column("total_exposure", DOLLARS, dollars("exposure_e6")),
    Column("daily_pnl", DOLLARS, dollars("realized_today_e6")),
    Column("unrealized_pnl", DOLLARS, dollars("unrealized_e6")),
    Index(None, "scope", "taken_us"),
)

# --- the paper exchange ---------------------------------------------------------------------

paper_journal = Table(
    "paper_journal",
    metadata,
    # The exchange's own memory, not the bot's: no epoch. A taken number stops a second writer.
    Column("scope", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data_json", Text, nullable=False),
)

# --- operators: commands in, messages out ---------------------------------------------------

command_inbox = Table(
    "command_inbox",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("scope", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("bot_id", BigInteger, nullable=False),
    Column("update_id", BigInteger, nullable=False),
    Column("payload_json", Text, nullable=False),
    # urgent, ordinary or direct (answered by the process that stored it).
    Column("lane", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_epoch", BigInteger),
    Column("received_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    UniqueConstraint("channel", "bot_id", "update_id"),
    Index(None, "scope", "state", "lane", "id"),
    # A number is shown to people: it must never come back after a prune.
    sqlite_autoincrement=True,
)

command_audit = Table(
    "command_audit",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("scope", Text, nullable=False),
    # The inbox number: an act under a number that is already here must not happen again.
    Column("command_id", BigInteger, nullable=False, unique=True),
    Column("at_us", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("epoch", BigInteger),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("scope", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("attachment", Text),
    Column("extra_json", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Column("last_error", Text),
    Column("rank", Integer, nullable=False, server_default="1"),
    Column("alert", Text),
    Column("once_key", Text),
    Index(None, "scope", "channel", "state", "recipient", "id"),
    Index(
        None,
        *("scope", "channel", "recipient", "once_key"),
        unique=True,
        # A whole one is taken for the queue's, which does not look through all that was sent.
        sqlite_where=text("once_key IS NOT NULL"),
        postgresql_where=text("once_key IS NOT NULL"),
    ),
)

alert_preferences = Table(
    "alert_preferences",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("value_json", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("changed_by", Text, nullable=False),
)

operators = Table(
    "operators",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    # 1 viewer, 2 trader, 3 admin.
    Column("level", Integer, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("added_us", BigInteger, nullable=False),
)

pairing_codes = Table(
    "pairing_codes",
    metadata,
    Column("scope", Text, primary_key=True),
    # SHA-256 of the code. A used or expired one is deleted.
    Column("digest", Text, primary_key=True),
    Column("level", Integer, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

job_runs = Table(
    "job_runs",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("job", Text, primary_key=True),
    Column("slot_us", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("finished_us", BigInteger),
    Column("error", Text),
)

logs = Table(
    "logs",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("logger", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("data_json", Text, nullable=False),
    Index(None, "at_us"),
)

# --- collected data -------------------------------------------------------------------------

market_snapshots = Table(
    "market_snapshots",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("market_id", Text, nullable=False),
    Column("snapshot_hour_utc", Text, nullable=False),
    Column("payload_json", Text, nullable=False),
    Column("created_at_utc", Text, nullable=False),
    Column("event_ticker", Text, nullable=False),
    Column("series_ticker", Text),
    Column("macro_event_type", Text, nullable=False),
    Column("probability_bucket", Text),
    Column("yes_bid_e4", BigInteger),
    Column("yes_ask_e4", BigInteger),
    Column("volume_24h_e2", BigInteger, nullable=False),
    Column("open_interest_e2", BigInteger, nullable=False),
    Column("close_us", BigInteger, nullable=False),
    # Where the payload is; empty where ``payload_json`` holds it, as earlier code writes it.
    Column("payload_id", BigInteger),
    UniqueConstraint("market_id", "snapshot_hour_utc"),
    Index(None, "snapshot_hour_utc"),
    Index(None, "series_ticker", "snapshot_hour_utc"),
    Index(None, "event_ticker"),
    # Whether a payload is still wanted is asked before it is removed.
    Index(None, "payload_id"),
)

snapshot_templates = Table(
    "snapshot_templates",
    metadata,
    Column("template_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("digest"),
)

snapshot_payloads = Table(
    "snapshot_payloads",
    metadata,
    Column("payload_id", ROW_ID, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary, nullable=False),
    Column("template_id", BigInteger, nullable=False),
    Column("held", Text, nullable=False),
    UniqueConstraint("digest"),
    Index(None, "template_id"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("cycle_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

collect_cycles = Table(
    "collect_cycles",
    metadata,
    Column("cycle_id", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("snapshot_hour_utc", Text, nullable=False),
    # Raised by whoever takes the cycle over; writes of an earlier attempt change nothing.
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("outcome", Text, nullable=False),
    Column("scanned", Integer, nullable=False),
    Column("inserted", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("finished_us", BigInteger),
    Column("progress_json", Text, nullable=False),
    Column("error", Text),
    # A change of it explains why a series is missing from some hours.
    Column("filter_fingerprint", Text),
    Index(None, "snapshot_hour_utc"),
    # Two runs that open the same hour at once: one inserts, the other takes over.
    Index(
        "uq_collect_cycles_running",
        "mode",
        "snapshot_hour_utc",
        unique=True,
        sqlite_where=text("outcome = 'running'"),
        postgresql_where=text("outcome = 'running'"),
    ),
)

status = Table(
    "status",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at_utc", Text, nullable=False),
)

ingest_state = Table(
    "ingest_state",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
)
