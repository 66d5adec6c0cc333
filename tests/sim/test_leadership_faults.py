"""Seeded runs of several processes under faults: never two traders, and always one in the end.

Faults while the storm lasts: partitions, refused connections, slow statements,
lost replies, jumps of the database's and the processes' wall clocks, kills,
stops, new deployments, restarts of old ones, typed statements. Then calm: the
one who should lead must lead. A failing seed is printed by its parameter.
"""

import asyncio
from random import Random

import pytest

from bot.app.lifecycle import Role
from bot.domain.errors import ActivationRefused
from tests.fakes.leases import MemoryLeaseStore
from tests.support.house import SCOPE, Bot, House, house

pytestmark = pytest.mark.sim

STORM_S = 240
CALM_S = 60


class WeakStore(MemoryLeaseStore):
    """Answers late, or loses the answer after the fact; a cut swallows both ways."""

    before_s = 0.0
    after_s = 0.0

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if name not in {
            "register",
            "read",
            "claim",
            "acquire",
            "renew",
            "release",
            "mark",
            "retire",
        }:
            return found

        async def weakly(*given: object, **named: object) -> object:
            await asyncio.sleep(self.before_s)
            answer = await found(*given, **named)
            await asyncio.sleep(self.after_s)
            await self._reach()
            return answer

        return weakly


class Storm:
    """One seeded history."""

    def __init__(self, home: House, random: Random) -> None:
        self.home = home
        self.random = random
        self.started = 0
        self.newest = 0
        home.connect = lambda: WeakStore(home.tables)

    @property
    def living(self) -> list[Bot]:
        return [bot for bot in self.home.bots if not bot.task.done()]

    def start(self, deployment: int) -> None:
        self.started += 1
        self.newest = max(self.newest, deployment)
        self.home.start(
            f"i{self.started:03}",
            f"d{deployment}",
            drain_s=self.random.choice((0.1, 1.0, 5.0)),
            activation_s=self.random.choice((0.0, 0.5, 4.0)),
        )

    def strike(self) -> None:
        chosen = self.random.choice(self.living) if self.living else None
        if chosen is None or self.random.random() < 0.15:
            self.start(self.newest + self.random.choice((0, 0, 1)))
            return
        faults = (
            lambda: self.cut(chosen),
            lambda: self.refuse(chosen),
            lambda: self.slow(chosen),
            lambda: self.heal(chosen),
            lambda: self.heal(chosen),
            chosen.task.cancel,
            chosen.stop.set,
            lambda: self.start(self.random.randint(1, self.newest)),
            self.step_clocks,
            self.type_a_statement,
        )
        self.random.choice(faults)()

    def cut(self, bot: Bot) -> None:
        bot.store.is_cut = True

    def refuse(self, bot: Bot) -> None:
        bot.store.is_refused = True

    def slow(self, bot: Bot) -> None:
        bot.store.before_s = self.random.uniform(0, 1.9)
        bot.store.after_s = self.random.uniform(0, 1.9)

    def heal(self, bot: Bot) -> None:
        bot.store.is_cut = bot.store.is_refused = False
        bot.store.before_s = bot.store.after_s = 0.0

    def step_clocks(self) -> None:
        self.home.database_clock.step_us += self.random.randint(-3_600, 3_600) * 1_000_000
        self.home.clock.step_us += self.random.randint(-3_600, 3_600) * 1_000_000

    def type_a_statement(self) -> None:
        tables = self.home.tables
        if not tables.rows:
            return
        try:
            tables.type_active(self.random.choice(list(tables.rows)), self.random.random() < 0.5)
        except ActivationRefused:
            return


async def weather(storm: Storm) -> None:
    """The storm, then the calm with one fresh deployment."""
    storm.start(1)
    for _ in range(STORM_S):
        await asyncio.sleep(storm.random.uniform(0.2, 1.8))
        if storm.random.random() < 0.4:
            storm.strike()
    for bot in storm.living:
        storm.heal(bot)
    storm.start(storm.newest + 1)
    await asyncio.sleep(CALM_S)


@pytest.mark.parametrize("seed", range(60))
async def test_never_two_traders_and_always_one_in_the_end(looptime, seed: int) -> None:
    async with house() as home:
        storm = Storm(home, Random(seed))
        await weather(storm)
        home.no_two_traded_at_once()
        leading = [bot for bot in storm.living if bot.lifecycle.role is Role.LEADING]
        assert len(leading) == 1
        assert leading[0].trades[-1][1] > home.clock.monotonic_us() - 1_000_000
        assert home.tables.leases[SCOPE].epoch == leading[0].trades[-1][0]
        codes = {
            bot.task.result() for bot in home.bots if bot.task.done() and not bot.task.cancelled()
        }
        assert codes <= {0}
        assert all(bot.exits == [] for bot in home.bots)
