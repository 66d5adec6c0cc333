"""One suite for every trading store: in memory, SQLite and PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.trading import SqlTradingStore
from bot.domain.errors import NotLeader, TradingHalted
from bot.domain.operations import Severity
from bot.domain.orders import BookSide, Fill, OrderIntent, OrderStatus, Purpose, TimeInForce
from bot.domain.records import (
    ApprovalRecord,
    ApprovalStep,
    BaselineRecord,
    BracketRecord,
    BracketState,
    BreakerRecord,
    ExitReason,
    HaltRecord,
    OrderRecord,
    PositionRecord,
    SnapshotRecord,
    StoredOrder,
)
from bot.domain.signals import Signal, SignalRecord, Verdict
from bot.kit.times import DAY_US, HOUR_US
from bot.ports.messages import AuditEntry, Channel, OutgoingMessage
from bot.ports.trading import StoredGroup, TradingStore
from tests.fakes.trading import MemoryTradingStore
from tests.support.rows import grant_lease

pytestmark = pytest.mark.looptime(False)

SCOPE = "paper:main:0"
NOW = 1_795_000_000_000_000
UNHALTED = HaltRecord(halted=False, reason="", set_by="person", changed_us=NOW)
HALTED = HaltRecord(halted=True, reason="lunch", set_by="person", changed_us=NOW + 1)


@dataclass
class Bench:
    """A store whose lease can be given to an epoch, the messages it queued, and approval steps."""

    store: TradingStore
    lead: Callable[[int | None], Awaitable[None]]
    messages: Callable[[], Awaitable[int]]
    steps: Callable[[], Awaitable[list[tuple[str, str, int, str]]]]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "memory":
        bench = _memory_bench()
        await bench.store.save_halt(UNHALTED)
        yield bench
        return
    database = await Database.open(request.getfixturevalue(f"{request.param}_url"))
    bench = _sql_bench(database)
    await bench.lead(7)
    await bench.store.save_halt(UNHALTED)
    yield bench
    await database.close()


def _memory_bench() -> Bench:
    store = MemoryTradingStore(leader=7)

    async def lead(epoch: int | None) -> None:
        store.leader = epoch

    async def messages() -> int:
        return len(store.tables.messages)

    async def steps() -> list[tuple[str, str, int, str]]:
        every = store.tables.approvals.values()
        return sorted((one.proposal, one.step.value, one.quantity, one.actor) for one in every)

    return Bench(store, lead, messages, steps)


def _sql_bench(database: Database) -> Bench:
    async def lead(epoch: int | None) -> None:
        if epoch is None:
            await grant_lease(database, seconds=-1)
        else:
            await grant_lease(database, epoch=epoch)

    async def messages() -> int:
        async with database.read() as connection:
            return (await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one()

    async def steps() -> list[tuple[str, str, int, str]]:
        wanted = "SELECT proposal, step, quantity_e2, actor FROM approval_steps ORDER BY 1, 2"
        async with database.read() as connection:
            return [tuple(row) for row in await connection.execute(text(wanted))]

    return Bench(SqlTradingStore(database, SCOPE), lead, messages, steps)


def intent(name: str = "c1", **changes) -> OrderIntent:
    fields = {
        "client_order_id": name,
        "epoch": 7,
        "strategy_id": "fade",
        "signal_id": "s1",
        "bracket_id": "b1",
        "purpose": Purpose.ENTRY,
        "ticker": "KXFED-27",
        "exchange_index": 1,
        "side": BookSide.ASK,
        "price": 9_100,
        "quantity": 1_050,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
        "post_only": True,
        "reduce_only": False,
        "expires_us": NOW + 60,
        "decided_us": NOW,
    }
    return OrderIntent(**(fields | changes))


def progress(name: str = "c1", **changes) -> OrderRecord:
    fields = {
        "client_order_id": name,
        "status": OrderStatus.RESTING,
        "order_id": f"v-{name}",
        "filled": 0,
        "reason": "",
        "updated_us": NOW + 5,
    }
    return OrderRecord(**(fields | changes))


def fill(name: str = "f1", **changes) -> Fill:
    fields = {
        "fill_id": name,
        "order_id": "v-c1",
        "ticker": "KXFED-27",
        "side": BookSide.ASK,
        "price": 9_100,
        "quantity": 50,
        "fee": 1_234,
        "is_taker": False,
        "executed_us": NOW,
    }
    return Fill(**(fields | changes))


def bracket(name: str = "b1", **changes) -> BracketRecord:
    fields = {
        "bracket_id": name,
        "signal_id": f"s-{name}",
        "strategy_id": "fade",
        "ticker": "KXFED-27",
        "event_ticker": "KXFED",
        "title": "Rates above 4%?",
        "side": BookSide.ASK,
        "state": BracketState.OPEN,
        "entry_price": 9_100,
        "stop_price": 9_600,
        "target_price": 0,
        "wanted": 1_050,
        "entered": 1_050,
        "entry_cost": 945_000,
        "exited": 0,
        "exit_value": 0,
        "fees": 1_234,
        "exit_reason": None,
        "data_json": '{"tp": null}',
        "opened_us": NOW,
        "entered_us": NOW + 2,
        "closed_us": None,
        "updated_us": NOW + 3,
    }
    return BracketRecord(**(fields | changes))


def snapshot(taken_us: int, equity: int) -> SnapshotRecord:
    return SnapshotRecord(
        taken_us=taken_us,
        cash=equity - 5,
        equity=equity,
        exposure=5,
        realized_today=-3,
        unrealized=2,
        open_positions=1,
        trades_today=4,
        wins_today=1,
        losses_today=2,
        stopped_by="halted",
    )


def message() -> OutgoingMessage:
    return OutgoingMessage(
        channel=Channel.TELEGRAM,
        recipient="1",
        kind="alert",
        severity=Severity.INFO,
        text="told",
    )


async def commit(bench: Bench, *records, epoch: int = 7, messages=()) -> None:
    await bench.store.commit(epoch, records, messages, NOW)


async def test_a_scope_never_seen_is_halted(bench):
    fresh = await _another_scope(bench)
    assert (await fresh.halt()).halted
    state = await fresh.load(NOW)
    assert state.halt.halted
    assert (state.brackets, state.orders, state.baseline) == ((), (), None)
    assert await fresh.fill_cursor_us() is None
    assert await fresh.open_groups() == []


async def _another_scope(bench: Bench) -> TradingStore:
    if isinstance(bench.store, SqlTradingStore):
        return SqlTradingStore(bench.store._database, "live:other:0")
    return MemoryTradingStore()


async def test_load_returns_what_was_written(bench):
    records = (
        intent(),
        intent("c2", purpose=Purpose.TAKE_PROFIT, bracket_id=None, signal_id=None, expires_us=None),
        progress("c1", filled=50, status=OrderStatus.PARTIALLY_FILLED, reason="half"),
        fill(),
        bracket(),
        PositionRecord(
            ticker="KXFED-27", quantity=-50, cost=45_000, realized=-7, fees=1_234, updated_us=NOW
        ),
        BreakerRecord(
            name="daily_loss", tripped=True, reason="-3 %", data_json='{"n":1}', changed_us=NOW
        ),
        BaselineRecord(trading_day="2026-11-20", equity=1_000_000, taken_us=NOW),
        snapshot(NOW, 1_000_000),
    )
    await commit(bench, *records)
    state = await bench.store.load(NOW)
    taken, exit_order = state.orders
    assert taken == StoredOrder(intent=records[0], progress=records[2])
    assert exit_order.intent == records[1]
    assert exit_order.progress.status is OrderStatus.SUBMITTING
    assert state.recent_fills == (records[3],)
    assert state.brackets == (records[4],)
    assert state.positions == (records[5],)
    assert state.breakers == (records[6],)
    assert state.baseline == records[7]
    assert state.last_snapshot == records[8]
    assert (state.halt, state.last_epoch, state.peak_equity) == (UNHALTED, 7, 1_000_000)


async def test_a_signal_and_a_message_are_part_of_the_commit(bench):
    signal = Signal(
        strategy_id="fade",
        ticker="KXFED-27",
        side=BookSide.ASK,
        price=9_100,
        chance_e6=123_456,
        target_price=None,
        stop_price=9_600,
        lifetime_us=60,
        inputs=(("bid", "0.91"),),
    )
    record = SignalRecord(
        signal_id="s1",
        signal=signal,
        quantity=0,
        verdict=Verdict.REFUSED,
        reason="exposure",
        decided_us=NOW,
    )
    await commit(bench, record, messages=[message()])
    assert await bench.messages() == 1


async def test_each_step_of_a_question_is_kept_once(bench):
    asked = ApprovalRecord(
        proposal="7-1",
        step=ApprovalStep.ASKED,
        ticker="KXFED-27",
        side=BookSide.BID,
        own_price=9_500,
        quantity=4_000,
        cost=38_000_000,
        actor="",
        note="Above $20.00",
        at_us=NOW,
    )
    approved = replace(asked, step=ApprovalStep.APPROVED, quantity=2_000, actor="telegram:1 ann")
    await commit(bench, asked)
    await commit(bench, approved)
    await commit(bench, replace(approved, quantity=4_000, actor="telegram:2 bob"))
    assert await bench.steps() == [
        ("7-1", "approved", 2_000, "telegram:1 ann"),
        ("7-1", "asked", 4_000, ""),
    ]


async def test_the_newest_record_of_a_key_counts(bench):
    await commit(bench, bracket(), intent())
    await commit(
        bench,
        bracket(state=BracketState.EXITING, exited=10),
        progress(status=OrderStatus.CANCELING),
    )
    state = await bench.store.load(NOW)
    assert [(one.state, one.exited) for one in state.brackets] == [(BracketState.EXITING, 10)]
    assert [one.progress.status for one in state.orders] == [OrderStatus.CANCELING]


async def test_a_fill_that_is_stored_already_is_ignored(bench):
    await commit(bench, intent(), fill(quantity=50))
    await commit(bench, fill(quantity=99), fill("f2", executed_us=NOW + 9))
    state = await bench.store.load(NOW)
    assert [(one.fill_id, one.quantity) for one in state.recent_fills] == [("f1", 50), ("f2", 50)]
    assert await bench.store.fill_cursor_us() == NOW + 9


async def test_a_commit_writes_everything_or_nothing(bench):
    await bench.store.save_halt(HALTED)
    with pytest.raises(TradingHalted):
        await commit(bench, bracket(), fill(), intent(), messages=[message()])
    state = await bench.store.load(NOW)
    assert (state.brackets, state.recent_fills, state.orders) == ((), (), ())
    assert await bench.messages() == 0


async def test_exits_pass_while_halted(bench):
    await bench.store.save_halt(HALTED)
    exits = (Purpose.TAKE_PROFIT, Purpose.STOP_LOSS, Purpose.FLATTEN)
    await commit(bench, *(intent(f"x-{one}", purpose=one) for one in exits))
    assert len((await bench.store.load(NOW)).orders) == 3


async def test_progress_of_an_entry_is_written_while_halted(bench):
    await commit(bench, intent())
    await bench.store.save_halt(HALTED)
    await commit(bench, progress(status=OrderStatus.CANCELED), fill())
    assert (await bench.store.load(NOW)).recent_fills == (fill(),)


@pytest.mark.parametrize("leader", [6, 8, None])
@pytest.mark.parametrize(
    "records", [(intent("new"),), (fill(),), (bracket(),), (progress(),), ()], ids=str
)
async def test_a_stale_epoch_writes_nothing(bench, leader, records):
    await commit(bench, intent())
    before = await bench.store.load(NOW)
    await bench.lead(leader)
    with pytest.raises(NotLeader):
        await commit(bench, *records, messages=[message()])
    after = await bench.store.load(NOW)
    assert replace(after, last_epoch=0) == replace(before, last_epoch=0)
    assert await bench.messages() == 0


async def test_a_halt_needs_no_lead(bench):
    await bench.lead(None)
    await bench.store.save_halt(HALTED)
    assert await bench.store.halt() == HALTED


def act(number: int) -> AuditEntry:
    return AuditEntry(
        number=number,
        at_us=NOW,
        channel=Channel.TELEGRAM,
        actor="telegram:11 Ada",
        command="/unhalt",
        outcome="done: The halt is ended",
        epoch=None,
    )


async def test_a_halt_that_is_an_act_is_written_once_for_its_number(bench):
    await bench.store.save_halt(HALTED)
    await bench.store.save_halt(UNHALTED, act(3))
    assert not (await bench.store.halt()).halted
    await bench.store.save_halt(HALTED)
    await bench.store.save_halt(UNHALTED, act(3))
    assert (await bench.store.halt()).halted
    await bench.store.save_halt(UNHALTED, act(4))
    assert not (await bench.store.halt()).halted


async def test_an_unhalt_ends_the_halt_it_names_and_no_other(bench):
    """A late word of an old leader, or of one who had not read the newer halt."""
    newer = replace(HALTED, reason="fire", changed_us=NOW + 2)
    await bench.store.save_halt(HALTED)
    await bench.store.save_halt(newer)
    assert await bench.store.save_halt(UNHALTED, act(3), ends=HALTED) == newer
    assert await bench.store.halt() == newer
    assert await bench.store.save_halt(UNHALTED, act(3), ends=newer) == UNHALTED, "its act was free"
    assert await bench.store.halt() == UNHALTED


async def test_an_unhalt_that_was_stored_without_an_answer_may_be_said_again(bench):
    await bench.store.save_halt(HALTED)
    for _ in range(2):
        assert await bench.store.save_halt(UNHALTED, ends=HALTED) == UNHALTED


async def test_the_first_start_is_ended_unless_somebody_has_halted_since(bench):
    fresh = await _another_scope(bench)
    first = await fresh.halt()
    assert await fresh.save_halt(UNHALTED, ends=HALTED) == first
    assert await fresh.save_halt(UNHALTED, ends=first) == UNHALTED
    await fresh.save_halt(HALTED)
    assert await fresh.save_halt(UNHALTED, ends=first) == HALTED


async def test_a_halt_of_a_command_happens_once(bench):
    act = AuditEntry(
        number=3,
        at_us=NOW,
        channel=Channel.TELEGRAM,
        actor="person",
        command="/halt",
        outcome="halted",
        epoch=None,
    )
    await bench.store.save_halt(HALTED, act)
    assert await bench.store.halt() == HALTED
    await bench.store.save_halt(UNHALTED, act)
    assert await bench.store.halt() == HALTED


async def test_only_what_a_new_leader_needs_is_loaded(bench):
    old = NOW - 2 * HOUR_US
    await commit(
        bench,
        intent("open", bracket_id="b1"),
        intent("done", bracket_id="b2"),
        intent("alone", bracket_id="b3", purpose=Purpose.STOP_LOSS),
        progress("open", status=OrderStatus.EXECUTED),
        progress("done", status=OrderStatus.EXECUTED),
        progress("alone", status=OrderStatus.UNKNOWN, order_id=None),
        bracket("b1"),
        bracket("b2", state=BracketState.CLOSED, closed_us=NOW, exit_reason=ExitReason.STOP_LOSS),
        fill("of-open", order_id="v-open", executed_us=old),
        fill("of-done", order_id="v-done", executed_us=old),
        fill("fresh", order_id="v-other", executed_us=NOW),
    )
    state = await bench.store.load(NOW)
    assert {one.intent.client_order_id for one in state.orders} == {"open", "alone"}
    assert {one.fill_id for one in state.recent_fills} == {"of-open", "fresh"}
    assert [one.bracket_id for one in state.brackets] == ["b2", "b1"]


async def test_after_a_long_silence_the_newest_fills_are_still_known(bench):
    """Reading the exchange begins before the newest stored fill: none may be booked twice."""
    last = NOW - 72 * HOUR_US
    await commit(
        bench,
        fill("last", order_id="v-1", executed_us=last),
        fill("near", order_id="v-2", executed_us=last - HOUR_US),
        fill("far", order_id="v-3", executed_us=last - HOUR_US - 1),
    )
    state = await bench.store.load(NOW)
    assert [one.fill_id for one in state.recent_fills] == ["near", "last"]


async def test_the_newest_fifty_closed_brackets_are_loaded_oldest_first(bench):
    closed = [
        bracket(f"b{number}", state=BracketState.SETTLED, closed_us=NOW + number)
        for number in range(55)
    ]
    await commit(bench, *closed, bracket("open", state=BracketState.ORPHAN))
    loaded = (await bench.store.load(NOW)).brackets
    assert [one.bracket_id for one in loaded] == [
        *(f"b{number}" for number in range(5, 55)),
        "open",
    ]


async def test_a_flat_position_is_not_loaded(bench):
    await commit(
        bench,
        PositionRecord(ticker="A", quantity=0, cost=0, realized=5, fees=1, updated_us=NOW),
        PositionRecord(ticker="B", quantity=5, cost=9, realized=0, fees=1, updated_us=NOW),
    )
    assert [one.ticker for one in (await bench.store.load(NOW)).positions] == ["B"]


async def test_the_newest_baseline_snapshot_and_the_highest_equity_are_loaded(bench):
    await commit(
        bench,
        BaselineRecord(trading_day="2026-11-20", equity=5, taken_us=NOW),
        BaselineRecord(trading_day="2026-11-19", equity=9, taken_us=NOW - DAY_US),
        snapshot(NOW, 500),
        snapshot(NOW - HOUR_US, 900),
    )
    state = await bench.store.load(NOW)
    assert state.baseline.trading_day == "2026-11-20"
    assert (state.last_snapshot.equity, state.peak_equity) == (500, 900)


def group(name: str, epoch: int = 7, **changes) -> StoredGroup:
    fields = {
        "order_group_id": name,
        "epoch": epoch,
        "exchange_index": 1,
        "purpose": Purpose.ENTRY,
        "is_triggered": False,
    }
    return StoredGroup(**(fields | changes))


async def test_groups_stay_open_until_somebody_triggers_them(bench):
    await bench.store.add_group(7, group("g1"), NOW)
    await bench.store.add_group(7, group("g2", purpose=Purpose.TAKE_PROFIT), NOW + 1)
    assert list(await bench.store.open_groups()) == [
        group("g1"),
        group("g2", purpose=Purpose.TAKE_PROFIT),
    ]
    await bench.lead(8)
    await bench.store.mark_triggered(8, "g1")
    assert [one.order_group_id for one in await bench.store.open_groups()] == ["g2"]


async def test_a_group_keeps_the_epoch_it_was_made_under(bench):
    await bench.store.add_group(7, group("g1"), NOW)
    await bench.lead(8)
    assert [one.epoch for one in await bench.store.open_groups()] == [7]


async def test_groups_of_a_stale_epoch_are_neither_added_nor_marked(bench):
    await bench.store.add_group(7, group("g1"), NOW)
    await bench.lead(8)
    with pytest.raises(NotLeader):
        await bench.store.add_group(7, group("g2"), NOW)
    with pytest.raises(NotLeader):
        await bench.store.mark_triggered(7, "g1")
    assert [one.order_group_id for one in await bench.store.open_groups()] == ["g1"]


async def test_what_was_ever_stored_is_known_under_every_scope(bench):
    await bench.store.add_group(7, group("g1", is_triggered=True), NOW)
    await commit(bench, intent())
    mine = intent().client_order_id
    is_shared = isinstance(bench.store, SqlTradingStore)
    for store in (bench.store, await _another_scope(bench) if is_shared else bench.store):
        assert await store.known_groups(["g1", "g9"]) == {"g1"}
        assert await store.known_orders([mine, "foreign"]) == {mine}
        assert await store.known_groups([]) == frozenset()


async def test_scopes_do_not_see_each_other(bench):
    await bench.store.add_group(7, group("g1"), NOW)
    await commit(bench, intent(), fill(), bracket())
    other = await _another_scope(bench)
    assert await other.open_groups() == []
    assert (await other.load(NOW)).brackets == ()
    assert await other.fill_cursor_us() is None


async def test_a_rehearsed_commit_writes_nothing(bench):
    if not isinstance(bench.store, SqlTradingStore):
        pytest.skip("only a store with rows makes them in vain")
    before = await bench.store.load(NOW)
    bench.store.rehearse((bracket(), intent(), fill(), progress()))
    assert await bench.store.load(NOW) == before
    await commit(bench, bracket(), intent())
    assert len((await bench.store.load(NOW)).orders) == 1, "the real one finds nothing in its way"
