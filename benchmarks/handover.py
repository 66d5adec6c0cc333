"""How long nobody trades when the lead changes hands, and what leadership costs in between.

Uses the fault matrix of ``chaos``: real processes, a real PostgreSQL, the real
timings. The planned hand-over is that of the whole bot with an order stream.
See ``docs/leadership.md`` for what the figures mean.
"""

import asyncio
import json
import os
from collections.abc import Sequence

import psutil

from chaos.arena import Arena, prepare
from chaos.bots import Bots
from chaos.matrix import Progress, chosen, outcomes_of, run_matrix
from chaos.rows import Outcome, table
from tests.support.postgres import running_server
from tests.support.proxy import Proxy

_RUNS = {
    "bot_deploy": 20,
    "bot_deploy_far": 10,
    "deploy": 20,
    "supervised_kill": 10,
    "sigkill": 5,
    "freeze_30": 3,
    "black_hole": 3,
}
_SETTLE_S = 5.0
_START_S = 20.0
_SILENT = ("--pace-s", "3600")


def run(seconds: float) -> int:
    """Measure, print a table, and last one line of JSON; ``seconds`` for the steady state."""
    outcomes, steady = asyncio.run(_measure(seconds))
    print(table(list(outcomes.values()), is_timed=True))
    print(
        f"leadership over {seconds:g} s: {steady['statements_per_s']} statements a second, "
        f"{steady['cpu_percent']} % CPU; the whole bot, idle: "
        f"{steady['idle_bot_statements_per_s']} and {steady['idle_bot_cpu_percent']} %"
    )
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    print(json.dumps(_line(outcomes) | steady))
    return 0


async def _measure(seconds: float) -> tuple[dict[str, Outcome], dict[str, float]]:
    steady = await _steady(seconds)
    outcomes: dict[str, Outcome] = {}
    for key, runs in _RUNS.items():
        [outcomes[key]] = mine = outcomes_of(chosen([key]), is_short=False, runs_max=runs)
        await run_matrix(mine, Progress(), is_short=False)
    return outcomes, steady


async def _steady(seconds: float) -> dict[str, float]:
    """What leadership alone costs, and an idle bot as it is deployed (without Telegram).

    Statements are counted on their way; a transaction's begin and end count as well.
    """
    with running_server() as server:
        await prepare(server)
        async with Arena.open(server, is_short=False) as arena:
            proxy, address = await arena.proxy()
            leader = arena.start("d1", *_SILENT, address=address)
            await arena.until(lambda: "leading" in leader.roles(), _START_S, leader.story)
            spent = await _spent(proxy, [psutil.Process(leader.process.pid)], seconds)
        async with Arena.open(server, is_short=False) as arena, Bots.open(arena) as bots:
            proxy, address = await arena.proxy()
            idle = {"DATABASE_URL": address, "BOT_MODE": "collect", "BOT_TRADING__LIVE": None}
            supervisor = bots.home.supervised(**idle)
            await supervisor.reach("leading")
            both = [psutil.Process(supervisor.process.pid), *supervisor.children()]
            idle_spent = await _spent(proxy, both, seconds)
    return spent | {f"idle_bot_{name}": value for name, value in idle_spent.items()}


async def _spent(
    proxy: Proxy, processes: Sequence[psutil.Process], seconds: float
) -> dict[str, float]:
    await asyncio.sleep(_SETTLE_S)
    statements, cpu_s = proxy.statements, _cpu_s(processes)
    await asyncio.sleep(seconds)
    return {
        "statements_per_s": round((proxy.statements - statements) / seconds, 3),
        "cpu_percent": round((_cpu_s(processes) - cpu_s) / seconds * 100, 3),
    }


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def _line(outcomes: dict[str, Outcome]) -> dict[str, object]:
    line: dict[str, object] = {"benchmark": "handover"}
    names = {
        "bot_deploy": "planned_gap",
        "bot_deploy_far": "planned_gap_far",
        "deploy": "planned_gap_bare",
        "freeze_30": "freeze",
        "black_hole": "blackhole",
    }
    for key, outcome in outcomes.items():
        name = names.get(key, key)
        line |= {f"{name}_s": _figure(outcome, key), f"{name}_worst_s": _rounded(outcome.worst)}
    line["zombies"] = sum(one.zombies for one in outcomes.values())
    line["runs"] = sum(len(one.seen) for one in outcomes.values())
    line["problems"] = _problems(list(outcomes.values()))
    return line


def _figure(outcome: Outcome, key: str) -> float | None:
    """What the target is about: half of the planned ones, but every one of the others."""
    return _rounded(outcome.median if "deploy" in key else outcome.worst)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _problems(outcomes: Sequence[Outcome]) -> list[str]:
    """Runs that went wrong; the seconds are for the reader to judge."""
    return [f"{one.row.key}: {why}" for one in outcomes for why in one.problems(is_timed=False)]
