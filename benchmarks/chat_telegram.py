"""The Bot API of ``chat``: a process of its own, in which people talk as fast as they are told to.

It prints its address, and obeys one line of standard input after the other:
``talk RATE SECONDS`` types so many commands a second and says, as JSON, how many
were typed and how many have been answered.
"""

import asyncio
import itertools
import json
import sys

from tests.fakes.telegram_server import FakeTelegram

PEOPLE = tuple(range(101, 141))
"""Enough that at twenty commands a second nobody is spoken to more often than once."""
_LINES = ("/status", "/pnl", "/positions", "/breakers")


async def _talk(server: FakeTelegram, rate: float, seconds: float) -> dict[str, int]:
    """Type, evenly spaced."""
    loop = asyncio.get_running_loop()
    before = sum(map(len, server.said.values()))
    began_s, typed = loop.time(), 0
    people, lines = itertools.cycle(PEOPLE), itertools.cycle(_LINES)
    while (passed_s := loop.time() - began_s) < seconds:
        if typed < passed_s * rate:
            server.type(next(people), next(lines))
            typed += 1
        await asyncio.sleep(0.005)
    return {"typed": typed, "answered": sum(map(len, server.said.values())) - before}


async def _main() -> None:
    async with FakeTelegram() as server:
        print(server.url, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            _, rate, seconds = line.split()
            print(json.dumps(await _talk(server, float(rate), float(seconds))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
