"""The engine as a whole: what must hold for every sequence of events, and the main roads."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.events import (
    ApiCallsCounted,
    BooksDistrusted,
    CancelAcknowledged,
    CloseCommanded,
    EntriesCancelCommanded,
    ExchangeRead,
    ExchangeStatusRead,
    FeedConnected,
    FeedHeard,
    FeedLost,
    FillReported,
    ForeignAcknowledged,
    HaltCommanded,
    HaltFound,
    HaltSaved,
    LeadDoubted,
    MarketPhaseChanged,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderReported,
    Role,
    UnhaltCommanded,
)
from bot.domain.ids import ClientOrderId, Epoch, FillId, MarketTicker, OrderId
from bot.domain.market import MarketStatus
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import StopKind
from bot.domain.orders import BookSide, Fill, OrderStatus, Purpose, Settlement
from bot.domain.records import BracketState, HaltRecord
from bot.domain.signals import SignalRecord, Verdict
from bot.engine.draft import Draft
from bot.engine.effects import (
    CancelOrder,
    Effect,
    LookUpOrder,
    NoticeKind,
    ReadExchange,
    RenewEntryGroups,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)
from bot.engine.order_events import NO_COMMAND, halt
from bot.engine.settings import EngineSettings
from bot.kit.times import SECOND_US
from bot.risk.decision import StoredDecision, disagreement
from tests.support.trading import START_US, TICKER, Desk, Eager, Store

OTHER = "KXCPI-26DEC-T0.3"


def leading(**options: object) -> Desk:
    desk = Desk(**options)  # type: ignore[arg-type]
    desk.lead()
    return desk


def test_a_quote_becomes_a_committed_maker_entry_that_expires() -> None:
    desk = leading()
    desk.quote()
    (intent,) = desk.outgoing
    assert intent.purpose is Purpose.ENTRY
    assert intent.post_only
    assert intent.expires_us is not None
    assert intent.expires_us > intent.decided_us + 30 * SECOND_US
    assert desk.store.signals[-1].verdict is Verdict.TAKEN
    assert desk.store.brackets[intent.bracket_id].state is BracketState.PENDING_ENTRY


def test_a_market_that_stays_attractive_is_bought_once() -> None:
    desk = leading()
    for _ in range(5):
        desk.quote()
    assert len(desk.entries()) == 1
    desk.accept()
    desk.quote()
    assert len(desk.entries()) == 1


def test_the_whole_road_from_entry_to_take_profit() -> None:
    desk = leading()
    intent = desk.bought()
    assert desk.store.brackets[intent.bracket_id].state is BracketState.TP_WORKING
    profit = desk.accept()
    assert profit.quantity == intent.quantity
    desk.execute(profit, profit.quantity)
    record = desk.store.brackets[intent.bracket_id]
    assert record.state is BracketState.CLOSED
    assert record.exit_value - record.entry_cost == 300 * intent.quantity
    assert desk.store.positions[TICKER].quantity == 0
    assert desk.engine.world.ledger.cash == desk.cash
    assert [one["reason"] for one in desk.told_of(NoticeKind.POSITION_CLOSED)] == ["take_profit"]
    assert len(desk.told_of(NoticeKind.POSITION_OPENED)) == 1


@pytest.mark.parametrize("side", list(BookSide))
def test_a_stop_sells_what_is_held_on_either_side(side: BookSide) -> None:
    desk = leading(strategies=(Eager(side=side),))
    yes = (9_500, 9_600) if side is BookSide.BID else (400, 500)
    fallen = (8_300, 8_400) if side is BookSide.BID else (1_600, 1_700)
    desk.quote(*yes)
    intent = desk.accept()
    desk.execute(intent, intent.quantity)
    desk.accept()
    desk.quote(*fallen)
    desk.quote(*fallen)
    desk.answer_cancels()
    sale = desk.accept()
    assert sale.reduce_only
    assert sale.purpose is Purpose.STOP_LOSS
    assert desk.position() == 0
    assert desk.store.brackets[intent.bracket_id].state is BracketState.CLOSED
    assert desk.engine.world.ledger.cash == desk.cash


def test_a_halt_shuts_the_exchange_side_first_and_says_so_twice() -> None:
    desk = leading()
    desk.quote()
    desk.accept()
    effects = desk.put(
        HaltCommanded(received_us=desk.now_us, command_id=7, actor="ann", reason="lunch")
    )
    kinds = [type(effect) for effect in effects]
    assert kinds[:2] == [TriggerEntryGroups, SaveHalt]
    assert CancelOrder in kinds
    assert [(one.text, one.is_done) for one in desk.replies] == [
        ("halted here, not yet saved", False)
    ]
    desk.save_halt()
    assert desk.replies[-1].text == "saved"
    desk.answer_cancels()
    desk.quote()
    assert len(desk.entries()) == 1


def test_a_command_repeated_under_its_number_has_no_second_effect() -> None:
    desk = leading()
    halt = HaltCommanded(received_us=desk.now_us, command_id=7, actor="ann", reason="lunch")
    desk.put(halt)
    assert not any(isinstance(one, SaveHalt) for one in desk.put(halt))
    assert desk.replies[-1].text == "done before"


def test_a_halt_works_before_the_account_is_known_and_survives_the_stored_state() -> None:
    desk = Desk()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="early"))
    desk.lead()
    desk.quote()
    assert desk.outgoing == []
    stop = desk.engine.world.stance.why_not_trading()
    assert stop is not None
    assert (stop.kind, stop.why) == (StopKind.HALTED, "early")


def test_an_unhalt_opens_nothing_before_the_store_has_it() -> None:
    store = Store(halt=HaltRecord(halted=True, reason="x", set_by="ann", changed_us=1))
    desk = leading(store=store)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    desk.quote()
    assert desk.outgoing == []
    desk.save_halt()
    desk.quote()
    assert len(desk.outgoing) == 1


def test_a_halt_given_while_an_unhalt_is_being_saved_wins() -> None:
    store = Store(halt=HaltRecord(halted=True, reason="x", set_by="ann", changed_us=1))
    desk = leading(store=store)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=4, actor="bob", reason="no"))
    for command_id in (4, 3):
        desk.put(HaltSaved(received_us=desk.now_us, command_id=command_id))
    desk.quote()
    assert desk.outgoing == []
    saves = [one.record for _, effects in desk.journal for one in effects if is_save(one)]
    assert saves[-1].halted, "the late save of the unhalt is overwritten"
    last_words = {one.command_id: one.text for one in desk.replies if one.is_done}
    assert last_words == {4: "saved", 3: "refused: a halt came in between"}


def test_an_unhalt_ends_the_halt_that_was_known_and_no_other() -> None:
    store = Store(halt=HaltRecord(halted=True, reason="x", set_by="ann", changed_us=1))
    desk = leading(store=store)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    (save,) = [one for one in desk.journal[-1][1] if isinstance(one, SaveHalt)]
    assert save.ends == store.halt
    typed = HaltRecord(halted=True, reason="by sql", set_by="dba", changed_us=2)
    desk.put(HaltSaved(received_us=desk.now_us, command_id=3, instead=typed))
    desk.quote()
    assert desk.outgoing == []
    assert desk.replies[-1].text == "refused: halted meanwhile: by sql"
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=4, actor="ann"))
    (save,) = [one for one in desk.journal[-1][1] if isinstance(one, SaveHalt)]
    assert save.ends == typed
    desk.put(HaltSaved(received_us=desk.now_us, command_id=4))
    desk.quote()
    assert len(desk.outgoing) == 1


def test_a_halt_of_the_engine_while_an_unhalt_is_being_saved_wins_as_well() -> None:
    store = Store(halt=HaltRecord(halted=True, reason="x", set_by="ann", changed_us=1))
    desk = leading(store=store)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    record = HaltRecord(halted=True, reason="odd", set_by="engine", changed_us=desk.now_us)
    halt(desk.engine.world, record, NO_COMMAND, Draft(desk.epoch))
    desk.put(HaltSaved(received_us=desk.now_us, command_id=3))
    desk.put(HaltSaved(received_us=desk.now_us, command_id=NO_COMMAND))
    desk.quote()
    assert desk.outgoing == []
    assert desk.replies[-1].text == "refused: a halt came in between"


def test_a_halt_found_in_the_store_stops_entries_cancels_them_and_is_told() -> None:
    desk = leading()
    desk.quote()
    entry = desk.accept()
    record = HaltRecord(halted=True, reason="by sql", set_by="dba", changed_us=desk.now_us)
    for _ in range(2):
        desk.put(HaltFound(received_us=desk.now_us, record=record))
    desk.answer_cancels()
    assert not desk.venue[entry.client_order_id].is_open
    stop = desk.engine.world.stance.why_not_trading()
    assert stop is not None
    assert (stop.kind, stop.why) == (StopKind.HALTED, "by sql")
    assert [one["by"] for one in desk.told_of(NoticeKind.HALT_SET)] == ["dba"]
    assert desk.triggers == 1
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    desk.save_halt()
    desk.quote()
    assert len(desk.entries()) == 2


def test_a_halt_that_ended_before_it_was_read_changes_nothing() -> None:
    desk = leading()
    desk.put(HaltFound(received_us=desk.now_us, record=desk.store.halt))
    assert desk.engine.world.stance.may_enter


@pytest.mark.parametrize("late", [Role.ACTIVATING, Role.LEADING])
def test_a_leadership_that_is_ending_does_not_lead_again(late: Role) -> None:
    desk = leading()
    desk.role(Role.DRAINING)
    desk.role(late)
    desk.quote()
    assert desk.outgoing == []
    assert desk.engine.world.stance.role is Role.DRAINING


def test_calls_that_fail_during_a_pause_of_the_exchange_trip_nothing_after_it() -> None:
    desk = leading()
    failing = {"calls": 50, "failed": 50}
    desk.put(exchange_trades(desk, is_active=False))
    for _ in range(3):
        desk.put(ApiCallsCounted(received_us=desk.now_us, **failing))
    desk.put(exchange_trades(desk, is_active=True))
    desk.put(ApiCallsCounted(received_us=desk.now_us, **failing))
    assert desk.told_of(NoticeKind.BREAKER_TRIPPED) == (), "made before it was known to resume"
    desk.put(ApiCallsCounted(received_us=desk.now_us, **failing))
    assert len(desk.told_of(NoticeKind.BREAKER_TRIPPED)) == 1


def is_save(effect: object) -> bool:
    return isinstance(effect, SaveHalt)


def test_an_unhalt_waits_for_a_halt_to_be_saved() -> None:
    desk = leading()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="bob", reason="no"))
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=2, actor="bob"))
    assert desk.replies[-1].text.startswith("refused")


def test_an_unhalt_waits_for_reconciliation() -> None:
    store = Store(halt=HaltRecord(halted=True, reason="x", set_by="ann", changed_us=1))
    desk = Desk(store=store)
    desk.role(Role.ACTIVATING)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=3, actor="ann"))
    assert desk.replies[-1].text.startswith("refused")


def test_after_a_halt_ends_new_groups_are_made_before_the_next_entry() -> None:
    desk = leading()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="x"))
    desk.save_halt()
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=2, actor="ann"))
    desk.save_halt()
    assert any(isinstance(effect, RenewEntryGroups) for effect in desk.journal[-1][1])


def test_a_quiet_market_is_looked_at_when_entries_are_allowed_again() -> None:
    desk = leading()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="x"))
    desk.save_halt()
    desk.quote()
    assert not any(isinstance(effect, SendOrder) for _, found in desk.journal for effect in found)
    desk.put(UnhaltCommanded(received_us=desk.now_us, command_id=2, actor="ann"))
    desk.save_halt()
    effects = desk.journal[-1][1]
    kinds = [type(effect) for effect in effects]
    assert SendOrder in kinds
    assert kinds.index(RenewEntryGroups) < kinds.index(SendOrder)


def test_positions_stay_protected_while_halted() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="x"))
    desk.quote(8_300)
    desk.quote(8_300)
    desk.answer_cancels()
    assert [one.purpose for one in desk.outgoing] == [Purpose.STOP_LOSS]


def test_draining_cancels_entries_keeps_take_profits_and_fires_no_stop() -> None:
    desk = leading()
    intent = desk.bought(100)
    desk.accept()
    desk.role(Role.DRAINING)
    desk.answer_cancels()
    open_now = [one.intent.purpose for one in desk.venue.values() if one.is_open]
    assert open_now == [Purpose.TAKE_PROFIT]
    desk.quote(8_000)
    desk.quote(7_900)
    desk.wait(5)
    assert desk.outgoing == []
    assert desk.store.brackets[intent.bracket_id].state is BracketState.TP_WORKING


def test_an_unknown_outcome_freezes_its_market_and_is_looked_up_not_sent_again() -> None:
    desk = leading()
    desk.quote()
    intent = desk.outgoing.pop()
    desk.put(
        OrderOutcomeUnknown(
            received_us=desk.now_us, client_order_id=intent.client_order_id, reason="timeout"
        )
    )
    desk.quote()
    desk.wait(4)
    assert desk.outgoing == []
    asked = [one for _, effects in desk.journal for one in effects if isinstance(one, LookUpOrder)]
    assert {one.client_order_id for one in asked} == {intent.client_order_id}
    assert len(desk.told_of(NoticeKind.ORDER_UNKNOWN)) == 1


def test_an_unknown_order_that_is_found_is_adopted() -> None:
    desk = leading()
    desk.quote()
    intent = desk.outgoing.pop()
    desk.arrive(intent)
    desk.put(
        OrderOutcomeUnknown(
            received_us=desk.now_us, client_order_id=intent.client_order_id, reason="timeout"
        )
    )
    desk.wait(4)
    desk.answer_lookups()
    assert desk.store.orders[intent.client_order_id].status is OrderStatus.RESTING


def test_an_existing_order_under_our_id_is_compared_and_a_stranger_halts_everything() -> None:
    desk = leading()
    desk.quote()
    intent = desk.outgoing.pop()
    desk.arrive(msgspec.structs.replace(intent, price=Price(100)))
    desk.put(
        OrderRefused(
            received_us=desk.now_us,
            client_order_id=intent.client_order_id,
            code="order_already_exists",
            reason="",
        )
    )
    desk.wait(4)
    desk.answer_lookups()
    stop = desk.engine.world.stance.why_not_trading()
    assert stop is not None
    assert stop.kind is StopKind.HALTED
    assert desk.store.brackets[intent.bracket_id].state is BracketState.ORPHAN


def test_an_order_we_could_not_send_is_over_and_the_next_signal_has_another_id() -> None:
    desk = leading()
    desk.quote()
    first = desk.outgoing.pop()
    desk.put(
        OrderNotSent(
            received_us=desk.now_us, client_order_id=first.client_order_id, reason="gate shut"
        )
    )
    desk.quote()
    (second,) = desk.outgoing
    assert second.client_order_id != first.client_order_id
    assert second.signal_id != first.signal_id
    assert desk.store.orders[first.client_order_id].status is OrderStatus.DENIED


def test_a_fill_that_overtakes_its_answer_waits_for_it() -> None:
    desk = leading()
    desk.quote()
    intent = desk.outgoing[0]
    order = desk.arrive(intent)
    desk.execute(intent, 500)
    assert desk.store.fills == {}
    desk.put(OrderReported(received_us=desk.now_us, order=order.listed()))
    assert [fill.quantity for fill in desk.store.fills.values()] == [500]
    assert desk.store.brackets[intent.bracket_id].entered == 500
    assert desk.told_of(NoticeKind.FOREIGN_ACTIVITY) == ()


def test_a_fill_told_twice_counts_once() -> None:
    desk = leading()
    desk.bought()
    quantity = desk.store.positions[TICKER].quantity
    desk.put(FillReported(received_us=desk.now_us, fill=desk.fills[0]))
    assert desk.store.positions[TICKER].quantity == quantity


def a_foreign_fill(side: BookSide, quantity: int) -> Fill:
    return Fill(
        fill_id=FillId(f"foreign-{side}-{quantity}"),
        order_id=OrderId("hand"),
        ticker=TICKER,
        side=side,
        price=Price(9_500),
        quantity=Quantity(quantity),
        fee=Money(0),
        is_taker=True,
        executed_us=START_US,
    )


def test_a_fill_that_waits_for_its_order_is_not_taken_from_the_exchanges_word_as_well() -> None:
    desk = leading()
    entry = desk.bought()  # its take-profit is on its way and has no name yet
    desk.foreign_positions[TICKER] = -300
    desk.put(FillReported(received_us=desk.now_us, fill=a_foreign_fill(BookSide.ASK, 300)))
    desk.wait(6)
    for _ in range(2):
        desk.read()
    [waiting] = desk.engine.world.desk.open()
    assert waiting.outside == 0, "whose it is will be known within seconds"
    desk.accept()
    desk.wait(20)
    desk.read()
    [bracket] = desk.engine.world.desk.open()
    assert (bracket.outside, bracket.held) == (300, entry.quantity - 300)
    assert desk.store.positions[TICKER].quantity == entry.quantity - 300


def test_a_foreign_fill_is_booked_reported_once_and_blocks_entries_until_acknowledged() -> None:
    desk = leading()
    bought, sold = (a_foreign_fill(side, 300) for side in BookSide)
    desk.put(FillReported(received_us=desk.now_us, fill=bought))
    desk.put(FillReported(received_us=desk.now_us, fill=sold))
    assert desk.store.positions[TICKER].quantity == 0
    desk.quote()
    assert desk.outgoing == []
    assert desk.store.signals[-1].reason.startswith("foreign_activity")
    assert len(desk.told_of(NoticeKind.FOREIGN_ACTIVITY)) == 1
    desk.put(ForeignAcknowledged(received_us=desk.now_us, command_id=1, actor="ann", ticker=TICKER))
    desk.quote()
    assert len(desk.outgoing) == 1


def test_contracts_a_person_sold_are_never_sold_again() -> None:
    desk = leading()
    intent = desk.bought()
    profit = desk.accept()
    part = 400
    desk.put(FillReported(received_us=desk.now_us, fill=a_foreign_fill(BookSide.ASK, part)))
    desk.answer_cancels()
    desk.wait(6)
    assert [one.quantity for one in desk.outgoing] == [profit.quantity - part]
    assert desk.store.brackets[intent.bracket_id].exited == part


def test_what_a_person_bought_is_what_they_sell_first() -> None:
    desk = leading()
    intent = desk.bought()
    desk.accept()
    for side, quantity in ((BookSide.BID, 300), (BookSide.ASK, 700)):
        desk.foreign_positions[TICKER] = 300 if side is BookSide.BID else -400
        desk.put(FillReported(received_us=desk.now_us, fill=a_foreign_fill(side, quantity)))
    [bracket] = desk.engine.world.desk.open()
    assert (bracket.outside, bracket.held) == (400, intent.quantity - 400)
    assert desk.store.positions[TICKER].quantity == bracket.held, "nothing is left unwatched"


def test_what_a_person_had_sold_before_we_bought_is_missing_from_ours() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    desk.foreign_positions[TICKER] = -300
    desk.put(FillReported(received_us=desk.now_us, fill=a_foreign_fill(BookSide.ASK, 300)))
    desk.execute(intent, 1_000)
    [bracket] = desk.engine.world.desk.open()
    assert (bracket.outside, bracket.held) == (300, 700)
    assert desk.store.positions[TICKER].quantity == 700
    [profit] = desk.outgoing
    assert profit.quantity == 700, "a take-profit is never larger than the position"


def test_a_person_who_sells_what_they_bought_leaves_ours_as_it_is() -> None:
    desk = leading()
    intent = desk.bought()
    desk.accept()
    for side in BookSide:
        desk.put(FillReported(received_us=desk.now_us, fill=a_foreign_fill(side, 300)))
    [bracket] = desk.engine.world.desk.open()
    assert (bracket.outside, bracket.held) == (0, intent.quantity)


def test_a_late_fill_that_reopens_a_bracket_gives_it_one_result_not_two() -> None:
    desk = leading()
    intent = desk.bought(500)
    desk.answer_cancels()
    profit = desk.accept()
    world = desk.engine.world
    desk.put(
        CancelAcknowledged(
            received_us=desk.now_us,
            client_order_id=intent.client_order_id,
            reduced_by=Quantity(intent.quantity - 500),
        )
    )
    desk.execute(profit, 500)
    desk.wait(1)
    assert len(world.ledger.results) == 1
    desk.execute(intent, 200)
    bracket = world.desk.brackets[intent.bracket_id]
    assert (bracket.held, bracket.is_over) == (200, False)
    desk.wait(5)
    again = desk.accept()
    desk.execute(again, 200)
    desk.wait(1)
    (result,) = world.ledger.results
    assert result.contracts == 700


def test_a_settlement_pays_the_position_and_closes_the_bracket_once() -> None:
    desk = leading()
    intent = desk.bought()
    settlement = Settlement(
        ticker=TICKER,
        event_ticker=a_ticker_event(),
        result="yes",
        value=None,
        revenue=Money(0),
        fee=Money(0),
        settled_us=desk.now_us,
    )
    for _ in range(2):
        desk.settlements = [settlement]
        desk.positions[TICKER] = 0
        desk.cash = Money(desk.cash + 10_000 * intent.quantity) if _ == 0 else desk.cash
        desk.read()
    record = desk.store.brackets[intent.bracket_id]
    assert record.state is BracketState.SETTLED
    assert record.exit_value - record.entry_cost == 500 * intent.quantity
    assert desk.engine.world.ledger.cash == desk.cash
    assert len(desk.told_of(NoticeKind.POSITION_CLOSED)) == 1


def a_ticker_event() -> object:
    return TICKER.rpartition("-")[0]


def test_a_determined_market_pays_only_when_it_is_final() -> None:
    desk = leading()
    intent = desk.bought()
    for status in (MarketStatus.DETERMINED, MarketStatus.FINALIZED):
        before = desk.store.brackets[intent.bracket_id].state
        desk.put(
            MarketPhaseChanged(
                received_us=desk.now_us, ticker=TICKER, status=status, close_us=None, value=Price(0)
            )
        )
        if status is MarketStatus.DETERMINED:
            assert desk.store.brackets[intent.bracket_id].state is before
    record = desk.store.brackets[intent.bracket_id]
    assert record.state is BracketState.SETTLED
    assert record.exit_value == 0


def test_an_operator_closes_a_position_whatever_stops_entries() -> None:
    desk = leading()
    intent = desk.bought()
    desk.accept()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="x"))
    desk.put(CloseCommanded(received_us=desk.now_us, command_id=2, actor="ann", ticker=TICKER))
    desk.answer_cancels()
    desk.accept()
    assert desk.position() == 0
    assert desk.store.brackets[intent.bracket_id].exit_reason == "operator"


def test_one_entry_is_cancelled_by_its_order_or_its_market_and_a_mistyped_one_is_refused() -> None:
    desk = leading()
    desk.list_markets(TICKER, OTHER)
    desk.quote()
    desk.quote(ticker=OTHER)
    first, second = desk.accept(), desk.accept()

    def cancels(number: int, chosen: str) -> tuple[list[str], str]:
        effects = desk.put(
            EntriesCancelCommanded(
                received_us=desk.now_us, command_id=number, actor="ann", chosen=chosen
            )
        )
        gone = [one.client_order_id for one in effects if isinstance(one, CancelOrder)]
        return gone, desk.replies[-1].text

    assert cancels(1, "nothing") == ([], "refused: no entry of ours rests as nothing")
    order_id = desk.venue[first.client_order_id].order_id
    told = (
        "cancelling 1 entry; take-profits stay; strategies may bid again, /halt keeps them from it"
    )
    assert cancels(2, order_id) == ([first.client_order_id], told)
    assert cancels(3, OTHER) == ([second.client_order_id], told)


def test_cancelling_entries_leaves_take_profits_alone() -> None:
    desk = leading()
    desk.bought(100)
    desk.accept()
    desk.put(EntriesCancelCommanded(received_us=desk.now_us, command_id=1, actor="ann"))
    desk.answer_cancels()
    assert [o.intent.purpose for o in desk.venue.values() if o.is_open] == [Purpose.TAKE_PROFIT]


def test_a_pause_of_the_exchange_is_told_once_and_freezes_stops() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    for is_open in (False, False, True):
        desk.put(exchange_trades(desk, is_active=is_open))
        if not is_open:
            desk.quote(8_000)
            desk.quote(7_900)
            desk.wait(20)
            assert desk.engine.world.stance.may_exit is False
            assert desk.outgoing == []
    assert len(desk.told_of(NoticeKind.PAUSED)) == 1
    assert len(desk.told_of(NoticeKind.RESUMED)) == 1
    assert desk.told_of(NoticeKind.BREAKER_TRIPPED) == ()


def test_a_distrusted_book_is_neither_bought_from_nor_stopped_on() -> None:
    desk = leading()
    desk.bought()
    desk.accept()
    desk.quote(8_400)
    desk.put(BooksDistrusted(received_us=desk.now_us, tickers=(TICKER,), reason="gap"))
    desk.wait(10)
    assert [o.intent.purpose for o in desk.venue.values() if o.is_open] == [Purpose.TAKE_PROFIT]


def test_a_refusal_is_kept_with_its_reason_but_not_on_every_tick() -> None:
    desk = leading(settings=EngineSettings())
    desk.list_markets(TICKER, volume_24h=Quantity(0))
    for _ in range(10):
        desk.quote()
    assert [one.reason.partition(":")[0] for one in desk.store.signals] == ["some_size"]
    desk.now_us += desk.settings.refusal_repeat_us
    desk.quote()
    assert len(desk.store.signals) == 2


def test_silence_of_fifteen_seconds_trips_and_thirty_good_ones_clear() -> None:
    desk = leading()
    desk.quote()
    desk.accept()
    desk.put(FeedHeard(received_us=desk.now_us))
    desk.put(FeedLost(received_us=desk.now_us, reason="reset"))
    desk.wait(14)
    assert desk.told_of(NoticeKind.BREAKER_TRIPPED) == ()
    desk.wait(1)
    assert [one["name"] for one in desk.told_of(NoticeKind.BREAKER_TRIPPED)] == [
        "websocket_silence"
    ]
    assert desk.triggers == 1
    desk.answer_cancels()
    assert not any(order.is_open for order in desk.venue.values())
    for _ in range(31):
        desk.put(FeedHeard(received_us=desk.now_us))
        desk.wait(1)
    assert desk.engine.world.stance.may_enter
    assert desk.store.breakers["websocket_silence"].tripped is False


def test_what_was_filled_while_the_stream_was_away_is_found_as_soon_as_it_is_back() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    desk.put(FeedLost(received_us=desk.now_us, reason="reset"))
    desk.execute(intent, intent.quantity, tell=False)
    desk.put(FeedConnected(received_us=desk.now_us))
    desk.wait()
    assert not desk.is_asking(), "the private channels may not be on yet"
    desk.wait()
    assert desk.is_asking()
    desk.read()
    assert desk.store.positions[TICKER].quantity == intent.quantity
    assert [one.purpose for one in desk.outgoing] == [Purpose.TAKE_PROFIT]
    desk.wait(3)
    assert not desk.is_asking()


def test_a_comparison_after_a_silence_that_failed_is_made_again_soon() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    desk.put(FeedLost(received_us=desk.now_us, reason="reset"))
    desk.execute(intent, intent.quantity, tell=False)
    desk.put(FeedConnected(received_us=desk.now_us))
    desk.wait(2)
    assert desk.is_asking()
    desk.wait(9)
    assert not desk.is_asking()
    desk.wait()
    assert desk.is_asking()
    desk.read()
    assert desk.store.positions[TICKER].quantity == intent.quantity
    desk.wait(15)
    assert not any(
        isinstance(effect, ReadExchange) for _, effects in desk.journal[-15:] for effect in effects
    ), "an answer was all it waited for"


def test_a_read_from_before_the_silence_ended_is_no_comparison() -> None:
    desk = leading()
    asked_us = desk.now_us
    desk.put(FeedConnected(received_us=desk.now_us))
    truth = desk.truth()
    desk.wait()
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=asked_us, truth=truth))
    desk.wait()
    assert desk.is_asking()


def test_five_losses_in_a_row_trip_also_across_a_restart() -> None:
    desk = leading()
    for round_ in range(5):
        if round_ == 3:
            successor = Desk(store=desk.store, venue=desk.venue, epoch=2, now_us=desk.now_us)
            successor.fills, successor.cash = desk.fills, desk.cash
            successor.positions, successor.told = desk.positions, desk.told
            desk = successor
            desk.lead()
        desk.bought()
        desk.accept()
        desk.quote(8_300)
        desk.quote(8_300)
        desk.answer_cancels()
        desk.accept()
        desk.wait(1)
    assert [one["name"] for one in desk.told_of(NoticeKind.BREAKER_TRIPPED)] == [
        "consecutive_losses"
    ]
    desk.quote()
    assert desk.outgoing == []


def test_a_restart_goes_on_where_the_store_left_off() -> None:
    desk = leading()
    intent = desk.bought(500)
    desk.accept()
    successor = Desk(store=desk.store, venue=desk.venue, epoch=2, now_us=desk.now_us + SECOND_US)
    successor.fills, successor.cash = desk.fills, desk.cash
    successor.positions, successor.told = desk.positions, len(desk.fills)
    successor.lead()
    bracket = successor.engine.world.desk.brackets[intent.bracket_id]
    assert bracket.held == 500
    assert bracket.take_profit is not None
    assert bracket.take_profit.is_working
    successor.execute(intent, 100)
    assert successor.engine.world.desk.brackets[intent.bracket_id].held == 600


def test_what_filled_while_nobody_led_is_learned_at_the_take_over() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    desk.execute(intent, intent.quantity, tell=False)
    successor = Desk(store=desk.store, venue=desk.venue, epoch=2, now_us=desk.now_us + SECOND_US)
    successor.fills, successor.cash, successor.positions = desk.fills, desk.cash, desk.positions
    successor.lead()
    assert [one.purpose for one in successor.outgoing] == [Purpose.TAKE_PROFIT]
    assert successor.outgoing[0].epoch == 2
    assert successor.told_of(NoticeKind.RECONCILED)[-1]["fills_learned"] == "1"
    assert successor.engine.world.ledger.cash == successor.cash, "the balance holds it already"


def test_a_position_nobody_can_explain_is_adopted_after_two_equal_reads_and_left_alone() -> None:
    desk = Desk()
    desk.foreign_positions[MarketTicker(OTHER)] = 700
    desk.lead()
    assert not desk.engine.world.stance.is_reconciled
    desk.wait(10)
    assert desk.is_asking()
    desk.read()
    assert desk.engine.world.stance.is_reconciled
    assert desk.store.positions[MarketTicker(OTHER)].quantity == 700
    assert [one["ticker"] for one in desk.told_of(NoticeKind.FOREIGN_ACTIVITY)] == [OTHER]
    desk.list_markets(OTHER)
    desk.quote(ticker=OTHER)
    desk.wait(5)
    assert desk.outgoing == []


def test_contracts_missing_at_the_exchange_shrink_the_bracket_before_anything_is_sold() -> None:
    desk = leading()
    intent = desk.bought()
    desk.accept()
    desk.wait(10)
    desk.positions[TICKER] -= 400
    desk.read()
    desk.wait(10)
    desk.read()
    assert desk.engine.world.desk.brackets[intent.bracket_id].held == intent.quantity - 400
    desk.answer_cancels()
    desk.wait(6)
    assert [one.quantity for one in desk.outgoing] == [intent.quantity - 400]


def test_an_order_that_vanished_from_the_listing_is_looked_up() -> None:
    desk = leading()
    desk.quote()
    intent = desk.accept()
    desk.venue[intent.client_order_id].is_open = False
    truth = desk.truth(orders=())
    desk.now_us += 20 * SECOND_US
    desk.put(ExchangeRead(received_us=desk.now_us, requested_us=desk.now_us, truth=truth))
    desk.wait(3)
    desk.answer_lookups()
    assert desk.store.orders[intent.client_order_id].status is OrderStatus.CANCELED


steps = st.lists(
    st.one_of(
        st.tuples(st.just("role"), st.sampled_from(list(Role))),
        st.tuples(st.just("halt"), st.just(0)),
        st.tuples(st.just("unhalt"), st.just(0)),
        st.tuples(st.just("saved"), st.just(0)),
        st.tuples(st.just("trading"), st.booleans()),
        st.tuples(st.just("quote"), st.sampled_from([9_500, 8_000, 9_000])),
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("heard"), st.just(0)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("accept"), st.just(0)),
        st.tuples(st.just("fill"), st.integers(1, 2_000)),
        st.tuples(st.just("cancels"), st.just(0)),
    ),
    max_size=50,
)


def play(desk: Desk, step: tuple[str, object], number: int) -> None:
    name, value = step
    at_us = desk.now_us
    match name:
        case "role":
            desk.role(Role(str(value)))
        case "halt":
            desk.put(HaltCommanded(received_us=at_us, command_id=number, actor="a", reason="r"))
        case "unhalt":
            desk.put(UnhaltCommanded(received_us=at_us, command_id=number, actor="a"))
        case "saved":
            if any(isinstance(e, SaveHalt) for _, effects in desk.journal for e in effects):
                desk.save_halt()
        case "wait":
            desk.wait(int(str(value)))
        case "read":
            desk.read()
        case _:
            play_venue(desk, name, int(value))  # type: ignore[call-overload]


def play_venue(desk: Desk, name: str, value: int) -> None:
    at_us = desk.now_us
    match name:
        case "trading":
            desk.put(exchange_trades(desk, is_active=bool(value)))
        case "quote":
            desk.quote(value)
        case "heard":
            desk.put(FeedHeard(received_us=at_us))
        case "accept" if desk.outgoing:
            desk.accept()
        case "fill":
            open_now = [one for one in desk.venue.values() if one.is_open]
            for order in open_now[:1]:
                room = order.intent.quantity - order.filled
                desk.execute(order.intent, min(value, room))
        case "cancels":
            desk.answer_cancels()


def exchange_trades(desk: Desk, *, is_active: bool) -> ExchangeStatusRead:
    return ExchangeStatusRead(
        received_us=desk.now_us,
        is_exchange_active=True,
        is_trading_active=is_active,
        resume_us=None,
    )


@given(steps)
@settings(max_examples=200, deadline=None)
def test_only_a_leader_that_nothing_stops_sends_entries(
    sequence: list[tuple[str, object]],
) -> None:
    desk = leading()
    role, halted, trading = Role.LEADING, False, True
    last_save_ends = False
    for number, step in enumerate(sequence, start=1):
        before = len(desk.entries())
        play(desk, step, number)
        match step[0]:
            case "role":
                role = Role(str(step[1]))
            case "halt":
                halted, last_save_ends = True, False
            case "unhalt":
                asked = any(isinstance(one, SaveHalt) for one in desk.journal[-1][1])
                last_save_ends = asked or last_save_ends
            case "saved":
                halted = halted and not last_save_ends
            case "trading":
                trading = bool(step[1])
        if len(desk.entries()) > before:
            assert role is Role.LEADING
            assert not halted
            assert trading
            assert not any(state.is_tripped for state in desk.engine.world.stance.breakers)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_the_same_events_give_the_same_effects(sequence: list[tuple[str, object]]) -> None:
    desk = leading()
    for number, step in enumerate(sequence, start=1):
        play(desk, step, number)
    replayed = Desk().engine
    for event, effects in desk.journal:
        assert replayed.handle(event) == effects


@given(steps)
@settings(max_examples=150, deadline=None)
def test_positions_are_the_fills_and_exits_never_exceed_them(
    sequence: list[tuple[str, object]],
) -> None:
    desk = leading()
    for number, step in enumerate(sequence, start=1):
        play(desk, step, number)
        assert desk.position() >= 0
        resting = sum(
            order.intent.quantity - order.filled
            for order in desk.venue.values()
            if order.is_open and order.intent.purpose is not Purpose.ENTRY
        )
        assert resting <= desk.position()
        folded = desk.engine.world.ledger.position(TICKER).quantity
        assert folded == desk.position()
        assert len({one.signal_id for one in desk.entries()}) == len(desk.entries())


@given(steps)
@settings(max_examples=100, deadline=None)
def test_every_decision_comes_out_equal_when_it_is_judged_again(
    sequence: list[tuple[str, object]],
) -> None:
    desk = leading()
    for number, step in enumerate(sequence, start=1):
        play(desk, step, number)
    for one in desk.store.signals:
        assert disagreement(written_down(one)) == ""


def written_down(one: SignalRecord) -> StoredDecision:
    """As it comes back from the database."""
    return StoredDecision(
        quantity=one.quantity,
        is_taken=one.verdict is Verdict.TAKEN,
        reason=one.reason,
        case=json.loads(json.dumps(one.case)),
    )


def test_signal_ids_sort_by_time_and_differ_between_epochs_and_instances() -> None:
    first, second = leading(), leading(epoch=2)
    first.quote()
    second.quote()
    ids = [desk.entries()[0].signal_id for desk in (first, second)]
    assert ids[0] != ids[1]
    first.now_us += 3_600 * SECOND_US
    first.list_markets(OTHER)
    first.quote(ticker=OTHER)
    assert first.entries()[1].signal_id > ids[0]
    assert Epoch(1) == first.entries()[0].epoch
    assert ClientOrderId(f"{ids[0]}-e0") == first.entries()[0].client_order_id


def test_the_same_trade_can_be_made_again_under_another_id() -> None:
    desk = leading()
    desk.quote()
    first = desk.accept()
    desk.venue[first.client_order_id].is_open = False  # expired
    desk.wait(6)
    desk.read()
    desk.quote()
    [second] = desk.outgoing
    for name in ("ticker", "side", "price", "quantity"):
        assert getattr(first, name) == getattr(second, name)
    assert first.client_order_id != second.client_order_id


def test_effects_put_every_order_right_behind_the_commit_of_its_intent() -> None:
    desk = leading()
    desk.bought(300)
    sends = 0
    for _, effects in desk.journal:
        for at, effect in enumerate(effects):
            if isinstance(effect, SendOrder):
                sends += 1
                assert effect.intent in effects[at - 1].records  # type: ignore[union-attr]
    assert sends == 2


def doubt(desk: Desk, *, is_doubted: bool) -> tuple[Effect, ...]:
    return desk.put(LeadDoubted(received_us=desk.now_us, is_doubted=is_doubted))


def test_a_lead_in_doubt_ends_resting_entries_at_the_exchange_before_anything_is_written() -> None:
    desk = Desk()
    desk.lead()
    desk.quote()
    desk.accept()
    effects = doubt(desk, is_doubted=True)
    assert isinstance(effects[0], TriggerEntryGroups)
    assert any(isinstance(effect, CancelOrder) for effect in effects)
    reason = desk.engine.world.stance.why_not_trading()
    assert reason is not None
    assert reason.why == "the database does not confirm the lead"
    sent = len(desk.entries())
    desk.answer_cancels()
    desk.quote(9_400)
    assert len(desk.entries()) == sent, "no new entry"


def test_a_confirmed_lead_makes_new_groups_and_enters_again() -> None:
    desk = Desk()
    desk.lead()
    doubt(desk, is_doubted=True)
    effects = doubt(desk, is_doubted=False)
    assert any(isinstance(effect, RenewEntryGroups) for effect in effects)
    desk.quote()
    assert desk.entries()


def test_a_doubt_keeps_the_take_profit() -> None:
    desk = Desk()
    desk.lead()
    desk.bought()
    desk.accept()
    before = [order for order in desk.venue.values() if order.is_open]
    assert len(before) == 1
    effects = doubt(desk, is_doubted=True)
    assert not any(isinstance(effect, CancelOrder) for effect in effects)
