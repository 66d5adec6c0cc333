"""Breakers, days and snapshots as the engine keeps them."""

from dataclasses import replace

import pytest

from bot.domain.events import (
    ApiCallsCounted,
    BooksDistrusted,
    ClockCompared,
    ExchangeRead,
    MarketPhaseChanged,
    OrderAcknowledged,
    OrderGroupTripped,
    OrderRefused,
    QuoteChanged,
)
from bot.domain.ids import MarketTicker, OrderGroupId
from bot.domain.market import MarketStatus
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import OrderAck
from bot.domain.quotes import Quote
from bot.domain.records import SnapshotRecord
from bot.domain.tradingday import day_start_us, trading_day
from bot.engine.effects import NoticeKind
from bot.engine.settings import EngineSettings
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from bot.risk.limits import RiskLimits
from bot.risk.readings import BreakerLimits
from tests.support.trading import CASH, START_US, TICKER, Desk, Eager, Store

BIG = EngineSettings(
    limits=RiskLimits(
        order_cost_max_e6=10_000_000_000,
        market_max_bp=4_000,
        event_max_bp=4_000,
        series_max_bp=4_000,
        release_group_max_bp=4_000,
        total_max_bp=5_000,
        kelly_fraction_bp=10_000,
        depth_share_max_bp=10_000,
    )
)


def leading(**options: object) -> Desk:
    desk = Desk(**options)  # type: ignore[arg-type]
    desk.lead()
    return desk


def tripped(desk: Desk) -> list[str]:
    return [state.name for state in desk.engine.world.stance.breakers if state.is_tripped]


def alive(desk: Desk, seconds: int) -> None:
    """Time passes while the stream is heard."""
    for _ in range(seconds):
        desk.engine.world.feed.last_frame_us = desk.now_us
        desk.wait(1)


def test_the_baseline_is_the_equity_of_the_first_moment_of_the_day() -> None:
    desk = leading()
    day = trading_day(START_US)
    assert desk.store.baseline is not None
    assert (desk.store.baseline.trading_day, desk.store.baseline.equity) == (day, CASH)
    desk.cash = Money(CASH + 5_000_000)
    desk.now_us = day_start_us(day) + DAY_US + 6 * HOUR_US
    desk.read()
    assert desk.store.baseline.trading_day > day
    desk.read()
    assert desk.store.baseline.equity == CASH + 5_000_000


def test_after_a_night_down_the_baseline_is_the_last_snapshot_before_midnight() -> None:
    store = Store()
    store.snapshots.append(
        SnapshotRecord(
            taken_us=day_start_us(trading_day(START_US)) - HOUR_US,
            cash=CASH,
            equity=Money(11_000_000_000),
            exposure=Money(0),
            realized_today=Money(0),
            unrealized=Money(0),
            open_positions=0,
            trades_today=0,
            wins_today=0,
            losses_today=0,
            stopped_by="",
        )
    )
    desk = leading(store=store)
    assert desk.store.baseline is not None
    assert desk.store.baseline.equity == 11_000_000_000
    alive(desk, 31)
    assert "daily_loss" in tripped(desk), "the loss of the night counts"


def test_a_withdrawal_is_no_loss() -> None:
    desk = leading()
    desk.cash = Money(CASH // 2)
    desk.read()
    assert desk.engine.world.ledger.unexplained == CASH // 2 - CASH
    alive(desk, 40)
    assert tripped(desk) == [], "not judged before it is understood"
    desk.read()
    alive(desk, 40)
    assert tripped(desk) == []
    assert desk.store.baseline is not None
    assert desk.store.baseline.equity == CASH // 2
    after = Desk(store=desk.store, epoch=2, now_us=desk.now_us)
    after.cash = desk.cash
    after.lead()
    alive(after, 40)
    assert tripped(after) == [], "the highest equity is remembered as corrected"


def test_a_deposit_hides_no_loss() -> None:
    desk = leading(settings=BIG, strategies=(Eager(stop_below=5_000),))
    desk.bought()
    desk.accept()
    desk.cash = Money(desk.cash + CASH)
    desk.read()
    desk.quote(7_000)
    alive(desk, 31)
    assert "daily_loss" in tripped(desk), "not even before a second read confirms it"
    desk.read()
    assert desk.store.baseline is not None
    assert desk.store.baseline.equity == 2 * CASH


def test_a_deposit_while_nobody_led_is_found_by_the_cash_of_the_last_snapshot() -> None:
    desk = leading()
    alive(desk, 1)
    after = Desk(store=desk.store, epoch=2, now_us=desk.now_us + HOUR_US)
    after.cash = Money(CASH * 2)
    after.lead()
    alive(after, 10)
    assert after.is_asking()
    after.read()
    assert after.store.baseline is not None
    assert after.store.baseline.equity == CASH * 2


def test_fills_and_what_resting_orders_set_aside_are_no_transfers() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    set_aside = Money(intent.price * intent.quantity)
    for _ in range(3):
        truth = desk.truth()
        balance = replace(truth.balance, cash=Money(desk.cash - set_aside))
        truth = replace(truth, balance=balance)
        desk.put(ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=truth))
        alive(desk, 10)
    desk.execute(intent, intent.quantity)
    for _ in range(3):
        desk.read()
        alive(desk, 10)
    assert desk.store.baseline is not None
    assert (desk.store.baseline.equity, desk.engine.world.ledger.unexplained) == (CASH, 0)


def test_cash_that_went_into_an_adopted_position_is_no_withdrawal() -> None:
    desk = leading()
    desk.foreign_positions[MarketTicker(TICKER)] = 1_000
    desk.cash = Money(CASH - 1_000 * 9_500)
    for _ in range(4):
        desk.read()
        alive(desk, 10)
    assert desk.store.baseline is not None
    assert desk.store.baseline.equity == CASH


def test_a_loss_on_paper_trips_after_lasting_and_cancels_what_rests() -> None:
    other = "KXCPI-26DEC-T0.3"
    desk = leading(settings=BIG, strategies=(Eager(stop_below=5_000),))
    desk.list_markets(other)
    desk.bought()
    desk.accept()
    desk.quote(ticker=other)
    entry = desk.accept()
    held = sum(position.cost for position in desk.engine.world.ledger.open_positions())
    assert held * 100 > CASH * 39
    desk.quote(8_100)
    alive(desk, 29)
    assert tripped(desk) == []
    alive(desk, 2)
    assert "daily_loss" in tripped(desk)
    desk.answer_cancels()
    assert not desk.venue[entry.client_order_id].is_open
    assert desk.position() > 0, "positions stay"


def test_a_realised_loss_trips_at_once() -> None:
    desk = leading(settings=BIG)
    desk.bought()
    desk.accept()
    desk.quote(7_000, 7_100)
    desk.answer_cancels()
    desk.accept()
    assert desk.position() == 0
    assert "daily_loss" in tripped(desk)
    assert desk.store.breakers["daily_loss"].tripped
    assert desk.triggers == 1


def test_the_error_rate_counts_within_its_window_only() -> None:
    desk = leading()
    desk.put(ApiCallsCounted(received_us=desk.now_us, calls=100, failed=9))
    assert tripped(desk) == []
    alive(desk, 300)
    desk.put(ApiCallsCounted(received_us=desk.now_us, calls=20, failed=1))
    assert tripped(desk) == [], "the nine are forgotten"
    desk.put(ApiCallsCounted(received_us=desk.now_us, calls=10, failed=2))
    assert tripped(desk) == ["api_error_rate"]


def test_a_skewed_clock_and_a_tripped_group_stop_entries() -> None:
    desk = leading()
    desk.put(ClockCompared(received_us=desk.now_us, skew_us=2 * SECOND_US))
    assert tripped(desk) == ["clock_skew"]
    desk = leading()
    desk.put(OrderGroupTripped(received_us=desk.now_us, order_group_id=OrderGroupId("g")))
    assert tripped(desk) == ["order_group"]


def test_five_refusals_in_a_row_trip_and_post_only_crosses_do_not_count() -> None:
    desk = leading()
    for reason in ("post only cross", *["insufficient_balance"] * 4):
        desk.quote()
        intent = desk.outgoing.pop()
        desk.put(
            OrderRefused(
                received_us=desk.now_us,
                client_order_id=intent.client_order_id,
                code="invalid_order",
                reason=reason,
            )
        )
    assert tripped(desk) == []
    desk.quote()
    intent = desk.outgoing.pop()
    desk.put(
        OrderRefused(
            received_us=desk.now_us,
            client_order_id=intent.client_order_id,
            code="insufficient_balance",
            reason="",
        )
    )
    assert tripped(desk) == ["rejected_orders"]


def test_an_accepted_order_ends_the_row_of_refusals() -> None:
    desk = leading()
    desk.engine.world.rejections = 4
    desk.quote()
    intent = desk.outgoing.pop()
    ack = OrderAck(
        order_id="v",
        client_order_id=intent.client_order_id,
        filled=0,
        remaining=intent.quantity,
        acknowledged_us=0,
    )
    desk.put(OrderAcknowledged(received_us=desk.now_us, ack=ack))
    assert desk.engine.world.rejections == 0


def test_unclean_take_overs_add_up_over_leaderships() -> None:
    store, now_us = Store(), START_US
    for epoch in range(1, 5):
        desk = Desk(store=store, epoch=epoch, now_us=now_us)
        desk.lead(is_clean=False)
        now_us += MINUTE_US
    assert tripped(desk) == ["flapping"]
    clean = Desk(store=Store(), epoch=9)
    clean.lead()
    assert tripped(clean) == []


def test_a_snapshot_says_what_stops_trading() -> None:
    desk = leading()
    alive(desk, 1)
    assert desk.store.snapshots[-1].stopped_by == ""
    desk.put(ClockCompared(received_us=desk.now_us, skew_us=9 * SECOND_US))
    alive(desk, 301)
    assert desk.store.snapshots[-1].stopped_by == "tripped clock_skew"
    assert len(desk.store.snapshots) == 2


def test_the_account_is_read_regularly_while_leading() -> None:
    desk = leading()
    asked = 0
    for _ in range(120):
        alive(desk, 1)
        asked += desk.is_asking()
    assert asked == 2


@pytest.mark.parametrize("seconds", [14, 15])
def test_never_connected_counts_as_silence_from_the_start(seconds: int) -> None:
    desk = leading()
    desk.wait(seconds)
    assert tripped(desk) == (["websocket_silence"] if seconds >= 15 else [])
    told = desk.told_of(NoticeKind.BREAKER_TRIPPED)
    assert all("websocket" in one["reason"] for one in told)


def test_books_that_stay_distrusted_for_a_minute_stop_entries() -> None:
    desk = leading()
    desk.list_markets(*(f"KXCPI-26DEC-T{number}" for number in range(4)))
    alive(desk, 60)
    assert tripped(desk) == []
    alive(desk, 2)
    assert tripped(desk) == ["stale_books"]
    assert not any(isinstance(event, QuoteChanged) for event, _ in desk.journal)


def half_in(other: str = "KXCPI-26DEC-T0.3") -> Desk:
    """Two positions, each a large part of the account."""
    desk = leading(settings=BIG, strategies=(Eager(stop_below=5_000),))
    desk.list_markets(other)
    desk.bought()
    desk.accept()
    desk.quote(ticker=other)
    intent = desk.accept()
    desk.execute(intent, intent.quantity)
    return desk


def test_a_closed_market_that_waits_for_its_settlement_does_not_hide_a_loss_elsewhere() -> None:
    desk = half_in()
    desk.list_markets("KXCPI-26DEC-T0.3", close_us=desk.now_us)
    desk.quote(7_000)
    alive(desk, 31)
    assert "daily_loss" in tripped(desk)


def test_a_distrusted_book_does_not_hide_a_loss_elsewhere() -> None:
    desk = half_in()
    other = (MarketTicker("KXCPI-26DEC-T0.3"),)
    desk.put(BooksDistrusted(received_us=desk.now_us, tickers=other, reason="gap"))
    desk.quote(7_000)
    alive(desk, 31)
    assert "daily_loss" in tripped(desk)


def test_a_book_that_empties_at_the_close_is_no_loss_and_its_result_is() -> None:
    desk = half_in()
    desk.list_markets(TICKER, close_us=desk.now_us)
    emptied = Quote(
        ticker=TICKER,
        bid=None,
        ask=None,
        bid_size=Quantity(0),
        ask_size=Quantity(0),
        received_us=desk.now_us,
    )
    desk.put(QuoteChanged(received_us=desk.now_us, quote=emptied))
    alive(desk, 31)
    assert tripped(desk) == []
    desk.put(
        MarketPhaseChanged(
            received_us=desk.now_us,
            ticker=TICKER,
            status=MarketStatus.DETERMINED,
            close_us=None,
            value=Price(0),
        )
    )
    alive(desk, 31)
    assert "daily_loss" in tripped(desk)


def test_a_baseline_is_set_at_midnight_while_a_market_waits_for_its_settlement() -> None:
    desk = half_in()
    desk.list_markets(TICKER, close_us=desk.now_us)
    day = trading_day(START_US)
    desk.now_us = day_start_us(day) + DAY_US + 6 * HOUR_US
    desk.read()
    assert desk.store.baseline is not None
    assert desk.store.baseline.trading_day > day


def test_a_restart_after_midnight_with_a_position_measures_from_before_midnight() -> None:
    before = half_in()
    alive(before, 301)
    last = before.store.snapshots[-1]
    desk = Desk(
        settings=BIG,
        strategies=(Eager(stop_below=5_000),),
        store=before.store,
        venue=before.venue,
        epoch=2,
        now_us=day_start_us(trading_day(START_US)) + DAY_US + 6 * HOUR_US,
    )
    desk.fills, desk.cash, desk.positions = before.fills, before.cash, before.positions
    desk.told = len(before.fills)
    desk.lead()
    alive(desk, 1)
    assert before.store.snapshots[-1] == last, "no snapshot before the books have come"
    desk.list_markets(TICKER, "KXCPI-26DEC-T0.3", close_us=desk.now_us + HOUR_US, volume=1)
    desk.quote(7_000)
    desk.quote(7_000, ticker="KXCPI-26DEC-T0.3")
    alive(desk, 31)
    assert desk.store.baseline is not None
    assert desk.store.baseline.equity == last.equity
    assert "daily_loss" in tripped(desk)


def test_what_a_killed_leader_had_in_flight_counts_only_when_it_cannot_be_looked_up() -> None:
    limits = BreakerLimits(unknown_orders_max=1)
    killed = leading(settings=EngineSettings(breakers=limits))
    killed.quote()
    assert len(killed.outgoing) == 1
    heir = Desk(EngineSettings(breakers=limits), store=killed.store, epoch=2, now_us=killed.now_us)
    heir.lead(is_clean=False)
    alive(heir, 30)
    assert heir.engine.world.desk.unknown_orders() == 1
    assert tripped(heir) == []
    alive(heir, 40)
    assert tripped(heir) == ["unknown_orders"]
