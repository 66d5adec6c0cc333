"""``QualityReads`` on SQLite and PostgreSQL.

Tens of thousands of rows become values in a thread: whoever trades may share the loop.
"""

# ruff: noqa: S608 - every part of a statement is a constant of this module

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from bot.adapters.storage.database import Database
from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import PAYOUT, Price
from bot.kit.threads import in_thread
from bot.kit.times import parse_rfc3339
from bot.ports.quality import FrozenQuote, QuoteSource, SeenQuote

LAST_HOUR = text("SELECT max(snapshot_hour_utc) FROM market_snapshots")

_TERMS = (
    "k.strike_type, k.floor_strike, k.cap_strike, e.is_exclusive,"
    " e.fee_multiplier_override_e6 AS fee_multiplier_e6"
)

# What the venue had said of the market when we last heard of it, not after this hour.
QUOTES = text(
    "SELECT m.market_id, m.event_ticker, m.yes_bid_e4, m.yes_ask_e4, m.created_at_utc,"
    f" m.close_us, CASE WHEN k.updated_us > k.last_seen_us THEN k.updated_us - k.last_seen_us"
    f" ELSE 0 END AS ahead_us, {_TERMS}"
    " FROM market_snapshots m LEFT JOIN markets k ON k.ticker = m.market_id"
    " LEFT JOIN events e ON e.event_ticker = m.event_ticker"
    " WHERE m.snapshot_hour_utc = :hour ORDER BY m.event_ticker, m.market_id"
)

LATEST_TICKS = text(
    "SELECT n.ticker, coalesce(k.event_ticker, n.ticker) AS event_ticker, t.bid_e4, t.ask_e4,"
    f" t.received_us, t.exchange_us, {_TERMS}"
    " FROM (SELECT market_no, max(exchange_us) AS at_us FROM market_ticks"
    "  WHERE exchange_us BETWEEN :from_us AND :to_us GROUP BY market_no) l"
    " JOIN market_ticks t ON t.market_no = l.market_no AND t.exchange_us = l.at_us"
    " JOIN market_numbers n ON n.market_no = t.market_no"
    " LEFT JOIN markets k ON k.ticker = n.ticker"
    " LEFT JOIN events e ON e.event_ticker = k.event_ticker"
    " ORDER BY 2, 1, t.received_us, t.digest"
)

FROZEN = text(
    "SELECT market_id, count(*) AS hours, min(yes_bid_e4) AS bid, min(yes_ask_e4) AS ask"
    " FROM market_snapshots m WHERE snapshot_hour_utc BETWEEN :first AND :last"
    " AND EXISTS (SELECT 1 FROM market_snapshots o WHERE o.market_id = m.market_id"
    "  AND o.snapshot_hour_utc = :last)"
    " GROUP BY market_id HAVING count(*) >= :least"
    " AND min(coalesce(yes_bid_e4, -1)) = max(coalesce(yes_bid_e4, -1))"
    " AND min(coalesce(yes_ask_e4, -1)) = max(coalesce(yes_ask_e4, -1))"
    " AND min(open_interest_e2) <> max(open_interest_e2) ORDER BY market_id"
)


class SqlQualityReads:
    """See :class:`bot.ports.quality.QualityReads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last_hour(self) -> str | None:
        """See the port."""
        async with self._database.read() as connection:
            hour: str | None = (await connection.execute(LAST_HOUR)).scalar()
        return hour

    async def quotes(self, hour: str) -> Sequence[SeenQuote]:
        """See the port."""
        async with self._database.read() as connection:
            found = (await connection.execute(QUOTES, {"hour": hour})).all()
        return await in_thread(lambda: [_snapshot(row) for row in found])

    async def latest_ticks(self, from_us: int, to_us: int) -> Sequence[SeenQuote]:
        """See the port."""
        async with self._database.read() as connection:
            span = {"from_us": from_us, "to_us": to_us}
            found = (await connection.execute(LATEST_TICKS, span)).all()
        # Several ticks of one moment: the one received last.
        return await in_thread(lambda: list({row.ticker: _tick(row) for row in found}.values()))

    async def frozen(
        self, first_hour: str, last_hour: str, hours_min: int
    ) -> Sequence[FrozenQuote]:
        """See the port."""
        window = {"first": first_hour, "last": last_hour, "least": hours_min}
        async with self._database.read() as connection:
            found = (await connection.execute(FROZEN, window)).all()
        return await in_thread(lambda: [_frozen(row) for row in found])


def _snapshot(row: Row[Any]) -> SeenQuote:
    seen_us = parse_rfc3339(row.created_at_utc)
    return SeenQuote(
        market=MarketTicker(row.market_id),
        event=EventTicker(row.event_ticker),
        source=QuoteSource.SNAPSHOT,
        bid=_price(row.yes_bid_e4),
        ask=_price(row.yes_ask_e4),
        seen_us=seen_us,
        close_us=row.close_us,
        venue_us=seen_us + row.ahead_us,
        **_terms(row),
    )


def _tick(row: Row[Any]) -> SeenQuote:
    return SeenQuote(
        market=MarketTicker(row.ticker),
        event=EventTicker(row.event_ticker),
        source=QuoteSource.TICK,
        # As the venue writes an empty side.
        bid=_price(row.bid_e4 or None),
        ask=None if row.ask_e4 == PAYOUT else _price(row.ask_e4),
        seen_us=row.received_us,
        venue_us=row.exchange_us,
        **_terms(row),
    )


def _frozen(row: Row[Any]) -> FrozenQuote:
    return FrozenQuote(
        market=MarketTicker(row.market_id),
        hours=row.hours,
        bid=_price(row.bid),
        ask=_price(row.ask),
    )


def _terms(row: Row[Any]) -> dict[str, Any]:
    return {
        "strike_type": row.strike_type,
        "floor_strike": row.floor_strike,
        "cap_strike": row.cap_strike,
        "is_exclusive": None if row.is_exclusive is None else bool(row.is_exclusive),
        "fee_multiplier_e6": row.fee_multiplier_e6,
    }


def _price(value: int | None) -> Price | None:
    return None if value is None else Price(value)
