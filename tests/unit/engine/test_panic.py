"""Getting out of everything: through kills, one-sided books, pauses, and beside a person."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.events import (
    CloseCommanded,
    ExchangeStatusRead,
    OrderOutcomeUnknown,
    PanicCommanded,
    QuoteChanged,
    Role,
    StateLoaded,
    UnhaltCommanded,
)
from bot.domain.ids import ClientOrderId, MarketTicker, OrderId
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide, Order, OrderStatus, TimeInForce
from bot.domain.quotes import Quote
from bot.engine.effects import CancelOrder, NoticeKind
from bot.kit.times import HOUR_US
from tests.support.trading import TICKER, Desk, Eager

OTHER = "KXCPI-26DEC-T3.0"


def leading(side: BookSide = BookSide.BID) -> Desk:
    desk = Desk(strategies=(Eager(side),))
    desk.lead()
    return desk


def panic(desk: Desk, *, is_everything: bool = False, number: int = 7) -> str:
    desk.put(
        PanicCommanded(
            received_us=desk.now_us, command_id=number, actor="ann", is_everything=is_everything
        )
    )
    return desk.replies[-1].text


def settle_down(desk: Desk, *, seconds: int = 30, liquidity: int = 10**9, bid: int = 9_400) -> None:
    """The exchange answers everything for a while; the account is read when asked for."""
    for _ in range(seconds):
        if not desk.engine.world.stance.is_halt_saved:
            desk.save_halt()
        while desk.outgoing:
            desk.accept(liquidity=liquidity)
        desk.answer_cancels()
        desk.answer_lookups()
        desk.wait(1)
        if desk.is_asking():
            desk.read()
        desk.quote(bid)


def successor(desk: Desk) -> Desk:
    """The process is gone; another one leads on the same store and exchange."""
    after = Desk(
        desk.settings,
        strategies=(Eager(),),
        store=desk.store,
        venue=desk.venue,
        epoch=desk.epoch + 1,
        now_us=desk.now_us + 20_000_000,
    )
    after.fills, after.positions, after.cash = desk.fills, desk.positions, desk.cash
    after.foreign_positions = desk.foreign_positions
    after.told = len(desk.fills)
    after.lead(is_clean=False)
    return after


@pytest.mark.parametrize("side", list(BookSide))
def test_a_panic_halts_cancels_sells_and_has_the_exchange_prove_it(side: BookSide) -> None:
    desk = leading(side)
    desk.bought()
    desk.accept()  # the take-profit rests
    assert desk.position()
    assert panic(desk) == "halted, leaving 1 positions and entries"
    assert desk.triggers == 1
    settle_down(desk)
    assert desk.position() == 0
    assert not [order for order in desk.venue.values() if order.is_open]
    [ended] = desk.told_of(NoticeKind.PANIC_ENDED)
    assert ended["outcome"] == "flat: the exchange states no position and no resting order"
    stored = desk.store.breakers["panic"]
    assert not stored.tripped
    assert stored.reason == ended["outcome"]
    entries = len(desk.entries())
    settle_down(desk, bid=9_500)
    assert len(desk.entries()) == entries, "no entry after a halt"


def test_a_resting_entry_is_cancelled_and_what_it_still_bought_is_sold() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    panic(desk)
    desk.execute(intent, 300)
    settle_down(desk)
    assert desk.position() == 0
    assert len(desk.told_of(NoticeKind.PANIC_ENDED)) == 1


def test_a_thin_book_takes_several_rounds_each_a_little_cheaper_and_bounded() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    panic(desk)
    settle_down(desk, seconds=40, liquidity=500)
    sales = [one for one in desk.store.intents.values() if one.reduce_only]
    assert len(sales) > 3
    assert all(one.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL for one in sales)
    prices = [one.price for one in sales]
    assert prices == sorted(prices, reverse=True)
    assert min(prices) >= 9_400 - desk.settings.rules.exit_slack_max_e4
    assert min(prices) < max(prices)


def test_a_book_without_bids_is_told_and_left_until_somebody_bids() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    one_sided(desk)
    panic(desk)
    one_sided(desk)
    desk.wait(3)
    assert desk.told_of(NoticeKind.PANIC_WAITS) == ({"why": f"{TICKER}: nobody bids for it"},)
    assert not desk.outgoing
    settle_down(desk)
    assert desk.position() == 0
    assert len(desk.told_of(NoticeKind.PANIC_ENDED)) == 1


def one_sided(desk: Desk) -> None:
    desk.now_us += 1_000
    quote = Quote(
        ticker=TICKER,
        bid=None,
        ask=Price(9_600),
        bid_size=Quantity(0),
        ask_size=Quantity(100),
        received_us=desk.now_us,
    )
    desk.put(QuoteChanged(received_us=desk.now_us, quote=quote))


def pause(desk: Desk, *, is_paused: bool) -> None:
    desk.put(
        ExchangeStatusRead(
            received_us=desk.now_us,
            is_exchange_active=True,
            is_trading_active=not is_paused,
            resume_us=None,
        )
    )


def test_a_pause_of_the_exchange_is_told_and_waited_out() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    pause(desk, is_paused=True)
    panic(desk)
    settle_down(desk, seconds=10)
    assert desk.position()
    [told] = desk.told_of(NoticeKind.PANIC_WAITS)
    assert told["why"] == "the exchange is paused; it goes on when it opens"
    pause(desk, is_paused=False)
    settle_down(desk)
    assert desk.position() == 0


def test_a_market_that_has_closed_is_named_and_does_not_hold_up_the_end() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    held = desk.position()
    for order in desk.venue.values():
        order.is_open = False  # the venue cancels what rests in a closed market
    desk.now_us += 6 * HOUR_US
    panic(desk)
    settle_down(desk, seconds=60)
    assert desk.position() == held
    [ended] = desk.told_of(NoticeKind.PANIC_ENDED)
    assert ended["outcome"] == f"still there: {held / 100:.2f} in {TICKER}"
    assert '"is_clean": false' in desk.store.breakers["panic"].data_json


def test_what_a_person_holds_is_left_alone_and_named() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.foreign_positions[MarketTicker(OTHER)] = 500
    desk.read()
    desk.wait(11)
    desk.read()
    desk.venue[ClientOrderId("app")] = PersonsOrder()  # type: ignore[assignment]
    panic(desk)
    settle_down(desk)
    assert desk.position() == 0
    [ended] = desk.told_of(NoticeKind.PANIC_ENDED)
    assert ended["outcome"] == (
        f"nothing of ours is left; not ours, left alone: resting order in {OTHER}, 5.00 in {OTHER}"
    )
    assert desk.venue[ClientOrderId("app")].is_open


class PersonsOrder:
    """An order that was placed in the app."""

    def __init__(self) -> None:
        self.is_open = True
        self.filled = 0

    def listed(self) -> Order:
        status = OrderStatus.RESTING if self.is_open else OrderStatus.CANCELED
        return Order(
            order_id=OrderId("app-1"),
            client_order_id=None,
            ticker=MarketTicker(OTHER),
            exchange_index=0,
            side=BookSide.BID,
            status=status,
            price=Price(5_000),
            initial=Quantity(100),
            filled=Quantity(0),
            remaining=Quantity(100 if self.is_open else 0),
            order_group_id=None,
            created_us=1,
            updated_us=1,
        )


def test_everything_takes_a_persons_orders_and_positions_as_well() -> None:
    desk = leading()
    desk.list_markets(OTHER)
    order = PersonsOrder()
    desk.venue[ClientOrderId("app")] = order  # type: ignore[assignment]
    desk.foreign_positions[MarketTicker(OTHER)] = -500
    desk.read()
    desk.wait(11)
    desk.read()
    assert desk.engine.world.ledger.position(MarketTicker(OTHER)).quantity == -500
    panic(desk, is_everything=True)
    desk.save_halt()
    for _ in range(30):
        for _, effects in desk.journal:
            if any(isinstance(one, CancelOrder) and one.order_id == "app-1" for one in effects):
                order.is_open = False
        while desk.outgoing:
            intent = desk.accept()
            assert intent.side is BookSide.BID, "NO contracts are sold by buying YES"
            assert intent.reduce_only
            desk.positions[MarketTicker(OTHER)] = 0
            desk.foreign_positions[MarketTicker(OTHER)] += intent.quantity
        desk.wait(1)
        if desk.is_asking():
            desk.read()
        desk.quote(5_000, ticker=OTHER)
    assert desk.foreign_positions[MarketTicker(OTHER)] == 0
    assert not order.is_open
    [ended] = desk.told_of(NoticeKind.PANIC_ENDED)
    assert ended["outcome"].startswith("flat:")


def test_the_end_of_the_halt_gives_the_panic_up() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    one_sided(desk)
    panic(desk)
    desk.save_halt()
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=8, actor="ann"))
    desk.save_halt()
    assert desk.store.breakers["panic"].reason == "given up: the halt was ended"


def test_a_second_panic_is_the_same_one() -> None:
    desk = leading()
    desk.bought()
    panic(desk)
    assert panic(desk, number=8).startswith("already under way; halted")
    assert len(desk.told_of(NoticeKind.PANIC_BEGUN)) == 1
    assert panic(desk, number=8) == "done before"


def test_an_order_to_close_is_not_held_by_the_floor_of_a_take_profit() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.answer_cancels()
    # The target is crossed: the profit is to be taken at once, but not below it.
    desk.put(CloseCommanded(received_us=desk.now_us, command_id=3, actor="ann", ticker=TICKER))
    settle_down(desk, bid=5_000)
    assert desk.position() == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), side=st.sampled_from(list(BookSide)))
def test_killed_anywhere_it_ends_flat_and_never_crosses_zero(seed: int, side: BookSide) -> None:
    random = Random(seed)
    desk = leading(side)
    desk.quote()
    entry = desk.accept()
    desk.execute(entry, random.choice([100, 300, entry.quantity]))
    if random.random() < 0.5 and desk.outgoing:
        desk.accept()
    sign = 1 if desk.position() > 0 else -1
    panic(desk)
    if random.random() < 0.5:  # else the process dies before the halt is saved
        desk.save_halt()
    for _ in range(random.randrange(1, 60)):
        _happen(desk, random)
        assert desk.position() * sign >= 0, "the position never changes sign"
        if random.random() < 0.05:
            desk = successor(desk)
    desk = successor(desk)
    settle_down(desk, seconds=60)
    assert desk.position() == 0
    assert not [order for order in desk.venue.values() if order.is_open]
    assert desk.store.breakers["panic"].reason.startswith("flat:")
    assert desk.engine.world.stance.halt is not None
    assert desk.engine.world.stance.halt.halted
    assert desk.engine.world.stance.role is Role.LEADING


def _happen(desk: Desk, random: Random) -> None:
    """One thing goes on in the world: an answer, a fill, a quote, a second."""
    random.choice((_answer, _lose_the_answer, _cancels, _fill, _quote, _second))(desk, random)


def _answer(desk: Desk, random: Random) -> None:
    if desk.outgoing:
        desk.accept(liquidity=random.choice([0, 100, 10**9]))


def _cancels(desk: Desk, random: Random) -> None:
    desk.answer_cancels()
    if random.random() < 0.5:
        desk.answer_lookups()


def _fill(desk: Desk, random: Random) -> None:
    resting = [one for one in desk.venue.values() if one.is_open]
    if resting:
        order = random.choice(resting)
        left = order.intent.quantity - order.filled
        is_told = random.random() < 0.7
        desk.execute(order.intent, max(1, left // random.choice([1, 2])), tell=is_told)


def _quote(desk: Desk, random: Random) -> None:
    own = random.choice([9_300, 9_400, 9_900])
    desk.quote(own if desk.position() >= 0 else PAYOUT - own - 100)


def _second(desk: Desk, random: Random) -> None:
    desk.wait(random.choice([1, 1, 5]))
    if desk.is_asking():
        desk.read()


def _lose_the_answer(desk: Desk, random: Random) -> None:
    """An order leaves and nobody hears what became of it; it may have arrived."""
    if not desk.outgoing:
        return
    intent = desk.outgoing.pop(0)
    if random.random() < 0.6:
        order = desk.arrive(intent)
        if intent.reduce_only:
            desk.execute(intent, random.choice([0, intent.quantity]), tell=False)
            order.is_open = False
    desk.put(
        OrderOutcomeUnknown(
            received_us=desk.now_us, client_order_id=intent.client_order_id, reason="lost"
        )
    )


def test_a_panic_given_while_taking_over_is_not_forgotten_for_an_older_one() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    panic(desk)
    settle_down(desk)  # over
    desk.save_halt()
    after = Desk(store=desk.store, venue=desk.venue, epoch=2, now_us=desk.now_us + 60_000_000)
    after.fills, after.positions, after.told = desk.fills, desk.positions, desk.told
    after.role(Role.ACTIVATING)
    read = desk.store.state()  # before the command
    panic(after, number=8)
    after.put(StateLoaded(received_us=after.now_us, state=read))
    after.list_markets(TICKER)
    after.read()
    after.role(Role.LEADING)
    assert after.engine.world.panic is not None
    assert after.engine.world.panic.started_us > desk.now_us
    settle_down(after)
    assert len(after.told_of(NoticeKind.PANIC_ENDED)) == 2
