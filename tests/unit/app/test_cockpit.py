"""What the chat looks at, with the real store and a real engine behind it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from bot.adapters.storage.cockpit import AccountPoint, PricePoint
from bot.adapters.storage.logs import SqlLogs
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.charting import curves, depths, funnel_bars, sides
from bot.app.cockpit import CockpitDesk, first_day_of, table_of
from bot.app.running import Running
from bot.app.sections import CollectSection, ExchangeSection, Secrets, WebSection
from bot.app.trading import TradingDesk
from bot.console.chart_data import Point
from bot.domain.cockpit import Drawn, NotDrawn
from bot.domain.errors import RequestRefused
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import FunnelStage
from bot.domain.quotes import BookLevel, BookSnapshot
from bot.domain.records import BracketState, ExitReason
from bot.kit.times import DAY_US, HOUR_US, parse_rfc3339
from bot.marketdata.agreement import BookAgreement
from bot.marketdata.book import OrderBook
from bot.marketdata.universe import Selection
from bot.ports.cockpit import Chart, Period
from tests.contract.test_trading_store import UNHALTED, bracket, snapshot
from tests.fakes.cockpit import LOST, WON
from tests.fakes.scripted_http import answer, scripted_server
from tests.support.rows import grant_lease
from tests.support.trading import TICKER, Desk, a_listing
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def running(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    # Nobody answers there, and nobody is asked twice.
    changes = {
        "collect": CollectSection(reports_dir=tmp_path / "reports"),
        "exchange": ExchangeSection(rest_url="http://127.0.0.1:9", retries=1),
    }
    async with running_at(sqlite_url, tmp_path, **changes) as made:
        yield made


def trading(engine: Desk) -> TradingDesk:
    """A desk whose engine has been led by hand, with nothing at its network's end."""
    listing = a_listing()
    monitor = SimpleNamespace(
        selection=Selection(
            watched=(listing,), left_out={MarketTicker("KXOLD"): "closes too late"}
        ),
        books={},
        agreement=BookAgreement(),
    )
    made = SimpleNamespace(engine=engine.engine, monitor=monitor, events_waiting=lambda: 2)
    return cast(TradingDesk, made)


def led() -> Desk:
    desk = Desk()
    desk.lead()
    return desk


async def stored(running: Running, *records: object) -> None:
    store = SqlTradingStore(running.parts.database, running.scope)
    await grant_lease(running.parts.database, epoch=7, scope=running.scope)
    await store.save_halt(UNHALTED)
    await store.commit(7, records, (), running.clock.now_us())  # type: ignore[arg-type]


def won(name: str, at_us: int, profit: int = 100_000, **changes: Any):
    fields = {
        "state": BracketState.CLOSED,
        "exited": 1_050,
        "exit_value": 945_000 + 1_234 + profit,
        "exit_reason": ExitReason.TAKE_PROFIT,
        "opened_us": at_us - HOUR_US,
        "entered_us": at_us - HOUR_US,
        "closed_us": at_us,
    }
    return bracket(name, **(fields | changes))


async def test_health_and_ping_are_measured(running: Running) -> None:
    cockpit = CockpitDesk(running, trading(led()))
    view = await cockpit.health()
    assert view.database == "sqlite"
    assert 0 < view.database_us < 5_000_000
    assert 0 <= view.loop_lag_us < 5_000_000
    assert (view.events_waiting, view.commands_waiting, view.messages_waiting) == (2, 0, 0)
    assert view.memory_bytes is not None
    assert view.memory_bytes > 10_000_000
    assert view.disk_free_bytes is not None
    assert view.backup is None
    await CockpitDesk(running, None).health()


async def test_the_last_backup_is_the_newest_file(running: Running, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("kalshi_20261120.sqlite", "kalshi_core_20261121_071500.sqlite", "x.sqlite"):
        (folder / name).write_bytes(b"12345")
    view = await CockpitDesk(running, None).health()
    assert view.backup is not None
    assert view.backup.name.startswith("kalshi_")
    assert (view.backup.size_bytes, view.backup.is_durable) == (5, True)


async def test_one_position_comes_with_what_belongs_to_it(running: Running) -> None:
    desk = led()
    desk.bought(10_00)
    await stored(running, won("b9", running.clock.now_us() - DAY_US, ticker=TICKER))
    view = await CockpitDesk(running, trading(desk)).position(TICKER)
    assert view is not None
    assert (view.position.quantity, view.entry_price) == (10_00, 9_500)
    assert view.is_mark_live
    assert view.strategy_id == "eager"
    assert {one.is_entry for one in view.orders} == {True, False}
    assert [one.profit for one in view.past] == [100_000]
    assert await CockpitDesk(running, trading(desk)).position(MarketTicker("X")) is None
    assert await CockpitDesk(running, None).position(TICKER) is None


async def test_orders_exposure_and_limits_are_the_engine_s(running: Running) -> None:
    desk = led()
    desk.bought(10_00)
    cockpit = CockpitDesk(running, trading(desk))
    assert {one.ticker for one in await cockpit.orders()} == {TICKER}
    exposure = await cockpit.exposure()
    assert exposure is not None
    assert exposure.total > 0
    assert "positions" in {one.name for one in await cockpit.limits()}
    nobody = CockpitDesk(running, None)
    assert await nobody.orders() == ()
    assert await nobody.exposure() is None
    assert await nobody.limits() == ()


async def test_a_period_counts_what_was_closed_in_its_trading_days(running: Running) -> None:
    now_us = running.clock.now_us()
    await stored(
        running,
        won("b1", now_us - 1),
        won("b2", now_us - 3 * DAY_US, -500_000),
        won("b3", now_us - 20 * DAY_US),
        won("b4", now_us - 90 * DAY_US),
        bracket("b5"),
    )
    cockpit = CockpitDesk(running, None)
    counts = {period: (await cockpit.period(period)).trades for period in Period}
    assert counts == {Period.DAY: 1, Period.WEEK: 2, Period.MONTH: 3, Period.ALL: 4}
    week = await cockpit.period(Period.WEEK)
    assert (week.profit, week.best, week.worst) == (-400_000, 100_000, -500_000)
    assert (week.wins, week.losses, week.win_rate_e6) == (1, 1, 500_000)
    # Paid 2 x ($0.945 + fee) for 2 x 10.5 contracts.
    assert week.break_even_e6 == 2 * (945_000 + 1_234) * 1_000_000 // (2_100 * 10_000)
    assert [(one.series, one.trades) for one in week.by_series] == [("KXFED", 2)]
    assert (await cockpit.period(Period.ALL)).first_day is None


@pytest.mark.parametrize(
    ("now", "period", "first"),
    [
        ("2026-11-21T04:59:59Z", Period.DAY, "2026-11-20"),
        ("2026-11-21T05:00:00Z", Period.DAY, "2026-11-21"),
        ("2026-11-03T12:00:00Z", Period.WEEK, "2026-10-28"),  # the clocks go back on 1 Nov
        ("2026-03-10T12:00:00Z", Period.WEEK, "2026-03-04"),  # and forward on 8 Mar
        ("2026-03-01T12:00:00Z", Period.MONTH, "2026-01-31"),
        ("2026-03-01T12:00:00Z", Period.ALL, None),
    ],
)
def test_periods_are_whole_trading_days(now: str, period: Period, first: str | None) -> None:
    assert first_day_of(period, parse_rfc3339(now), "America/New_York") == first


async def test_many_trades_come_as_a_table(running: Running) -> None:
    now_us = running.clock.now_us()
    await stored(running, *(won(f"b{place}", now_us - place) for place in range(30)))
    cockpit = CockpitDesk(running, None)
    assert len(await cockpit.trades(10)) == 10
    made = await cockpit.trades_file(500)
    lines = (await asyncio.to_thread(Path(made.path).read_text)).splitlines()
    assert len(lines) == 31
    assert lines[0].startswith("closed_utc,entered_utc,market,title")
    assert made.text == "30 trades, the newest first"


def test_a_table_has_dollars_contracts_and_utc() -> None:
    lines = table_of([WON, replace(LOST, title='a "b", c')]).splitlines()
    assert lines[1] == (
        "2026-11-20T05:15:00Z,2026-11-20T02:15:00Z,KXFED-26DEC-T4.25,"
        "Fed <rate> above 4.25 % & more,KXFED,near_expiry,yes,12.50,0.9012,1.0000,"
        "0.070000,1.165000,settlement"
    )
    assert '"a ""b"", c"' in lines[2]


async def test_settings_are_told_with_their_origin_and_without_secrets(running: Running) -> None:
    secret = "hunter2-hunter2"
    running.settings = running.settings.model_copy(
        update={"secrets": Secrets(portal_token=SecretStr(secret))}
    )
    lines = {one.name: one for one in await CockpitDesk(running, None).settings()}
    assert lines["secrets.portal_token"].value == "set"
    assert lines["secrets.openai_api_key"].value == "not set"
    assert lines["trading.max_concurrent"].value == "10"
    assert lines["trading.max_concurrent"].origin == "default"
    assert lines["database.url"].value.startswith("sqlite")
    assert secret not in repr(lines)


async def test_log_lines_are_told_without_secrets(running: Running) -> None:
    secret = "hunter2-hunter2"
    await SqlLogs(running.parts.database).append(
        [
            {
                "at_us": 1,
                "level": "ERROR",
                "service": "bot",
                "logger": "bot.app",
                "message": f"bad {secret}",
                "data_json": f'{{"url": "{secret}"}}',
            }
        ]
    )
    running.settings = running.settings.model_copy(
        update={"secrets": Secrets(portal_token=SecretStr(secret))}
    )
    [line] = await CockpitDesk(running, None).logs(5, "WARNING")
    assert (line.message, line.facts) == ("bad [redacted]", (("url", "[redacted]"),))


async def test_the_page_s_address_is_the_public_one_where_it_is_set(running: Running) -> None:
    assert CockpitDesk(running, None).web_address().url == "http://127.0.0.1:8080"
    for given, told in (("bot.example.org", "https://bot.example.org"), ("http://x/", "http://x/")):
        web = WebSection(public_url=given)
        running.settings = running.settings.model_copy(update={"web": web})
        address = CockpitDesk(running, None).web_address()
        assert (address.url, address.is_public) == (told, True)


async def test_watched_markets_are_searched(running: Running) -> None:
    cockpit = CockpitDesk(running, trading(led()))
    assert [one.ticker for one in (await cockpit.markets("kxfed", 5)).found] == [TICKER]
    assert (await CockpitDesk(running, None).markets("", 5)).watched == 0


async def test_a_market_we_keep_the_book_of_is_told_from_it(running: Running) -> None:
    engine = led()
    engine.quote(9_500, 9_600)
    desk, book = trading(engine), OrderBook(TICKER, lambda *_: None)
    bids = (BookLevel(Price(9_500), Quantity(300)), BookLevel(Price(9_400), Quantity(200)))
    asks = (BookLevel(Price(9_600), Quantity(50)),)
    book.apply_snapshot(BookSnapshot(ticker=TICKER, bids=bids, asks=asks, received_us=1))
    cast(Any, desk.monitor).books[TICKER] = book
    view = await CockpitDesk(running, desk).market(TICKER)
    assert view is not None
    assert (view.bid, view.ask, view.bid_size, view.ask_size) == (9_500, 9_600, 300, 50)
    assert (view.bid_depth, view.ask_depth) == (500, 50)
    assert (view.is_trusted, view.is_watched, view.position) == (True, True, None)


@pytest.mark.parametrize("status", [404, 400])
async def test_a_market_the_exchange_does_not_know_is_told_from_one_it_refuses(
    sqlite_url: str, tmp_path: Path, status: int
) -> None:
    body = '{"error": {"code": "not_found", "message": "no such market"}}'
    async with scripted_server() as server:
        server.script = [answer(body, status=status)]
        exchange = ExchangeSection(rest_url=server.base_url, retries=1)
        async with (
            running_at(sqlite_url, tmp_path, exchange=exchange) as running,
            running.parts.exchange.open(),
        ):
            cockpit = CockpitDesk(running, None)
            if status == 404:
                assert await cockpit.market(MarketTicker("NOPE")) is None
            else:
                with pytest.raises(RequestRefused):
                    await cockpit.market(MarketTicker("NOPE"))
            assert (await cockpit.ping()).exchange_us is None


async def test_without_anything_there_is_a_reason_instead_of_a_picture(running: Running) -> None:
    cockpit = CockpitDesk(running, None)
    for chart in Chart:
        assert isinstance(await cockpit.chart(chart, BERLIN), NotDrawn), chart


async def test_pictures_are_drawn_beside_the_process_and_lie_where_files_of_the_chat_do(
    running: Running, tmp_path: Path
) -> None:
    now_us = running.clock.now_us()
    await stored(
        running,
        won("b1", now_us - 3 * HOUR_US),
        won("b2", now_us - 2 * HOUR_US, -40_000),
        *(snapshot(now_us - hour * HOUR_US, 1_000_000) for hour in range(5)),
    )
    cockpit = CockpitDesk(running, trading(led()))
    for chart in (Chart.DRAWDOWN, Chart.FUNNEL, Chart.PNL):
        drawn = await cockpit.chart(chart, BERLIN)
        assert isinstance(drawn, Drawn), drawn
        content = await asyncio.to_thread(Path(drawn.path).read_bytes)
        assert content.startswith(b"\x89PNG")
        assert Path(drawn.path).parent == tmp_path / "reports" / "chat"
    assert drawn.text == "<b>P&amp;L: +$0.06</b>\n2 closed trades, 1 with a gain"


async def test_a_directory_that_cannot_be_written_is_said(running: Running, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    await stored(running, won("b1", running.clock.now_us()))
    drawn = await CockpitDesk(running, None).chart(Chart.PNL, BERLIN)
    assert isinstance(drawn, NotDrawn)


def test_a_curve_is_made_of_results_and_not_of_what_was_paid_in() -> None:
    trades = [replace_closed(at_us=10, profit=2_000_000), replace_closed(at_us=30, profit=-500_000)]
    account = [
        AccountPoint(at_us, Money(equity), Money(unrealized))
        for at_us, equity, unrealized in ((5, 10**9, 0), (20, 10**12, 250_000), (40, 10**12, 0))
    ]
    closed, marked = curves(trades, account, now_us=50)
    assert marked == (Point(5, 0.0), Point(20, 2.25), Point(40, 1.5))
    assert closed == (Point(5, 0.0), Point(10, 2.0), Point(30, 1.5), Point(50, 1.5))
    assert depths(marked) == (-0.75, -0.75)
    assert curves([], [], 1) == ((), ())


def replace_closed(*, at_us: int, profit: int) -> Any:
    view = replace(WON, closed_us=at_us, profit=Money(profit))
    return SimpleNamespace(view=view, bracket_id="b", cost=Money(1))


def test_a_funnel_of_many_reasons_keeps_its_largest_and_its_end() -> None:
    stages = [FunnelStage(name="seen", left=100)]
    stages += [FunnelStage(name=f"without reason_{n}", left=99 - n) for n in range(20)]
    bars = funnel_bars(stages)
    assert len(bars) == 13
    assert (bars[1].name, bars[1].left, bars[1].taken) == ("reason 0", 99, 1)
    assert (bars[-1].name, bars[-1].left, bars[-1].taken) == ("9 further reasons", 80, 9)
    assert sum(one.taken for one in bars) == 20
    assert funnel_bars(stages[:1])[0].left == 100


def test_no_s_prices_are_what_is_left_of_yes_s() -> None:
    prices = [PricePoint(1, Price(9_000), Price(9_300)), PricePoint(2, None, Price(9_500))]
    bids, asks = sides(prices, is_yes=False)
    assert [round(one.value, 4) for one in bids if one.value] == [0.07, 0.05]
    assert [one.value for one in asks] == [0.1, None]


async def test_a_market_s_picture_shows_our_side_with_its_levels(running: Running) -> None:
    desk = led()
    desk.bought(10_00)
    drawn = await CockpitDesk(running, trading(desk)).market_chart(TICKER, BERLIN)
    assert isinstance(drawn, Drawn)
    assert drawn.text.startswith("<b>Title of KXFED-26DEC-T3.75")
    unknown = await CockpitDesk(running, None).market_chart(MarketTicker("NOPE"), BERLIN)
    assert isinstance(unknown, NotDrawn)
    assert "NOPE" in unknown.why
