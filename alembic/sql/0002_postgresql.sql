CREATE TABLE events (
	event_ticker TEXT NOT NULL,
	series_ticker TEXT NOT NULL,
	title TEXT NOT NULL,
	sub_title TEXT NOT NULL,
	is_exclusive BOOLEAN NOT NULL,
	collateral_return_type TEXT NOT NULL,
	strike_us BIGINT,
	strike_period TEXT,
	fee_type_override TEXT,
	fee_multiplier_override_e6 BIGINT,
	exchange_index INTEGER NOT NULL,
	updated_us BIGINT,
	first_seen_us BIGINT NOT NULL,
	last_seen_us BIGINT NOT NULL,
	CONSTRAINT pk_events PRIMARY KEY (event_ticker)
)
-- next
CREATE INDEX ix_events_series_ticker ON events (series_ticker)
-- next
CREATE TABLE markets (
	ticker TEXT NOT NULL,
	event_ticker TEXT NOT NULL,
	series_ticker TEXT NOT NULL,
	title TEXT NOT NULL,
	market_type TEXT NOT NULL,
	status TEXT NOT NULL,
	exchange_index INTEGER NOT NULL,
	strike_type TEXT,
	floor_strike TEXT,
	cap_strike TEXT,
	open_us BIGINT NOT NULL,
	close_us BIGINT NOT NULL,
	first_close_us BIGINT NOT NULL,
	expected_expiration_us BIGINT,
	latest_expiration_us BIGINT,
	can_close_early BOOLEAN NOT NULL,
	settlement_timer_s BIGINT NOT NULL,
	price_ranges_json TEXT NOT NULL,
	details_json TEXT NOT NULL,
	result TEXT NOT NULL,
	settlement_value_e4 BIGINT,
	settled_us BIGINT,
	yes_bid_e4 BIGINT,
	yes_ask_e4 BIGINT,
	last_price_e4 BIGINT,
	volume_e2 BIGINT NOT NULL,
	open_interest_e2 BIGINT NOT NULL,
	created_us BIGINT,
	updated_us BIGINT,
	first_seen_us BIGINT NOT NULL,
	last_seen_us BIGINT NOT NULL,
	CONSTRAINT pk_markets PRIMARY KEY (ticker)
)
-- next
CREATE INDEX ix_markets_close_us ON markets (close_us)
-- next
CREATE INDEX ix_markets_event_ticker ON markets (event_ticker)
-- next
CREATE INDEX ix_markets_series_ticker_close_us ON markets (series_ticker, close_us)
-- next
CREATE TABLE market_candles (
	ticker TEXT NOT NULL,
	period_minutes INTEGER NOT NULL,
	end_us BIGINT NOT NULL,
	bid_open_e4 INTEGER NOT NULL,
	bid_high_e4 INTEGER NOT NULL,
	bid_low_e4 INTEGER NOT NULL,
	bid_close_e4 INTEGER NOT NULL,
	ask_open_e4 INTEGER NOT NULL,
	ask_high_e4 INTEGER NOT NULL,
	ask_low_e4 INTEGER NOT NULL,
	ask_close_e4 INTEGER NOT NULL,
	price_open_e4 INTEGER,
	price_high_e4 INTEGER,
	price_low_e4 INTEGER,
	price_close_e4 INTEGER,
	price_mean_e4 INTEGER,
	price_previous_e4 INTEGER,
	volume_e2 BIGINT NOT NULL,
	open_interest_e2 BIGINT NOT NULL,
	CONSTRAINT pk_market_candles PRIMARY KEY (ticker, period_minutes, end_us)
)
-- next
CREATE TABLE market_trades (
	trade_id TEXT NOT NULL,
	ticker TEXT NOT NULL,
	price_e4 INTEGER NOT NULL,
	quantity_e2 BIGINT NOT NULL,
	taker_side TEXT NOT NULL,
	is_block BOOLEAN NOT NULL,
	executed_us BIGINT NOT NULL,
	received_us BIGINT NOT NULL,
	CONSTRAINT pk_market_trades PRIMARY KEY (trade_id)
)
-- next
CREATE INDEX ix_market_trades_ticker_executed_us ON market_trades (ticker, executed_us)
-- next
CREATE TABLE market_settlements (
	ticker TEXT NOT NULL,
	event_ticker TEXT NOT NULL,
	series_ticker TEXT NOT NULL,
	macro_event_type TEXT NOT NULL,
	market_type TEXT NOT NULL,
	result TEXT NOT NULL,
	settlement_value_e4 BIGINT,
	expiration_value TEXT NOT NULL,
	open_us BIGINT NOT NULL,
	close_us BIGINT NOT NULL,
	first_close_us BIGINT NOT NULL,
	settled_us BIGINT,
	volume_e2 BIGINT NOT NULL,
	recorded_us BIGINT NOT NULL,
	CONSTRAINT pk_market_settlements PRIMARY KEY (ticker)
)
-- next
CREATE INDEX ix_market_settlements_close_us ON market_settlements (close_us)
-- next
CREATE INDEX ix_market_settlements_series_ticker_close_us ON market_settlements (series_ticker, close_us)
-- next
CREATE TABLE market_settlement_prices (
	ticker TEXT NOT NULL,
	horizon_minutes INTEGER NOT NULL,
	yes_bid_e4 INTEGER,
	yes_ask_e4 INTEGER,
	last_price_e4 INTEGER,
	observed_us BIGINT NOT NULL,
	source TEXT NOT NULL,
	CONSTRAINT pk_market_settlement_prices PRIMARY KEY (ticker, horizon_minutes)
)
-- next
CREATE VIEW active_markets AS
SELECT ticker, event_ticker, to_timestamp(close_us / 1000000.0) AS close_time, status,
  to_timestamp(last_seen_us / 1000000.0) AS last_seen_ts, series_ticker, title, close_us,
  last_seen_us
FROM markets WHERE status = 'active'
-- down
DROP VIEW active_markets
-- next
DROP TABLE market_settlement_prices
-- next
DROP TABLE market_settlements
-- next
DROP TABLE market_trades
-- next
DROP TABLE market_candles
-- next
DROP TABLE markets
-- next
DROP TABLE events
