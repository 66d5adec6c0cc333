CREATE TABLE market_numbers (
	market_no SERIAL NOT NULL,
	ticker TEXT NOT NULL,
	CONSTRAINT pk_market_numbers PRIMARY KEY (market_no),
	CONSTRAINT uq_market_numbers_ticker UNIQUE (ticker)
)
-- next
CREATE TABLE market_ticks (
	exchange_us BIGINT NOT NULL,
	received_us BIGINT NOT NULL,
	volume_e2 BIGINT NOT NULL,
	open_interest_e2 BIGINT NOT NULL,
	bid_size_e2 BIGINT NOT NULL,
	ask_size_e2 BIGINT NOT NULL,
	market_no INTEGER NOT NULL,
	digest INTEGER NOT NULL,
	price_e4 SMALLINT NOT NULL,
	bid_e4 SMALLINT NOT NULL,
	ask_e4 SMALLINT NOT NULL,
	CONSTRAINT pk_market_ticks PRIMARY KEY (exchange_us, market_no, digest)
)
 PARTITION BY RANGE (exchange_us)
-- next
CREATE TABLE book_snapshots (
	market_no INTEGER NOT NULL,
	snapshot_us BIGINT NOT NULL,
	origin TEXT NOT NULL,
	bids_json TEXT NOT NULL,
	asks_json TEXT NOT NULL,
	CONSTRAINT pk_book_snapshots PRIMARY KEY (market_no, snapshot_us)
)
 PARTITION BY RANGE (snapshot_us)
-- next
CREATE TABLE book_deltas (
	snapshot_us BIGINT NOT NULL,
	received_us BIGINT NOT NULL,
	exchange_us BIGINT,
	change_e2 BIGINT NOT NULL,
	market_no INTEGER NOT NULL,
	change_no INTEGER NOT NULL,
	price_e4 SMALLINT NOT NULL,
	is_bid BOOLEAN NOT NULL,
	CONSTRAINT pk_book_deltas PRIMARY KEY (snapshot_us, market_no, change_no)
)
 PARTITION BY RANGE (snapshot_us)
-- next
CREATE TABLE lifecycle_events (
	market_no INTEGER NOT NULL,
	received_us BIGINT NOT NULL,
	kind TEXT NOT NULL,
	close_us BIGINT,
	result TEXT,
	value_e4 INTEGER,
	CONSTRAINT pk_lifecycle_events PRIMARY KEY (market_no, received_us, kind)
)
-- next
CREATE INDEX ix_lifecycle_events_received_us ON lifecycle_events (received_us)
-- next
CREATE TABLE stream_gaps (
	gap_id BIGSERIAL NOT NULL,
	stream TEXT NOT NULL,
	market_no INTEGER NOT NULL,
	reason TEXT NOT NULL,
	from_us BIGINT NOT NULL,
	to_us BIGINT,
	lost BIGINT NOT NULL,
	ended TEXT NOT NULL,
	detail TEXT NOT NULL,
	CONSTRAINT pk_stream_gaps PRIMARY KEY (gap_id),
	CONSTRAINT uq_stream_gaps_stream_market_no_reason_from_us UNIQUE (stream, market_no, reason, from_us)
)
-- next
CREATE INDEX ix_stream_gaps_from_us ON stream_gaps (from_us)
-- next
CREATE TABLE market_ticks_default PARTITION OF market_ticks DEFAULT
-- next
CREATE TABLE book_snapshots_default PARTITION OF book_snapshots DEFAULT
-- next
CREATE TABLE book_deltas_default PARTITION OF book_deltas DEFAULT
-- next
CREATE VIEW ticks AS
SELECT to_timestamp(t.received_us / 1000000.0) AS received_at,
  to_timestamp(t.exchange_us / 1000000.0) AS exchange_at, n.ticker,
  round(nullif(t.bid_e4, 0) / 10000.0, 4) AS yes_bid,
  round(nullif(t.ask_e4, 10000) / 10000.0, 4) AS yes_ask,
  round(nullif(t.price_e4, 0) / 10000.0, 4) AS last_price,
  round(t.bid_size_e2 / 100.0, 2) AS yes_bid_size, round(t.ask_size_e2 / 100.0, 2) AS yes_ask_size,
  round(t.volume_e2 / 100.0, 2) AS volume, round(t.open_interest_e2 / 100.0, 2) AS open_interest,
  t.exchange_us, t.received_us
FROM market_ticks t JOIN market_numbers n ON n.market_no = t.market_no
-- next
CREATE VIEW lifecycle_history AS
SELECT to_timestamp(e.received_us / 1000000.0) AS received_at, n.ticker, e.kind,
  to_timestamp(e.close_us / 1000000.0) AS close_time, e.result,
  round(e.value_e4 / 10000.0, 4) AS settlement_value, e.received_us
FROM lifecycle_events e JOIN market_numbers n ON n.market_no = e.market_no
ORDER BY e.received_us DESC, n.ticker
-- next
CREATE VIEW stream_gap_history AS
SELECT g.gap_id, g.stream, n.ticker, g.reason, to_timestamp(g.from_us / 1000000.0) AS from_time,
  to_timestamp(g.to_us / 1000000.0) AS to_time,
  round((g.to_us - g.from_us) / 1000000.0, 3) AS seconds, g.lost, g.ended, g.detail,
  g.from_us, g.to_us
FROM stream_gaps g LEFT JOIN market_numbers n ON n.market_no = g.market_no
ORDER BY g.from_us DESC, g.gap_id DESC
-- down
DROP VIEW stream_gap_history
-- next
DROP VIEW lifecycle_history
-- next
DROP VIEW ticks
-- next
DROP TABLE stream_gaps
-- next
DROP TABLE lifecycle_events
-- next
DROP TABLE book_deltas
-- next
DROP TABLE book_snapshots
-- next
DROP TABLE market_ticks
-- next
DROP TABLE market_numbers
