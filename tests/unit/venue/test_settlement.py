"""Payouts for yes, no and scalar results, and what rounding keeps."""

import pytest

from bot.domain.money import Price, Quantity
from bot.venue.accounts import AccountId
from bot.venue.events import AccountSettled, PositionChanged
from bot.venue.fees import BROKER_MEMBER_GRID
from bot.venue.markets import MarketResult
from tests.unit.venue.floor import ANN, ASK, BID, BOB, DOLLAR, HOUR, Floor, M


def settled(result: MarketResult, value: int | None = None, *, quantity: int = 200) -> Floor:
    """ANN sold YES at 0.60 as a maker, BOB bought it."""
    floor = Floor()
    floor.order(ANN, ASK, 60, quantity=Quantity(quantity))
    floor.order(BOB, BID, 60, quantity=Quantity(quantity))
    price = None if value is None else Price(value)
    floor.keep(floor.venue.operations.determine(M, result, floor.tick(), value=price))
    floor.advance(HOUR)
    return floor


@pytest.mark.parametrize(
    ("result", "value", "ann", "bob"),
    [
        (MarketResult.YES, None, 0, 2_000_000),
        (MarketResult.NO, None, 2_000_000, 0),
        (MarketResult.SCALAR, 2_500, 1_500_000, 500_000),
    ],
)
def test_each_side_is_paid_its_share_of_a_dollar(result, value, ann: int, bob: int) -> None:
    floor = settled(result, value)
    assert floor.cash(ANN) == 100 * DOLLAR - 800_000 + ann
    assert floor.cash(BOB) == 100 * DOLLAR - 1_200_000 - 33_600 + bob
    (paid,) = floor.reads.settlements(BOB)
    assert (paid.revenue, paid.yes_count, paid.yes_cost, paid.no_count) == (bob, 200, 1_200_000, 0)
    assert (paid.fees, paid.residue, paid.result) == (33_600, 0, result)
    (short,) = floor.reads.settlements(ANN)
    assert (short.no_count, short.no_cost, short.yes_cost) == (200, 800_000, 0)


def test_realized_profit_excludes_fees() -> None:
    floor = settled(MarketResult.YES)
    bob = floor.reads.position(BOB, M)
    assert (bob.quantity, bob.exposure, bob.realized, bob.fees) == (0, 0, 800_000, 33_600)
    assert bob.is_settled
    assert floor.reads.position(ANN, M).realized == -800_000


def test_a_scalar_payout_is_rounded_down_and_the_residue_is_a_fee() -> None:
    floor = settled(MarketResult.SCALAR, 3_333, quantity=1)
    (paid,) = floor.reads.settlements(BOB)
    assert (paid.revenue, paid.residue) == (3_300, 33)
    assert floor.reads.position(BOB, M).fees == paid.fees
    total = floor.cash(ANN) + floor.cash(BOB) + floor.reads.fees_collected
    assert total == 200 * DOLLAR


def test_a_broker_member_is_paid_in_whole_cents() -> None:
    floor = Floor()
    member = AccountId("member")
    floor.open(member, balance_grid=BROKER_MEMBER_GRID)
    floor.order(ANN, ASK, 60)
    floor.order(member, BID, 60)
    floor.keep(
        floor.venue.operations.determine(M, MarketResult.SCALAR, floor.tick(), value=Price(3_333))
    )
    floor.advance(HOUR)
    (paid,) = floor.reads.settlements(member)
    assert (paid.revenue, paid.residue) == (330_000, 3_300)
    assert floor.cash(member) % BROKER_MEMBER_GRID == 0


def test_a_flat_account_gets_no_settlement() -> None:
    floor = Floor()
    floor.order(ANN, ASK, 60)
    floor.order(BOB, BID, 60)
    floor.order(ANN, BID, 50)
    floor.order(BOB, ASK, 50)
    floor.keep(floor.venue.operations.determine(M, MarketResult.YES, floor.tick()))
    assert [type(event) for event in floor.advance(HOUR)].count(AccountSettled) == 0
    assert list(floor.reads.settlements(BOB)) == []
    assert floor.reads.position(BOB, M).is_settled


def test_each_holder_hears_of_the_payout_and_of_the_empty_position() -> None:
    floor = settled(MarketResult.YES)
    kinds = [(type(e), e.account) for e in floor.events if hasattr(e, "account")]
    assert kinds == [
        (AccountSettled, ANN),
        (PositionChanged, ANN),
        (AccountSettled, BOB),
        (PositionChanged, BOB),
    ]
    assert floor.reads.market(M).open_interest == 0
