"""An order waits for one row; its signal and bracket are never lost for that, whoever dies when."""

import asyncio
import sys
from dataclasses import dataclass
from random import Random
from signal import SIGKILL

import msgspec
import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database
from bot.adapters.storage.trading import SqlTradingStore
from bot.adapters.storage.trading_writes import TradingWrites
from bot.domain.errors import NotLeader, StorageUnavailable, TradingHalted
from bot.domain.ids import Epoch
from bot.domain.orders import OrderIntent, OrderStatus
from bot.domain.records import BracketState, HaltRecord, Record, StoredState
from tests.fakes.trading import MemoryTradingStore
from tests.support.decisions import NOW, bracket, entry, intent, progress, signal, snapshot
from tests.support.rows import grant_lease

pytestmark = pytest.mark.looptime(False)

SCOPE = "paper:main:0"
DECIDED = (signal(), bracket(), intent())
STEPS = 25


@pytest.fixture
async def store(database: Database) -> SqlTradingStore:
    await grant_lease(database, epoch=7)
    store = SqlTradingStore(database, SCOPE)
    await store.save_halt(HaltRecord(halted=False, reason="", set_by="person", changed_us=NOW))
    return store


async def commit(store: SqlTradingStore, *records: Record, epoch: int = 7) -> None:
    await store.commit(Epoch(epoch), records, (), NOW)


async def rows(database: Database, query: str) -> list[tuple]:
    async with database.read() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]


async def counts(database: Database) -> list[int]:
    """How many signals, brackets, intents, and intents that carry a decision."""
    return [
        (await rows(database, f"SELECT count(*) FROM {source}"))[0][0]
        for source in (
            "signals",
            "brackets",
            "order_intents",
            "order_intents WHERE decision_json IS NOT NULL",
        )
    ]


async def test_an_order_waits_for_one_row_and_the_others_follow(database, store):
    await commit(store, *DECIDED)
    assert await counts(database) == [0, 0, 1, 1]
    await commit(store, progress(), bracket(updated_us=NOW + 9))
    assert await counts(database) == [1, 1, 1, 0]
    assert await rows(database, "SELECT signal_id, updated_us FROM brackets") == [("s1", NOW + 9)]


async def test_they_also_follow_with_what_has_nothing_to_do_with_them(database, store):
    await commit(store, *DECIDED)
    await commit(store, snapshot())
    assert await counts(database) == [1, 1, 1, 1]
    await commit(store, progress())
    assert await counts(database) == [1, 1, 1, 0]


async def test_the_next_leader_finds_the_bracket_in_its_entry_and_writes_it_down(database, store):
    await commit(store, *DECIDED)
    await grant_lease(database, epoch=8)
    heir = SqlTradingStore(database, SCOPE)
    state = await heir.load(NOW)
    assert state.brackets == (bracket(),)
    assert [one.intent for one in state.orders] == [intent()]
    await commit(heir, snapshot(), epoch=8)
    assert await counts(database) == [1, 1, 1, 1]
    assert await rows(database, "SELECT DISTINCT epoch FROM brackets") == [(8,)]
    assert (await heir.load(NOW)).brackets == (bracket(),)


async def test_a_bracket_that_has_a_row_is_newer_than_the_decision(database, store):
    await commit(store, *DECIDED)
    # As a leader of an older version leaves it behind: it does not know the column.
    later = bracket(state=BracketState.OPEN, entered=50)
    writes = TradingWrites(SCOPE, database.dialect)
    await database.write([writes.of(Epoch(7), later)])
    heir = SqlTradingStore(database, SCOPE)
    assert (await heir.load(NOW)).brackets == (later,)
    await commit(heir, snapshot())
    assert (await heir.load(NOW)).brackets == (later,)


async def test_what_was_refused_leaves_nothing_to_follow(database, store):
    await grant_lease(database, epoch=8)
    with pytest.raises(NotLeader):
        await commit(store, *DECIDED)
    await store.save_halt(HaltRecord(halted=True, reason="", set_by="person", changed_us=NOW))
    with pytest.raises(TradingHalted):
        await commit(store, *DECIDED, epoch=8)
    await commit(store, snapshot(), epoch=8)
    assert await counts(database) == [0, 0, 0, 0]


async def test_a_commit_whose_answer_was_lost_is_followed_up_all_the_same(database, store):
    lost = _LosesAnswers(database)
    broken = SqlTradingStore(lost, SCOPE)  # type: ignore[arg-type]
    with pytest.raises(StorageUnavailable):
        await commit(broken, *DECIDED)
    lost.is_sound = True
    await commit(broken, progress(status=OrderStatus.DENIED, order_id=None))
    assert await counts(database) == [1, 1, 1, 0]


@dataclass
class _LosesAnswers:
    """A database whose writes happen and are not confirmed."""

    database: Database
    is_sound: bool = False

    async def write(self, writes) -> None:
        await self.database.write(writes)
        if not self.is_sound:
            raise StorageUnavailable("the answer was lost")

    def __getattr__(self, name: str) -> object:
        return getattr(self.database, name)


async def test_commits_side_by_side_write_the_decision_once(database, store):
    await commit(store, *DECIDED)
    async with asyncio.TaskGroup() as group:
        group.create_task(commit(store, snapshot()))
        group.create_task(commit(store, progress()))
    assert await counts(database) == [1, 1, 1, 0]


async def test_who_reads_meanwhile_makes_the_store_forget_no_decision(database, store):
    read_rows, has_read, may_go_on = store._order_rows, asyncio.Event(), asyncio.Event()

    async def slowly(connection):
        found = await read_rows(connection)
        has_read.set()
        await may_go_on.wait()
        return found

    store._order_rows = slowly
    async with asyncio.TaskGroup() as group:
        group.create_task(store.load(NOW))
        await has_read.wait()
        await commit(store, *DECIDED)
        may_go_on.set()
    await commit(store, progress())
    assert await counts(database) == [1, 1, 1, 0]


async def test_who_gives_a_begun_write_up_leaves_the_store_usable(database, store):
    await database.prepare_writes()
    store.commit(Epoch(7), DECIDED, (), NOW).close()
    await commit(store, snapshot())
    await commit(store, *entry(2))
    assert (await counts(database))[2] in {1, 2}


async def test_one_signal_never_has_two_entries(database, store):
    await commit(store, *DECIDED)
    with pytest.raises(Exception, match=r"(?i)unique") as refused:
        await commit(store, *DECIDED)
    assert not isinstance(refused.value, StorageUnavailable)  # which would be tried again
    assert await counts(database) == [0, 0, 1, 1]


async def test_the_row_is_the_one_that_other_intents_get(database, store):
    await commit(store, *DECIDED)
    query = "SELECT * FROM order_intents ORDER BY client_order_id"
    async with database.read() as connection:
        first = dict((await connection.execute(text(query))).mappings().one())
    await commit(store, intent("c2"))
    async with database.read() as connection:
        second = dict((await connection.execute(text(query))).mappings().all()[1])
    assert first.pop("decision_json")
    assert second.pop("decision_json") is None
    assert second == first | {"client_order_id": "c2"}


async def test_decisions_do_not_wait_without_bound(database, store):
    for number in range(66):
        await commit(store, *entry(number))
    signals, brackets, intents, _ = await counts(database)
    assert (signals, brackets, intents) == (65, 65, 66)
    assert len((await store.load(NOW)).brackets) == 66


@pytest.mark.parametrize("seed", range(12))
async def test_killed_after_any_commit_the_next_leader_knows_what_was_committed(
    database, store, seed
):
    """Against the store in memory, which knows no folding."""
    random, epoch = Random(seed), 7
    model = MemoryTradingStore(leader=epoch)
    await model.save_halt(HaltRecord(halted=False, reason="", set_by="person", changed_us=NOW))
    open_entries: list[tuple[Record, ...]] = []
    for number in range(STEPS):
        step = random.random()
        if step < 0.4:
            records: tuple[Record, ...] = entry(number)
            open_entries.append(records)
        elif step < 0.7 and open_entries:
            records = _answer(open_entries.pop(random.randrange(len(open_entries))), random)
        else:
            records = (snapshot(NOW + number),)
        await commit(store, *records, epoch=epoch)
        await model.commit(Epoch(epoch), records, (), NOW)
        if random.random() < 0.3:
            epoch += 1
            await grant_lease(database, epoch=epoch)
            model.leader = Epoch(epoch)
            store = SqlTradingStore(database, SCOPE)
            assert _known(await store.load(NOW)) == _known(await model.load(NOW))
    await commit(store, snapshot(NOW + STEPS), epoch=epoch)
    signals, brackets, intents, _ = await counts(database)
    assert (signals, brackets, intents) == (
        len(model.tables.signals),
        len(model.tables.brackets),
        len(model.tables.intents),
    )


def _answer(records: tuple[Record, ...], random: Random) -> tuple[Record, ...]:
    """What the exchange's answer leads to, or a restart that finds the order gone."""
    _, opened, order = records
    assert isinstance(order, OrderIntent)
    if random.random() < 0.5:
        ended = msgspec.structs.replace(opened, state=BracketState.CLOSED, closed_us=NOW + 7)
        return progress(order.client_order_id, status=OrderStatus.REJECTED), ended
    return progress(order.client_order_id), msgspec.structs.replace(opened, updated_us=NOW + 3)


def _known(state: StoredState) -> tuple[object, ...]:
    """Brackets by name: which of two stands first is nobody's business."""
    # An order's row also says under which leader it was last written; the engine does not ask.
    orders = [
        (msgspec.structs.replace(one.intent, epoch=0), one.progress)  # type: ignore[arg-type]
        for one in state.orders
    ]
    return sorted(state.brackets, key=lambda one: one.bracket_id), orders, state.last_snapshot


_DIES = """
import asyncio, os, signal, sys
from bot.adapters.storage.database import Database
from bot.adapters.storage.trading import SqlTradingStore
from tests.support.decisions import NOW, entry

async def main():
    database = await Database.open(sys.argv[1])
    await database.prepare_writes()
    store = SqlTradingStore(database, sys.argv[2])
    for number in range(3):
        await store.commit(7, entry(number), (), NOW)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_process_that_was_killed_had_committed_is_there(database, store):
    url = str(database.address.url.render_as_string(hide_password=False))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _DIES, url, SCOPE)
    assert await process.wait() == -SIGKILL
    await grant_lease(database, epoch=8)
    state = await store.load(NOW)
    opened = [entry(number)[1] for number in range(3)]
    assert sorted(state.brackets, key=lambda one: one.bracket_id) == opened
    await commit(store, snapshot(), epoch=8)
    assert await counts(database) == [3, 3, 3, 3]
