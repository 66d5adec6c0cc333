"""Views for people and for the documented queries: readable times, dollars, contracts.

Machines read tables. A trading day here is the calendar day of New York.
"""

# ruff: noqa: S608 - every part of a statement is a constant or comes from the catalogue

from bot.adapters.storage.sql_terms import time_text
from bot.adapters.storage.views_stream import stream_views

# Later views may read earlier ones.
VIEW_NAMES = (
    "trades",
    "executions",
    "daily_performance",
    "active_positions",
    "recent_errors",
    "missing_hours",
    "missing_markets",
    "command_history",
    "active_markets",
    "snapshots",
    "ticks",
    "lifecycle_history",
    "stream_gap_history",
)


def create_views(dialect: str) -> list[str]:
    """Statements that make them, in order."""
    return [
        _trades(dialect),
        _executions(dialect),
        _daily_performance(dialect),
        _active_positions(dialect),
        _recent_errors(dialect),
        _missing_hours(dialect),
        _missing_markets(dialect),
        _command_history(dialect),
        _active_markets(dialect),
        _snapshots(dialect),
        *stream_views(dialect),
    ]


def drop_views() -> list[str]:
    """Statements that remove them, in order."""
    return [f"DROP VIEW {name}" for name in reversed(VIEW_NAMES)]


def _dollars(micros: str) -> str:
    return f"round(({micros}) / 1000000.0, 6)"


def _unit_price(cost_e6: str, quantity_e2: str) -> str:
    return f"round({cost_e6} / (nullif({quantity_e2}, 0) * 10000.0), 6)"


def _own_side(side: str, price_e4: str) -> str:
    """A price of the YES leg as the held side's own; 0 means none."""
    return (
        f"round(CASE WHEN {price_e4} = 0 THEN NULL WHEN {side} = 'bid' THEN {price_e4}"
        f" ELSE 10000 - {price_e4} END / 10000.0, 4)"
    )


def _trades(dialect: str) -> str:
    """Prices are of the held side, per contract. ``realized_pnl`` is after fees, once closed."""
    final = "state IN ('closed', 'settled')"
    pnl = "exit_value_e6 - entry_cost_e6 - fees_e6"
    return f"""
CREATE VIEW trades AS
SELECT bracket_id AS trade_id, scope, ticker AS market_id, title AS market_question, event_ticker,
  strategy_id, CASE side WHEN 'bid' THEN 'yes' ELSE 'no' END AS outcome,
  CASE WHEN {final} THEN 'closed' ELSE 'open' END AS status, state,
  {time_text(dialect, "coalesce(entered_us, opened_us)")} AS entry_time,
  {_unit_price("entry_cost_e6", "entered_e2")} AS entry_price,
  round(entered_e2 / 100.0, 2) AS quantity,
  {_dollars("entry_cost_e6")} AS position_size,
  {_own_side("side", "stop_price_e4")} AS stop_loss_price,
  {_own_side("side", "target_price_e4")} AS take_profit_price,
  {time_text(dialect, "closed_us")} AS exit_time,
  {_unit_price("exit_value_e6", "exited_e2")} AS exit_price, exit_reason,
  {_dollars("fees_e6")} AS fees,
  CASE WHEN {final} THEN {_dollars(pnl)} END AS realized_pnl,
  CASE WHEN {final} THEN round(({pnl}) * 1.0 / nullif(entry_cost_e6, 0), 6) END AS realized_pnl_pct,
  coalesce(entered_us, opened_us) AS entry_us, closed_us
FROM brackets WHERE entered_e2 > 0"""


def _executions(dialect: str) -> str:
    """Every fill of ours, newest first, with the order's purpose where the order is known."""
    return f"""
CREATE VIEW executions AS
SELECT f.fill_id, f.scope, {time_text(dialect, "f.executed_us")} AS executed_at,
  f.ticker AS market_id, f.side AS book_side, round(f.price_e4 / 10000.0, 4) AS yes_price,
  round(f.quantity_e2 / 100.0, 2) AS quantity, {_dollars("f.fee_e6")} AS fee, f.is_taker,
  f.order_id, o.client_order_id, o.strategy_id, o.purpose, o.signal_id, o.bracket_id, f.epoch
FROM fills f LEFT JOIN order_intents o ON o.order_id = f.order_id AND o.scope = f.scope
ORDER BY f.executed_us DESC, f.fill_id DESC"""


def _daily_performance(dialect: str) -> str:
    return f"""
CREATE VIEW daily_performance AS
WITH closed AS (
  SELECT scope, {new_york_day(dialect, "closed_us")} AS trade_date,
    exit_value_e6 - entry_cost_e6 - fees_e6 AS pnl_e6, fees_e6
  FROM brackets WHERE entered_e2 > 0 AND state IN ('closed', 'settled') AND closed_us IS NOT NULL
)
SELECT trade_date, scope, count(*) AS total_trades,
  sum(CASE WHEN pnl_e6 > 0 THEN 1 ELSE 0 END) AS winning_trades,
  sum(CASE WHEN pnl_e6 < 0 THEN 1 ELSE 0 END) AS losing_trades,
  round(sum(CASE WHEN pnl_e6 > 0 THEN 1 ELSE 0 END) * 1.0 / count(*), 4) AS win_rate,
  {_dollars("sum(pnl_e6)")} AS total_pnl, {_dollars("avg(pnl_e6)")} AS avg_pnl,
  {_dollars("max(pnl_e6)")} AS best_trade, {_dollars("min(pnl_e6)")} AS worst_trade,
  {_dollars("sum(fees_e6)")} AS fees,
  (SELECT {_dollars("b.equity_e6")} FROM equity_baselines b
   WHERE b.scope = closed.scope AND b.trading_day = closed.trade_date) AS starting_equity
FROM closed GROUP BY trade_date, scope ORDER BY trade_date DESC, scope"""


def new_york_day(dialect: str, micros: str) -> str:
    """``YYYY-MM-DD``. SQLite knows no zones, so the United States' rule since 2007 is spelt out."""
    if dialect == "postgresql":
        moment = time_text(dialect, micros)
        return f"to_char({moment} AT TIME ZONE 'America/New_York', 'YYYY-MM-DD')"
    seconds = f"{micros} / 1000000"
    moment = f"datetime({seconds}, 'unixepoch')"
    year = f"strftime('%Y', {seconds}, 'unixepoch')"
    spring = f"datetime({year} || '-03-08', 'weekday 0', '+7 hours')"
    autumn = f"datetime({year} || '-11-01', 'weekday 0', '+6 hours')"
    summer = f"{moment} >= {spring} AND {moment} < {autumn}"
    return f"date({seconds} - CASE WHEN {summer} THEN 14400 ELSE 18000 END, 'unixepoch')"


def _active_positions(dialect: str) -> str:
    """What is held now, from fills; strategy, stop and target where one bracket guards it."""
    return f"""
CREATE VIEW active_positions AS
WITH guarded AS (
  SELECT scope, ticker, count(*) AS brackets, min(opened_us) AS opened_us,
    min(strategy_id) AS strategy_id, min(title) AS title, min(side) AS side,
    min(stop_price_e4) AS stop_price_e4, min(target_price_e4) AS target_price_e4
  FROM brackets WHERE entered_e2 > exited_e2 AND state NOT IN ('closed', 'settled')
  GROUP BY scope, ticker
)
SELECT p.ticker AS market_id, p.scope, g.title AS market_question,
  CASE WHEN p.quantity_e2 > 0 THEN 'yes' ELSE 'no' END AS outcome,
  round(abs(p.quantity_e2) / 100.0, 2) AS quantity, {_dollars("p.cost_e6")} AS cost,
  {_unit_price("p.cost_e6", "abs(p.quantity_e2)")} AS entry_price,
  {_dollars("p.realized_e6")} AS realized_pnl, {_dollars("p.fees_e6")} AS fees,
  coalesce(g.brackets, 0) AS brackets,
  CASE WHEN g.brackets = 1 THEN g.strategy_id END AS strategy_id,
  CASE WHEN g.brackets = 1 THEN {_own_side("g.side", "g.stop_price_e4")} END AS stop_loss_price,
  CASE WHEN g.brackets = 1 THEN {_own_side("g.side", "g.target_price_e4")} END AS take_profit_price,
  {time_text(dialect, "g.opened_us")} AS entry_time,
  {time_text(dialect, "p.updated_us")} AS updated_at
FROM positions p LEFT JOIN guarded g ON g.scope = p.scope AND g.ticker = p.ticker
WHERE p.quantity_e2 <> 0"""


def _recent_errors(dialect: str) -> str:
    return f"""
CREATE VIEW recent_errors AS
SELECT id, {time_text(dialect, "at_us")} AS created_at, level, service, logger, message,
  data_json AS data
FROM logs WHERE level IN ('ERROR', 'CRITICAL') ORDER BY at_us DESC, id DESC"""


def _missing_hours(dialect: str) -> str:
    """Hours without a snapshot between the first and the last, with the reason.

    The words and their order are those of ``bot.collect.gap_reasons``.
    """
    if dialect == "sqlite":
        following = "strftime('%Y-%m-%dT%H:00:00Z', hour, '+1 hour')"
        micros = "CAST(strftime('%s', hour) AS INTEGER) * 1000000"
    else:
        # The zone of the session must not move the hour.
        moment = "to_timestamp(hour || '+00', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"TZH')"
        following = (
            f"to_char({moment} AT TIME ZONE 'UTC' + interval '1 hour',"
            ' \'YYYY-MM-DD"T"HH24":00:00Z"\')'
        )
        micros = f"CAST(extract(epoch FROM {moment}) AS BIGINT) * 1000000"
    return f"""
CREATE VIEW missing_hours AS
WITH RECURSIVE hours(hour, final) AS (
  SELECT min(snapshot_hour_utc), max(snapshot_hour_utc) FROM market_snapshots
  UNION ALL
  SELECT {following}, final FROM hours WHERE hour < final
), missing AS (
  SELECT hour, {micros} AS hour_us,
    (SELECT cycle_id FROM collect_cycles c WHERE c.snapshot_hour_utc = hours.hour
     ORDER BY c.started_us DESC, c.cycle_id DESC LIMIT 1) AS cycle_id
  FROM hours WHERE hour IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM market_snapshots m WHERE m.snapshot_hour_utc = hours.hour)
), told AS (
  SELECT m.hour, m.hour_us, c.outcome, c.error, c.started_us AS from_us,
    coalesce(c.finished_us, c.started_us + 3600000000) AS to_us
  FROM missing m LEFT JOIN collect_cycles c ON c.cycle_id = m.cycle_id
), cut AS (
  SELECT t.*,
    EXISTS (SELECT 1 FROM exchange_states s WHERE s.state = 'closed'
      AND s.since_us <= t.to_us AND s.until_us >= t.from_us) AS is_closed,
    EXISTS (SELECT 1 FROM exchange_states s WHERE s.state = 'unreachable'
      AND s.since_us <= t.to_us AND s.until_us >= t.from_us)
      OR coalesce(t.error, '') LIKE '%ExchangeUnavailable%'
      OR coalesce(t.error, '') LIKE '%does not answer%' AS is_cut_off,
    EXISTS (SELECT 1 FROM exchange_closures e
      WHERE e.start_us <= t.to_us AND e.end_us >= t.from_us) AS is_planned
  FROM told t
)
SELECT hour AS snapshot_hour_utc, CASE
  WHEN outcome IS NULL THEN CASE WHEN EXISTS (SELECT 1 FROM bot_instances i
      WHERE i.started_us < hour_us + 3600000000
        AND coalesce(i.stopped_us, i.heartbeat_us) >= hour_us)
    THEN 'no instance collected: stand-by or hand-over' ELSE 'the bot was not running' END
  WHEN outcome = 'complete' THEN 'the cycle was complete but its rows are gone'
  WHEN error LIKE 'database:%' THEN 'the database was away'
  WHEN is_closed OR (is_cut_off AND is_planned) THEN 'the exchange was closed'
  WHEN is_cut_off THEN 'the exchange did not answer'
  WHEN outcome = 'running' THEN 'the cycle is still running'
  WHEN outcome = 'failed' THEN 'the cycle failed'
  ELSE 'the cycle was ' || outcome END AS reason, error
FROM cut ORDER BY hour"""


def _missing_markets(dialect: str) -> str:
    """Markets without a snapshot in an hour that has some, with one before and one after."""
    del dialect
    return """
CREATE VIEW missing_markets AS
WITH hours AS (
  SELECT snapshot_hour_utc, row_number() OVER (ORDER BY snapshot_hour_utc) AS n
  FROM (SELECT DISTINCT snapshot_hour_utc FROM market_snapshots) AS held
), seen AS (
  SELECT m.market_id, m.series_ticker, h.n,
    lag(h.n) OVER (PARTITION BY m.market_id ORDER BY h.n) AS before,
    lag(m.series_ticker) OVER (PARTITION BY m.market_id ORDER BY h.n) AS series_before
  FROM market_snapshots m JOIN hours h ON h.snapshot_hour_utc = m.snapshot_hour_utc
)
SELECT h.snapshot_hour_utc, s.market_id, s.series_ticker
FROM seen s JOIN hours h ON h.n > s.before AND h.n < s.n
WHERE s.n - s.before > 1 AND s.series_ticker IS NOT NULL AND s.series_before IS NOT NULL
ORDER BY h.snapshot_hour_utc, s.market_id"""


def _command_history(dialect: str) -> str:
    return f"""
CREATE VIEW command_history AS
SELECT id, command_id, scope, {time_text(dialect, "at_us")} AS created_at, channel, actor, command,
  outcome, epoch
FROM command_audit ORDER BY id DESC"""


def _active_markets(dialect: str) -> str:
    """Markets that trade as last seen, under the names an older ingestor's readers know."""
    return f"""
CREATE VIEW active_markets AS
SELECT ticker, event_ticker, {time_text(dialect, "close_us")} AS close_time, status,
  {time_text(dialect, "last_seen_us")} AS last_seen_ts, series_ticker, title, close_us,
  last_seen_us
FROM markets WHERE status = 'active'"""


def _snapshots(dialect: str) -> str:
    """Every snapshot with its payload as received, put together again.

    A template's parts stand between the marks (character 127) where the held values go.
    """
    return f"""
CREATE VIEW snapshots AS
SELECT m.id, m.market_id, m.snapshot_hour_utc, m.created_at_utc, m.event_ticker, m.series_ticker,
  m.macro_event_type, m.probability_bucket, m.yes_bid_e4, m.yes_ask_e4, m.volume_24h_e2,
  m.open_interest_e2, m.close_us,
  CASE WHEN m.payload_id IS NULL THEN m.payload_json ELSE (
    SELECT {_JOINED_PAYLOAD[dialect]}
  ) END AS payload_json
FROM market_snapshots m
LEFT JOIN snapshot_payloads p ON p.payload_id = m.payload_id
LEFT JOIN snapshot_templates t ON t.template_id = p.template_id"""


_JOINED_PAYLOAD = {
    "sqlite": """group_concat(part, '') FROM (
      SELECT a.value || coalesce(b.value, '') AS part
      FROM json_each('[' || replace(json_quote(t.body), char(127), '","') || ']') a
      LEFT JOIN json_each('[' || replace(json_quote(p.held), char(127), '","') || ']') b
        ON b.key = a.key ORDER BY a.key)""",
    "postgresql": """string_agg(a.part || coalesce(b.held, ''), '' ORDER BY a.place)
    FROM unnest(string_to_array(t.body, chr(127))) WITH ORDINALITY AS a(part, place)
    LEFT JOIN unnest(string_to_array(p.held, chr(127))) WITH ORDINALITY AS b(held, place)
      ON b.place = a.place""",
}
