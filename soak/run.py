"""One soak: trouble for so many minutes, then a calm in which everything must agree."""

import asyncio
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bot.kit.clock import SystemClock
from soak import judge
from soak.mischief import Mischief
from soak.person import Person
from soak.plant import PACE_S, Plant

_BETWEEN_FAULTS_S = (1.0, 4.0)
_LOOK_S = 1.0
_SAMPLE_S = 5.0
_BREATH_S = 10.0
"""Trading without faults before it is looked at."""
_CALM_S = 120.0
_WARM_S = 120.0
"""So old a process has what it needs; what comes on top is growth."""
_GROWTH_MAX_MB = 40.0
"""Of the bot in one life: twice what was measured. Lives of a quarter of an hour grew by 17 and
20 MB, in steps that came with bursts and not in between: memory that was once needed and is used
again. Ten kilobytes for each of its thousands of orders would be more. The exchange keeps every
order and trade for its reads, so it grows by design."""
_KILLS_SHARE = 0.6
_LIFE_MIN_S = 300.0
_ENDS_S = 60.0
"""Growth is from the median of so long at the beginning of a life to that of so long at its end."""


@dataclass(slots=True)
class Memory:
    """Resident memory of each process over its life."""

    samples: dict[tuple[str, int], list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, elapsed_s: float, seen: dict[str, tuple[int, float]]) -> None:
        """One more look."""
        for name, (pid, size_mb) in seen.items():
            self.samples.setdefault((name, pid), []).append((elapsed_s, size_mb))

    def growth(self) -> dict[str, float]:
        """MB by process, of the life that grew most; lives too short to tell are left out."""
        found: dict[str, float] = {}
        for (name, _), seen in self.samples.items():
            warm = [one for one in seen if one[0] - seen[0][0] >= _WARM_S]
            if not warm or warm[-1][0] - warm[0][0] < _LIFE_MIN_S:
                continue
            first = [size_mb for second, size_mb in warm if second <= warm[0][0] + _ENDS_S]
            last = [size_mb for second, size_mb in warm if second >= warm[-1][0] - _ENDS_S]
            grown = statistics.median(last) - statistics.median(first)
            found[name] = max(found.get(name, grown), grown)
        return found

    def rows(self) -> list[str]:
        """Every sample, for a spreadsheet."""
        return [
            "process,pid,second,mb",
            *(
                f"{name},{pid},{second:.0f},{size_mb:.1f}"
                for (name, pid), seen in self.samples.items()
                for second, size_mb in seen
            ),
        ]

    def newest(self) -> dict[str, float]:
        """MB at the end."""
        return {name: seen[-1][1] for (name, _), seen in self.samples.items()}


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of it."""

    seed: int
    minutes: float
    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    restarts: int = 0
    halts: int = 0
    orders: int = 0
    fills: int = 0
    positions_closed: int = 0
    books: int = 0
    memory_mb: dict[str, float] = field(default_factory=dict)
    growth_mb: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def soak(
    home: Path,
    *,
    seed: int,
    minutes: float,
    pace_s: float = PACE_S,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run one. Raises ``PlantFailed`` where a process does not even start."""
    async with Plant.open(home, seed, pace_s) as plant:
        return await _Soak(plant, seed, minutes, say).run()


class _Soak:
    def __init__(self, plant: Plant, seed: int, minutes: float, say: Callable[[str], None]) -> None:
        self._plant = plant
        self._say = say
        self._clock = SystemClock()
        self._random, trouble, person = (Random(f"{seed} {nth}") for nth in range(3))  # noqa: S311 - repeatable
        self._mischief = Mischief(plant, trouble, minutes * 60 * _KILLS_SHARE)
        self._person = Person(plant, person)
        self._memory = Memory()
        self._report = Report(seed=seed, minutes=minutes)
        self._began_s = asyncio.get_running_loop().time()

    async def run(self) -> Report:
        trouble_s = self._report.minutes * 60
        await self._live(trouble_s, with_faults=True)
        if not self._plant.ended():
            await self._mischief.end()
        self._say("calm: no more faults")
        await self._settle()
        await self._count()
        return self._report

    def _elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    async def _live(self, seconds: float, *, with_faults: bool) -> None:
        """Trouble and the person's looks, until the time is up or a process is gone."""
        end_s = self._elapsed_s() + seconds
        next_s = sample_s = self._elapsed_s()
        while (now_s := self._elapsed_s()) < end_s and not self._plant.ended():
            if with_faults and now_s >= next_s:
                next_s = now_s + self._random.uniform(*_BETWEEN_FAULTS_S)
                self._progress(await self._mischief.act(now_s))
            if now_s >= sample_s:
                sample_s = now_s + _SAMPLE_S
                self._memory.add(now_s, self._plant.memory_mb())
            await self._person.look(now_s, self._clock.now_us())
            await self._plant.revive()
            await asyncio.sleep(_LOOK_S)

    def _progress(self, what: str) -> None:
        [(orders, fills)] = self._plant.rows(
            "SELECT (SELECT count(*) FROM order_intents), (SELECT count(*) FROM fills)"
        )
        self._say(
            f"{self._elapsed_s():6.0f} s  {orders} orders, {fills} fills, "
            f"{self._plant.kills} kills  {what}"
        )

    async def _settle(self) -> None:
        """A breath, a halt that stays, protection; then the market stands still: all is equal."""
        problems = self._report.problems
        if gone := self._plant.ended():
            problems.append(gone)
            return
        if not await self._until(self._leads, "nobody"):
            return
        await self._live(_BREATH_S, with_faults=False)
        self._person.is_done_for_today = True
        if not await self._until(self._is_halted, "the last halt"):
            return
        await self._until(lambda: judge.unprotected(self._plant), "")
        await self._plant.admin("POST", "/faults", {"kind": "trading_pause"})
        await self._until(lambda: judge.differences(self._plant), "")
        self._person.close_halt(self._clock.now_us())
        problems += await judge.violations(self._plant, self._person.halts)
        self._judge_memory()

    async def _until(self, look: Callable[[], object], what: str) -> bool:
        """Wait for a look that finds nothing; what the last one found is a problem."""
        end_s = self._elapsed_s() + _CALM_S
        while True:
            found = await look()  # type: ignore[misc]
            if not found:
                return True
            if self._elapsed_s() >= end_s:
                self._report.problems += [f"{what} {one}".strip() for one in found]
                return False
            await self._person.look(self._elapsed_s(), self._clock.now_us())
            await self._plant.revive()
            await asyncio.sleep(_LOOK_S)

    async def _leads(self) -> list[str]:
        return [] if await self._plant.leads() else ["leads"]

    async def _is_halted(self) -> list[str]:
        status = await self._plant.page("/status")
        saved = self._plant.rows("SELECT halted FROM risk_state") == [(1,)]
        return [] if saved and status and status["halted"] else ["is not saved"]

    def _judge_memory(self) -> None:
        report = self._report
        report.growth_mb = self._memory.growth()
        grown = report.growth_mb.get("bot", 0.0)
        if grown > _GROWTH_MAX_MB:
            report.problems.append(f"the bot grew by {grown:.0f} MB in one life")

    async def _count(self) -> None:
        report, plant = self._report, self._plant
        report.faults = dict(sorted(self._mischief.done.items()))
        report.kills, report.halts = plant.kills, len(self._person.halts)
        report.restarts = plant.restarts
        [(report.orders, report.fills, report.positions_closed)] = plant.rows(
            "SELECT (SELECT count(*) FROM order_intents), (SELECT count(*) FROM fills), "
            "(SELECT count(*) FROM brackets WHERE closed_us IS NOT NULL AND entered_e2 > 0)"
        )
        report.books = len(await plant.page("/books") or {})
        report.memory_mb = self._memory.newest()
        (plant.home / "memory.csv").write_text("\n".join(self._memory.rows()) + "\n")
