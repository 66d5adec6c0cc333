"""Where one run takes place: a database of its own, a venue, and every process it started."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import asyncpg

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.kit.clock import SystemClock
from bot.leadership.lease import LeaseTerms
from chaos.arrivals import Arrival, longest_silence_s, zombies
from chaos.rows import Seen
from chaos.venue import Venue
from tests.e2e.programs.leader import SHORT
from tests.e2e.support.leader import Leader
from tests.support.postgres import Server
from tests.support.proxy import Proxy

TEMPLATE = "chaos_template"
SLACK_S = 40.0
"""What a busy machine may add to starting a process and running its statements."""
_NUMBERS = itertools.count(1)
_LOOK_S = 0.02


class Wrong(Exception):
    """A run did not come out as it must; the text says how."""


class Arena:
    """Use :meth:`open`."""

    def __init__(self, server: Server, url: str, venue: Venue, *, is_short: bool) -> None:
        self.server = server
        self.url = url
        self.venue = venue
        self.is_short = is_short
        self.terms = SHORT if is_short else LeaseTerms()
        self.lease_s = self.terms.lease_us / 1_000_000
        self.leaders: list[Leader] = []
        self.stack = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server, *, is_short: bool) -> AsyncIterator[Self]:
        """A fresh database and venue; every process is gone at the end."""
        name = f"chaos_{next(_NUMBERS)}"
        await administer(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        async with Venue.open() as venue:
            arena = cls(server, server.url(name), venue, is_short=is_short)
            try:
                async with arena.stack:
                    yield arena
            finally:
                for leader in arena.leaders:
                    leader.end()
                await administer(server, f"DROP DATABASE {name} WITH (FORCE)")

    # --- contestants -------------------------------------------------------------------------

    def start(self, deployment: str = "d1", *options: str, address: str | None = None) -> Leader:
        """Start a process of the leader program whose orders go to the venue."""
        given = ("--venue", str(self.venue.port), "--activation-s", "0", *options)
        terms = ("--terms", "short" if self.is_short else "default")
        leader = Leader(address or self.url, deployment, *terms, *given)
        self.leaders.append(leader)
        return leader

    async def leading(self, deployment: str = "d1", address: str | None = None) -> Leader:
        """A process that leads and trades."""
        leader = self.start(deployment, address=address)
        await self.trades(leader)
        return leader

    async def trades(self, leader: Leader, within_s: float = SLACK_S) -> None:
        """Wait until the venue has an order of its present leadership."""
        began_us = self.now_us()

        def does() -> bool:
            epoch = leader.epoch
            return any(one.epoch == epoch and one.at_us >= began_us for one in self.accepted())

        await self.until(does, within_s, leader.story)

    async def proxy(self) -> tuple[Proxy, str]:
        """A relay to the database, and the address behind it."""
        proxy = await self.stack.enter_async_context(Proxy.running(self.server.port))
        return proxy, self.url.replace(f":{self.server.port}/", f":{proxy.port}/")

    # --- what was seen -----------------------------------------------------------------------

    def now_us(self) -> int:
        """The clock of the venue's stamps."""
        return SystemClock().monotonic_us()

    def accepted(self) -> list[Arrival]:
        """The orders the venue took."""
        return [one for one in self.venue.arrivals if one.is_accepted]

    def seen(self, seconds: float | None) -> Seen:
        """The result of a run that came out as it must."""
        return Seen(
            seconds=seconds, zombies=zombies(self.venue.arrivals), refused=self.venue.refused
        )

    def seen_unmoved(self, leader: Leader, epoch: object, since_us: int) -> Seen:
        """The result of a run in which the lead had to stay where it was.

        A machine too busy to let a leader renew in time looks like the fault itself: with the
        short leases that is no finding, and it shows as a silence longer than the gate's.
        """
        silence_s = longest_silence_s(self.accepted(), since_us)
        was_starved = self.is_short and silence_s >= self.terms.gate_us / 1_000_000
        demand(leader.epoch == epoch or was_starved, "the lead changed hands")
        return self.seen(silence_s)

    def gap_s(self, after: Leader, *, since_us: int | None = None) -> float:
        """From the last order of others (or a moment) to the first of ``after``."""
        epoch = after.epoch
        first_us = min(one.at_us for one in self.accepted() if one.epoch == epoch)
        if since_us is None:
            since_us = max(one.at_us for one in self.accepted() if one.epoch != epoch)
        return (first_us - since_us) / 1_000_000

    async def sql(self, statement: str) -> object:
        """One value of the database."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def until(
        self, is_true: Callable[[], object], within_s: float, story: Callable[[], str] = str
    ) -> None:
        """Wait for a state.

        Raises:
            Wrong: it did not come.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        while not is_true():
            if asyncio.get_running_loop().time() > deadline:
                raise Wrong(f"not within {within_s:g} s: {story()[-600:]}")
            await asyncio.sleep(_LOOK_S)

    async def ends(self, leader: Leader, codes: set[int], within_s: float = SLACK_S) -> int:
        """Wait for a process to end with one of these codes."""
        await self.until(lambda: leader.process.poll() is not None, within_s, leader.story)
        code = await leader.exit_code(within_s)
        demand(code in codes, f"exit code {code}, not {sorted(codes)}: {leader.story()[-400:]}")
        return code


def demand(is_so: object, otherwise: str) -> None:
    """State what must hold.

    Raises:
        Wrong: it does not.
    """
    if not is_so:
        raise Wrong(otherwise)


async def administer(server: Server, statement: str) -> None:
    """Run a statement on the server itself."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def prepare(server: Server) -> None:
    """Make the migrated database that every run's is a copy of."""
    await administer(server, f"CREATE DATABASE {TEMPLATE}")
    database = await Database.open(server.url(TEMPLATE))
    try:
        await migrate(database)
    finally:
        await database.close()
