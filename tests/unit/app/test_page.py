"""What the page is told, in the words and units of people."""

from dataclasses import replace

import pytest

from bot.adapters.storage.queries import CollectFacts, Totals
from bot.app.page import books_json, collect_json, status_json, totals_json
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity
from bot.domain.operations import ApiView, StopKind, StopReason
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.marketdata.book import OrderBook
from tests.fakes.operator import BANNER, FakeOperator


async def told(**changes: object) -> dict[str, object]:
    operator = FakeOperator()
    view = replace(await operator.status(), **changes)
    return status_json(
        BANNER,
        view,
        await operator.positions(),
        await operator.why(None),
        trades=True,
        left_out=(("spread too wide", 3),),
    )


async def test_amounts_have_their_sign_and_everything_is_there() -> None:
    facts = await told()
    assert facts["account"]["equity"] == "$1,012.34"
    assert facts["banner"]["role"] == "leading"
    assert facts["markets"]["funnel"] == [["spread too wide", 3]]
    assert all(isinstance(one["is_tripped"], bool) for one in facts["breakers"])


async def test_a_no_position_is_shown_at_its_own_prices() -> None:
    operator = FakeOperator()
    [first, *_] = await operator.positions()
    no = replace(
        first,
        quantity=Quantity(-300),
        mark=Price(600),
        target_price=Price(100),
        stop_price=Price(1_600),
    )
    view = await operator.status()
    facts = status_json(BANNER, view, (no,), await operator.why(None), trades=True, left_out=())
    [shown] = facts["positions"]
    assert (shown["side"], shown["contracts"]) == ("NO", "3")
    assert (shown["mark"], shown["target"], shown["stop"]) == ("$0.94", "$0.99", "$0.84")


async def test_what_cannot_be_read_is_none_and_not_a_zero() -> None:
    facts = await told(account=None, pnl=None, feed=None, api=None, halt=None)
    for name in ("account", "pnl", "feed", "api", "halted", "websocket_connected"):
        assert facts[name] is None


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (None, None),
        (
            StopReason(kind=StopKind.HALTED, why="lunch", remedy="/unhalt"),
            "halted: lunch (/unhalt)",
        ),
        (
            StopReason(kind=StopKind.TRIPPED, name="daily_loss", why="5 %", remedy="wait"),
            "tripped daily_loss: 5 % (wait)",
        ),
        (StopReason(kind=StopKind.PAUSED, why="maintenance", remedy=""), "paused: maintenance"),
    ],
)
async def test_the_reason_not_to_trade_is_one_line(stop: StopReason | None, words: str) -> None:
    assert (await told(stop=stop))["why_not_trading"] == words


async def test_an_error_rate_without_calls_is_zero() -> None:
    facts = await told(api=ApiView(calls=0, failed=0))
    assert facts["api"] == {"calls": 0, "failed": 0, "rate": "0.0 %"}
    assert (await told(api=ApiView(calls=3, failed=1)))["api"]["rate"] == "33.3 %"


def test_status_rows_and_counts_stand_side_by_side() -> None:
    facts = CollectFacts(
        status={"last_outcome": "complete"},
        scanned=5,
        inserted=4,
        errors=0,
        outcome="complete",
        snapshots=40,
    )
    shown = collect_json(facts, 2)
    assert (shown["last_outcome"], shown["scanned"], shown["missing_hours"]) == ("complete", 5, 2)
    assert totals_json(Totals(brackets_opened=2, brackets_closed=1, alerts=3)) == {
        "brackets_opened": 2,
        "brackets_closed": 1,
        "alerts": 3,
    }


def test_a_book_is_shown_whole_and_best_first() -> None:
    book = OrderBook(MarketTicker("T"), lambda *_: None)
    bids = (BookLevel(Price(9_300), Quantity(50)), BookLevel(Price(9_400), Quantity(200)))
    asks = (BookLevel(Price(9_600), Quantity(100)),)
    assert books_json((book,))["T"] == {"is_trusted": False, "bids": [], "asks": []}
    book.apply_snapshot(BookSnapshot(ticker=MarketTicker("T"), bids=bids, asks=asks, received_us=1))
    assert books_json((book,))["T"] == {
        "is_trusted": True,
        "bids": [["0.9400", "2.00"], ["0.9300", "0.50"]],
        "asks": [["0.9600", "1.00"]],
    }
