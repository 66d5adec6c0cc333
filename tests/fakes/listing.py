"""A market listing that answers from a script: pages, faults, or a callback per call."""

from collections.abc import Awaitable, Callable, Sequence

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.market import CENT_GRID, Market, MarketStatus
from bot.domain.money import Price, Quantity
from bot.ports.exchange import ListedMarket, MarketPage, MarketQuery, Quarantined
from tests.fakes.history_reads import FakePast


def listed(
    ticker: str, *, bid: int | None = 4_700, ask: int | None = 5_200, close_us: int = 10**15
) -> ListedMarket:
    market = Market(
        ticker=MarketTicker(ticker),
        event_ticker=EventTicker(ticker.rpartition("-")[0] or ticker),
        series_ticker=None,
        title=ticker,
        status=MarketStatus.ACTIVE,
        exchange_index=0,
        grid=CENT_GRID,
        open_us=0,
        close_us=close_us,
        expected_expiration_us=None,
        updated_us=None,
        yes_bid=None if bid is None else Price(bid),
        yes_ask=None if ask is None else Price(ask),
        yes_bid_size=Quantity(300),
        yes_ask_size=Quantity(300),
        last_price=None,
        volume=Quantity(200),
        volume_24h=Quantity(100),
        open_interest=Quantity(200),
        strike_type=None,
        floor_strike=None,
        cap_strike=None,
        result="",
        settlement_value=None,
    )
    return ListedMarket(market=market, raw=f'{{"ticker":"{ticker}"}}'.encode())


def unreadable(name: str) -> Quarantined:
    return Quarantined(
        name=name, reason="no close_time", raw=b'{"ticker":"' + name.encode() + b'"}'
    )


def page(
    *items: ListedMarket | Quarantined,
    cursor: str = "",
    server_us: int | None = None,
    unknown_fields: tuple[str, ...] = (),
) -> MarketPage:
    return MarketPage(
        server_us=server_us,
        unknown_fields=unknown_fields,
        markets=tuple(item for item in items if isinstance(item, ListedMarket)),
        quarantined=tuple(item for item in items if isinstance(item, Quarantined)),
        cursor=cursor,
    )


Answer = MarketPage | Exception
Hook = Callable[[SeriesTicker, str], Awaitable[None]]


class ScriptedListing:
    """``pages[series][cursor]`` is the answer; an unknown cursor gets page one, as at the venue."""

    def __init__(self, pages: dict[str, dict[str, Answer]], before: Hook | None = None) -> None:
        self.pages = pages
        self.asked: list[tuple[str, str]] = []
        self.queries: list[MarketQuery] = []
        self.in_flight = 0
        self.in_flight_max = 0
        self._before = before
        self.history = FakePast()

    async def market_page(
        self, query: MarketQuery, cursor: str = "", limit: int = 1000
    ) -> MarketPage:
        series = query.series_ticker or SeriesTicker("*")
        self.queries.append(query)
        self.asked.append((series, cursor))
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            if self._before is not None:
                await self._before(series, cursor)
        finally:
            self.in_flight -= 1
        answers = self.pages[series]
        answer = answers.get(cursor, answers[""])
        if isinstance(answer, Exception):
            raise answer
        return answer


def paged(series: str, sizes: Sequence[int]) -> dict[str, Answer]:
    """Pages of these sizes for one series, chained by cursors."""
    answers: dict[str, Answer] = {}
    for number, size in enumerate(sizes):
        markets = [listed(f"{series}-{number}-{index}") for index in range(size)]
        cursor = f"c{number}" if number else ""
        following = f"c{number + 1}" if number + 1 < len(sizes) else ""
        answers[cursor] = page(*markets, cursor=following)
    return answers
