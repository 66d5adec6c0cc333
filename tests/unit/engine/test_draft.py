"""The order in which one event's consequences leave."""

from dataclasses import replace

from bot.domain.ids import ClientOrderId, Epoch, OrderId
from bot.domain.money import Quantity
from bot.domain.orders import OrderStatus
from bot.domain.records import HaltRecord, OrderRecord
from bot.engine.draft import Draft
from bot.engine.effects import (
    CancelOrder,
    Commit,
    NoticeKind,
    ReadExchange,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)
from tests.support.trading import TICKER, Desk


def an_order(name: str, updated_us: int = 0) -> OrderRecord:
    return OrderRecord(
        client_order_id=ClientOrderId(name),
        status=OrderStatus.RESTING,
        order_id=None,
        filled=Quantity(0),
        reason="",
        updated_us=updated_us,
    )


def test_what_stops_trading_leaves_first_and_questions_last() -> None:
    draft = Draft(Epoch(4))
    desk = Desk()
    desk.lead()
    desk.quote()
    intent = desk.outgoing[0]
    draft.ask(ReadExchange(reason="x"))
    draft.place(intent)
    draft.record(an_order("a"))
    draft.cancel(
        CancelOrder(client_order_id=ClientOrderId("a"), order_id=OrderId("v"), ticker=TICKER)
    )
    record = HaltRecord(halted=True, reason="r", set_by="s", changed_us=0)
    draft.urgent(TriggerEntryGroups(reason="x"))
    draft.urgent(SaveHalt(record=record, command_id=1))
    assert [type(effect) for effect in draft.effects()] == [
        TriggerEntryGroups,
        SaveHalt,
        CancelOrder,
        Commit,
        Commit,
        SendOrder,
        ReadExchange,
    ]


def test_the_newest_record_of_a_key_is_the_one_that_is_written() -> None:
    draft = Draft(Epoch(4))
    draft.record(an_order("a", 1))
    draft.record(an_order("b", 1))
    draft.record(an_order("a", 2))
    (commit,) = draft.effects()
    assert isinstance(commit, Commit)
    assert commit.records == (an_order("a", 2), an_order("b", 1))
    assert commit.epoch == 4


def test_a_notice_alone_is_committed_and_nothing_at_all_is_nothing() -> None:
    assert Draft(Epoch(1)).effects() == ()
    draft = Draft(Epoch(1))
    draft.tell(NoticeKind.PAUSED, until=5)
    (commit,) = draft.effects()
    assert isinstance(commit, Commit)
    assert commit.notices[0].facts == (("until", "5"),)


def test_a_fresh_entry_is_one_transaction_with_its_signal_and_bracket() -> None:
    desk = Desk()
    desk.lead()
    desk.quote()
    commit, send = desk.journal[-1][1]
    assert isinstance(commit, Commit)
    assert [type(record).__name__ for record in commit.records] == [
        "SignalRecord",
        "BracketRecord",
        "OrderIntent",
    ]
    assert isinstance(send, SendOrder)


def test_fills_are_never_in_the_transaction_of_an_order_that_may_be_refused() -> None:
    desk = Desk()
    desk.lead()
    desk.bought()
    commits = [
        {type(record).__name__ for record in effect.records}
        for _, effects in desk.journal
        for effect in effects
        if isinstance(effect, Commit)
    ]
    assert any("Fill" in kinds for kinds in commits)
    assert not any({"Fill", "OrderIntent"} <= kinds for kinds in commits)


def test_the_same_question_is_asked_once() -> None:
    draft = Draft(Epoch(1))
    draft.ask(ReadExchange(reason="x"))
    draft.ask(replace(ReadExchange(reason="x")))
    assert len(draft.effects()) == 1
