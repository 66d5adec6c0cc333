"""The database out of reach, restarted, or answering into the void."""

import asyncio

from chaos.arena import SLACK_S, Arena, demand
from chaos.rows import Row, Seen
from tests.support.proxy import Proxy, Trap

_ACQUIRE = "UPDATE leader_lease SET epoch"


async def black_hole(arena: Arena) -> Seen:
    """Every byte between the leader and the database is swallowed; a restart elsewhere leads."""
    proxy, address = await arena.proxy()
    old = await arena.leading("d1", address)
    proxy.is_open = False
    new = arena.start("d1")
    await arena.trades(new, arena.lease_s + SLACK_S)
    seen = arena.seen(arena.gap_s(new))
    demand(old.process.poll() is None, "it must stay and wait, and it ended")
    await arena.until(lambda: "standby" in old.roles(), SLACK_S, old.story)
    proxy.is_open = True
    await arena.ends(old, {0}, 2 * SLACK_S)
    return seen


async def reset(arena: Arena) -> Seen:
    """Every connection is broken at once."""
    proxy, address = await arena.proxy()
    leader = await arena.leading("d1", address)
    epoch, began_us = leader.epoch, arena.now_us()
    proxy.reset()
    await asyncio.sleep(1)
    await arena.trades(leader)
    return arena.seen_unmoved(leader, epoch, began_us)


async def restart(arena: Arena) -> Seen:
    """The server goes down and comes back before the gate shuts."""
    proxy, address = await arena.proxy()
    leader = await arena.leading("d1", address)
    epoch, began_us = leader.epoch, arena.now_us()
    proxy.is_refusing = True
    proxy.reset()
    await asyncio.sleep(1.0 if arena.is_short else 4.0)
    proxy.is_refusing = False
    await asyncio.sleep(arena.terms.renew_us / 1_000_000)
    await arena.trades(leader)
    return arena.seen_unmoved(leader, epoch, began_us)


async def long_outage(arena: Arena) -> Seen:
    """Away for longer than the lease: nobody trades, and it recovers by itself."""
    proxy, address = await arena.proxy()
    leader = await arena.leading("d1", address)
    proxy.is_refusing = True
    proxy.reset()
    await arena.until(lambda: "standby" in leader.roles(), arena.lease_s + SLACK_S, leader.story)
    await asyncio.sleep(arena.lease_s)
    count = len(arena.accepted())
    await asyncio.sleep(1)
    demand(len(arena.accepted()) == count, "it traded without the database")
    back_us = arena.now_us()
    proxy.is_refusing = False
    await arena.trades(leader)
    return arena.seen(arena.gap_s(leader, since_us=back_us))


def _cut(proxy: Proxy) -> None:
    """Nobody gets through until we have looked."""
    proxy.is_refusing = True
    proxy.reset()


async def lost_acquire(arena: Arena) -> Seen:
    """The lease is won and the winner never learns it."""
    proxy, address = await arena.proxy()
    proxy.trap = Trap(_ACQUIRE, is_after=True, spring=lambda: _cut(proxy))
    began_us = arena.now_us()
    leader = arena.start("d1", address=address)
    await arena.until(lambda: proxy.trap.has_sprung, SLACK_S, leader.story)
    first = await arena.sql("SELECT epoch FROM leader_lease")
    proxy.is_refusing = False
    await arena.trades(leader, arena.lease_s + SLACK_S)
    demand(all(one.epoch != first for one in arena.accepted()), "it traded under the lost epoch")
    return arena.seen(arena.gap_s(leader, since_us=began_us))


ROWS = (
    Row(
        key="black_hole",
        fault="database black hole",
        expected="next one leads <= 21 s",
        runs=10,
        short_runs=1,
        run=black_hole,
        limit_s=21,
    ),
    Row(
        key="reset",
        fault="database connections reset",
        expected="goes on, same epoch",
        runs=10,
        short_runs=1,
        run=reset,
        limit_s=8,
    ),
    Row(
        key="restart",
        fault="database away for 4 s",
        expected="goes on, same epoch",
        runs=5,
        short_runs=1,
        run=restart,
        limit_s=8,
    ),
    Row(
        key="outage",
        fault="database away longer than a lease",
        expected="nobody trades; recovers alone",
        runs=3,
        short_runs=0,
        run=long_outage,
        limit_s=18,
    ),
    Row(
        key="lost_acquire",
        fault="lost reply of acquire",
        expected="no trade under that epoch",
        runs=5,
        short_runs=1,
        run=lost_acquire,
        limit_s=21,
    ),
)
