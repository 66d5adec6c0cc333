"""The exchange of the collect benchmark: the simulator with many quoted markets, by itself.

``python benchmarks/collect_exchange.py MARKETS {free,basic}`` prints its address and serves
until its standard input ends. The clock stands still, so that every scan finds the same;
``basic`` has the request limits of Kalshi's lowest tier.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide
from bot.kit.times import DAY_US
from bot.simulator.catalog import Event, MarketInfo, Series
from bot.simulator.exchange import Exchange
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketTerms
from bot.venue.orders import OrderRequest

_MARKETS_OF_AN_EVENT = 20
_RULES = (
    "If the value that the source publishes for the period is {strike}, then the market resolves"
    " to Yes. The value is the first one published; later revisions do not count. "
)
_SECONDARY = (
    "If the source does not publish by the expiration date, the market resolves by the rules of"
    " the contract's terms. Employees of the source agency may not trade this market. If the event"
    " is postponed, the market stays open and closes after the rescheduled event has finished. "
)


def series_of(number: int) -> Series:
    """A hundred series share the events."""
    return Series(
        ticker=SeriesTicker(f"KXBENCH{number % 100}"),
        title="Numbers of the bench",
        category="World",
        frequency="custom",
        source="Nobody",
    )


def markets_of(event: Event, now_us: int) -> Iterator[tuple[MarketInfo, MarketTerms]]:
    """A ladder of strikes with the texts of usual length."""
    for strike in range(_MARKETS_OF_AN_EVENT):
        ticker = MarketTicker(f"{event.ticker}-T{strike}.5")
        yield (
            MarketInfo(
                ticker=ticker,
                event_ticker=event.ticker,
                series_ticker=event.series_ticker,
                title=event.title,
                yes_sub_title=f"Above {strike}.5",
                no_sub_title=f"Above {strike}.5",
                rules_primary=_RULES.format(strike=f"above {strike}.5"),
                rules_secondary=_SECONDARY,
                created_us=event.created_us + strike,
                expected_expiration_us=event.strike_us,
                latest_expiration_us=event.strike_us + 7 * DAY_US,
                strike_type="greater",
                floor_strike=strike + 0.5,
            ),
            MarketTerms(
                ticker=ticker,
                event_ticker=event.ticker,
                open_us=now_us - DAY_US,
                close_us=event.strike_us,
                exchange_index=0,
                grid=CENT_GRID,
                fees=series_of(0).fees,
                settlement_timer_us=60_000_000,
            ),
        )


def fill(exchange: Exchange, markets: int) -> None:
    """List the markets, each with a bid and an ask of one house."""
    now_us, rng = exchange.now_us(), Random(7)  # noqa: S311 - repeatable
    house = AccountId("house")
    terms = AccountTerms(account=house, checks_funds=False, keeps_records=False)
    exchange.apply(exchange.venue.open_account(terms, now_us))
    for number in range(markets // _MARKETS_OF_AN_EVENT):
        series = series_of(number)
        event = Event(
            ticker=EventTicker(f"{series.ticker}-26DEC{number:05d}"),
            series_ticker=series.ticker,
            title=f"What will number {number} of the bench be this month?",
            sub_title="December",
            is_exclusive=False,
            strike_us=now_us + (10 + number % 50) * DAY_US,
            created_us=now_us - DAY_US - number * 1_000,
        )
        pairs = list(markets_of(event, now_us))
        exchange.list_event(series, event, pairs, now_us - DAY_US)
        for info, _ in pairs:
            middle = rng.randint(5, 94) * 100
            for side, price in ((BookSide.BID, middle - 100), (BookSide.ASK, middle + 100)):
                request = OrderRequest(
                    ticker=info.ticker,
                    side=side,
                    price=Price(price),
                    quantity=Quantity(rng.randint(100, 90_000)),
                )
                exchange.apply(exchange.venue.create_order(house, request, now_us))


async def _serve(markets: int, *, is_free: bool) -> None:
    settings = SimulatorSettings(world="empty", speed=0, limits=RateLimits(is_on=not is_free))
    async with SimulatedExchange(settings) as server:
        fill(server.exchange, markets)
        print(server.base_url, server.ws_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), is_free=sys.argv[2] == "free"))
