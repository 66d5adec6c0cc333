"""The executor: commit before send, nothing twice, nothing lost, and a halt that waits for nothing."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.errors import (
    ExchangeUnavailable,
    NotLeader,
    OrderRejected,
    OutcomeUnknown,
    StorageUnavailable,
)
from bot.domain.events import (
    CancelAcknowledged,
    CancelUnsettled,
    ExchangeRead,
    FillReported,
    HaltFound,
    HaltSaved,
    OrderAcknowledged,
    OrderGroupTripped,
    OrderMissing,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderReported,
    TimeAdvanced,
)
from bot.domain.ids import Epoch
from bot.domain.orders import BookSide, Fill, OrderIntent, Purpose
from bot.domain.records import HaltRecord
from bot.engine.effects import (
    CancelOrder,
    Commit,
    LookUpOrder,
    Notice,
    NoticeKind,
    ReadExchange,
    ReadFills,
    RenewEntryGroups,
    Reply,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)
from bot.ports.messages import AuditEntry, Channel
from tests.fakes.trading import MemoryTradingStore
from tests.support.hands import EPOCH, Hands, intent, placing


def fill(name: str) -> Fill:
    return Fill(
        fill_id=name,
        order_id="v1",
        ticker="KXFED-27",
        side=BookSide.BID,
        price=9_000,
        quantity=100,
        fee=0,
        is_taker=False,
        executed_us=5,
    )


def save(command_id: int, *, halted: bool = True) -> SaveHalt:
    record = HaltRecord(halted=halted, reason="", set_by=f"#{command_id}", changed_us=command_id)
    return SaveHalt(record=record, command_id=command_id)


# --- commit before send ---------------------------------------------------------------------


async def test_an_order_leaves_only_after_its_intent_is_committed() -> None:
    hands = Hands()
    hands.store.stalled.clear()
    async with hands.working():
        hands.executor.take(placing(intent()))
        await asyncio.sleep(1)
        assert hands.exchange.calls == []
        hands.store.stalled.set()
        await hands.finished()
    assert hands.store.commits == [(EPOCH, (intent(),))]
    assert len(hands.told(OrderAcknowledged)) == 1


async def test_commits_keep_the_engines_order() -> None:
    hands = Hands()
    async with hands.working():
        for number in range(20):
            hands.executor.take((Commit(epoch=EPOCH, records=(fill(f"f{number}"),)),))
        await hands.finished()
    names = [records[0].fill_id for _, records in hands.store.commits]
    assert names == [f"f{number}" for number in range(20)]


async def test_a_slow_answer_of_the_exchange_holds_no_commit_up() -> None:
    hands = Hands()
    hands.exchange.gates["create_order"] = asyncio.Event()
    async with hands.working():
        hands.executor.take(placing(intent("slow")))
        hands.executor.take(placing(intent("quick")))
        await asyncio.sleep(1)
        assert len(hands.store.commits) == 2
        assert hands.exchange.in_flight_max == 2
        hands.exchange.gates["create_order"].set()
        await hands.finished()


@pytest.mark.parametrize("text", ["stale leader epoch", ""])
async def test_a_commit_refused_by_the_fence_sends_nothing(text: str) -> None:
    hands = Hands()
    hands.store.leader = EPOCH + 1
    if not text:
        hands.store._check = _refuse_without_words  # type: ignore[method-assign]
    await hands.do(*placing(intent()))
    assert [type(event) for event in hands.reported] == [OrderNotSent]
    assert hands.exchange.calls == []


def _refuse_without_words(_epoch: int) -> None:
    raise NotLeader("")


async def test_an_entry_refused_by_a_halt_is_not_sent_and_an_exit_is() -> None:
    hands = Hands()
    hands.store.stored_halt = save(1).record
    exit_order = intent("out", purpose=Purpose.STOP_LOSS)
    await hands.do(*placing(intent("in")), *placing(exit_order))
    assert [event.client_order_id for event in hands.told(OrderNotSent)] == ["in"]
    assert hands.exchange.named("create_order") == [("out", None)]


async def test_a_halt_that_refuses_an_entry_is_reported_as_the_store_holds_it() -> None:
    hands = Hands()
    hands.store.stored_halt = HaltRecord(halted=True, reason="by sql", set_by="dba", changed_us=2)
    await hands.do(*placing(intent("entry")))
    (found,) = hands.told(HaltFound)
    assert isinstance(found, HaltFound)
    assert found.record == hands.store.stored_halt


async def test_an_intent_is_not_sent_while_the_store_is_away_and_not_sent_later() -> None:
    hands = Hands()
    hands.store.is_away = True
    await hands.do(*placing(intent()))
    assert [type(event) for event in hands.reported] == [OrderNotSent]
    hands.store.is_away = False
    await hands.do()
    assert hands.exchange.calls == []
    assert hands.store.commits == []


async def test_facts_are_tried_until_they_are_stored() -> None:
    hands = Hands()
    hands.store.is_away = True
    async with hands.working():
        hands.executor.take((Commit(epoch=EPOCH, records=(fill("f1"),)),))
        hands.executor.take((Commit(epoch=EPOCH, records=(fill("f2"),)),))
        await asyncio.sleep(30)
        assert hands.store.commits == []
        hands.store.is_away = False
        await hands.finished()
    assert [records for _, records in hands.store.commits] == [(fill("f1"),), (fill("f2"),)]


async def test_facts_of_a_lost_leadership_are_given_up() -> None:
    hands = Hands()
    hands.store.leader = None
    await hands.do(Commit(epoch=EPOCH, records=(fill("f1"),)))
    assert hands.store.commits == []


async def test_notices_are_queued_in_the_commit_that_makes_them_true() -> None:
    hands = Hands()
    notice = Notice(kind=NoticeKind.POSITION_OPENED, facts=(("ticker", "K"),))
    await hands.do(Commit(epoch=EPOCH, records=(), notices=(notice,)))
    assert [message.kind for message in hands.store.tables.messages] == ["position_opened"]


async def test_a_gate_that_shuts_between_commit_and_send_keeps_the_order_here() -> None:
    hands = Hands()
    hands.store.stalled.clear()
    async with hands.working():
        hands.executor.take(placing(intent()))
        await asyncio.sleep(0.1)
        hands.gate.is_open = False
        hands.store.stalled.set()
        await hands.finished()
    assert [type(event) for event in hands.reported] == [OrderNotSent]
    assert hands.exchange.calls == []


async def test_an_unknown_outcome_is_told_and_never_sent_again() -> None:
    hands = Hands()
    hands.exchange.faults["create_order"] = [OutcomeUnknown("lost")]
    await hands.do(*placing(intent()))
    assert [type(event) for event in hands.reported] == [OrderOutcomeUnknown]
    assert len(hands.exchange.named("create_order")) == 1


async def test_the_first_orders_of_a_shard_share_one_new_group() -> None:
    hands = Hands()
    await hands.do(*(one for number in range(5) for one in placing(intent(f"c{number}"))))
    assert len(hands.exchange.named("create_order_group")) == 1
    assert set(hands.exchange.group_of.values()) == {"g1"}


# --- halts ----------------------------------------------------------------------------------


async def test_a_halt_passes_a_stalled_commit() -> None:
    hands = Hands()
    await hands.do(*placing(intent("before")))
    hands.store.stalled.clear()
    async with hands.working():
        hands.executor.take(placing(intent("stuck")))
        await asyncio.sleep(0.1)
        hands.executor.take(
            (
                TriggerEntryGroups(reason="halt"),
                save(1),
                Reply(command_id=1, text="halted here", is_done=False),
            )
        )
        assert hands.replies.heard == [(1, "halted here", False)]
        await asyncio.sleep(0.5)
        assert hands.exchange.groups == {"g1": True}
        assert hands.told(HaltSaved) == []
        hands.store.stalled.set()
        await hands.finished()
    assert [event.client_order_id for event in hands.told(OrderNotSent)] == ["stuck"]
    assert [event.command_id for event in hands.told(HaltSaved)] == [1]


async def test_an_entry_that_was_decided_before_the_halt_does_not_leave_after_it() -> None:
    hands = Hands()
    async with hands.working():
        hands.executor.take(placing(intent()))
        hands.executor.take((save(1),))
        await hands.finished()
    assert hands.exchange.named("create_order") == []


async def test_the_word_of_an_unhalt_alone_lets_no_entry_leave() -> None:
    hands = Hands()
    await hands.do(TriggerEntryGroups(reason="halt"), save(1))
    await hands.do(save(2, halted=False))
    await hands.do(*placing(intent("early")))
    assert hands.exchange.named("create_order") == []
    await hands.do(RenewEntryGroups(reason="unhalted"), *placing(intent("late")))
    assert [name for name, _ in hands.exchange.named("create_order")] == ["late"]


async def test_the_record_of_an_unhalt_is_stored_with_it() -> None:
    hands = Hands()
    hands.acts[2] = AuditEntry(
        number=2,
        at_us=1,
        channel=Channel.TELEGRAM,
        actor="telegram:11 Ada",
        command="/unhalt",
        outcome="done",
        epoch=EPOCH,
    )
    await hands.do(save(1), save(2, halted=False), save(3))
    assert hands.store.acts == hands.acts


async def test_a_renewed_group_is_another_one() -> None:
    hands = Hands()
    await hands.do(*placing(intent("a")))
    await hands.do(RenewEntryGroups(reason="it tripped by itself"), *placing(intent("b")))
    assert hands.exchange.group_of == {"a": "g1", "b": "g2"}


async def test_a_halt_is_saved_as_soon_as_the_store_is_back() -> None:
    hands = Hands()
    hands.store.is_away = True
    async with hands.working():
        hands.executor.take((save(1),))
        await asyncio.sleep(30)
        assert hands.reported == []
        hands.store.is_away = False
        await hands.finished()
    assert hands.store.stored_halt.set_by == "#1"
    assert [event.command_id for event in hands.told(HaltSaved)] == [1]


async def test_a_halt_that_the_unhalt_did_not_mean_is_reported_and_stays() -> None:
    hands = Hands()
    meant, typed = (
        HaltRecord(halted=True, reason=reason, set_by="ann", changed_us=1) for reason in "ab"
    )
    hands.store.stored_halt = typed
    await hands.do(replace(save(2, halted=False), ends=meant))
    assert hands.store.stored_halt == typed
    assert [event.instead for event in hands.told(HaltSaved)] == [typed]
    await hands.do(replace(save(3, halted=False), ends=typed))
    assert not hands.store.stored_halt.halted
    assert hands.told(HaltSaved)[-1].instead is None


@pytest.mark.parametrize("last_is_halt", [True, False])
async def test_the_last_word_is_the_one_that_stays_stored(last_is_halt: bool) -> None:
    hands = Hands()
    hands.store.is_away = True
    async with hands.working():
        for number in range(1, 7):
            is_halt = (number % 2 == 0) == last_is_halt
            hands.executor.take((save(number, halted=is_halt),))
            await asyncio.sleep(0.3)
        hands.store.is_away = False
        await hands.finished()
    assert (hands.store.stored_halt.set_by, hands.store.stored_halt.halted) == ("#6", last_is_halt)
    assert [event.command_id for event in hands.told(HaltSaved)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("fault", [ExchangeUnavailable("down"), OutcomeUnknown("lost")])
async def test_groups_are_triggered_however_often_it_fails(fault: Exception) -> None:
    hands = Hands()
    await hands.do(*placing(intent()))
    hands.exchange.faults["trigger_order_group"] = [fault] * 5
    await hands.do(TriggerEntryGroups(reason="halt"))
    assert hands.exchange.groups == {"g1": True}


async def test_the_venues_echo_of_our_own_trigger_is_no_news() -> None:
    hands = Hands()
    await hands.do(*placing(intent()))
    tripped = OrderGroupTripped(received_us=1, order_group_id="g1")
    await hands.do(TriggerEntryGroups(reason="halt"))
    assert not hands.executor.hear(tripped)
    assert not hands.executor.hear(OrderGroupTripped(received_us=1, order_group_id="foreign"))
    assert hands.executor.hear(TimeAdvanced(received_us=1))


@pytest.mark.parametrize("purpose", [Purpose.ENTRY, Purpose.TAKE_PROFIT])
async def test_a_group_that_the_venue_tripped_carries_no_further_order(purpose: Purpose) -> None:
    hands = Hands()
    await hands.do(*placing(intent("c1", purpose=purpose)))
    async with hands.working():
        assert hands.executor.hear(OrderGroupTripped(received_us=1, order_group_id="g1"))
        await hands.finished()
    assert await hands.store.open_groups() == []
    assert not hands.executor.hear(OrderGroupTripped(received_us=2, order_group_id="g1"))
    await hands.do(RenewEntryGroups(reason="reset"), *placing(intent("c2", purpose=purpose)))
    assert hands.exchange.group_of["c2"] == "g2"


@pytest.mark.parametrize("purpose", [Purpose.ENTRY, Purpose.TAKE_PROFIT])
async def test_a_refusal_tells_of_a_tripped_group_whose_frame_was_lost(purpose: Purpose) -> None:
    hands = Hands()
    await hands.do(*placing(intent("c1", purpose=purpose)))
    group = hands.exchange.group_of["c1"]
    hands.exchange.faults["create_order"] = [
        OrderRejected("exceeded_order_group_risk_limit", "its limit is exceeded")
    ]
    await hands.do(*placing(intent("c2", purpose=purpose)))
    [tripped] = hands.told(OrderGroupTripped)
    assert tripped.order_group_id == group
    assert hands.executor.hear(tripped)
    hands.executor.take((RenewEntryGroups(reason="the breaker was reset"),))
    await hands.do(*placing(intent("c3", purpose=purpose)))
    assert hands.exchange.group_of["c3"] not in {None, group}
    assert not hands.executor.hear(tripped), "the frame, when it comes at last, is no news"


async def test_entries_decided_before_the_trip_was_known_do_not_leave_with_a_new_group() -> None:
    hands = Hands()
    await hands.do(*placing(intent("c1")))
    hands.executor.hear(OrderGroupTripped(received_us=1, order_group_id="g1"))
    await hands.do(*placing(intent("c2")))
    assert "c2" not in hands.exchange.group_of


async def test_a_late_retry_of_a_trigger_leaves_the_groups_made_after_an_unhalt() -> None:
    hands = Hands()
    await hands.do(*placing(intent("c1")))
    hands.exchange.faults["trigger_order_group"] = [ExchangeUnavailable("down")] * 5
    async with hands.working():
        hands.executor.take((TriggerEntryGroups(reason="halt"),))
        await asyncio.sleep(0.01)
        hands.executor.take((RenewEntryGroups(reason="unhalt"), *placing(intent("c2"))))
        await hands.finished()
    assert hands.exchange.group_of["c2"] == "g2"
    assert hands.exchange.groups == {"g1": True, "g2": False}


# --- cancels and questions ------------------------------------------------------------------


async def test_a_cancel_needs_no_lead() -> None:
    hands = Hands()
    await hands.do(*placing(intent()))
    hands.gate.is_open = False
    await hands.do(CancelOrder(client_order_id="c1", order_id="v1", ticker="KXFED-27"))
    assert hands.told(CancelAcknowledged)[0].reduced_by == 100


@pytest.mark.parametrize(
    "fault",
    [OrderRejected("not_found", ""), OutcomeUnknown("lost"), ExchangeUnavailable("down")],
)
async def test_a_cancel_without_a_clear_answer_is_unsettled(fault: Exception) -> None:
    hands = Hands()
    hands.exchange.faults["cancel_order"] = [fault]
    await hands.do(CancelOrder(client_order_id="c1", order_id="v1", ticker="KXFED-27"))
    assert [event.client_order_id for event in hands.told(CancelUnsettled)] == ["c1"]
    assert len(hands.exchange.named("cancel_order")) == 1


async def test_a_lookup_tells_found_missing_or_nothing() -> None:
    hands = Hands()
    lookup = LookUpOrder(client_order_id="c1", ticker="KXFED-27", since_us=0)
    hands.exchange.faults["find_order"] = [ExchangeUnavailable("down")]
    assert await hands.do(lookup) == []
    await hands.do(lookup)
    await hands.do(*placing(intent()))
    await hands.do(lookup)
    assert [type(event) for event in hands.reported] == [
        OrderMissing,
        OrderAcknowledged,
        OrderReported,
    ]


async def test_the_fills_of_an_order_are_reported_one_by_one() -> None:
    hands = Hands()
    hands.exchange.executed = [fill("a"), fill("b")]
    await hands.do(ReadFills(order_id="v1"))
    assert [event.fill.fill_id for event in hands.told(FillReported)] == ["a", "b"]


async def test_reading_the_exchange_gives_one_truth_or_nothing() -> None:
    hands = Hands()
    hands.exchange.faults["settlements"] = [ExchangeUnavailable("down")]
    assert await hands.do(ReadExchange(reason="start")) == []
    await hands.do(*placing(intent()))
    await hands.do(ReadExchange(reason="again"))
    truth = hands.told(ExchangeRead)[0].truth
    assert [order.client_order_id for order in truth.orders] == ["c1"]


async def test_a_failed_effect_stops_no_other() -> None:
    hands = Hands()
    hands.exchange.faults["fills"] = [StorageUnavailable("odd")]
    await hands.do(ReadFills(order_id="v1"), *placing(intent()))
    assert [type(event) for event in hands.reported] == [OrderAcknowledged]


async def test_an_executor_with_work_in_flight_is_busy() -> None:
    hands = Hands()
    hands.exchange.gates["create_order"] = asyncio.Event()
    async with hands.working():
        hands.executor.take((SendOrder(intent=intent()),))
        await asyncio.sleep(1)
        assert hands.executor.is_busy
        hands.exchange.gates["create_order"].set()
        await hands.finished()
    assert not hands.executor.is_busy


# --- in the call that decided it ------------------------------------------------------------


class WritesAtOnce(MemoryTradingStore):
    """Whoever calls ``commit`` finds it done, or refused, when the call returns."""

    def commit(self, epoch, records, messages, now_us):
        done = asyncio.get_running_loop().create_future()
        try:
            self._check(epoch)
        except NotLeader as fault:
            done.set_exception(fault)
        else:
            self.commits.append((epoch, tuple(records)))
            done.set_result(None)
        return done


async def test_where_the_intent_is_written_in_the_call_the_order_leaves_in_it() -> None:
    hands = Hands(store=WritesAtOnce(EPOCH))
    async with hands.working():
        hands.executor.take(placing(intent("first")))
        await hands.finished()
        group = hands.groups.made_for(Purpose.ENTRY, 0)
        assert group is not None
        hands.executor.take(placing(intent("second")))
        assert [one.client_order_id for _, (one,) in hands.store.commits] == ["first", "second"]
        await hands.finished()
    assert len(hands.told(OrderAcknowledged)) == 2


async def test_a_write_refused_in_the_call_sends_nothing() -> None:
    hands = Hands(store=WritesAtOnce(EPOCH))
    hands.store.leader = Epoch(EPOCH + 1)
    await hands.do(*placing(intent()))
    assert hands.exchange.calls == []
    assert len(hands.told(OrderNotSent)) == 1


async def test_an_order_behind_another_batch_waits_for_its_turn() -> None:
    hands = Hands(store=WritesAtOnce(EPOCH))
    async with hands.working():
        hands.executor.take((Commit(epoch=EPOCH, records=(fill("f1"),)),))
        hands.executor.take(placing(intent()))
        assert hands.store.commits == []
        await hands.finished()
    assert [type(records[0]) for _, records in hands.store.commits] == [Fill, OrderIntent]


async def test_what_was_begun_and_never_worked_off_is_put_away() -> None:
    hands = Hands()
    hands.store.stalled.clear()
    async with hands.working():
        await asyncio.sleep(0)
        hands.executor.take(placing(intent()))
        # Ended before the write that has begun gets its turn.
    assert hands.exchange.calls == []
