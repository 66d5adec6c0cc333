"""A TCP relay that can stop forwarding without closing anything, as a dead network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class BlackHole:
    """Forwards to one port; ``is_open = False`` swallows every byte, also of new connections."""

    def __init__(self, target_port: int) -> None:
        self.is_open = True
        self.port = 0
        self._target_port = target_port
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, target_port: int) -> AsyncIterator[Self]:
        relay = cls(target_port)
        server = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        relay.port = server.sockets[0].getsockname()[1]
        try:
            yield relay
        finally:
            server.close()
            for task in relay._tasks:
                task.cancel()
            await asyncio.wait(relay._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back))
                group.create_task(self._pump(there, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            back.close()
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.is_open:
                sink.write(data)
                await sink.drain()
        if self.is_open:
            sink.close()
