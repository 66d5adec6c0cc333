"""Ticks as a day brings them: thousands of markets, each a little different each time."""

from collections.abc import Iterator
from random import Random

from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity, format_price, format_quantity
from bot.domain.quotes import TickerUpdate
from bot.kit.clock import SystemClock
from bot.kit.times import SECOND_US, format_rfc3339

MARKETS = 2_000
_STEP_US = 100
_last_us = [0]


def some_ticks(batches: int, size: int) -> Iterator[list[TickerUpdate]]:
    """Batches of ticks that nobody has stored yet; one hundred microseconds apart."""
    random = Random(7)  # noqa: S311 - the same ticks in every run
    for _ in range(batches):
        began_us = max(_last_us[0], SystemClock().now_us())
        _last_us[0] = began_us + size * _STEP_US
        yield [_tick(random, began_us + number * _STEP_US) for number in range(size)]


def one_of_each() -> list[TickerUpdate]:
    """A tick of every market."""
    random = Random(1)  # noqa: S311 - the same ticks in every run
    now_us = SystemClock().now_us()
    return [_tick(random, now_us, number) for number in range(MARKETS)]


def _tick(random: Random, at_us: int, market: int | None = None) -> TickerUpdate:
    market = random.randrange(MARKETS) if market is None else market
    bid = random.randrange(100, 9_000, 100)
    return TickerUpdate(
        ticker=MarketTicker(f"KXHIGHNY-26AUG21-T{market:05d}"),
        yes_bid=Price(bid),
        yes_ask=Price(bid + random.randrange(100, 900, 100)),
        yes_bid_size=Quantity(random.randrange(10**6)),
        yes_ask_size=Quantity(random.randrange(10**6)),
        last_price=Price(bid + 100),
        volume=Quantity(random.randrange(10**8)),
        open_interest=Quantity(random.randrange(10**8)),
        exchange_us=at_us // 1_000 * 1_000,
        received_us=at_us + 20_000,
    )


def frame_of(tick: TickerUpdate) -> dict[str, object]:
    """The frame it came in: every field that Kalshi's AsyncAPI 2.0.0 requires of a ticker."""
    at_us = tick.exchange_us
    return {
        "type": "ticker",
        "sid": 11,
        "msg": {
            "market_ticker": tick.ticker,
            "market_id": f"9b0f6b43-5b68-4f9f-9f02-{abs(hash(tick.ticker)) % 10**12:012d}",
            "price_dollars": format_price(tick.last_price or Price(0)),
            "yes_bid_dollars": format_price(tick.yes_bid or Price(0)),
            "yes_ask_dollars": format_price(tick.yes_ask or Price(10_000)),
            "volume_fp": format_quantity(tick.volume),
            "open_interest_fp": format_quantity(tick.open_interest),
            "dollar_volume": tick.volume // 200,
            "dollar_open_interest": tick.open_interest // 200,
            "yes_bid_size_fp": format_quantity(tick.yes_bid_size),
            "yes_ask_size_fp": format_quantity(tick.yes_ask_size),
            "last_trade_size_fp": "10.00",
            "ts": at_us // SECOND_US,
            "ts_ms": at_us // 1_000,
            "time": format_rfc3339(at_us),
        },
    }
