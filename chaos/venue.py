"""A venue that stamps what arrives, and lets an epoch shut out the older ones for good.

The shape of Kalshi's order groups: each leader's orders carry its epoch's group,
and a successor triggers the older groups before it does anything else.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from bot.kit.clock import SystemClock
from chaos.arrivals import Arrival


class Venue:
    """Lines in, ``ok`` or ``no`` out: ``fence EPOCH`` and ``order EPOCH``."""

    def __init__(self) -> None:
        self.port = 0
        self.arrivals: list[Arrival] = []
        self._clock = SystemClock()
        self._fenced_below = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Listen on a free port of the loopback."""
        venue = cls()
        server = await asyncio.start_server(venue._serve, "127.0.0.1", 0)
        venue.port = server.sockets[0].getsockname()[1]
        try:
            yield venue
        finally:
            server.close()
            for writer in venue._writers:
                writer.close()

    @property
    def refused(self) -> int:
        """Orders that came too late."""
        return sum(not one.is_accepted for one in self.arrivals)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                verb, epoch = line.decode().split()
                answer = self._answer(verb, int(epoch))
                writer.write(b"ok\n" if answer else b"no\n")
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, verb: str, epoch: int) -> bool:
        if verb == "fence":
            self._fenced_below = max(self._fenced_below, epoch)
            return True
        is_accepted = epoch >= self._fenced_below
        now_us = self._clock.monotonic_us()
        self.arrivals.append(Arrival(at_us=now_us, epoch=epoch, is_accepted=is_accepted))
        return is_accepted
