"""Deposits, withdrawals and transfers move free cash only."""

from bot.domain.money import Money
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import BalanceChanged
from bot.venue.results import Done, RefusalCode
from tests.unit.venue.floor import ANN, BID, DOLLAR, Floor


def test_an_account_is_opened_once() -> None:
    floor = Floor()
    result = floor.venue.open_account(AccountTerms(account=ANN), floor.tick()).result
    assert result.code is RefusalCode.ACCOUNT_EXISTS
    assert floor.cash(ANN) == 100 * DOLLAR


def test_a_withdrawal_takes_free_cash_only() -> None:
    floor = Floor()
    floor.order(ANN, BID, 50, 100)
    assert floor.venue.deposit(ANN, Money(-51 * DOLLAR), floor.tick()).result.code is (
        RefusalCode.INSUFFICIENT_BALANCE
    )
    assert floor.keep(floor.venue.deposit(ANN, Money(-50 * DOLLAR), floor.tick())) == Done()
    (event,) = floor.told(BalanceChanged)
    assert (event.account, event.change) == (ANN, -50 * DOLLAR)


def test_a_transfer_moves_between_two_shards() -> None:
    floor = Floor()
    transfer = floor.venue.transfer
    assert transfer(ANN, Money(DOLLAR), floor.tick(), source=0, destination=3).result == Done()
    assert (floor.cash(ANN, 0), floor.cash(ANN, 3)) == (99 * DOLLAR, DOLLAR)
    assert [s.exchange_index for s in floor.reads.balance(ANN).shards] == [0, 3]
    for amount, source, destination, code in (
        (2 * DOLLAR, 3, 0, RefusalCode.INSUFFICIENT_BALANCE),
        (0, 0, 3, RefusalCode.INVALID_PARAMETERS),
        (DOLLAR, 0, 0, RefusalCode.INVALID_PARAMETERS),
    ):
        outcome = transfer(ANN, Money(amount), floor.tick(), source=source, destination=destination)
        assert outcome.result.code is code


def test_nobody_has_no_money() -> None:
    floor, nobody = Floor(), AccountId("nobody")
    outcomes = [
        floor.venue.deposit(nobody, Money(1), floor.tick()),
        floor.venue.transfer(nobody, Money(1), floor.tick(), source=0, destination=1),
    ]
    assert {outcome.result.code for outcome in outcomes} == {RefusalCode.ACCOUNT_NOT_FOUND}
