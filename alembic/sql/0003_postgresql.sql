ALTER TABLE collect_cycles ADD COLUMN filter_fingerprint TEXT
-- next
CREATE TABLE exchange_states (
	since_us BIGINT NOT NULL,
	until_us BIGINT NOT NULL,
	state TEXT NOT NULL,
	resume_us BIGINT,
	detail TEXT NOT NULL,
	CONSTRAINT pk_exchange_states PRIMARY KEY (since_us)
)
-- next
CREATE TABLE exchange_closures (
	start_us BIGINT NOT NULL,
	end_us BIGINT NOT NULL,
	kind TEXT NOT NULL,
	seen_us BIGINT NOT NULL,
	CONSTRAINT pk_exchange_closures PRIMARY KEY (start_us, end_us)
)
-- next
CREATE TABLE gap_repairs (
	id BIGSERIAL NOT NULL,
	what TEXT NOT NULL,
	subject TEXT NOT NULL,
	from_us BIGINT NOT NULL,
	to_us BIGINT NOT NULL,
	outcome TEXT NOT NULL,
	row_count BIGINT NOT NULL,
	reason TEXT NOT NULL,
	at_us BIGINT NOT NULL,
	CONSTRAINT pk_gap_repairs PRIMARY KEY (id),
	CONSTRAINT uq_gap_repairs_what_subject_from_us_to_us UNIQUE (what, subject, from_us, to_us)
)
-- next
CREATE INDEX ix_gap_repairs_from_us ON gap_repairs (from_us)
-- next
DROP VIEW missing_hours
-- next
CREATE VIEW missing_hours AS
WITH RECURSIVE hours(hour, final) AS (
  SELECT min(snapshot_hour_utc), max(snapshot_hour_utc) FROM market_snapshots
  UNION ALL
  SELECT to_char(to_timestamp(hour || '+00', 'YYYY-MM-DD"T"HH24:MI:SS"Z"TZH') AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24":00:00Z"'), final FROM hours WHERE hour < final
), missing AS (
  SELECT hour, CAST(extract(epoch FROM to_timestamp(hour || '+00', 'YYYY-MM-DD"T"HH24:MI:SS"Z"TZH')) AS BIGINT) * 1000000 AS hour_us,
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
FROM cut ORDER BY hour
-- next
CREATE VIEW missing_markets AS
WITH hours AS (
  SELECT snapshot_hour_utc, row_number() OVER (ORDER BY snapshot_hour_utc) AS n
  FROM (SELECT DISTINCT snapshot_hour_utc FROM market_snapshots) AS held
), seen AS (
  SELECT m.market_id, m.series_ticker, h.n,
    lag(h.n) OVER (PARTITION BY m.market_id ORDER BY h.n) AS before
  FROM market_snapshots m JOIN hours h ON h.snapshot_hour_utc = m.snapshot_hour_utc
)
SELECT h.snapshot_hour_utc, s.market_id, s.series_ticker
FROM seen s JOIN hours h ON h.n > s.before AND h.n < s.n
WHERE s.n - s.before > 1
ORDER BY h.snapshot_hour_utc, s.market_id
-- down
DROP VIEW missing_markets
-- next
DROP VIEW missing_hours
-- next
DROP TABLE gap_repairs
-- next
DROP TABLE exchange_closures
-- next
DROP TABLE exchange_states
-- next
ALTER TABLE collect_cycles DROP COLUMN filter_fingerprint
-- next
CREATE VIEW missing_hours AS
WITH RECURSIVE hours(hour, final) AS (
  SELECT min(snapshot_hour_utc), max(snapshot_hour_utc) FROM market_snapshots
  UNION ALL
  SELECT to_char(to_timestamp(hour || '+00', 'YYYY-MM-DD"T"HH24:MI:SS"Z"TZH') AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD"T"HH24":00:00Z"'), final FROM hours WHERE hour < final
)
SELECT hour AS snapshot_hour_utc, coalesce(
  (SELECT outcome FROM collect_cycles c WHERE c.snapshot_hour_utc = hours.hour
   ORDER BY c.started_us DESC LIMIT 1), 'no cycle ran') AS reason
FROM hours WHERE hour IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM market_snapshots m WHERE m.snapshot_hour_utc = hours.hour)
ORDER BY hour
