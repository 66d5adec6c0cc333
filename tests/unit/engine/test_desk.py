"""Brackets that are over are remembered, and not for ever."""

from msgspec import structs

from bot.domain.ids import BracketId, ClientOrderId, Epoch
from bot.engine import desk as desks
from bot.engine.draft import Draft
from tests.support.trading import Desk


def test_the_oldest_finished_brackets_go_with_their_orders_names() -> None:
    whole = Desk()
    whole.lead()
    whole.bought()
    (kept,) = whole.engine.world.desk.open()
    desk = desks.Desk()
    desk.put(kept, Draft(Epoch(1)))
    for number in range(1_010):
        name = ClientOrderId(f"c{number}")
        entry = structs.replace(
            kept.entry, intent=structs.replace(kept.entry.intent, client_order_id=name)
        )
        plan = structs.replace(kept.plan, bracket_id=BracketId(f"b{number}"))
        over = structs.replace(kept, plan=plan, entry=entry, take_profit=None, closed_us=number)
        desk.put(over, Draft(Epoch(1)))
    desk.forget_old()
    assert len(desk.brackets) == 1_001
    assert desk.open() == (kept,)
    assert desk.of_order(ClientOrderId("c9")) is None
    assert desk.of_order(ClientOrderId("c10")) is not None
