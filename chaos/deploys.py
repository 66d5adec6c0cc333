"""Planned changes, and starts that compete: nobody is hurt, exactly one leads."""

import signal
from collections.abc import Sequence

from chaos.arena import SLACK_S, Arena, demand
from chaos.rows import Row, Seen
from tests.e2e.support.leader import Leader

_CRASHES = 3
_KILLS = 9


async def deploy(arena: Arena) -> Seen:
    """A newer deployment takes over from a trading one."""
    old = await arena.leading("d1")
    new = await arena.leading("d2")
    await arena.ends(old, {0})
    return arena.seen(arena.gap_s(new))


async def roll_back(arena: Arena) -> Seen:
    """The older build again, as the platform does it: as a new deployment."""
    bad = await arena.leading("d1")
    good = await arena.leading("d2")
    await arena.ends(bad, {0})
    again = await arena.leading("d3")
    await arena.ends(good, {0})
    return arena.seen(arena.gap_s(again))


async def old_deployment_restarts(arena: Arena) -> Seen:
    """The platform starts the superseded deployment once more."""
    old = await arena.leading("d1")
    new = await arena.leading("d2")
    await arena.ends(old, {0})
    ghost = arena.start("d1")
    await arena.ends(ghost, {0})
    demand(ghost.roles() == ["ended"], f"the old deployment got as far as {ghost.roles()}")
    before_us = arena.now_us()
    await arena.trades(new)
    return arena.seen((arena.now_us() - before_us) / 1_000_000)


async def terminate(arena: Arena) -> Seen:
    """SIGTERM, and the platform's next start at the same moment."""
    old = await arena.leading("d1")
    old.process.send_signal(signal.SIGTERM)
    new = arena.start("d2")
    await arena.trades(new)
    await arena.ends(old, {0})
    return arena.seen(arena.gap_s(new))


async def start_three(arena: Arena) -> Seen:
    """Three starts of one deployment at the same moment."""
    starts = [arena.start("d1") for _ in range(3)]
    began_us = arena.now_us()
    await arena.until(lambda: len(_alive(starts)) == 1, 2 * SLACK_S)
    [leader] = _alive(starts)
    for other in starts:
        if other is not leader:
            await arena.ends(other, {0})
            demand(other.roles() == ["ended"], f"a loser got as far as {other.roles()}")
    await arena.trades(leader)
    active = await arena.sql("SELECT count(*) FROM bot_instances WHERE is_active")
    demand(active == 1, f"{active} active rows")
    return arena.seen((arena.now_us() - began_us) / 1_000_000)


def _alive(leaders: Sequence[Leader]) -> list[Leader]:
    return [one for one in leaders if one.process.poll() is None]


async def crash_loop_of_the_new(arena: Arena) -> Seen:
    """A new deployment that dies while activating, again and again: the old one goes on."""
    old = await arena.leading("d1")
    worst_s = 0.0
    for turn in range(1 if arena.is_short else _CRASHES):
        last_us = max(one.at_us for one in arena.accepted())
        new = arena.start(f"new{turn}", "--activation-s", "3600")
        await arena.until(lambda new=new: "activating" in new.roles(), SLACK_S, new.story)
        new.process.kill()
        await arena.trades(old, arena.lease_s + SLACK_S)
        first_us = min(one.at_us for one in arena.accepted() if one.epoch == old.epoch)
        worst_s = max(worst_s, (first_us - last_us) / 1_000_000)
    return arena.seen(worst_s)


async def kill_nine_times(arena: Arena) -> Seen:
    """Killed and restarted by the platform: leads again each time, never exits 0."""
    leader = await arena.leading("d1")
    worst_s = 0.0
    for _ in range(1 if arena.is_short else _KILLS):
        leader.process.kill()
        leader = arena.start("d1")
        await arena.trades(leader, arena.lease_s + SLACK_S)
        worst_s = max(worst_s, arena.gap_s(leader))
    return arena.seen(worst_s)


ROWS = (
    Row(
        key="deploy",
        fault="planned deploy",
        expected="old drains, exit 0; gap <= 0.5 s",
        runs=20,
        short_runs=1,
        run=deploy,
        median_s=0.5,
        limit_s=3,
    ),
    Row(
        key="rollback",
        fault="rollback",
        expected="as a deploy",
        runs=10,
        short_runs=1,
        run=roll_back,
        median_s=0.5,
        limit_s=3,
    ),
    Row(
        key="ghost",
        fault="old deployment restarted",
        expected="exit 0, never leads",
        runs=5,
        short_runs=1,
        run=old_deployment_restarts,
    ),
    Row(
        key="sigterm",
        fault="SIGTERM, restart",
        expected="exit 0; next start leads",
        runs=10,
        short_runs=1,
        run=terminate,
        limit_s=5,
    ),
    Row(
        key="three_starts",
        fault="three starts at once",
        expected="one leads, two exit 0",
        runs=100,
        short_runs=2,
        run=start_three,
    ),
    Row(
        key="crash_loop",
        fault="new deployment crash-loops",
        expected="old leads again <= 18 s",
        runs=3,
        short_runs=1,
        run=crash_loop_of_the_new,
        limit_s=18,
    ),
    Row(
        key="kill_loop",
        fault="killed nine times in a row",
        expected="leads again <= 18 s each time",
        runs=2,
        short_runs=0,
        run=kill_nine_times,
        limit_s=18,
    ),
)
