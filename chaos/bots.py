"""The whole bot as processes, trading on a simulated exchange that says when an order came."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from bot.simulator.faults import CallFault, FaultRule
from chaos.arena import SLACK_S, Arena, demand
from chaos.arrivals import Arrival, gap_s, longest_silence_s, zombies
from chaos.rows import Seen
from chaos.street import Street
from tests.e2e.support.bot import Home, Program, home_of
from tests.fakes.telegram_server import FakeTelegram

_INTENTS = "SELECT client_order_id FROM order_intents"
# Orders go out for real, to an exchange whose money is none: Kalshi's demo, in a simulator.
_TRADING = {
    "BOT_MODE": "trade",
    "BOT_TRADING__LIVE": "true",
    "BOT_TRADING__STARTS_UNHALTED": "true",
    "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
    "BOT_TRADING__MAX_ENTRIES_PER_MINUTE": "100000",
    "BOT_TRADING__MAX_OPEN_ORDERS": "1000",
    "BOT_TRADING__MAX_CONCURRENT": "1000",
    "BOT_TRADING__EVENT_MAX_PCT": "50",
    "BOT_TRADING__SERIES_MAX_PCT": "100",
    "BOT_TRADING__RELEASE_GROUP_MAX_PCT": "100",
    "BOT_TRADING__TOTAL_MAX_PCT": "100",
    "BOT_EXCHANGE__REQUESTS_PER_SECOND": "1000",
}


class Bots:
    """Bots on one database and one busy street."""

    def __init__(self, arena: Arena, street: Street, home: Home) -> None:
        self.arena = arena
        self.street = street
        self.home = home

    @classmethod
    @asynccontextmanager
    async def open(cls, arena: Arena, telegram: FakeTelegram | None = None) -> AsyncIterator[Self]:
        """A directory, a street, and settings with the arena's timings."""
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            async with (
                Street.open() as street,
                home_of(Path(folder), arena.url, street.server, telegram) as home,
            ):
                if not arena.is_short:
                    short = [one for one in home.settings if one.startswith("BOT_LEADERSHIP__")]
                    for name in short:
                        del home.settings[name]
                home.settings |= _TRADING
                yield cls(arena, street, home)

    def like_production(self, call_ms: int) -> None:
        """Make every call to the exchange take so long; pace and watched series by default."""
        latency = FaultRule(kind=CallFault.LATENCY, delay_ms=call_ms, count=0)
        self.street.server.exchange.faults.arm(latency)
        for name in ("BOT_COLLECT__SERIES", "BOT_EXCHANGE__REQUESTS_PER_SECOND"):
            del self.home.settings[name]

    async def trading(self, deployment: str, **changes: str | None) -> Program:
        """Start a bot by its deployment front door; its first order has arrived."""
        bot = self.home.bot(RAILWAY_DEPLOYMENT_ID=deployment, **changes)
        await self.trades(bot)
        return bot

    async def trades(self, bot: Program, within_s: float = SLACK_S) -> None:
        """Wait for an order that arrives from now on and was sent in its present leadership."""
        limit_s = within_s + self.arena.lease_s
        await self.arena.until(
            lambda: "leading" in bot.roles()[-1:] or not bot.is_running, limit_s, bot.story
        )
        demand(bot.is_running, f"it ended: {bot.story()[-600:]}")
        began_us = self.arena.now_us()
        await self.arena.until(
            lambda: any(one.at_us > began_us for one in self.street.arrivals()),
            within_s,
            bot.story,
        )

    async def arrivals(self) -> list[Arrival]:
        """Every accepted order, each of which must have been stored before it left."""
        arrivals, names = self.street.arrivals(), self.street.order_names()
        stored = {str(row[0]) for row in await self.home.rows(_INTENTS)}
        demand(names <= stored, f"{len(names - stored)} orders were sent and not stored before")
        demand(all(one.epoch for one in arrivals), "an entry was sent outside any order group")
        return arrivals

    async def seen_gap(self) -> Seen:
        """The gap between the two latest epochs, and the zombies of all."""
        arrivals = await self.arrivals()
        *_, before, after = sorted({one.epoch for one in arrivals})
        return Seen(seconds=gap_s(arrivals, before, after), zombies=zombies(arrivals))

    async def seen_silence(self, since_us: int) -> Seen:
        """The longest time without an order since a moment."""
        arrivals = await self.arrivals()
        return Seen(seconds=longest_silence_s(arrivals, since_us), zombies=zombies(arrivals))
