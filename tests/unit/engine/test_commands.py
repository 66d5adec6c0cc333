"""Operators' commands, answered in words."""

from bot.domain.events import (
    BreakerResetCommanded,
    ClockCompared,
    CloseCommanded,
    ForeignAcknowledged,
    HaltCommanded,
    HaltFound,
    SettlementReported,
    UnhaltCommanded,
)
from bot.domain.ids import BracketId, EventTicker, MarketTicker
from bot.domain.money import PAYOUT, Money
from bot.domain.orders import Settlement
from bot.domain.records import BracketState, HaltRecord
from bot.engine.draft import Draft
from bot.engine.effects import NoticeKind
from bot.execution.bracket import orphaned
from bot.kit.times import SECOND_US
from tests.support.trading import TICKER, Desk


def leading() -> Desk:
    desk = Desk()
    desk.lead()
    return desk


def reset(desk: Desk, name: str, number: int, *, is_forced: bool = False) -> str:
    desk.put(
        BreakerResetCommanded(
            received_us=desk.now_us,
            command_id=number,
            actor="ann",
            name=name,
            is_forced=is_forced,
        )
    )
    return desk.replies[-1].text


def test_a_breaker_is_not_reset_while_its_condition_holds() -> None:
    desk = leading()
    desk.put(ClockCompared(received_us=desk.now_us, skew_us=3 * SECOND_US))
    assert reset(desk, "clock_skew", 1) == "refused: still 3000 ms, the limit is 2000 ms"
    assert desk.store.breakers["clock_skew"].tripped
    desk.put(ClockCompared(received_us=desk.now_us, skew_us=0))
    assert reset(desk, "clock_skew", 2) == "clock_skew reset"
    assert not desk.store.breakers["clock_skew"].tripped
    desk.quote()
    assert len(desk.outgoing) == 1


def test_force_states_what_it_grants_and_the_store_keeps_it() -> None:
    desk = leading()
    desk.put(ClockCompared(received_us=desk.now_us, skew_us=3 * SECOND_US))
    text = reset(desk, "clock_skew", 1, is_forced=True)
    assert text == "clock_skew reset; granted: 5 minutes without this breaker"
    assert str(desk.now_us + 300 * SECOND_US) in desk.store.breakers["clock_skew"].data_json


def test_resetting_what_is_not_tripped_or_does_not_exist_is_refused_even_by_force() -> None:
    desk = leading()
    assert reset(desk, "drawdown", 1, is_forced=True) == "refused: drawdown is not tripped"
    assert "known: daily_loss, consecutive_losses" in reset(desk, "gravity", 2)


def test_a_halt_is_no_breaker_and_no_reset_clears_it() -> None:
    desk = leading()
    assert "no breaker 'halt'" in reset(desk, "halt", 1, is_forced=True)


def test_one_halt_given_under_two_numbers_is_told_once() -> None:
    desk = leading()
    for number in (1, 2):
        desk.put(
            HaltCommanded(received_us=desk.now_us, command_id=number, actor="ann", reason="lunch")
        )
    assert desk.told_of(NoticeKind.HALT_SET) == ({"reason": "lunch", "by": "ann"},)


def close(desk: Desk, ticker: MarketTicker | None, number: int = 1) -> tuple[str, bool]:
    desk.put(CloseCommanded(received_us=desk.now_us, command_id=number, actor="ann", ticker=ticker))
    return desk.replies[-1].text, desk.replies[-1].is_done


def test_closing_all_of_nothing_is_done() -> None:
    assert close(leading(), None) == ("nothing of ours is open", True)


def test_closing_a_mistyped_market_is_refused_and_names_what_is_open() -> None:
    desk = leading()
    mistyped = MarketTicker(f"{TICKER}X")
    assert close(desk, mistyped) == (
        f"refused: nothing of ours is open in {mistyped}; open: nothing",
        False,
    )
    desk.bought()
    desk.accept()
    assert close(desk, mistyped, 2)[0].endswith(f"; open: {TICKER}")


def acknowledge(desk: Desk) -> str:
    desk.put(ForeignAcknowledged(received_us=desk.now_us, command_id=9, actor="ann", ticker=TICKER))
    return desk.replies[-1].text


def orphan(desk: Desk) -> BracketId:
    intent = desk.bought()
    desk.accept()
    world = desk.engine.world
    bracket_id = BracketId(str(intent.bracket_id))
    odd = orphaned(world.desk.brackets[bracket_id], "odd", desk.now_us)
    world.desk.put(odd, Draft(desk.epoch))
    return bracket_id


def test_acknowledging_what_is_not_there_says_so() -> None:
    assert acknowledge(leading()) == f"nothing to acknowledge in {TICKER}"


def test_an_acknowledged_orphan_is_a_persons_and_frees_its_place() -> None:
    desk = leading()
    bracket_id = orphan(desk)
    assert acknowledge(desk) == f"{TICKER} acknowledged; 1 brackets are left to you"
    assert desk.engine.world.desk.brackets[bracket_id].is_over
    assert desk.engine.world.desk.open() == ()


def test_a_settlement_ends_an_orphan() -> None:
    desk = leading()
    bracket_id = orphan(desk)
    settlement = Settlement(
        ticker=TICKER,
        event_ticker=EventTicker("KXFED-26DEC"),
        result="yes",
        value=PAYOUT,
        revenue=Money(0),
        fee=Money(0),
        settled_us=desk.now_us,
    )
    desk.put(SettlementReported(received_us=desk.now_us, settlement=settlement))
    desk.wait(1)
    assert desk.store.brackets[bracket_id].state is BracketState.SETTLED
    assert desk.engine.world.desk.open() == ()


def found(desk: Desk, changed_us: int) -> None:
    record = HaltRecord(halted=True, reason="by SQL", set_by="ann", changed_us=changed_us)
    desk.put(HaltFound(received_us=desk.now_us, record=record))


def test_a_halt_read_before_the_newest_unhalt_was_saved_is_no_news() -> None:
    desk = leading()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="lunch"))
    halted_us = desk.now_us
    desk.save_halt()
    desk.wait(5)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=2, actor="ann"))
    desk.save_halt()
    found(desk, halted_us)
    assert desk.engine.world.stance.may_enter
    found(desk, desk.store.halt.changed_us)  # the row of the unhalt, changed by hand
    assert not desk.engine.world.stance.may_enter
