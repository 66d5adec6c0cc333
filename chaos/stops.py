"""Processes that die, freeze or hang."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from chaos.arena import SLACK_S, Arena, demand
from chaos.rows import Row, Seen
from tests.e2e.support.leader import Leader

EXIT_WATCHDOG = 70


async def kill(arena: Arena) -> Seen:
    """The whole container is gone; the platform starts it again."""
    old = await arena.leading("d1")
    old.process.kill()
    new = arena.start("d1")
    await arena.trades(new, arena.lease_s + SLACK_S)
    return arena.seen(arena.gap_s(new))


def freeze(seconds: int, short_s: float) -> Callable[[Arena], Awaitable[Seen]]:
    """SIGSTOP for so long while a newer deployment starts."""

    async def run(arena: Arena) -> Seen:
        old = await arena.leading("d1")
        old.process.send_signal(signal.SIGSTOP)
        new = arena.start("d2")
        await asyncio.sleep(short_s if arena.is_short else seconds)
        woke_us = arena.now_us()
        old.process.send_signal(signal.SIGCONT)
        await arena.trades(new, arena.lease_s + SLACK_S)
        seen = arena.seen(arena.gap_s(new))
        await arena.ends(old, {0, EXIT_WATCHDOG})
        is_dead = (short_s if arena.is_short else seconds) * 1_000_000 > arena.terms.gate_us
        late = [one for one in arena.accepted() if _is_of(old, one.epoch) and one.at_us > woke_us]
        # One may have been on its way, past the gate, when the process was stopped.
        demand(not is_dead or len(late) <= 1, f"{len(late)} orders after the freeze")
        return seen

    return run


def _is_of(leader: Leader, epoch: int) -> bool:
    return any(one.get("epoch") == epoch for one in leader.said)


async def freeze_alone(arena: Arena) -> Seen:
    """Frozen for less than the gate is open: it goes on under the same epoch."""
    leader = await arena.leading("d1")
    epoch, began_us = leader.epoch, arena.now_us()
    leader.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1.5 if arena.is_short else 5)
    leader.process.send_signal(signal.SIGCONT)
    await arena.trades(leader)
    return arena.seen_unmoved(leader, epoch, began_us)


async def freeze_past_the_gate(arena: Arena) -> Seen:
    """Frozen between the gate's answer and the send, while another one takes over."""
    old = await arena.leading("d1")
    old.tell("freeze")
    count = len(arena.accepted())
    await asyncio.sleep(0.5)
    demand(len(arena.accepted()) <= count + 1, "it did not freeze")
    new = arena.start("d1")
    await arena.trades(new, arena.lease_s + SLACK_S)
    gap_s = arena.gap_s(new)
    old.process.send_signal(signal.SIGCONT)
    code = await arena.ends(old, {0, EXIT_WATCHDOG})
    await arena.trades(new)
    seen = arena.seen(gap_s)
    # The watchdog of a process that wakes may be faster than its order.
    demand(seen.refused or code == EXIT_WATCHDOG, "the late order never reached the venue")
    return seen


async def kill_under_supervisor(arena: Arena) -> Seen:
    """Only the bot dies; its supervisor releases the lease and starts it again."""
    leader = arena.start("d1", "--supervised")
    await arena.trades(leader)
    first = leader.epoch
    os.kill(leader.bot_pid, signal.SIGKILL)
    await arena.until(lambda: leader.epoch != first, SLACK_S, leader.story)
    await arena.trades(leader)
    return arena.seen(arena.gap_s(leader))


async def freeze_under_supervisor(arena: Arena) -> Seen:
    """The bot is stopped for good; its supervisor kills it and the platform restarts them."""
    old = arena.start("d1", "--supervised")
    await arena.trades(old)
    os.kill(old.bot_pid, signal.SIGSTOP)
    await arena.ends(old, {EXIT_WATCHDOG}, arena.lease_s + SLACK_S)
    new = arena.start("d1", "--supervised")
    await arena.trades(new)
    return arena.seen(arena.gap_s(new))


async def block(arena: Arena) -> Seen:
    """The event loop hangs: the watchdog ends it, the platform restarts supervisor and bot."""
    old = arena.start("d1", "--supervised")
    await arena.trades(old)
    old.tell("block")
    await arena.ends(old, {EXIT_WATCHDOG}, arena.lease_s + SLACK_S)
    new = arena.start("d1", "--supervised")
    await arena.trades(new, arena.lease_s + SLACK_S)
    return arena.seen(arena.gap_s(new))


ROWS = (
    Row(
        key="sigkill",
        fault="SIGKILL of the container",
        expected="restart leads <= 18 s",
        runs=10,
        short_runs=1,
        run=kill,
        limit_s=18,
    ),
    Row(
        key="supervised_kill",
        fault="SIGKILL of the bot, supervisor lives",
        expected="trades again <= 3 s",
        runs=20,
        short_runs=1,
        run=kill_under_supervisor,
        limit_s=3,
    ),
    Row(
        key="supervised_freeze",
        fault="bot stopped, supervisor lives",
        expected="exit 70; restart trades <= 21 s",
        runs=5,
        short_runs=1,
        run=freeze_under_supervisor,
        limit_s=21,
    ),
    Row(
        key="freeze_5",
        fault="SIGSTOP 5 s",
        expected="goes on, same epoch",
        runs=5,
        short_runs=1,
        run=freeze_alone,
        limit_s=8,
    ),
    Row(
        key="freeze_12",
        fault="SIGSTOP 12 s, new deployment",
        expected="new one leads <= 21 s",
        runs=5,
        short_runs=0,
        run=freeze(12, 4.5),
        limit_s=21,
    ),
    Row(
        key="freeze_30",
        fault="SIGSTOP 30 s, new deployment",
        expected="new one leads <= 21 s",
        runs=5,
        short_runs=1,
        run=freeze(30, 9),
        limit_s=21,
    ),
    Row(
        key="freeze_late_send",
        fault="SIGSTOP between gate and send",
        expected="venue refuses the late order",
        runs=5,
        short_runs=1,
        run=freeze_past_the_gate,
        limit_s=21,
    ),
    Row(
        key="blocked_loop",
        fault="blocked loop",
        expected="watchdog exit 70; restart <= 21 s",
        runs=5,
        short_runs=1,
        run=block,
        limit_s=21,
    ),
)
