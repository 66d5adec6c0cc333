CREATE TABLE account_snapshots (
	id INTEGER NOT NULL,
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	taken_us BIGINT NOT NULL,
	cash_e6 BIGINT NOT NULL,
	equity_e6 BIGINT NOT NULL,
	exposure_e6 BIGINT NOT NULL,
	realized_today_e6 BIGINT NOT NULL,
	unrealized_e6 BIGINT NOT NULL,
	open_positions INTEGER NOT NULL,
	trades_today INTEGER NOT NULL,
	wins_today INTEGER NOT NULL,
	losses_today INTEGER NOT NULL,
	stopped_by TEXT NOT NULL,
	created_at TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%dT%H:%M:%fZ', taken_us / 1000000.0, 'unixepoch')) STORED,
	total_balance NUMERIC(20, 6) GENERATED ALWAYS AS (equity_e6 / 1000000.0) STORED,
	available_balance NUMERIC(20, 6) GENERATED ALWAYS AS (cash_e6 / 1000000.0) STORED,
	total_exposure NUMERIC(20, 6) GENERATED ALWAYS AS (exposure_e6 / 1000000.0) STORED,
	daily_pnl NUMERIC(20, 6) GENERATED ALWAYS AS (realized_today_e6 / 1000000.0) STORED,
	unrealized_pnl NUMERIC(20, 6) GENERATED ALWAYS AS (unrealized_e6 / 1000000.0) STORED,
	CONSTRAINT pk_account_snapshots PRIMARY KEY (id)
)
-- next
CREATE INDEX ix_account_snapshots_scope_taken_us ON account_snapshots (scope, taken_us)
-- next
CREATE TABLE bot_deployments (
	generation INTEGER NOT NULL,
	scope TEXT NOT NULL,
	deployment_id TEXT NOT NULL,
	first_seen_us BIGINT NOT NULL,
	CONSTRAINT pk_bot_deployments PRIMARY KEY (generation),
	CONSTRAINT uq_bot_deployments_scope_deployment_id UNIQUE (scope, deployment_id)
)
-- next
CREATE TABLE bot_instances (
	instance_id TEXT NOT NULL,
	scope TEXT NOT NULL,
	deployment_id TEXT NOT NULL,
	generation BIGINT NOT NULL,
	replica_id TEXT,
	host TEXT NOT NULL,
	pid INTEGER NOT NULL,
	code_version TEXT NOT NULL,
	state TEXT NOT NULL,
	is_active BOOLEAN NOT NULL,
	decided_by TEXT NOT NULL,
	decided_us BIGINT NOT NULL,
	epoch BIGINT,
	started_us BIGINT NOT NULL,
	heartbeat_us BIGINT NOT NULL,
	stopped_us BIGINT,
	stop_reason TEXT,
	start_time TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%dT%H:%M:%fZ', started_us / 1000000.0, 'unixepoch')) STORED,
	last_heartbeat TEXT GENERATED ALWAYS AS (strftime('%Y-%m-%dT%H:%M:%fZ', heartbeat_us / 1000000.0, 'unixepoch')) STORED,
	CONSTRAINT pk_bot_instances PRIMARY KEY (instance_id)
)
-- next
CREATE TABLE brackets (
	bracket_id TEXT NOT NULL,
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	signal_id TEXT NOT NULL,
	strategy_id TEXT NOT NULL,
	ticker TEXT NOT NULL,
	event_ticker TEXT NOT NULL,
	title TEXT NOT NULL,
	side TEXT NOT NULL,
	state TEXT NOT NULL,
	entry_price_e4 BIGINT NOT NULL,
	stop_price_e4 BIGINT NOT NULL,
	target_price_e4 BIGINT NOT NULL,
	wanted_e2 BIGINT NOT NULL,
	entered_e2 BIGINT NOT NULL,
	entry_cost_e6 BIGINT NOT NULL,
	exited_e2 BIGINT NOT NULL,
	exit_value_e6 BIGINT NOT NULL,
	fees_e6 BIGINT NOT NULL,
	exit_reason TEXT,
	data_json TEXT NOT NULL,
	opened_us BIGINT NOT NULL,
	entered_us BIGINT,
	closed_us BIGINT,
	updated_us BIGINT NOT NULL,
	CONSTRAINT pk_brackets PRIMARY KEY (bracket_id),
	CONSTRAINT ck_brackets_never_over_closed CHECK (entered_e2 >= exited_e2),
	CONSTRAINT uq_brackets_signal_id UNIQUE (signal_id)
)
-- next
CREATE INDEX ix_brackets_scope_state ON brackets (scope, state)
-- next
CREATE TABLE breaker_state (
	scope TEXT NOT NULL,
	name TEXT NOT NULL,
	tripped BOOLEAN NOT NULL,
	reason TEXT NOT NULL,
	data_json TEXT NOT NULL,
	changed_us BIGINT NOT NULL,
	epoch BIGINT NOT NULL,
	CONSTRAINT pk_breaker_state PRIMARY KEY (scope, name)
)
-- next
CREATE TABLE collect_cycles (
	cycle_id TEXT NOT NULL,
	mode TEXT NOT NULL,
	snapshot_hour_utc TEXT NOT NULL,
	attempt INTEGER DEFAULT '1' NOT NULL,
	outcome TEXT NOT NULL,
	scanned INTEGER NOT NULL,
	inserted INTEGER NOT NULL,
	errors INTEGER NOT NULL,
	started_us BIGINT NOT NULL,
	finished_us BIGINT,
	progress_json TEXT NOT NULL,
	error TEXT,
	CONSTRAINT pk_collect_cycles PRIMARY KEY (cycle_id)
)
-- next
CREATE INDEX ix_collect_cycles_snapshot_hour_utc ON collect_cycles (snapshot_hour_utc)
-- next
CREATE UNIQUE INDEX uq_collect_cycles_running ON collect_cycles (mode, snapshot_hour_utc) WHERE outcome = 'running'
-- next
CREATE TABLE command_audit (
	id INTEGER NOT NULL,
	scope TEXT NOT NULL,
	command_id BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	channel TEXT NOT NULL,
	actor TEXT NOT NULL,
	command TEXT NOT NULL,
	outcome TEXT NOT NULL,
	epoch BIGINT,
	CONSTRAINT pk_command_audit PRIMARY KEY (id),
	CONSTRAINT uq_command_audit_command_id UNIQUE (command_id)
)
-- next
CREATE TABLE command_inbox (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	scope TEXT NOT NULL,
	channel TEXT NOT NULL,
	bot_id BIGINT NOT NULL,
	update_id BIGINT NOT NULL,
	payload_json TEXT NOT NULL,
	lane TEXT NOT NULL,
	state TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	claimed_epoch BIGINT,
	received_us BIGINT NOT NULL,
	done_us BIGINT,
	CONSTRAINT uq_command_inbox_channel_bot_id_update_id UNIQUE (channel, bot_id, update_id)
)
-- next
CREATE INDEX ix_command_inbox_scope_state_lane_id ON command_inbox (scope, state, lane, id)
-- next
CREATE TABLE equity_baselines (
	scope TEXT NOT NULL,
	trading_day TEXT NOT NULL,
	equity_e6 BIGINT NOT NULL,
	taken_us BIGINT NOT NULL,
	epoch BIGINT NOT NULL,
	CONSTRAINT pk_equity_baselines PRIMARY KEY (scope, trading_day)
)
-- next
CREATE TABLE fills (
	scope TEXT NOT NULL,
	fill_id TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	order_id TEXT NOT NULL,
	ticker TEXT NOT NULL,
	side TEXT NOT NULL,
	price_e4 BIGINT NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	fee_e6 BIGINT NOT NULL,
	is_taker BOOLEAN NOT NULL,
	executed_us BIGINT NOT NULL,
	received_us BIGINT NOT NULL,
	CONSTRAINT pk_fills PRIMARY KEY (scope, fill_id)
)
-- next
CREATE INDEX ix_fills_order_id ON fills (order_id)
-- next
CREATE INDEX ix_fills_scope_executed_us ON fills (scope, executed_us)
-- next
CREATE TABLE ingest_state (
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_at_us BIGINT NOT NULL,
	CONSTRAINT pk_ingest_state PRIMARY KEY ("key")
)
-- next
CREATE TABLE job_runs (
	scope TEXT NOT NULL,
	job TEXT NOT NULL,
	slot_us BIGINT NOT NULL,
	epoch BIGINT NOT NULL,
	state TEXT NOT NULL,
	started_us BIGINT NOT NULL,
	finished_us BIGINT,
	error TEXT,
	CONSTRAINT pk_job_runs PRIMARY KEY (scope, job, slot_us)
)
-- next
CREATE TABLE leader_lease (
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	holder TEXT,
	generation BIGINT NOT NULL,
	renew_seq BIGINT NOT NULL,
	acquired_us BIGINT,
	renewed_us BIGINT,
	expires_us BIGINT NOT NULL,
	clean_release BOOLEAN NOT NULL,
	stood_down BOOLEAN DEFAULT 0 NOT NULL,
	CONSTRAINT pk_leader_lease PRIMARY KEY (scope),
	CONSTRAINT uq_leader_lease_scope_epoch UNIQUE (scope, epoch)
)
-- next
CREATE TABLE logs (
	id INTEGER NOT NULL,
	at_us BIGINT NOT NULL,
	level TEXT NOT NULL,
	service TEXT NOT NULL,
	logger TEXT NOT NULL,
	message TEXT NOT NULL,
	data_json TEXT NOT NULL,
	CONSTRAINT pk_logs PRIMARY KEY (id)
)
-- next
CREATE INDEX ix_logs_at_us ON logs (at_us)
-- next
CREATE TABLE market_snapshots (
	id INTEGER NOT NULL,
	market_id TEXT NOT NULL,
	snapshot_hour_utc TEXT NOT NULL,
	payload_json TEXT NOT NULL,
	created_at_utc TEXT NOT NULL,
	event_ticker TEXT NOT NULL,
	series_ticker TEXT,
	macro_event_type TEXT NOT NULL,
	probability_bucket TEXT,
	yes_bid_e4 BIGINT,
	yes_ask_e4 BIGINT,
	volume_24h_e2 BIGINT NOT NULL,
	open_interest_e2 BIGINT NOT NULL,
	close_us BIGINT NOT NULL,
	CONSTRAINT pk_market_snapshots PRIMARY KEY (id),
	CONSTRAINT uq_market_snapshots_market_id_snapshot_hour_utc UNIQUE (market_id, snapshot_hour_utc)
)
-- next
CREATE INDEX ix_market_snapshots_event_ticker ON market_snapshots (event_ticker)
-- next
CREATE INDEX ix_market_snapshots_series_ticker_snapshot_hour_utc ON market_snapshots (series_ticker, snapshot_hour_utc)
-- next
CREATE INDEX ix_market_snapshots_snapshot_hour_utc ON market_snapshots (snapshot_hour_utc)
-- next
CREATE TABLE order_groups (
	order_group_id TEXT NOT NULL,
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	exchange_index INTEGER NOT NULL,
	purpose TEXT NOT NULL,
	is_triggered BOOLEAN NOT NULL,
	created_us BIGINT NOT NULL,
	CONSTRAINT pk_order_groups PRIMARY KEY (order_group_id)
)
-- next
CREATE TABLE order_intents (
	client_order_id TEXT NOT NULL,
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	strategy_id TEXT NOT NULL,
	signal_id TEXT,
	bracket_id TEXT,
	purpose TEXT NOT NULL,
	ticker TEXT NOT NULL,
	exchange_index INTEGER NOT NULL,
	side TEXT NOT NULL,
	price_e4 BIGINT NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	time_in_force TEXT NOT NULL,
	post_only BOOLEAN NOT NULL,
	reduce_only BOOLEAN NOT NULL,
	expires_us BIGINT,
	order_group_id TEXT,
	status TEXT NOT NULL,
	order_id TEXT,
	filled_e2 BIGINT DEFAULT '0' NOT NULL,
	reason TEXT DEFAULT '' NOT NULL,
	decided_us BIGINT NOT NULL,
	updated_us BIGINT NOT NULL,
	CONSTRAINT pk_order_intents PRIMARY KEY (client_order_id)
)
-- next
CREATE INDEX ix_order_intents_order_id ON order_intents (order_id)
-- next
CREATE INDEX ix_order_intents_scope_status ON order_intents (scope, status)
-- next
CREATE TABLE outbox (
	id INTEGER NOT NULL,
	scope TEXT NOT NULL,
	channel TEXT NOT NULL,
	recipient TEXT NOT NULL,
	kind TEXT NOT NULL,
	severity TEXT NOT NULL,
	text TEXT NOT NULL,
	attachment TEXT,
	extra_json TEXT NOT NULL,
	state TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	created_us BIGINT NOT NULL,
	due_us BIGINT NOT NULL,
	done_us BIGINT,
	last_error TEXT,
	CONSTRAINT pk_outbox PRIMARY KEY (id)
)
-- next
CREATE INDEX ix_outbox_scope_channel_state_recipient_id ON outbox (scope, channel, state, recipient, id)
-- next
CREATE TABLE paper_journal (
	scope TEXT NOT NULL,
	seq BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	kind TEXT NOT NULL,
	data_json TEXT NOT NULL,
	CONSTRAINT pk_paper_journal PRIMARY KEY (scope, seq)
)
-- next
CREATE TABLE positions (
	scope TEXT NOT NULL,
	ticker TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	cost_e6 BIGINT NOT NULL,
	realized_e6 BIGINT NOT NULL,
	fees_e6 BIGINT NOT NULL,
	updated_us BIGINT NOT NULL,
	CONSTRAINT pk_positions PRIMARY KEY (scope, ticker)
)
-- next
CREATE TABLE quarantine (
	id INTEGER NOT NULL,
	cycle_id TEXT NOT NULL,
	name TEXT NOT NULL,
	reason TEXT NOT NULL,
	raw BLOB NOT NULL,
	at_us BIGINT NOT NULL,
	CONSTRAINT pk_quarantine PRIMARY KEY (id)
)
-- next
CREATE TABLE risk_state (
	scope TEXT NOT NULL,
	halted BOOLEAN NOT NULL,
	reason TEXT NOT NULL,
	set_by TEXT NOT NULL,
	changed_us BIGINT NOT NULL,
	CONSTRAINT pk_risk_state PRIMARY KEY (scope)
)
-- next
CREATE TABLE schema_version (
	version INTEGER NOT NULL,
	revision TEXT NOT NULL,
	min_code_version INTEGER NOT NULL,
	applied_at_us BIGINT NOT NULL,
	CONSTRAINT pk_schema_version PRIMARY KEY (version)
)
-- next
CREATE TABLE signals (
	signal_id TEXT NOT NULL,
	scope TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	strategy_id TEXT NOT NULL,
	ticker TEXT NOT NULL,
	side TEXT NOT NULL,
	price_e4 BIGINT NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	verdict TEXT NOT NULL,
	reason TEXT NOT NULL,
	inputs_json TEXT NOT NULL,
	case_json TEXT DEFAULT '{}' NOT NULL,
	decided_us BIGINT NOT NULL,
	CONSTRAINT pk_signals PRIMARY KEY (signal_id)
)
-- next
CREATE INDEX ix_signals_scope_decided_us ON signals (scope, decided_us)
-- next
CREATE TABLE status (
	"key" TEXT NOT NULL,
	value TEXT NOT NULL,
	updated_at_utc TEXT NOT NULL,
	CONSTRAINT pk_status PRIMARY KEY ("key")
)
-- next
CREATE TRIGGER fence_insert_account_snapshots BEFORE INSERT ON account_snapshots BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_account_snapshots BEFORE UPDATE ON account_snapshots BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_brackets BEFORE INSERT ON brackets BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_brackets BEFORE UPDATE ON brackets BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_breaker_state BEFORE INSERT ON breaker_state BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_breaker_state BEFORE UPDATE ON breaker_state BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_equity_baselines BEFORE INSERT ON equity_baselines BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_equity_baselines BEFORE UPDATE ON equity_baselines BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_fills BEFORE INSERT ON fills BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_fills BEFORE UPDATE ON fills BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_job_runs BEFORE INSERT ON job_runs BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_job_runs BEFORE UPDATE ON job_runs BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_order_groups BEFORE INSERT ON order_groups BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_order_groups BEFORE UPDATE ON order_groups BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_order_intents BEFORE INSERT ON order_intents BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_order_intents BEFORE UPDATE ON order_intents BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_positions BEFORE INSERT ON positions BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_positions BEFORE UPDATE ON positions BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_insert_signals BEFORE INSERT ON signals BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER fence_update_signals BEFORE UPDATE ON signals BEGIN
  SELECT RAISE(ABORT, 'stale leader epoch')
  WHERE NOT EXISTS (SELECT 1 FROM leader_lease WHERE scope = NEW.scope AND epoch = NEW.epoch
    AND holder IS NOT NULL AND expires_us > CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER));
END
-- next
CREATE TRIGGER halt_order_intents BEFORE INSERT ON order_intents WHEN NEW.purpose = 'entry' BEGIN
  SELECT RAISE(ABORT, 'trading halted')
  WHERE NOT EXISTS (SELECT 1 FROM risk_state WHERE scope = NEW.scope AND NOT halted);
END
-- next
CREATE TRIGGER is_active_refused BEFORE UPDATE OF is_active ON bot_instances
WHEN NEW.is_active AND NOT OLD.is_active AND NEW.decided_us = OLD.decided_us
    AND (NEW.stopped_us IS NOT NULL OR NEW.heartbeat_us < CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) - 15000000)
BEGIN
    SELECT RAISE(ABORT,
        'activation refused: that instance is not alive; python instance_manager.py --list');
END
-- next
CREATE TRIGGER is_active_set AFTER UPDATE OF is_active ON bot_instances
WHEN NEW.is_active AND NOT OLD.is_active
BEGIN
    UPDATE bot_instances SET decided_by = 'operator',
        decided_us = MAX(decided_us + 1, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
        generation = COALESCE(
            (SELECT MAX(generation) FROM bot_deployments WHERE scope = NEW.scope), generation)
        WHERE instance_id = NEW.instance_id AND NEW.decided_us = OLD.decided_us;
    UPDATE bot_instances SET is_active = 0, decided_by = NEW.instance_id,
        decided_us = MAX(decided_us + 1, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
        WHERE scope = NEW.scope AND is_active AND instance_id <> NEW.instance_id;
    UPDATE leader_lease SET stood_down = 0 WHERE scope = NEW.scope AND stood_down;
END
-- next
CREATE TRIGGER is_active_unset AFTER UPDATE OF is_active ON bot_instances
WHEN OLD.is_active AND NOT NEW.is_active AND NEW.decided_us = OLD.decided_us
BEGIN
    UPDATE bot_instances SET decided_by = 'operator',
        decided_us = MAX(decided_us + 1, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)) WHERE instance_id = NEW.instance_id;
    UPDATE leader_lease SET expires_us = MIN(expires_us, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
        WHERE scope = NEW.scope AND holder = NEW.instance_id;
    UPDATE leader_lease SET stood_down = 1 WHERE scope = NEW.scope AND NOT EXISTS
        (SELECT 1 FROM bot_instances WHERE scope = NEW.scope AND is_active);
END
-- next
CREATE VIEW trades AS
SELECT bracket_id AS trade_id, scope, ticker AS market_id, title AS market_question, event_ticker,
  strategy_id, CASE side WHEN 'bid' THEN 'yes' ELSE 'no' END AS outcome,
  CASE WHEN state IN ('closed', 'settled') THEN 'closed' ELSE 'open' END AS status, state,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(entered_us, opened_us) / 1000000.0, 'unixepoch') AS entry_time,
  round(entry_cost_e6 / (nullif(entered_e2, 0) * 10000.0), 6) AS entry_price,
  round(entered_e2 / 100.0, 2) AS quantity,
  round((entry_cost_e6) / 1000000.0, 6) AS position_size,
  round(CASE WHEN stop_price_e4 = 0 THEN NULL WHEN side = 'bid' THEN stop_price_e4 ELSE 10000 - stop_price_e4 END / 10000.0, 4) AS stop_loss_price,
  round(CASE WHEN target_price_e4 = 0 THEN NULL WHEN side = 'bid' THEN target_price_e4 ELSE 10000 - target_price_e4 END / 10000.0, 4) AS take_profit_price,
  strftime('%Y-%m-%dT%H:%M:%fZ', closed_us / 1000000.0, 'unixepoch') AS exit_time,
  round(exit_value_e6 / (nullif(exited_e2, 0) * 10000.0), 6) AS exit_price, exit_reason,
  round((fees_e6) / 1000000.0, 6) AS fees,
  CASE WHEN state IN ('closed', 'settled') THEN round((exit_value_e6 - entry_cost_e6 - fees_e6) / 1000000.0, 6) END AS realized_pnl,
  CASE WHEN state IN ('closed', 'settled') THEN round((exit_value_e6 - entry_cost_e6 - fees_e6) * 1.0 / nullif(entry_cost_e6, 0), 6) END AS realized_pnl_pct,
  coalesce(entered_us, opened_us) AS entry_us, closed_us
FROM brackets WHERE entered_e2 > 0
-- next
CREATE VIEW executions AS
SELECT f.fill_id, f.scope, strftime('%Y-%m-%dT%H:%M:%fZ', f.executed_us / 1000000.0, 'unixepoch') AS executed_at,
  f.ticker AS market_id, f.side AS book_side, round(f.price_e4 / 10000.0, 4) AS yes_price,
  round(f.quantity_e2 / 100.0, 2) AS quantity, round((f.fee_e6) / 1000000.0, 6) AS fee, f.is_taker,
  f.order_id, o.client_order_id, o.strategy_id, o.purpose, o.signal_id, o.bracket_id, f.epoch
FROM fills f LEFT JOIN order_intents o ON o.order_id = f.order_id AND o.scope = f.scope
ORDER BY f.executed_us DESC, f.fill_id DESC
-- next
CREATE VIEW daily_performance AS
WITH closed AS (
  SELECT scope, date(closed_us / 1000000 - CASE WHEN datetime(closed_us / 1000000, 'unixepoch') >= datetime(strftime('%Y', closed_us / 1000000, 'unixepoch') || '-03-08', 'weekday 0', '+7 hours') AND datetime(closed_us / 1000000, 'unixepoch') < datetime(strftime('%Y', closed_us / 1000000, 'unixepoch') || '-11-01', 'weekday 0', '+6 hours') THEN 14400 ELSE 18000 END, 'unixepoch') AS trade_date,
    exit_value_e6 - entry_cost_e6 - fees_e6 AS pnl_e6, fees_e6
  FROM brackets WHERE entered_e2 > 0 AND state IN ('closed', 'settled') AND closed_us IS NOT NULL
)
SELECT trade_date, scope, count(*) AS total_trades,
  sum(CASE WHEN pnl_e6 > 0 THEN 1 ELSE 0 END) AS winning_trades,
  sum(CASE WHEN pnl_e6 < 0 THEN 1 ELSE 0 END) AS losing_trades,
  round(sum(CASE WHEN pnl_e6 > 0 THEN 1 ELSE 0 END) * 1.0 / count(*), 4) AS win_rate,
  round((sum(pnl_e6)) / 1000000.0, 6) AS total_pnl, round((avg(pnl_e6)) / 1000000.0, 6) AS avg_pnl,
  round((max(pnl_e6)) / 1000000.0, 6) AS best_trade, round((min(pnl_e6)) / 1000000.0, 6) AS worst_trade,
  round((sum(fees_e6)) / 1000000.0, 6) AS fees,
  (SELECT round((b.equity_e6) / 1000000.0, 6) FROM equity_baselines b
   WHERE b.scope = closed.scope AND b.trading_day = closed.trade_date) AS starting_equity
FROM closed GROUP BY trade_date, scope ORDER BY trade_date DESC, scope
-- next
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
  round(abs(p.quantity_e2) / 100.0, 2) AS quantity, round((p.cost_e6) / 1000000.0, 6) AS cost,
  round(p.cost_e6 / (nullif(abs(p.quantity_e2), 0) * 10000.0), 6) AS entry_price,
  round((p.realized_e6) / 1000000.0, 6) AS realized_pnl, round((p.fees_e6) / 1000000.0, 6) AS fees,
  coalesce(g.brackets, 0) AS brackets,
  CASE WHEN g.brackets = 1 THEN g.strategy_id END AS strategy_id,
  CASE WHEN g.brackets = 1 THEN round(CASE WHEN g.stop_price_e4 = 0 THEN NULL WHEN g.side = 'bid' THEN g.stop_price_e4 ELSE 10000 - g.stop_price_e4 END / 10000.0, 4) END AS stop_loss_price,
  CASE WHEN g.brackets = 1 THEN round(CASE WHEN g.target_price_e4 = 0 THEN NULL WHEN g.side = 'bid' THEN g.target_price_e4 ELSE 10000 - g.target_price_e4 END / 10000.0, 4) END AS take_profit_price,
  strftime('%Y-%m-%dT%H:%M:%fZ', g.opened_us / 1000000.0, 'unixepoch') AS entry_time,
  strftime('%Y-%m-%dT%H:%M:%fZ', p.updated_us / 1000000.0, 'unixepoch') AS updated_at
FROM positions p LEFT JOIN guarded g ON g.scope = p.scope AND g.ticker = p.ticker
WHERE p.quantity_e2 <> 0
-- next
CREATE VIEW recent_errors AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at_us / 1000000.0, 'unixepoch') AS created_at, level, service, logger, message,
  data_json AS data
FROM logs WHERE level IN ('ERROR', 'CRITICAL') ORDER BY at_us DESC, id DESC
-- next
CREATE VIEW missing_hours AS
WITH RECURSIVE hours(hour, final) AS (
  SELECT min(snapshot_hour_utc), max(snapshot_hour_utc) FROM market_snapshots
  UNION ALL
  SELECT strftime('%Y-%m-%dT%H:00:00Z', hour, '+1 hour'), final FROM hours WHERE hour < final
)
SELECT hour AS snapshot_hour_utc, coalesce(
  (SELECT outcome FROM collect_cycles c WHERE c.snapshot_hour_utc = hours.hour
   ORDER BY c.started_us DESC LIMIT 1), 'no cycle ran') AS reason
FROM hours WHERE hour IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM market_snapshots m WHERE m.snapshot_hour_utc = hours.hour)
ORDER BY hour
-- next
CREATE VIEW command_history AS
SELECT id, command_id, scope, strftime('%Y-%m-%dT%H:%M:%fZ', at_us / 1000000.0, 'unixepoch') AS created_at, channel, actor, command,
  outcome, epoch
FROM command_audit ORDER BY id DESC
-- down
DROP VIEW command_history
-- next
DROP VIEW missing_hours
-- next
DROP VIEW recent_errors
-- next
DROP VIEW active_positions
-- next
DROP VIEW daily_performance
-- next
DROP VIEW executions
-- next
DROP VIEW trades
-- next
DROP TRIGGER is_active_refused
-- next
DROP TRIGGER is_active_set
-- next
DROP TRIGGER is_active_unset
-- next
DROP TRIGGER fence_insert_account_snapshots
-- next
DROP TRIGGER fence_update_account_snapshots
-- next
DROP TRIGGER fence_insert_brackets
-- next
DROP TRIGGER fence_update_brackets
-- next
DROP TRIGGER fence_insert_breaker_state
-- next
DROP TRIGGER fence_update_breaker_state
-- next
DROP TRIGGER fence_insert_equity_baselines
-- next
DROP TRIGGER fence_update_equity_baselines
-- next
DROP TRIGGER fence_insert_fills
-- next
DROP TRIGGER fence_update_fills
-- next
DROP TRIGGER fence_insert_job_runs
-- next
DROP TRIGGER fence_update_job_runs
-- next
DROP TRIGGER fence_insert_order_groups
-- next
DROP TRIGGER fence_update_order_groups
-- next
DROP TRIGGER fence_insert_order_intents
-- next
DROP TRIGGER fence_update_order_intents
-- next
DROP TRIGGER fence_insert_positions
-- next
DROP TRIGGER fence_update_positions
-- next
DROP TRIGGER fence_insert_signals
-- next
DROP TRIGGER fence_update_signals
-- next
DROP TRIGGER halt_order_intents
-- next
DROP TABLE status
-- next
DROP TABLE signals
-- next
DROP TABLE schema_version
-- next
DROP TABLE risk_state
-- next
DROP TABLE quarantine
-- next
DROP TABLE positions
-- next
DROP TABLE paper_journal
-- next
DROP TABLE outbox
-- next
DROP TABLE order_intents
-- next
DROP TABLE order_groups
-- next
DROP TABLE market_snapshots
-- next
DROP TABLE logs
-- next
DROP TABLE leader_lease
-- next
DROP TABLE job_runs
-- next
DROP TABLE ingest_state
-- next
DROP TABLE fills
-- next
DROP TABLE equity_baselines
-- next
DROP TABLE command_inbox
-- next
DROP TABLE command_audit
-- next
DROP TABLE collect_cycles
-- next
DROP TABLE breaker_state
-- next
DROP TABLE brackets
-- next
DROP TABLE bot_instances
-- next
DROP TABLE bot_deployments
-- next
DROP TABLE account_snapshots
