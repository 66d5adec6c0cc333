"""Laws that hold after any sequence of acts: money, books, positions, orders, determinism."""

from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.ids import MarketTicker
from bot.domain.market import FeeTerms, MarketStatus
from bot.domain.money import PAYOUT, Money, Price, Quantity
from bot.domain.orders import OrderStatus
from bot.venue.accounts import AccountId
from bot.venue.events import BookChanged, OrderChanged, OwnFill, TradePrinted
from bot.venue.fees import BROKER_MEMBER_GRID
from bot.venue.markets import MarketResult
from bot.venue.orders import AmendRequest, UpdateReason
from bot.venue.settings import Collateral
from tests.unit.venue.floor import (
    ANN,
    ASK,
    BID,
    BOB,
    CAT,
    DOLLAR,
    FOK,
    GTC,
    HOUR,
    IOC,
    MAKER_GIVES_WAY,
    SECOND,
    TAKER_GIVES_WAY,
    Floor,
    request_of,
    terms_of,
)

HOUSE = AccountId("house")
CENTS = AccountId("cents")
ACCOUNTS = (ANN, BOB, CAT, HOUSE, CENTS)
TICKERS = (MarketTicker("KXFOO-1"), MarketTicker("KXFOO-2"))
MAKER_FEES = FeeTerms(fee_type="quadratic_with_maker_fees", multiplier_e6=500_000)
DEPOSIT = 2 * DOLLAR

OTHERS = (
    "cancel_all",
    "wait",
    "wait",
    "restart",
    "pause",
    "trigger",
    "reset",
    "reset",
    "regroup",
)
FLAGS = ("", "", "", "post_only", "reduce_only", "cancel_on_pause", "expires", "group", "group")


def _some_acts(seed: int) -> list[tuple]:
    """A busy floor: mostly orders around the middle, so that most runs trade a lot."""
    random = Random(seed)
    return [_some_act(random) for _ in range(100)]


def _some_act(random: Random) -> tuple:
    price = random.choice([random.randint(44, 56), random.randint(1, 99)]) * 100
    size = random.choice([1, 100, 300, random.randint(1, 400)])
    kind = random.random()
    if kind < 0.75:
        side = random.choice([BID, ASK])
        tif = random.choice([GTC, GTC, GTC, IOC, FOK])
        stp = random.choice([TAKER_GIVES_WAY, MAKER_GIVES_WAY])
        names = random.choice(ACCOUNTS), random.choice(TICKERS)
        return ("create", *names, side, price, size, tif, random.choice(FLAGS), stp)
    if kind < 0.9:
        change = random.choice(["cancel", "amend", "amend", "decrease"])
        return (change, random.randrange(10**6), price, size)
    names = random.choice(ACCOUNTS), random.choice(TICKERS)
    return (random.choice(OTHERS), *names, random.randrange(20))


# Hypothesis shrinks the length; a list drawn element by element hardly ever trades.
acts = st.builds(
    lambda seed, length: _some_acts(seed)[:length],
    st.integers(0, 2**32),
    st.one_of(st.just(100), st.integers(0, 100)),
)


class Run:
    """Plays acts and keeps everything the venue told."""

    def __init__(self, collateral: Collateral) -> None:
        self.floor = Floor(dollars=2, listed=False, collateral=collateral)
        self.told: list = []
        floor, venue = self.floor, self.floor.venue
        floor.open(CENTS, dollars=2, balance_grid=BROKER_MEMBER_GRID)
        floor.open(HOUSE, dollars=0, checks_funds=False, keeps_records=False)
        for ticker, fees in zip(TICKERS, (MAKER_FEES, terms_of().fees), strict=True):
            self._keep(venue.operations.list_market(terms_of(ticker, fees=fees), floor.now_us))
        self.groups = {
            account: venue.create_group(account, Quantity(500), floor.now_us).result.order_group_id
            for account in ACCOUNTS
        }

    def play(self, act: tuple) -> None:
        getattr(self, f"_{act[0]}")(*act[1:])

    def _keep(self, outcome):
        self.told.extend(outcome.events)
        return outcome.result

    def _create(self, *shape):
        account, ticker, side, price, size, tif, flag, stp = shape
        flags = {
            "post_only": {"post_only": True, "time_in_force": GTC},
            "reduce_only": {"reduce_only": True, "time_in_force": IOC},
            "cancel_on_pause": {"cancel_on_pause": True},
            "expires": {
                "expires_us": self.floor.now_us + 5 * SECOND,
                "time_in_force": GTC,
            },
            "group": {"order_group_id": self.groups[account]},
        }.get(flag, {})
        request = request_of(side, 1)
        request = replace(
            request,
            **{
                "ticker": ticker,
                "price": Price(price),
                "quantity": Quantity(size),
                "time_in_force": tif,
                "self_trade_prevention": stp,
                **flags,
            },
        )
        self._keep(self.floor.venue.create_order(account, request, self.floor.tick()))

    def _pick(self, number):
        resting = [
            order
            for account in ACCOUNTS
            for order in self.floor.reads.orders(account, status=OrderStatus.RESTING)
        ]
        return resting[number % len(resting)] if resting else None

    def _cancel(self, number, price, size):
        if order := self._pick(number):
            venue, now_us = self.floor.venue, self.floor.tick()
            self._keep(venue.cancel_order(order.account, order.order_id, now_us))

    def _amend(self, number, price, size):
        if order := self._pick(number):
            request = AmendRequest(
                ticker=order.ticker,
                side=order.side,
                price=Price(price) if number % 3 else order.price,
                quantity=Quantity(size),
            )
            venue, now_us = self.floor.venue, self.floor.tick()
            self._keep(venue.amend_order(order.account, order.order_id, request, now_us))

    def _decrease(self, number, price, size):
        if order := self._pick(number):
            self._keep(
                self.floor.venue.decrease_order(
                    order.account, order.order_id, self.floor.tick(), reduce_by=Quantity(size)
                )
            )

    def _cancel_all(self, account, ticker, number):
        self._keep(self.floor.venue.cancel_all(account, self.floor.tick()))

    def _wait(self, account, ticker, number):
        self.told.extend(self.floor.venue.advance(self.floor.tick(number * SECOND)))

    def _restart(self, account, ticker, number):
        operations = self.floor.venue.operations
        self._keep(operations.deactivate(ticker, self.floor.tick()))
        self._keep(operations.activate(ticker, self.floor.tick()))

    def _pause(self, account, ticker, number):
        operations = self.floor.venue.operations
        self._keep(operations.set_trading_active(self.floor.tick(), is_active=False))
        self._keep(self.floor.venue.create_order(account, request_of(BID, 50), self.floor.tick()))
        self._keep(operations.set_trading_active(self.floor.tick(), is_active=True))

    def _trigger(self, account, ticker, number):
        venue, now_us = self.floor.venue, self.floor.tick()
        self._keep(venue.trigger_group(account, self.groups[account], now_us))

    def _reset(self, account, ticker, number):
        venue, now_us = self.floor.venue, self.floor.tick()
        self._keep(venue.reset_group(account, self.groups[account], now_us))

    def _regroup(self, account, ticker, number):
        venue, now_us = self.floor.venue, self.floor.tick()
        limit = Quantity(100 + number * 100)
        self._keep(venue.limit_group(account, self.groups[account], limit, now_us))

    def settle(self, results: tuple[tuple[MarketResult, int | None], ...]) -> None:
        operations = self.floor.venue.operations
        for ticker, (result, value) in zip(TICKERS, results, strict=True):
            price = None if value is None else Price(value)
            outcome = operations.determine(ticker, result, self.floor.tick(), value=price)
            self._keep(outcome)
        self.told.extend(self.floor.venue.advance(self.floor.tick(HOUR)))


def _total_cash(run: Run) -> int:
    return sum(run.floor.cash(account) for account in ACCOUNTS)


def _assert_money_is_conserved(run: Run) -> None:
    reads = run.floor.reads
    deposits = 4 * DEPOSIT
    for value in (0, 3_333, PAYOUT):
        worth = sum(
            (value if position.quantity >= 0 else PAYOUT - value) * abs(position.quantity)
            for account in ACCOUNTS
            for position in reads.positions(account)
        )
        assert _total_cash(run) + worth + reads.fees_collected == deposits


def _assert_each_account_adds_up(run: Run) -> None:
    for account in ACCOUNTS:
        positions = list(run.floor.reads.positions(account))
        earned = sum(p.realized - p.exposure - p.fees for p in positions)
        deposit = 0 if account == HOUSE else DEPOSIT
        assert run.floor.cash(account) == deposit + earned


def _assert_books_are_sound(run: Run) -> None:
    folded: dict = defaultdict(Counter)
    for event in run.told:
        if isinstance(event, BookChanged):
            folded[event.ticker, event.side][event.price] += event.change
    for ticker in TICKERS:
        bids, asks = run.floor.book(ticker)
        assert dict(bids) == {p: q for p, q in folded[ticker, BID].items() if q}
        assert dict(asks) == {p: q for p, q in folded[ticker, ASK].items() if q}
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert not (bids and asks) or bids[0][0] < asks[0][0]


def _assert_positions_are_sums_of_fills(run: Run) -> None:
    sums: Counter = Counter()
    for event in run.told:
        if isinstance(event, OwnFill):
            fill = event.fill
            sums[event.account, fill.ticker] += (
                fill.quantity if fill.side is BID else -fill.quantity
            )
            assert event.post_position == sums[event.account, fill.ticker]
    for ticker in TICKERS:
        held = {account: run.floor.position(account, ticker) for account in ACCOUNTS}
        assert sum(held.values()) == 0
        market = run.floor.reads.market(ticker)
        assert market.open_interest == sum(max(0, quantity) for quantity in held.values())
        for account in ACCOUNTS:
            assert account == HOUSE or held[account] == sums[account, ticker]


def _assert_orders_are_sound(run: Run) -> None:
    decreased = {
        event.order.order_id
        for event in run.told
        if isinstance(event, OrderChanged) and event.reason is UpdateReason.DECREASE
    }
    for account in ACCOUNTS:
        for order in run.floor.reads.orders(account):
            assert 0 <= order.filled <= order.initial
            assert order.filled + order.remaining <= order.initial
            assert (order.remaining > 0) == (order.status is OrderStatus.RESTING)
            is_whole = order.filled == order.initial or order.order_id in decreased
            assert order.status is not OrderStatus.EXECUTED or is_whole
            fills = list(run.floor.reads.fills(account, order_id=order.order_id))
            assert account == HOUSE or sum(fill.quantity for fill in fills) == order.filled
            fees = order.taker_fees + order.maker_fees
            assert account == HOUSE or sum(fill.fee for fill in fills) == fees


def _assert_groups_are_sound(run: Run) -> None:
    for account in ACCOUNTS:
        group = run.floor.reads.group(account, run.groups[account])
        assert not (group.is_triggered and group.orders)
        assert group.is_triggered or group.matched <= group.limit


def _assert_nobody_owes_more_than_rounding(run: Run) -> None:
    reads = run.floor.reads
    for account in (ANN, BOB, CAT, CENTS):
        grid = BROKER_MEMBER_GRID if account == CENTS else 100
        fills = sum(1 for _ in reads.fills(account))
        assert run.floor.cash(account) >= -grid * fills
        held = any(position.quantity for position in reads.positions(account))
        if not held:
            cost = sum(_full_cost(o) for o in reads.orders(account, status=OrderStatus.RESTING))
            assert run.floor.reserved(account) >= cost


def _full_cost(order) -> int:
    price = order.price if order.side is BID else PAYOUT - order.price
    return price * order.remaining


def _check(run: Run) -> None:
    _assert_money_is_conserved(run)
    _assert_each_account_adds_up(run)
    _assert_books_are_sound(run)
    _assert_positions_are_sums_of_fills(run)
    _assert_orders_are_sound(run)
    _assert_groups_are_sound(run)


@given(acts=acts)
@settings(max_examples=60, deadline=None)
def test_every_law_holds_after_every_act(acts: list[tuple]) -> None:
    run = Run(Collateral.RESERVE)
    for act in acts:
        run.play(act)
        _check(run)
        _assert_nobody_owes_more_than_rounding(run)


@given(acts=acts)
@settings(max_examples=40, deadline=None)
def test_the_laws_hold_too_when_cash_is_only_checked_at_the_match(acts: list[tuple]) -> None:
    run = Run(Collateral.AT_MATCH)
    for act in acts:
        run.play(act)
    _check(run)


result_pairs = st.lists(
    st.one_of(
        st.just((MarketResult.YES, None)),
        st.just((MarketResult.NO, None)),
        st.integers(0, PAYOUT).map(lambda value: (MarketResult.SCALAR, value)),
    ),
    min_size=2,
    max_size=2,
)


@given(acts=acts, results=result_pairs)
@settings(max_examples=60, deadline=None)
def test_after_settlement_all_money_is_cash_or_fees(acts: list[tuple], results: list) -> None:
    run = Run(Collateral.RESERVE)
    for act in acts:
        run.play(act)
    run.settle(tuple(results))
    for ticker in TICKERS:
        assert run.floor.reads.market(ticker).status is MarketStatus.FINALIZED
        assert run.floor.book(ticker) == ([], [])
    assert all(run.floor.reserved(account) == 0 for account in ACCOUNTS)
    assert all(
        position.quantity == 0 and position.is_settled
        for account in ACCOUNTS
        for position in run.floor.reads.positions(account)
    )
    assert _total_cash(run) + run.floor.reads.fees_collected == 4 * DEPOSIT
    _assert_each_account_adds_up(run)


@given(acts=acts)
@settings(max_examples=30, deadline=None)
def test_the_same_acts_tell_the_same_story(acts: list[tuple]) -> None:
    first, second = Run(Collateral.RESERVE), Run(Collateral.RESERVE)
    for run in (first, second):
        for act in acts:
            run.play(act)
    assert first.told == second.told


@given(acts=acts)
@settings(max_examples=30, deadline=None)
def test_a_books_clock_never_falls_and_every_private_event_has_a_listener(acts) -> None:
    run = Run(Collateral.RESERVE)
    for act in acts:
        run.play(act)
    clocks: dict = defaultdict(int)
    for event in run.told:
        match event:
            case BookChanged():
                assert event.clock >= clocks[event.ticker]
                clocks[event.ticker] = event.clock
            case OwnFill() | OrderChanged():
                assert event.account != HOUSE
            case _:
                pass
    for ticker in TICKERS:
        assert run.floor.reads.book(ticker).clock == clocks[ticker]


@given(acts=acts)
@settings(max_examples=30, deadline=None)
def test_every_trade_has_the_volume_of_its_market(acts: list[tuple]) -> None:
    run = Run(Collateral.RESERVE)
    for act in acts:
        run.play(act)
    volume: Counter = Counter()
    for event in run.told:
        if isinstance(event, TradePrinted):
            volume[event.trade.ticker] += event.trade.quantity
    for ticker in TICKERS:
        assert run.floor.reads.market(ticker).volume == volume[ticker]


def test_the_acts_of_a_law_trade_and_end_orders_in_every_way() -> None:
    kinds: Counter = Counter()
    for seed in range(80):
        run = Run(Collateral.AT_MATCH if seed % 2 else Collateral.RESERVE)
        for act in _some_acts(seed):
            run.play(act)
        kinds.update(type(event) for event in run.told)
        kinds.update(event.reason for event in run.told if isinstance(event, OrderChanged))
        kinds["held"] += any(run.floor.position(account) for account in ACCOUNTS)
    assert kinds[TradePrinted] > 800
    assert kinds["held"] > 60
    for reason in UpdateReason:
        is_used = reason not in {
            UpdateReason.CLOSE_CANCEL,
            UpdateReason.POST_ONLY_CROSS_CANCEL,
            UpdateReason.SETTLEMENT_BOUNDS_CANCEL,
        }
        assert (kinds[reason] > 0) == is_used, reason


def test_the_laws_can_see_a_missing_cent() -> None:
    run = Run(Collateral.RESERVE)
    run.floor.venue.deposit(ANN, Money(10_000), run.floor.tick())
    with pytest.raises(AssertionError):
        _assert_money_is_conserved(run)
