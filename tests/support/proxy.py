"""A TCP relay in front of PostgreSQL that counts its statements and breaks at chosen moments.

It understands as much of the protocol as that takes: message boundaries, and
which statement a message is about.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn, Self

_SSL_REQUEST = (80_877_103).to_bytes(4, "big")


@dataclass(slots=True)
class Trap:
    """Something that happens once, at a statement that contains ``words``.

    ``is_after``: when the answer to its commit has come, which the client never
    sees; otherwise before the statement is passed on. The connection then ends.
    """

    words: str
    is_after: bool
    spring: Callable[[], object] = lambda: None
    skips: int = 0
    """How many such statements pass unharmed first."""
    has_sprung: bool = False

    def catches(self) -> bool:
        """Whether this statement is the one."""
        if self.has_sprung:
            return False
        self.skips -= 1
        return self.skips < 0


class Proxy:
    """Forwards to one port. Use :meth:`running`."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.is_open = True
        """False swallows every byte and closes nothing, as a dead network does."""
        self.is_refusing = False
        """True ends new connections at once, as a server that is down does."""
        self.statements = 0
        self.trap: Trap | None = None
        self._target_port = target_port
        self._links: set[_Link] = set()

    @classmethod
    @asynccontextmanager
    async def running(cls, target_port: int) -> AsyncIterator[Self]:
        """Listen on a free port of the loopback."""
        proxy = cls(target_port)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            proxy.reset()

    def reset(self) -> None:
        """Break every connection, both ways, with a reset."""
        for link in list(self._links):
            link.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        link = _Link(self, writer, back)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(link.up(reader))
                group.create_task(link.down(there))
        except* (OSError, EOFError):
            pass
        finally:
            self._links.discard(link)
            link.abort()


class _Link:
    """One connection."""

    def __init__(
        self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._marked: set[bytes] = set()
        """Prepared statements that the trap is for."""
        self._is_caught = False
        self._loses_next = False
        self._is_in_transaction = False

    def abort(self) -> None:
        for writer in (self._client, self._server):
            if writer.is_closing():
                continue
            linger = struct.pack("ii", 1, 0)  # a reset, not a good-bye
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def up(self, reader: asyncio.StreamReader) -> None:
        """From the client: message by message."""
        opening = await self._opening(reader)
        if opening == _SSL_REQUEST:
            await self._opening(reader)
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            self._proxy.statements += head[:1] in b"QE"
            if not self._proxy.is_open:
                continue
            if not self._may_pass(head[:1], body):
                self._spring()
            self._server.write(head + body)
            await self._server.drain()

    async def _opening(self, reader: asyncio.StreamReader) -> bytes:
        """Pass on a message of before the start, which has no type."""
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length, "big") - 4)
        self._server.write(length + body)
        return body

    async def down(self, reader: asyncio.StreamReader) -> None:
        """From the server: as it comes."""
        while data := await reader.read(65_536):
            if self._loses_next:
                self._spring()
            if self._proxy.is_open:
                self._client.write(data)
                await self._client.drain()
        raise EOFError("the server closed the connection")

    def _may_pass(self, kind: bytes, body: bytes) -> bool:
        trap = self._proxy.trap
        word = body[:8].upper() if kind == b"Q" else b""
        if word.startswith((b"BEGIN", b"COMMIT", b"ROLLBACK")):
            self._is_in_transaction = word.startswith(b"BEGIN")
            self._loses_next |= self._is_caught and word.startswith(b"COMMIT")
        if trap is not None and self._is_about(trap, kind, body) and trap.catches():
            self._is_caught = True
            # Outside a transaction the statement's own answer is that of its commit.
            self._loses_next |= not self._is_in_transaction
            return trap.is_after
        return True

    def _is_about(self, trap: Trap, kind: bytes, body: bytes) -> bool:
        """A statement is named when it is prepared and counts when it is bound."""
        words = trap.words.encode()
        if kind == b"P":
            name, _, text = body.partition(b"\0")
            (self._marked.add if words in text else self._marked.discard)(name)
        elif kind == b"B":
            return body.split(b"\0", 2)[1] in self._marked
        return kind == b"Q" and words in body

    def _spring(self) -> NoReturn:
        trap = self._proxy.trap
        assert trap is not None
        trap.has_sprung = True
        self._loses_next = False
        trap.spring()
        self.abort()
        raise EOFError("the trap sprang")
