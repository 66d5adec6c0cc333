"""Views of what the stream said, for people: tickers, dollars, contracts, times."""

# ruff: noqa: S608 - every part of a statement is a constant

from bot.adapters.storage.sql_terms import time_text


def stream_views(dialect: str) -> list[str]:
    """Statements that make them, in order."""
    return [_ticks(dialect), _lifecycle_history(dialect), _stream_gap_history(dialect)]


def _ticks(dialect: str) -> str:
    """No order, so that a filter by time reads only what it asks for."""
    return f"""
CREATE VIEW ticks AS
SELECT {time_text(dialect, "t.received_us")} AS received_at,
  {time_text(dialect, "t.exchange_us")} AS exchange_at, n.ticker,
  round(nullif(t.bid_e4, 0) / 10000.0, 4) AS yes_bid,
  round(nullif(t.ask_e4, 10000) / 10000.0, 4) AS yes_ask,
  round(nullif(t.price_e4, 0) / 10000.0, 4) AS last_price,
  round(t.bid_size_e2 / 100.0, 2) AS yes_bid_size, round(t.ask_size_e2 / 100.0, 2) AS yes_ask_size,
  round(t.volume_e2 / 100.0, 2) AS volume, round(t.open_interest_e2 / 100.0, 2) AS open_interest,
  t.exchange_us, t.received_us
FROM market_ticks t JOIN market_numbers n ON n.market_no = t.market_no"""


def _lifecycle_history(dialect: str) -> str:
    return f"""
CREATE VIEW lifecycle_history AS
SELECT {time_text(dialect, "e.received_us")} AS received_at, n.ticker, e.kind,
  {time_text(dialect, "e.close_us")} AS close_time, e.result,
  round(e.value_e4 / 10000.0, 4) AS settlement_value, e.received_us
FROM lifecycle_events e JOIN market_numbers n ON n.market_no = e.market_no
ORDER BY e.received_us DESC, n.ticker"""


def _stream_gap_history(dialect: str) -> str:
    """A gap without a market concerns all that were watched."""
    return f"""
CREATE VIEW stream_gap_history AS
SELECT g.gap_id, g.stream, n.ticker, g.reason, {time_text(dialect, "g.from_us")} AS from_time,
  {time_text(dialect, "g.to_us")} AS to_time,
  round((g.to_us - g.from_us) / 1000000.0, 3) AS seconds, g.lost, g.ended, g.detail,
  g.from_us, g.to_us
FROM stream_gaps g LEFT JOIN market_numbers n ON n.market_no = g.market_no
ORDER BY g.from_us DESC, g.gap_id DESC"""
