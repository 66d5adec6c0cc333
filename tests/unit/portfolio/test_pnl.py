"""What positions are worth, and how closed ones went."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import BracketId, MarketTicker
from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity
from bot.domain.quotes import Quote
from bot.portfolio.pnl import Result, liquidation, loss_streak, tally
from bot.portfolio.positions import Position

TICKER = MarketTicker("KXCPI-26NOV-T0.3")
FEES = FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000)


def held(quantity: int, cost: int = 950_000) -> Position:
    return Position(
        ticker=TICKER,
        quantity=Quantity(quantity),
        cost=Money(cost),
        realized=Money(0),
        fees=Money(0),
        updated_us=0,
    )


def quote(bid: int | None, ask: int | None) -> Quote:
    return Quote(
        ticker=TICKER,
        bid=Price(bid) if bid else None,
        ask=Price(ask) if ask else None,
        bid_size=Quantity(1),
        ask_size=Quantity(1),
        received_us=0,
    )


def result(profit: int, contracts: int = 100) -> Result:
    return Result(
        bracket_id=BracketId("b"),
        contracts=Quantity(contracts),
        cost=Money(950_000),
        fees=Money(0),
        profit=Money(profit),
        closed_us=0,
    )


def test_a_position_is_worth_its_bid_less_the_takers_fee() -> None:
    yes = liquidation(held(100), quote(5_000, 5_200), FEES, is_live=True)
    no = liquidation(held(-100), quote(4_800, 5_000), FEES, is_live=True)
    assert yes.value == no.value == 500_000 - 17_500
    assert not yes.is_stale


def test_nobody_bidding_is_worth_nothing_but_no_book_at_all_is_not_a_loss() -> None:
    assert liquidation(held(100), quote(None, 5_200), FEES, is_live=True).value == 0
    unknown = liquidation(held(100), None, FEES, is_live=False)
    assert (unknown.value, unknown.is_stale) == (950_000, True)
    assert liquidation(held(100), quote(5_000, 5_200), FEES, is_live=False).is_stale


def test_a_scratch_is_neither_won_nor_lost() -> None:
    counted = tally([result(5_000), result(-5_000), result(5_001), result(-5_001)])
    assert (counted.trades, counted.wins, counted.losses) == (4, 1, 1)
    assert counted.win_rate_e6 == 500_000


def test_the_win_rate_comes_with_the_rate_that_would_break_even() -> None:
    counted = tally([result(50_000)] * 19 + [result(-950_000)])
    assert counted.win_rate_e6 == 950_000
    assert counted.break_even_e6 == 950_000
    assert counted.profit == 0
    assert tally([]).win_rate_e6 is None


@given(st.lists(st.sampled_from([-10_000, 0, 10_000])))
def test_a_streak_is_what_a_reader_of_the_list_would_count(profits: list[int]) -> None:
    judged = [profit for profit in profits if profit]
    expected = 0
    for profit in reversed(judged):
        if profit > 0:
            break
        expected += 1
    assert loss_streak(result(profit) for profit in profits) == expected
