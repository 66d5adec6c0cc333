"""Large pages of the past are read beside the loop that trades."""

import asyncio
import json

import pytest

from bot.adapters.kalshi.history import KalshiHistory
from bot.adapters.kalshi.rest import Call, Reply
from bot.domain.ids import MarketTicker
from bot.ports.history_reads import CandleQuery
from tests.fakes.clock import ManualClock

_SIDE = dict.fromkeys(("open_dollars", "high_dollars", "low_dollars", "close_dollars"), "0.4000")
_CANDLE = {
    "end_period_ts": 1_795_000_000,
    "yes_bid": _SIDE,
    "yes_ask": _SIDE,
    "price": {},
    "volume_fp": "0.00",
    "open_interest_fp": "0.00",
}


class OneAnswer:
    """In the place of a ``RestClient``."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _call: Call) -> Reply:
        return Reply(status=200, body=self._body, server_us=None)


class Turns:
    """What else the loop does."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.count += 1


@pytest.mark.looptime(False)
async def test_a_large_page_does_not_hold_up_the_loop() -> None:
    markets = [{"market_ticker": f"KX{one}", "candlesticks": [_CANDLE] * 1_000} for one in range(9)]
    body = json.dumps({"markets": markets}).encode()
    turns = Turns()
    running = asyncio.get_running_loop().create_task(turns.run())
    reads = KalshiHistory(OneAnswer(body), ManualClock(), is_signed=False)  # type: ignore[arg-type]
    query = CandleQuery(tickers=(MarketTicker("KX0"),), start_us=0, end_us=10**16, period_minutes=1)
    assert len((await reads.candles(query)).candles) == 9_000
    assert turns.count > 2
    running.cancel()
