"""The exchange behind the server."""

from typing import TYPE_CHECKING

from bot.domain.money import Money
from bot.venue.results import Refusal, RefusalCode
from tests.support.exchange import HOUSE, TICKER, USER, stand

if TYPE_CHECKING:
    from bot.simulator.exchange import Exchange


def test_an_account_opens_once() -> None:
    exchange = stand().exchange
    assert exchange.open_account(USER) == exchange.open_account(USER)


def test_a_withdrawal_above_the_cash_is_refused() -> None:
    made = stand()
    refusal = made.exchange.deposit(made.account, Money(-2_000_000_000))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.INSUFFICIENT_BALANCE


def test_ids_are_version_4_and_repeat_with_their_seed() -> None:
    first, second = stand().exchange, stand().exchange
    ids = [first.new_id() for _ in range(50)]
    assert ids == [second.new_id() for _ in range(50)]
    assert all(name[14] == "4" and name[19] in "89ab" for name in ids)


def test_the_world_steps_before_the_timers_run() -> None:
    made = stand()
    seen: list[int] = []

    class World:
        def step(self, now_us: int) -> None:
            seen.append(now_us)

    made.exchange.world = World()
    made.advance(5)
    assert seen == [made.exchange.now_us()]


def test_an_unknown_market_has_no_book() -> None:
    exchange: Exchange = stand().exchange
    assert exchange.book(TICKER) is not None
    assert exchange.market(type(TICKER)("KXNONE")) is None
    assert exchange.accounts.owner(HOUSE) is None
