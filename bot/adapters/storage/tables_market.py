"""The venue's events and markets, their candles and trades, and how they settled.

Rows here are the venue's facts, the same for every account: no scope, no epoch.
What makes a second writer harmless is the key of each table and, for what is read
page by page, the cursors in ``ingest_state``, which move in the same transaction.
"""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from bot.adapters.storage.schema import metadata

events = Table(
    "events",
    metadata,
    Column("event_ticker", Text, primary_key=True, doc="the event, as Kalshi names it"),
    Column("series_ticker", Text, nullable=False),
    Column("title", Text, nullable=False, doc="its question"),
    Column("sub_title", Text, nullable=False, doc="the rest of its title"),
    Column(
        "is_exclusive", Boolean, nullable=False, doc="whether at most one of its markets can win"
    ),
    Column(
        "collateral_return_type",
        Text,
        nullable=False,
        doc="how collateral of opposite positions is returned: `MECNET`, `DIRECNET` or empty",
    ),
    Column(
        "strike_us",
        BigInteger,
        doc="when the fact it asks for is dated; empty where a period says it",
    ),
    Column("strike_period", Text, doc="its period, as `hour` or `day`; empty where a date says it"),
    Column("fee_type_override", Text, doc="its own fee type; empty: the series'"),
    Column(
        "fee_multiplier_override_e6",
        BigInteger,
        doc="its own fee multiplier in millionths; empty: the series'",
    ),
    Column("exchange_index", Integer, nullable=False, doc="the exchange's shard"),
    Column("updated_us", BigInteger, doc="when Kalshi last changed it"),
    Column("first_seen_us", BigInteger, nullable=False, doc="when it was listed to us first"),
    Column("last_seen_us", BigInteger, nullable=False, doc="when it was listed to us last"),
    Index(None, "series_ticker"),
)

markets = Table(
    "markets",
    metadata,
    Column("ticker", Text, primary_key=True),
    Column("event_ticker", Text, nullable=False),
    Column("series_ticker", Text, nullable=False),
    Column("title", Text, nullable=False, doc="its question"),
    Column("market_type", Text, nullable=False, doc="`binary` or `scalar`"),
    Column(
        "status",
        Text,
        nullable=False,
        doc="Kalshi's word, as last listed: `active`, `closed`, `finalized` ...",
    ),
    Column("exchange_index", Integer, nullable=False, doc="the exchange's shard"),
    Column("strike_type", Text, doc="how the strikes are read: `greater`, `between` ..."),
    Column("floor_strike", Text, doc="lower strike, Kalshi's own text"),
    Column("cap_strike", Text, doc="upper strike, Kalshi's own text"),
    Column("open_us", BigInteger, nullable=False, doc="when it opens"),
    Column("close_us", BigInteger, nullable=False, doc="when it closes, as last listed"),
    Column(
        "first_close_us",
        BigInteger,
        nullable=False,
        doc="close as first listed; later than the close: its outcome closed it early",
    ),
    Column("expected_expiration_us", BigInteger, doc="when its outcome is expected"),
    Column("latest_expiration_us", BigInteger, doc="when it expires at the latest"),
    Column(
        "can_close_early", Boolean, nullable=False, doc="whether its outcome may close it early"
    ),
    Column(
        "settlement_timer_s", BigInteger, nullable=False, doc="seconds between outcome and payment"
    ),
    Column(
        "price_ranges_json",
        Text,
        nullable=False,
        doc="the prices it accepts: list of start, end, step in dollars",
    ),
    Column(
        "details_json",
        Text,
        nullable=False,
        doc="what only some have, or people read: rules, sub-titles, custom strikes, fee waiver",
    ),
    Column(
        "result", Text, nullable=False, doc="`yes`, `no`, `scalar`, or empty until there is one"
    ),
    Column("settlement_value_e4", BigInteger, doc="what a YES contract paid"),
    Column("settled_us", BigInteger, doc="when it was paid"),
    Column("yes_bid_e4", BigInteger, doc="best bid as last listed; empty: none"),
    Column("yes_ask_e4", BigInteger, doc="best ask as last listed; empty: none"),
    Column("last_price_e4", BigInteger, doc="last trade; empty: none yet"),
    Column("volume_e2", BigInteger, nullable=False, doc="contracts traded in all"),
    Column("open_interest_e2", BigInteger, nullable=False, doc="contracts open"),
    Column("created_us", BigInteger, doc="when Kalshi made it"),
    Column("updated_us", BigInteger, doc="when Kalshi last changed it"),
    Column("first_seen_us", BigInteger, nullable=False, doc="when it was listed to us first"),
    Column("last_seen_us", BigInteger, nullable=False, doc="when it was listed to us last"),
    Index(None, "event_ticker"),
    Index(None, "series_ticker", "close_us"),
    Index(None, "close_us"),
)


def _best(side: str, *, empty: int) -> Iterator[Column[int]]:
    """The four prices of one side of the book in a period."""
    for name, which in (
        ("open", "first"),
        ("high", "highest"),
        ("low", "lowest"),
        ("close", "last"),
    ):
        told = f"{which} best {side} of the period; {empty}: an empty side"
        yield Column(f"{side}_{name}_e4", Integer, nullable=False, doc=told)


market_candles = Table(
    "market_candles",
    metadata,
    Column("ticker", Text, primary_key=True),
    Column(
        "period_minutes",
        Integer,
        primary_key=True,
        autoincrement=False,
        doc="length of the period: 1, 60 or 1440",
    ),
    Column(
        "end_us",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="end of the period; a day's is midnight in New York",
    ),
    *_best("bid", empty=0),
    *_best("ask", empty=10_000),
    Column("price_open_e4", Integer, doc="first trade of the period; empty: none"),
    Column("price_high_e4", Integer, doc="highest trade of the period; empty: none"),
    Column("price_low_e4", Integer, doc="lowest trade of the period; empty: none"),
    Column("price_close_e4", Integer, doc="last trade of the period; empty: none"),
    Column("price_mean_e4", Integer, doc="mean price of its trades; empty: none"),
    Column("price_previous_e4", Integer, doc="last trade before the period; empty: none ever"),
    Column("volume_e2", BigInteger, nullable=False, doc="contracts traded in the period"),
    Column("open_interest_e2", BigInteger, nullable=False, doc="contracts open at its end"),
)

market_trades = Table(
    "market_trades",
    metadata,
    Column("trade_id", Text, primary_key=True, doc="the exchange's id of the trade"),
    Column("ticker", Text, nullable=False),
    Column("price_e4", Integer, nullable=False, doc="of the YES leg"),
    Column("quantity_e2", BigInteger, nullable=False, doc="contracts traded"),
    Column(
        "taker_side", Text, nullable=False, doc="side of the YES book that crossed: `bid` or `ask`"
    ),
    Column("is_block", Boolean, nullable=False, doc="whether it was negotiated outside the book"),
    Column("executed_us", BigInteger, nullable=False, doc="when, by the exchange"),
    Column("received_us", BigInteger, nullable=False, doc="when we saw it"),
    Index(None, "ticker", "executed_us"),
)

market_settlements = Table(
    "market_settlements",
    metadata,
    Column("ticker", Text, primary_key=True),
    Column("event_ticker", Text, nullable=False),
    Column("series_ticker", Text, nullable=False),
    Column(
        "macro_event_type",
        Text,
        nullable=False,
        doc="what the series is about: `cpi_mom`, `fed_rate` ..., or `other`",
    ),
    Column("market_type", Text, nullable=False, doc="`binary` or `scalar`"),
    Column(
        "result", Text, nullable=False, doc="`yes`, `no`, `scalar` (a void pays so too), or empty"
    ),
    Column("settlement_value_e4", BigInteger, doc="what a YES contract paid"),
    Column(
        "expiration_value", Text, nullable=False, doc="the fact that decided it, Kalshi's own text"
    ),
    Column("open_us", BigInteger, nullable=False, doc="when it opened"),
    Column("close_us", BigInteger, nullable=False, doc="when it closed"),
    Column(
        "first_close_us",
        BigInteger,
        nullable=False,
        doc="close as first seen; later than the close: its outcome closed it early",
    ),
    Column("settled_us", BigInteger, doc="when it was paid"),
    Column("volume_e2", BigInteger, nullable=False, doc="contracts traded in all"),
    Column("recorded_us", BigInteger, nullable=False, doc="when it was entered here"),
    Index(None, "series_ticker", "close_us"),
    Index(None, "close_us"),
)

market_settlement_prices = Table(
    "market_settlement_prices",
    metadata,
    Column("ticker", Text, primary_key=True),
    Column(
        "horizon_minutes",
        Integer,
        primary_key=True,
        autoincrement=False,
        doc="how long before the close",
    ),
    Column("yes_bid_e4", Integer, doc="best bid then; empty: none"),
    Column("yes_ask_e4", Integer, doc="best ask then; empty: none"),
    Column("last_price_e4", Integer, doc="last trade before then; empty: none known"),
    Column(
        "observed_us",
        BigInteger,
        nullable=False,
        doc="when these prices were last seen to hold: never after the horizon",
    ),
    Column(
        "source",
        Text,
        nullable=False,
        doc="by what they are known: `candle_1`, `candle_60`, `candle_1440`, `snapshot`",
    ),
)
