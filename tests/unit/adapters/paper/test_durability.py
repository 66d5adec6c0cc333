"""The account does not forget: replay, lost answers, two processes, a killed process."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.paper.account import OURS, PaperAccount
from bot.adapters.storage.database import Database
from bot.adapters.storage.paper import SqlPaperJournal
from bot.domain.errors import (
    BotError,
    ExchangeUnavailable,
    InvariantBroken,
    OrderRejected,
    OutcomeUnknown,
    RequestRefused,
)
from bot.domain.market import MarketStatus
from bot.domain.orders import BookSide, OrderStatus
from bot.ports.paper import JournalEntry
from tests.fakes.paper import TICKER, MemoryJournal, RealMarkets, snapshot
from tests.unit.adapters.paper.support import ASK, BID, CASH, IOC, SCOPE, SECOND, Paper

BOOK = snapshot([(9_000, 5_000), (8_900, 8_000)], [(9_200, 1_000), (9_300, 2_000)])


async def picture(paper: Paper) -> dict[str, object]:
    """All that a bot can see of its account, and the market as the account knows it."""
    exchange = paper.exchange
    return {
        "balance": await exchange.balance(),
        "positions": await exchange.positions(),
        "orders": await exchange.orders(),
        "fills": await exchange.fills(),
        "settlements": await exchange.settlements(),
        "groups": await exchange.order_groups(),
        "group_states": exchange.desk.peek(lambda account: list(account.reads.groups(OURS))),
        "market": exchange.desk.peek(lambda account: account.reads.market(TICKER)),
        "balance_view": exchange.desk.peek(lambda account: account.reads.balance(OURS)),
    }


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["bid", "ask", "bid_ioc", "ask_ioc", "bid_short"]),
            st.sampled_from([8_900, 9_000, 9_100, 9_200, 9_300]),
            st.integers(1, 2_000),
        ),
        st.tuples(
            st.sampled_from(["trade_bid", "trade_ask"]),
            st.sampled_from([8_800, 9_000, 9_100, 9_200, 9_400]),
            st.integers(1, 6_000),
        ),
        st.tuples(
            st.sampled_from(["bid_change", "ask_change"]),
            st.sampled_from([8_800, 9_000, 9_100, 9_200]),
            st.integers(-5_000, 3_000),
        ),
        st.tuples(
            st.sampled_from(
                [
                    "cancel",
                    "cancel_all",
                    "group",
                    "trigger",
                    "pass_time",
                    "pause",
                    "go_on",
                    "close",
                    "settle",
                    "lose_answer",
                    "away",
                    "back",
                    "restart",
                ]
            ),
            st.just(0),
            st.integers(0, 5),
        ),
    ),
    max_size=40,
)


class Script:
    """Does one random step after the other; what may fail may fail."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.paper = Paper(journal=self.journal)
        self.acks: dict[str, int] = {}
        self.number = 0

    async def run(self, steps: list[tuple[str, int, int]]) -> None:
        await self.paper.see(BOOK)
        for kind, price, size in steps:
            self.paper.clock.advance(SECOND)
            side = BID if kind.startswith("bid") else ASK
            try:
                if kind.endswith("_change"):
                    await self.paper.see(self.paper.delta(side, price, size))
                elif kind.startswith("trade"):
                    taker = BID if kind.endswith("bid") else ASK
                    await self.paper.see(self.paper.trade(price, size, taker))
                elif price:
                    await self.order(side, price, size, kind.partition("_")[2])
                else:
                    await getattr(self, kind)(size)
            except (OrderRejected, RequestRefused, ExchangeUnavailable, OutcomeUnknown):
                continue
        self.journal.is_away = self.journal.loses_answer = False

    async def order(self, side: BookSide, price: int, size: int, how: str) -> None:
        self.number += 1
        name = f"order-{self.number}"
        groups = self.paper.exchange.desk.peek(lambda account: list(account.reads.groups(OURS)))
        changes: dict[str, object] = {"tif": IOC} if how == "ioc" else {}
        if how == "short":
            changes = {"expires_us": self.paper.clock.now_us() + 5 * SECOND}
        if groups:
            changes["group"] = groups[-1].order_group_id
        ack = await self.paper.order(side, price, size, name=name, **changes)
        self.acks[name] = ack.filled

    async def cancel(self, number: int) -> None:
        orders = await self.paper.exchange.orders(status=OrderStatus.RESTING)
        if orders:
            order_id = orders[number % len(orders)].order_id
            await self.paper.exchange.cancel_order(order_id, TICKER)

    async def cancel_all(self, _: int) -> None:
        await self.paper.exchange.cancel_all()

    async def group(self, number: int) -> None:
        await self.paper.exchange.create_order_group(100 * (number + 1), 0)

    async def trigger(self, number: int) -> None:
        groups = await self.paper.exchange.order_groups()
        if groups:
            await self.paper.exchange.trigger_order_group(groups[number % len(groups)])

    async def pass_time(self, number: int) -> None:
        self.paper.clock.advance(number * 10 * SECOND)
        await self.paper.exchange.desk.pass_time()

    async def pause(self, _: int) -> None:
        self.paper.markets.is_trading_active = False
        await self.paper.exchange.status()

    async def go_on(self, _: int) -> None:
        self.paper.markets.is_trading_active = True
        await self.paper.exchange.status()

    async def close(self, _: int) -> None:
        self.paper.markets.change(status=MarketStatus.CLOSED)
        self.paper.exchange.actions.to_check.add(TICKER)
        await self.paper.exchange.settlement_watch.check()

    async def settle(self, _: int) -> None:
        self.paper.markets.change(
            status=MarketStatus.FINALIZED, result="yes", settlement_value=10_000
        )
        self.paper.exchange.actions.to_check.add(TICKER)
        await self.paper.exchange.settlement_watch.check()

    async def lose_answer(self, _: int) -> None:
        self.journal.loses_answer = True

    async def away(self, _: int) -> None:
        self.journal.is_away = True

    async def back(self, _: int) -> None:
        self.journal.is_away = False

    async def restart(self, _: int) -> None:
        self.paper = self.paper.restarted()
        await self.paper.see(BOOK)


@given(STEPS)
async def test_replaying_the_journal_gives_the_same_account_whatever_happened(steps):
    script = Script()
    await script.run(steps)
    before = await picture(script.paper)
    assert await picture(script.paper.restarted()) == before
    orders = {order.client_order_id: order for order in before["orders"]}
    assert set(script.acks) <= set(orders), "every acknowledged order is remembered"
    assert all(orders[name].filled >= filled for name, filled in script.acks.items())


@given(STEPS)
async def test_cash_positions_and_fees_add_up_whatever_happened(steps):
    script = Script()
    await script.run(steps)
    exchange = script.paper.exchange
    cash = (await exchange.balance()).cash
    held = exchange.desk.peek(lambda account: list(account.reads.positions(OURS)))
    assert cash == CASH - sum(each.exposure + each.fees - each.realized for each in held)
    fills = await exchange.fills()
    signed = sum(fill.quantity if fill.side is BID else -fill.quantity for fill in fills)
    is_settled = bool(await exchange.settlements())
    assert is_settled or signed == sum(each.quantity for each in held)


async def test_the_starting_cash_is_paid_in_once():
    paper = Paper()
    assert (await paper.exchange.balance()).cash == CASH
    assert (await paper.restarted().exchange.balance()).cash == CASH


async def test_ids_name_the_scope_and_never_repeat_after_a_restart():
    paper = Paper()
    await paper.see(BOOK)
    first = await paper.order(BID, 8_000, 100)
    again = paper.restarted()
    await again.see(BOOK)
    second = await again.order(BID, 8_000, 100, name="after")
    assert first.order_id.startswith(SCOPE)
    assert first.order_id != second.order_id


async def test_an_order_whose_journal_answer_was_lost_is_found_again():
    paper = Paper()
    await paper.see(BOOK)
    await paper.exchange.balance()
    await paper.order(BID, 8_000, 50)
    paper.journal.loses_answer = True
    with pytest.raises(OutcomeUnknown):
        await paper.order(BID, 8_000, 100, name="lost")
    found = await paper.exchange.find_order("lost", TICKER, 0)
    assert (found.status, found.remaining) == (OrderStatus.RESTING, 100)


async def test_an_order_that_never_reached_the_journal_is_not_there():
    paper = Paper()
    await paper.see(BOOK)
    await paper.order(BID, 8_000, 50)
    paper.journal.is_away = True
    with pytest.raises(OutcomeUnknown):
        await paper.order(BID, 8_000, 100, name="gone")
    with pytest.raises(ExchangeUnavailable):
        await paper.exchange.find_order("gone", TICKER, 0)
    paper.journal.is_away = False
    assert await paper.exchange.find_order("gone", TICKER, 0) is None


async def test_a_second_process_sees_what_the_first_did_before_it_acts():
    first = Paper()
    await first.see(BOOK)
    await first.order(BID, 8_000, 100, name="a")
    second = first.restarted()
    await second.see(BOOK)
    await second.order(BID, 8_000, 200, name="b")
    await first.order(BID, 8_000, 300, name="c")
    orders = await second.exchange.orders()
    assert [order.client_order_id for order in orders] == ["a", "b", "c"]
    assert await first.exchange.orders() == orders


async def test_an_id_used_by_one_process_is_used_up_for_the_other():
    first = Paper()
    await first.see(BOOK)
    await first.order(BID, 8_000, 100, name="same")
    second = first.restarted()
    await second.see(BOOK)
    with pytest.raises(BotError, match="order_already_exists"):
        await second.order(BID, 8_000, 100, name="same")


async def test_one_print_seen_by_two_processes_fills_once():
    first = Paper()
    await first.see(BOOK)
    await first.order(BID, 9_100, 100)
    second = first.restarted()
    await second.exchange.balance()
    await second.see(BOOK)
    trade = first.trade(9_100, 60, ASK)
    await first.see(trade)
    await second.see(trade)
    assert await first.position() == await second.position() == 60


async def test_a_gap_or_an_unknown_entry_stops_the_account():
    account = PaperAccount(SCOPE)
    with pytest.raises(InvariantBroken, match="after 0"):
        account.apply(JournalEntry(seq=2, at_us=1, kind="deposit", data_json='{"amount":1}'))
    with pytest.raises(InvariantBroken, match="newer code"):
        account.apply(JournalEntry(seq=1, at_us=1, kind="teleport", data_json="{}"))
    with pytest.raises(InvariantBroken, match="cannot be read"):
        account.apply(JournalEntry(seq=1, at_us=1, kind="deposit", data_json='{"amount":"1"}'))


async def test_both_databases_keep_the_journal_and_refuse_a_taken_number(database):
    journal, other = SqlPaperJournal(database, SCOPE), SqlPaperJournal(database, "live:main:0")
    entries = [
        JournalEntry(seq=seq, at_us=seq, kind="deposit", data_json=json.dumps({"amount": seq}))
        for seq in (1, 2, 3)
    ]
    assert [await journal.append(entry) for entry in entries] == [True, True, True]
    assert await journal.append(entries[1]) is False
    assert await other.append(entries[0]) is True
    assert await journal.read(0) == entries
    assert await journal.read(2) == entries[2:]


async def test_the_account_is_the_same_on_both_databases_after_a_restart(database):
    journal = SqlPaperJournal(database, SCOPE)
    paper = Paper(journal=journal)
    await paper.see(BOOK)
    await paper.order(BID, 9_200, 700, tif=IOC)
    await paper.order(BID, 9_100, 300)
    await paper.see(paper.trade(9_100, 200, ASK))
    assert await picture(paper.restarted()) == await picture(paper)
    assert await paper.position() == 900


_KILLED = """
import asyncio, sys
from bot.adapters.storage.database import Database
from bot.adapters.storage.paper import SqlPaperJournal
from tests.unit.adapters.paper.support import BID, SCOPE, Paper
from tests.unit.adapters.paper.test_durability import BOOK

async def main():
    database = await Database.open(sys.argv[1])
    paper = Paper(journal=SqlPaperJournal(database, SCOPE))
    await paper.see(BOOK)
    for number in range(10_000):
        ack = await paper.order(BID, 8_000, 1, name=f"order-{number}")
        print(f"order-{number} {ack.order_id}", flush=True)

asyncio.run(main())
"""


async def test_every_order_that_was_answered_survives_a_kill(sqlite_url):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _KILLED,
        sqlite_url,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    )
    assert process.stdout is not None
    answered = [(await process.stdout.readline()).decode().split() for _ in range(20)]
    process.kill()
    answered += [line.split() for line in (await process.stdout.read()).decode().splitlines()]
    await process.wait()
    database = await Database.open(sqlite_url)
    try:
        paper = Paper(journal=SqlPaperJournal(database, SCOPE), markets=RealMarkets())
        orders = {each.client_order_id: each.order_id for each in await paper.exchange.orders()}
    finally:
        await database.close()
    complete = dict(line for line in answered if len(line) == 2)
    assert len(complete) >= 20
    assert complete.items() <= orders.items()
