"""The exchange of ``feed_load``: thousands of books on one WebSocket, steady traffic and a burst.

A process of its own. It answers subscribe commands like the venue and obeys one line
of standard input after the other: ``steady RATE SECONDS``, ``burst COUNT``, ``books``.
"""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from random import Random
from time import perf_counter_ns
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

STAMPS = 1_000_000_000
"""A best bid's size is this plus a stamp in microseconds, modulo this: no other field of a quote
would carry the moment of sending through everything the bot does."""

_LEVELS = 20
_TOP_CENTS = 50
_TOPS_PERCENT = 20
_CHUNK_FRAMES = 1_000


def stamp() -> int:
    """The moment as a size, in hundredths of a contract. The clock is the machine's, not ours."""
    return STAMPS + perf_counter_ns() // 1_000 % STAMPS


@dataclass(slots=True)
class _Book:
    """A market: sizes by cents for each leg, and where it is subscribed."""

    name: str
    yes: dict[int, int]
    no: dict[int, int]
    sid: int = 0
    clock: int = 1


@dataclass(slots=True)
class _Exchange:
    """The books and the one connection."""

    busy: list[str]
    books: dict[str, _Book]
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - repeatable
    seqs: dict[int, int] = field(default_factory=dict)
    connection: ServerConnection | None = None

    async def serve(self, connection: ServerConnection) -> None:
        """Answer one client's commands until it is gone."""
        self.connection, self.seqs = connection, {}
        with contextlib.suppress(ConnectionClosed):
            await self._answer(connection)

    async def _answer(self, connection: ServerConnection) -> None:
        async for data in connection:
            command = json.loads(data)
            params = command["params"]
            if command["cmd"] == "subscribe":
                sid = len(self.seqs) + 1
                self.seqs[sid] = 0
                (channel,) = params["channels"]
                said = {"channel": channel, "sid": sid}
                await connection.send(_frame("subscribed", id=command["id"], msg=said))
            else:
                (sid,) = params["sids"]
                channel = ""
                await connection.send(_frame("ok", id=command["id"], sid=sid, seq=self._next(sid)))
            if channel == "orderbook_delta":
                await self._snapshots(connection, sid, params["market_tickers"])

    async def _snapshots(self, connection: ServerConnection, sid: int, names: list[str]) -> None:
        for name in names:
            book = self.books[name]
            book.sid = sid
            legs = {
                f"{leg}_dollars_fp": [[_price(leg, cents), _text(size)] for cents, size in levels]
                for leg, levels in (("yes", book.yes.items()), ("no", book.no.items()))
            }
            msg = {"market_ticker": name, "market_id": "m", "clock": book.clock, **legs}
            data = _frame("orderbook_snapshot", sid=sid, seq=self._next(sid), msg=msg)
            await connection.send(data)

    def change(self) -> bytes:
        """One change somewhere: every fifth a stamped one of the best bid."""
        random = self.random
        book = self.books[random.choice(self.busy)]
        if random.randrange(100) < _TOPS_PERCENT:
            return self._changed(book, "yes", _TOP_CENTS, stamp())
        leg = random.choice(("yes", "no"))
        cents = random.randrange(_TOP_CENTS - _LEVELS, _TOP_CENTS - 2)
        return self._changed(book, leg, cents, random.randint(1, 500) * 100)

    def _changed(self, book: _Book, leg: str, cents: int, size: int) -> bytes:
        levels = book.yes if leg == "yes" else book.no
        change, levels[cents] = size - levels.get(cents, 0), size
        book.clock += 1
        msg = (
            f'{{"market_ticker":"{book.name}","market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1",'
            f'"price_dollars":"{_price(leg, cents)}","delta_fp":"{_text(change)}","side":"{leg}",'
            f'"ts":"2026-11-26T10:00:00.000000Z","ts_ms":1795687200000,"clock":{book.clock}}}'
        )
        head = f'{{"type":"orderbook_delta","sid":{book.sid},"seq":{self._next(book.sid)},"msg":'
        return _framed(f"{head}{msg}}}\n".encode())

    async def write(self, data: bytes) -> None:
        """Write frames as they are; wait where the client does not read."""
        assert self.connection is not None
        self.connection.transport.write(data)
        await self.connection.drain()

    def _next(self, sid: int) -> int:
        self.seqs[sid] += 1
        return self.seqs[sid]


def _frame(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}) + "\n"


def _framed(payload: bytes) -> bytes:
    """An unmasked text frame of 126 to 65,535 bytes."""
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


def _text(size: int) -> str:
    sign, size = ("-", -size) if size < 0 else ("", size)
    return f"{sign}{size // 100}.{size % 100:02d}"


def _price(leg: str, cents: int) -> str:
    """On the YES leg, as the bot asks for it: a NO bid is an offer at its complement."""
    return f"0.{cents if leg == 'yes' else 100 - cents:02d}00"


async def _steady(exchange: _Exchange, rate: int, seconds: float) -> int:
    """So many changes a second, a hundredth of them every 10 ms."""
    loop = asyncio.get_running_loop()
    began_s, sent = loop.time(), 0
    while (passed_s := loop.time() - began_s) < seconds:
        due = int(passed_s * rate) - sent
        if due:
            await exchange.write(b"".join(exchange.change() for _ in range(due)))
            sent += due
        await asyncio.sleep(0.001)
    return sent


async def _burst(exchange: _Exchange, count: int) -> int:
    """All at once: made first, then written as fast as they are read."""
    frames = [exchange.change() for _ in range(count)]
    # Cut between frames: the library writes its pings in between.
    for start in range(0, count, _CHUNK_FRAMES):
        await exchange.write(b"".join(frames[start : start + _CHUNK_FRAMES]))
    return count


async def _main(markets: int, busy: int, event: str) -> None:
    names = [f"{event}-T{number}" for number in range(markets)]
    cents = range(_TOP_CENTS - _LEVELS, _TOP_CENTS - 1)
    books = {
        name: _Book(name, dict.fromkeys([*cents, _TOP_CENTS], 10_000), dict.fromkeys(cents, 10_000))
        for name in names
    }
    exchange = _Exchange(names[:busy], books)
    async with serve(exchange.serve, "127.0.0.1", 0, ping_interval=5) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            word, *given = line.split()
            answer: Any = None
            if word == "steady":
                answer = await _steady(exchange, int(given[0]), float(given[1]))
            elif word == "burst":
                answer = await _burst(exchange, int(given[0]))
            elif word == "books":
                answer = {
                    one.name: {
                        "bids": {cents * 100: size for cents, size in one.yes.items()},
                        "asks": {(100 - cents) * 100: size for cents, size in one.no.items()},
                    }
                    for one in exchange.books.values()
                }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), *(sys.argv[3:] or ["KXLOAD-26DEC"])))
