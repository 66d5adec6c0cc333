"""A database put back from a backup: the exchange knows orders that we have forgotten."""

from copy import deepcopy

from bot.domain.orders import OrderIntent, Purpose
from bot.engine.effects import CancelOrder, NoticeKind
from tests.support.trading import Desk
from tests.unit.engine.test_activation import leading, successor_of


def a_forgotten_take_profit() -> tuple[Desk, OrderIntent]:
    """It rests at the exchange; the backup is of before it was made."""
    desk = leading()
    desk.quote()
    intent = desk.accept()
    backup = deepcopy(desk.store)
    desk.execute(intent, intent.quantity)
    profit = desk.accept()
    desk.store = backup
    return desk, profit


def cancelled(desk: Desk) -> list[str]:
    effects = [effect for _, effects in desk.journal for effect in effects]
    return [one.client_order_id for one in effects if isinstance(one, CancelOrder)]


def test_a_forgotten_exit_is_cancelled_before_its_bracket_makes_another() -> None:
    desk, profit = a_forgotten_take_profit()
    after = successor_of(desk)
    after.lead(is_clean=False)
    assert profit.client_order_id in cancelled(after)
    assert after.outgoing == [], "two of them could sell more than is held"
    after.answer_cancels()
    after.wait(5)
    assert [(one.purpose, one.quantity) for one in after.outgoing] == [
        (Purpose.TAKE_PROFIT, profit.quantity)
    ]
    assert after.outgoing[0].client_order_id not in desk.venue, "the exchange knows the old name"
    assert after.told_of(NoticeKind.FOREIGN_ACTIVITY) == ()


def test_what_a_forgotten_exit_sold_is_known_as_ours() -> None:
    desk, profit = a_forgotten_take_profit()
    desk.execute(profit, profit.quantity, tell=False)
    after = successor_of(desk)
    after.lead(is_clean=False)
    after.wait(5)
    assert profit.bracket_id is not None
    bracket = after.engine.world.desk.brackets[profit.bracket_id]
    assert (bracket.held, bracket.exited, bracket.outside) == (0, profit.quantity, 0)
    assert after.outgoing == []
    assert after.told_of(NoticeKind.FOREIGN_ACTIVITY) == ()
    assert not bracket.orphan_reason
