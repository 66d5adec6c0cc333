DROP VIEW missing_markets
-- next
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
ORDER BY h.snapshot_hour_utc, s.market_id
-- down
DROP VIEW missing_markets
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
