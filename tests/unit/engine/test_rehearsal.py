"""A rehearsal leaves no trace, and is nothing that anybody could carry out."""

from typing import get_args

from bot.domain.events import CloseCommanded, HaltCommanded
from bot.domain.ids import MarketTicker
from bot.domain.money import Quantity
from bot.domain.orders import OrderIntent
from bot.domain.records import BracketRecord
from bot.domain.signals import SignalRecord
from bot.engine.effects import Effect
from bot.engine.entries import Rehearsed
from bot.strategies.base import MarketView, Opinion, Skip
from tests.support.rehearsed import told, trace
from tests.support.trading import TICKER, Desk, Eager

OTHER = MarketTicker("KXCPI-26DEC-T3")


class Counting:
    """An understudy that counts how often it is asked."""

    strategy_id = "counting"

    def __init__(self) -> None:
        self.asked = 0

    def on_quote(self, view: MarketView) -> Opinion:
        self.asked += 1
        return Skip("counts")


def lively() -> Desk:
    """A desk with a position, a resting entry and a quoted market with neither."""
    desk = Desk()
    desk.engine.is_strict = True
    desk.lead()
    desk.list_markets(TICKER, OTHER)
    desk.bought()
    desk.quote(ticker=OTHER)
    return desk


def test_it_goes_the_whole_way_of_an_entry() -> None:
    desk = Desk()
    desk.lead()
    desk.engine.world.strategies = ()
    desk.quote()
    understudy = Counting()
    found = desk.engine.rehearse((understudy,))
    assert isinstance(found, Rehearsed)
    assert {type(one) for one in found.records} == {SignalRecord, BracketRecord, OrderIntent}
    assert understudy.asked == 1


def test_what_it_makes_is_no_effect_and_would_be_refused_everywhere() -> None:
    desk = Desk()
    desk.lead()
    desk.quote()
    found = desk.engine.rehearse(())
    assert found is not None
    assert not isinstance(found, get_args(Effect))
    # The fence knows no epoch 0, the exchange no order of no contracts.
    assert found.intent.epoch == 0
    assert found.intent.quantity == Quantity(0)


def test_nothing_is_rehearsed_where_no_entry_may_be_decided() -> None:
    desk = Desk()
    assert desk.engine.rehearse(()) is None
    desk.lead()
    assert desk.engine.rehearse(()) is None, "there is no quote yet"
    desk.quote()
    assert desk.engine.rehearse(()) is not None
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="test", reason="a test"))
    assert desk.engine.rehearse(()) is None


def test_it_leaves_no_trace_in_the_world() -> None:
    desk = lively()
    world = desk.engine.world
    before = trace(world)
    for _ in range(5):
        assert desk.engine.rehearse((Eager(),)) is not None
    assert trace(world) == before


def test_a_rehearsed_engine_does_what_one_does_that_never_was() -> None:
    def live(*, is_rehearsed: bool) -> list[object]:
        desk = lively()
        for second in range(1, 40):
            if is_rehearsed:
                desk.engine.rehearse((Eager(),))
            desk.wait()
            desk.quote(ticker=OTHER if second % 2 else TICKER, bid=9_000 + second * 10)
        desk.put(CloseCommanded(received_us=desk.now_us, command_id=1, actor="test", ticker=TICKER))
        return [effects for _, effects in desk.journal]

    assert live(is_rehearsed=True) == live(is_rehearsed=False)


def test_the_account_is_worked_out_anew_after_what_may_change_it() -> None:
    desk = lively()
    desk.engine.rehearse(())
    before = desk.engine.world.standing
    assert before is not None
    desk.quote(bid=9_000)
    desk.engine.rehearse(())
    after = desk.engine.world.standing
    assert after is not None
    assert after.equity < before.equity, "what is held is worth less now"
    desk.quote(ticker="KXNOBODY-26DEC-T1")
    assert desk.engine.world.standing is after, "a market nothing is held in changes nothing"
    assert told(after) != told(before)
