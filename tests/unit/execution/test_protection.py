"""Brackets under every order of events: protected, never over-closed, always finished."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    EventTicker,
    MarketTicker,
    SignalId,
    StrategyId,
)
from bot.domain.market import CENT_GRID
from bot.domain.money import PAYOUT, Price, Quantity
from bot.domain.orders import BookSide, Fill, OrderIntent, Purpose, TimeInForce
from bot.domain.quotes import Quote
from bot.domain.records import BracketState, ExitReason
from bot.execution import order_state
from bot.execution.actions import Action, Alarm, Cancel, FetchFills, LookUp, Place
from bot.execution.bracket import (
    Bracket,
    Plan,
    leaving,
    opened,
    with_fill,
    with_order,
    with_outside_exit,
    with_settlement,
)
from bot.execution.bracket_json import from_json, to_json
from bot.execution.protection import Situation, decide
from bot.execution.rules import BracketRules
from bot.kit.times import HOUR_US, SECOND_US
from tests.fakes.one_market_venue import VenueModel

TICKER = MarketTicker("KXFED-26DEC-T3.75")
RULES = BracketRules()
CLOSE_US = 4 * HOUR_US
WANTED = 1_000


def own(side: BookSide, price: int) -> Price:
    return Price(price if side is BookSide.BID else PAYOUT - price)


class Driver:
    """One bracket against one small exchange; the test decides what arrives and when."""

    def __init__(
        self, side: BookSide = BookSide.BID, *, stop: int = 8_500, rules: BracketRules = RULES
    ) -> None:
        self.side = side
        self.rules = rules
        self.release_us: int | None = None
        self.now_us = SECOND_US
        self.venue = VenueModel()
        self.bid = 9_500
        self.spread = 100
        self.liquidity = WANTED
        self.is_trusted = True
        self.is_open = True
        self.may_exit = True
        self.may_enter = True
        self.actions: list[Action] = []
        self.sends: list[OrderIntent] = []
        self.answers: list[object] = []
        self.cancels: list[Cancel] = []
        self.delivered = 0
        self.quotes = 0
        plan = Plan(
            bracket_id=BracketId("s1"),
            signal_id=SignalId("s1"),
            strategy_id=StrategyId("test"),
            ticker=TICKER,
            event_ticker=EventTicker("KXFED-26DEC"),
            title="t",
            exchange_index=0,
            side=side,
            entry_price=own(side, 9_500),
            stop_price=own(side, stop),
            target_price=own(side, 9_900),
            wanted=Quantity(WANTED),
            opened_us=self.now_us,
        )
        entry = OrderIntent(
            client_order_id=ClientOrderId("s1-e0"),
            epoch=Epoch(1),
            strategy_id=plan.strategy_id,
            signal_id=plan.signal_id,
            bracket_id=plan.bracket_id,
            purpose=Purpose.ENTRY,
            ticker=TICKER,
            exchange_index=0,
            side=side,
            price=plan.entry_price,
            quantity=Quantity(WANTED),
            time_in_force=TimeInForce.GOOD_TILL_CANCELED,
            post_only=True,
            reduce_only=False,
            expires_us=self.now_us + HOUR_US,
            decided_us=self.now_us,
        )
        self.bracket: Bracket = opened(plan, order_state.submitted(entry))
        self.sends.append(entry)

    # --- the world --------------------------------------------------------------------------

    @property
    def held_at_venue(self) -> int:
        return self.venue.position if self.side is BookSide.BID else -self.venue.position

    def quote(self) -> Quote:
        bid, ask = self.bid, min(self.bid + self.spread, 9_999)
        if self.side is BookSide.ASK:
            bid, ask = PAYOUT - ask, PAYOUT - bid
        return Quote(
            ticker=TICKER,
            bid=Price(bid),
            ask=Price(ask),
            bid_size=Quantity(10_000),
            ask_size=Quantity(10_000),
            received_us=self.quotes,
        )

    def situation(self) -> Situation:
        return Situation(
            now_us=self.now_us,
            epoch=Epoch(1),
            grid=CENT_GRID,
            close_us=CLOSE_US,
            release_us=self.release_us,
            is_open=self.is_open,
            quote=self.quote() if self.is_trusted else None,
            may_enter=self.may_enter,
            may_exit=self.may_exit,
        )

    def step(self) -> None:
        """Decide until nothing new is wanted, and check what must always hold."""
        for _ in range(6):
            after, actions = decide(self.bracket, self.situation(), self.rules)
            self.actions += actions
            for action in actions:
                self._take(action, after)
            if after == self.bracket and not actions:
                return
            self.bracket = after
        raise AssertionError("the bracket does not come to rest")

    def _take(self, action: Action, after: Bracket) -> None:
        if isinstance(action, Place):
            intent = action.intent
            assert intent.quantity <= after.held, "an exit is never larger than what is held"
            assert intent.side is self.side.opposite
            assert CENT_GRID.accepts(intent.price)
            is_resting = intent.time_in_force is TimeInForce.GOOD_TILL_CANCELED
            assert intent.reduce_only is not is_resting
            assert intent.post_only is is_resting
            out = sum(order.remaining for order in after.exits())
            assert out <= after.held, "all exits together are never larger than what is held"
            self.sends.append(intent)
        elif isinstance(action, Cancel):
            self.cancels.append(action)

    # --- what arrives -----------------------------------------------------------------------

    def send(self, *, is_answer_lost: bool = False, is_lost: bool = False) -> None:
        """Let the oldest outgoing order reach the exchange, or not; its answer arrive, or not."""
        if not self.sends:
            return
        intent = self.sends.pop(0)
        mine = intent.client_order_id
        ack = None if is_lost else self.venue.accept(intent, self.liquidity)
        if ack is None or is_answer_lost:
            self.change(mine, lambda order: order_state.outcome_unknown(order, "lost", self.now_us))
        else:
            self.change(mine, lambda order: order_state.acknowledged(order, ack, self.now_us))

    def refuse(self) -> None:
        if self.sends:
            mine = self.sends.pop(0).client_order_id
            self.change(mine, lambda order: order_state.refused(order, "x", "no", self.now_us))

    def cancel(self, *, is_answer_lost: bool = False) -> None:
        if not self.cancels:
            return
        order = self.cancels.pop(0).order
        mine = order.intent.client_order_id
        assert order.order_id is not None
        reduced = self.venue.cancel(order.order_id)
        if reduced is None or is_answer_lost:
            self.change(mine, lambda one: order_state.cancel_unsettled(one, "404", self.now_us))
        else:
            self.change(
                mine,
                lambda one: order_state.cancel_acknowledged(one, Quantity(reduced), self.now_us),
            )

    def look_up(self) -> None:
        """Answer every lookup asked so far, and deliver asked-for fills."""
        asked, self.actions = self.actions, []
        for action in asked:
            if isinstance(action, LookUp):
                mine = action.order.intent.client_order_id
                report = self.venue.report(mine)
                if report is None:
                    self.change(mine, lambda one: order_state.missing(one, self.now_us))
                else:
                    self.change(
                        mine,
                        lambda one, report=report: order_state.reported(one, report, self.now_us),
                    )
            elif isinstance(action, FetchFills):
                self.deliver()

    def deliver(self, count: int = 10_000) -> None:
        """Let fills arrive, oldest first, each once."""
        for mine, fill in self.venue.fills[self.delivered : self.delivered + count]:
            self.bracket = with_fill(self.bracket, mine, fill, self.now_us)
            self.delivered += 1
        self.step()

    def execute(self, mine: ClientOrderId, quantity: int) -> None:
        if mine in self.venue.orders:
            self.venue.fill(mine, quantity)

    def execute_exits(self, quantity: int) -> None:
        for mine, order in self.venue.orders.items():
            if order.intent.purpose is Purpose.TAKE_PROFIT and order.is_open:
                self.execute(mine, quantity)

    def change(self, mine: ClientOrderId, change: object) -> None:
        self.bracket = with_order(self.bracket, mine, change, self.now_us)  # type: ignore[arg-type]
        self.step()

    def wait(self, duration_us: int = SECOND_US) -> None:
        self.now_us += duration_us
        self.step()

    def move(self, bid: int, spread: int = 100) -> None:
        self.bid, self.spread = bid, spread
        self.quotes += 1
        self.step()

    def restart(self) -> None:
        """Kill -9 and a new process: only what was stored is left, everything out is in doubt."""
        bracket = from_json(to_json(self.bracket))
        assert bracket == self.bracket
        for order in tuple(bracket.orders()):
            after = order_state.recovered(order, self.now_us)
            bracket = with_order(
                bracket, order.intent.client_order_id, lambda _, after=after: after, self.now_us
            )
        self.bracket = bracket
        # Orders that were committed but not sent are lost; the exchange may also have them.
        self.sends.clear()
        self.cancels.clear()
        self.step()

    def settle_down(self) -> None:
        """The network heals: everything outstanding is answered, time passes."""
        for _ in range(60):
            while self.sends:
                self.send()
            while self.cancels:
                self.cancel()
            self.look_up()
            self.deliver()
            self.wait(4 * SECOND_US)
            if self.bracket.is_over:
                return

    def entered(self, quantity: int = WANTED) -> None:
        """The entry rests and this much of it is filled."""
        self.send()
        self.execute(ClientOrderId("s1-e0"), quantity)
        self.deliver()

    def resting_exit(self) -> ClientOrderId:
        order = self.bracket.take_profit
        assert order is not None
        return order.intent.client_order_id


both_sides = pytest.mark.parametrize("side", list(BookSide))


@both_sides
def test_the_first_partial_fill_is_protected_by_a_take_profit_of_its_size(side: BookSide) -> None:
    driver = Driver(side)
    driver.entered(300)
    assert driver.bracket.state is BracketState.PARTIAL
    assert [intent.quantity for intent in driver.sends] == [300]
    assert driver.sends[0].price == own(side, 9_900)


def test_a_bracket_that_has_just_been_opened_has_nothing_to_do() -> None:
    driver = Driver()
    assert decide(driver.bracket, driver.situation(), RULES) == (driver.bracket, ())


def test_the_take_profit_follows_every_later_fill() -> None:
    driver = Driver()
    driver.entered(300)
    driver.send()
    driver.execute(ClientOrderId("s1-e0"), 200)
    driver.deliver()
    driver.wait(2 * SECOND_US)
    driver.cancel()
    assert [intent.quantity for intent in driver.sends] == [500]


@both_sides
def test_a_confirmed_stop_cancels_the_take_profit_first_and_then_sells(side: BookSide) -> None:
    driver = Driver(side)
    driver.entered()
    driver.send()
    assert driver.bracket.state is BracketState.TP_WORKING
    driver.move(8_400)
    assert driver.bracket.wants_out is None, "one quote is not enough"
    driver.move(8_300)
    assert driver.bracket.wants_out is ExitReason.STOP_LOSS
    assert driver.sends == [], "nothing is sold while the take-profit may still fill"
    driver.cancel()
    assert [(one.quantity, one.reduce_only) for one in driver.sends] == [(WANTED, True)]
    driver.settle_down()
    assert driver.bracket.exit_reason is ExitReason.STOP_LOSS
    assert driver.venue.position == 0


def test_one_quote_that_lasts_two_seconds_confirms_a_stop() -> None:
    driver = Driver()
    driver.entered()
    driver.move(8_500)
    driver.wait(SECOND_US)
    assert driver.bracket.wants_out is None
    driver.wait(SECOND_US)
    assert driver.bracket.wants_out is ExitReason.STOP_LOSS


def test_a_price_that_recovers_starts_the_confirmation_anew() -> None:
    driver = Driver()
    driver.entered()
    driver.move(8_400)
    driver.move(8_600)
    driver.move(8_400)
    assert driver.bracket.wants_out is None


def test_a_collapse_needs_no_confirmation_but_a_book_with_two_sides() -> None:
    driver = Driver()
    driver.entered()
    driver.move(100, spread=9_000)
    assert driver.bracket.wants_out is None, "an empty book shows no price"
    driver.move(7_400)
    assert driver.bracket.wants_out is ExitReason.CATASTROPHE


@pytest.mark.parametrize("frozen", ["is_trusted", "is_open", "may_exit"])
def test_the_stop_is_frozen_without_a_book_a_market_or_the_lead(frozen: str) -> None:
    driver = Driver()
    driver.entered()
    driver.send()
    setattr(driver, frozen, False)
    driver.move(7_000)
    driver.move(6_900)
    driver.wait(10 * SECOND_US)
    assert driver.bracket.wants_out is None
    assert driver.cancels == [], "the take-profit stays"


def test_no_stop_fires_in_the_last_minutes() -> None:
    driver = Driver()
    driver.entered()
    driver.now_us = CLOSE_US - RULES.no_stop_us
    driver.move(5_000)
    driver.move(4_900)
    assert driver.bracket.wants_out is None


def test_a_take_profit_that_fills_while_the_stop_fires_leaves_nothing_to_sell() -> None:
    driver = Driver()
    driver.entered()
    driver.send()
    driver.move(8_400)
    driver.move(8_300)
    driver.execute(driver.resting_exit(), WANTED)
    driver.cancel()
    assert driver.sends == [], "not found proves nothing: no exit before the truth is known"
    driver.settle_down()
    assert driver.bracket.is_over
    assert driver.venue.position == 0
    assert not any(order.intent.reduce_only for order in driver.venue.orders.values())


def test_exits_are_repriced_round_by_round_until_flat() -> None:
    driver = Driver()
    driver.liquidity = 300
    driver.entered()
    driver.send()
    driver.move(8_400)
    driver.move(8_400)
    driver.cancel()
    prices = []
    for _ in range(6):
        prices += [intent.price for intent in driver.sends]
        driver.send()
        driver.deliver()
        driver.wait()
    assert prices == [8_300, 8_200, 8_100, 8_000]
    assert driver.bracket.is_over
    assert driver.bracket.exited == WANTED


def test_an_exit_that_finds_no_buyer_raises_an_alarm() -> None:
    driver = Driver()
    driver.liquidity = 0
    driver.entered()
    driver.send()
    driver.move(8_400)
    driver.move(8_400)
    driver.cancel()
    for _ in range(RULES.exit_alarm_rounds + 1):
        driver.send()
        driver.wait()
    assert any(isinstance(action, Alarm) for action in driver.actions)


def test_a_price_beyond_the_target_is_taken_at_once_and_never_below_the_target() -> None:
    driver = Driver()
    driver.bid = 9_950
    driver.entered()
    assert [(one.price, one.reduce_only, one.purpose) for one in driver.sends] == [
        (9_900, True, Purpose.TAKE_PROFIT)
    ]
    driver.liquidity = 0
    driver.send()
    driver.move(9_700)
    driver.wait(5 * SECOND_US)
    assert driver.bracket.wants_out is None, "the profit slipped away"
    assert driver.bracket.take_profit is not None


def test_a_person_who_sells_in_the_app_makes_the_take_profit_shrink() -> None:
    driver = Driver()
    driver.entered()
    driver.send()
    driver.bracket, taken = with_outside_exit(
        driver.bracket, Quantity(400), Price(9_600), driver.now_us
    )
    driver.step()
    assert taken == 400
    assert [order.order.intent.quantity for order in driver.cancels] == [WANTED]
    driver.cancel()
    driver.wait(6 * SECOND_US)
    assert [intent.quantity for intent in driver.sends] == [WANTED - 400]


def test_a_lost_answer_to_the_take_profit_is_looked_up_before_anything_is_sold() -> None:
    driver = Driver()
    driver.entered()
    driver.send(is_answer_lost=True)
    driver.bracket = leaving(driver.bracket, ExitReason.OPERATOR, driver.now_us)
    driver.step()
    driver.wait(10 * SECOND_US)
    assert driver.sends == []
    driver.settle_down()
    assert driver.bracket.is_over
    assert driver.venue.position == 0


def test_an_order_that_never_arrived_is_abandoned_after_several_lookups() -> None:
    driver = Driver()
    driver.send(is_lost=True)
    driver.wait(4 * SECOND_US)
    driver.look_up()
    assert not driver.bracket.is_over, "one lookup may be a lagging read model"
    driver.settle_down()
    assert driver.bracket.exit_reason is ExitReason.NOT_FILLED


def test_a_fill_of_an_abandoned_entry_is_protected_after_all() -> None:
    driver = Driver()
    driver.send(is_lost=True)
    driver.settle_down()
    assert driver.bracket.is_over
    ghost = Fill(
        fill_id="g1",
        order_id="v9",
        ticker=TICKER,
        side=BookSide.BID,
        price=Price(9_500),
        quantity=Quantity(100),
        fee=0,
        is_taker=False,
        executed_us=0,
    )
    driver.bracket = with_fill(driver.bracket, ClientOrderId("s1-e0"), ghost, driver.now_us)
    driver.wait(10 * SECOND_US)
    assert not driver.bracket.is_over
    assert driver.bracket.held == 100
    assert [intent.quantity for intent in driver.sends] == [100]


def test_entries_are_cancelled_when_they_are_not_allowed_any_more() -> None:
    driver = Driver()
    driver.entered(300)
    driver.may_enter = False
    driver.step()
    assert [one.order.intent.purpose for one in driver.cancels] == [Purpose.ENTRY]
    driver.settle_down()
    assert driver.bracket.state is BracketState.TP_WORKING
    assert driver.bracket.held == 300


def test_an_entry_stops_buying_once_its_take_profit_sells() -> None:
    driver = Driver()
    driver.entered(300)
    driver.send()
    driver.execute(driver.resting_exit(), 100)
    driver.deliver()
    assert [one.order.intent.purpose for one in driver.cancels] == [Purpose.ENTRY]


def test_an_expired_entry_is_cancelled_when_the_venue_is_late() -> None:
    driver = Driver()
    driver.send()
    driver.now_us += HOUR_US
    driver.wait()
    assert driver.cancels == []
    driver.wait(2 * SECOND_US)
    assert len(driver.cancels) == 1


def test_draining_keeps_the_take_profit_even_when_a_stop_had_fired() -> None:
    driver = Driver()
    driver.entered()
    driver.send()
    driver.bracket = leaving(driver.bracket, ExitReason.STOP_LOSS, driver.now_us)
    driver.may_exit = False
    driver.step()
    assert driver.cancels == []


def test_wanting_out_without_a_buyer_keeps_the_take_profit_until_there_is_one() -> None:
    driver = Driver()
    driver.entered()
    driver.send()
    driver.is_trusted = False
    driver.bracket = leaving(driver.bracket, ExitReason.OPERATOR, driver.now_us)
    driver.wait(5 * SECOND_US)
    assert driver.cancels == []
    driver.is_trusted = True
    driver.step()
    assert len(driver.cancels) == 1


@both_sides
def test_settlement_ends_it_with_what_the_held_side_pays(side: BookSide) -> None:
    driver = Driver(side)
    driver.entered(400)
    driver.send()
    wins = PAYOUT if side is BookSide.BID else Price(0)
    driver.bracket = with_settlement(driver.bracket, wins, driver.now_us)
    driver.wait()
    assert driver.bracket.state is BracketState.SETTLED
    assert driver.bracket.exit_reason is ExitReason.SETTLEMENT
    assert driver.bracket.profit == 400 * (10_000 - 9_500)


def test_selling_more_than_was_bought_makes_it_an_orphan_that_rests_nothing() -> None:
    driver = Driver()
    driver.entered(300)
    driver.send()
    odd = replace(
        driver.venue.fills[0][1], fill_id="odd", side=BookSide.ASK, quantity=Quantity(500)
    )
    mine = driver.resting_exit()
    driver.bracket = with_fill(driver.bracket, mine, odd, driver.now_us)
    driver.step()
    assert driver.bracket.state is BracketState.ORPHAN
    assert [one.order.intent.purpose for one in driver.cancels] == [Purpose.ENTRY]


moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(["ok", "answer lost", "lost", "refused"])),
        st.tuples(st.just("cancel"), st.booleans()),
        st.tuples(st.just("entry fills"), st.integers(1, WANTED)),
        st.tuples(st.just("exit fills"), st.integers(1, WANTED)),
        st.tuples(st.just("deliver"), st.integers(1, 3)),
        st.tuples(st.just("quote"), st.sampled_from([9_950, 9_500, 8_500, 8_300, 7_000, 100])),
        st.tuples(st.just("spread"), st.sampled_from([100, 400, 3_000])),
        st.tuples(st.just("wait"), st.sampled_from([1, 3, 12])),
        st.tuples(st.just("look up"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("may enter"), st.booleans()),
        st.tuples(st.just("may exit"), st.booleans()),
        st.tuples(st.just("trusted"), st.booleans()),
        st.tuples(st.just("liquidity"), st.sampled_from([0, 100, WANTED])),
    ),
    max_size=40,
)


def play(driver: Driver, move: tuple[str, object]) -> None:
    name, value = move
    match name:
        case "send" if value == "refused":
            driver.refuse()
        case "send":
            driver.send(is_answer_lost=value == "answer lost", is_lost=value == "lost")
        case "may enter" | "may exit" | "trusted":
            setattr(driver, SWITCHES[name], value)
        case "look up":
            driver.look_up()
        case "restart":
            driver.restart()
        case "close":
            driver.bracket = leaving(driver.bracket, ExitReason.OPERATOR, driver.now_us)
            driver.step()
        case _:
            play_market(driver, name, int(value))  # type: ignore[call-overload]


SWITCHES = {"may enter": "may_enter", "may exit": "may_exit", "trusted": "is_trusted"}


def play_market(driver: Driver, name: str, value: int) -> None:
    match name:
        case "cancel":
            driver.cancel(is_answer_lost=bool(value))
        case "entry fills":
            driver.execute(ClientOrderId("s1-e0"), value)
        case "exit fills":
            driver.execute_exits(value)
        case "deliver":
            driver.deliver(value)
        case "quote":
            driver.move(value, driver.spread)
        case "wait":
            driver.wait(value * SECOND_US)
        case _:
            setattr(driver, name, value)


def check(driver: Driver) -> None:
    assert driver.held_at_venue >= 0, "the position never changes sign"
    resting = sum(
        order.remaining
        for order in driver.venue.orders.values()
        if order.intent.purpose is not Purpose.ENTRY
    )
    assert resting <= driver.held_at_venue, "what rests to sell is never more than what is held"


@both_sides
@given(sequence=moves)
@settings(max_examples=250, deadline=None)
def test_no_order_of_events_over_closes_or_strands_a_position(
    side: BookSide, sequence: list[tuple[str, object]]
) -> None:
    driver = Driver(side)
    for move in sequence:
        play(driver, move)
        check(driver)
    # The network heals and a person wants out: it must end flat, whatever happened.
    driver.may_exit = driver.is_open = driver.is_trusted = True
    driver.may_enter = False
    driver.liquidity = WANTED
    driver.bid, driver.spread = 9_000, 100
    driver.bracket = leaving(driver.bracket, ExitReason.OPERATOR, driver.now_us)
    driver.settle_down()
    check(driver)
    assert driver.bracket.is_over, driver.bracket.state
    assert driver.venue.position == 0
    assert driver.bracket.entered == driver.bracket.exited
    sold = sum(fill.quantity for _, fill in driver.venue.fills if fill.side is not side)
    assert driver.bracket.exited == sold


@given(sequence=moves)
@settings(max_examples=150, deadline=None)
def test_a_stored_bracket_reads_back_as_the_same_value(
    sequence: list[tuple[str, object]],
) -> None:
    driver = Driver()
    for move in sequence:
        play(driver, move)
        assert from_json(to_json(driver.bracket)) == driver.bracket
