"""Writes over real connections: reused, never doubled, and unknown as soon as there is doubt."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.adapters.kalshi.wire.http_answer import Answer
from bot.adapters.kalshi.write_lines import WriteLines
from bot.domain.errors import ExchangeUnavailable, OutcomeUnknown
from bot.kit.clock import SystemClock

pytestmark = pytest.mark.looptime(False)

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """The other side: counts, and does what a test says with each request."""

    behave: Behave
    url: str = ""
    connections: int = 0
    requests: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while not writer.is_closing():
                await reader.readexactly(len(REQUEST))
                self.requests += 1
                await self.behave(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    one = Peer(behave)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls)
    host = "localhost" if tls else "127.0.0.1"
    one.url = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}/v2"
    try:
        yield one
    finally:
        server.close()
        for writer in one.writers:
            writer.close()


async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def say_nothing(_: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    pass


async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])
    writer.close()


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\r\n\r\n")


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def ask(lines: WriteLines, deadline_s: float) -> Answer:
    return await lines.ask(await lines.line(deadline_s), REQUEST, deadline_s)


async def outcome_of(asking: Awaitable[object]) -> object:
    try:
        return await asking
    except (ExchangeUnavailable, OutcomeUnknown, TimeoutError) as fault:
        return fault


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - two sides of a socket
            await asyncio.sleep(0.005)


@asynccontextmanager
async def lines_to(one: Peer, connections: int = 4) -> AsyncIterator[WriteLines]:
    lines = WriteLines(one.url, connections)
    try:
        yield lines
    finally:
        lines.close()


async def test_a_connection_carries_one_request_after_the_other() -> None:
    async with peer(accept) as one, lines_to(one) as lines:
        for _ in range(3):
            assert (await ask(lines, soon())).body == b"{}"
        assert (one.connections, one.requests) == (1, 3)


async def test_requests_at_the_same_time_go_on_connections_of_their_own() -> None:
    async with peer(accept) as one, lines_to(one) as lines:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(ask(lines, soon()))
        assert (one.connections, one.requests) == (3, 3)


async def test_with_every_connection_in_use_a_request_waits_and_then_is_not_sent() -> None:
    async with peer(say_nothing) as one, lines_to(one, connections=1) as lines:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(outcome_of(ask(lines, soon(0.5))))
            second = group.create_task(outcome_of(ask(lines, soon(0.1))))
        assert isinstance(first.result(), TimeoutError)
        assert isinstance(second.result(), ExchangeUnavailable)
        assert one.requests == 1


@pytest.mark.parametrize("behave", [break_off, babble])
async def test_half_an_answer_is_an_unknown_outcome_and_is_not_asked_again(behave: Behave) -> None:
    async with peer(behave) as one, lines_to(one) as lines:
        with pytest.raises(OutcomeUnknown):
            await ask(lines, soon())
        assert one.requests == 1


async def test_a_connection_whose_answer_is_late_is_never_used_again() -> None:
    async with peer(say_nothing) as one, lines_to(one) as lines:
        with pytest.raises(TimeoutError):
            await ask(lines, soon(0.05))
        one.behave = accept
        assert (await ask(lines, soon())).status == 200
        assert one.connections == 2


async def test_a_connection_closed_while_idle_costs_nothing_but_a_new_one() -> None:
    async with peer(accept) as one, lines_to(one) as lines:
        await ask(lines, soon())
        one.writers[0].close()
        await one.writers[0].wait_closed()
        await asyncio.sleep(0.05)
        assert (await ask(lines, soon())).status == 200
        assert (one.connections, one.requests) == (2, 2)


async def test_a_connection_that_talks_out_of_turn_is_dropped() -> None:
    async with peer(accept) as one, lines_to(one) as lines:
        await ask(lines, soon())
        one.writers[0].write(OK)  # nobody asked
        await until(one.writers[0].is_closing)
        assert (await ask(lines, soon())).status == 200
        assert one.connections == 2


async def test_a_connection_is_made_before_it_is_needed_and_again_after_it_died() -> None:
    async with peer(accept) as one, lines_to(one) as lines:
        await lines.warm(1.0)
        await lines.warm(1.0)
        await until(lambda: one.connections == 1)
        one.writers[0].close()
        await asyncio.sleep(0.05)
        await lines.warm(1.0)
        await until(lambda: one.connections == 2)
        await ask(lines, soon())
        assert (one.connections, one.requests) == (2, 1)


async def test_what_is_asked_when_the_lines_close_is_unknown() -> None:
    async with peer(say_nothing) as one, lines_to(one) as lines:
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(outcome_of(ask(lines, soon())))
            await until(lambda: one.requests == 1)
            lines.close()
        assert isinstance(asked.result(), OutcomeUnknown)


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that only its own holder vouches for."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.fromtimestamp(SystemClock().now_us() / 1_000_000, dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "both.pem"
    path.write_bytes(
        signed.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return path, context


async def test_a_certificate_nobody_vouches_for_gets_no_request(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    async with peer(accept, context) as one, lines_to(one) as lines:
        with pytest.raises(ExchangeUnavailable, match="not sent"):
            await ask(lines, soon())
        assert one.requests == 0


async def test_tls_works_with_a_certificate_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with peer(accept, context) as one, lines_to(one) as lines:
        assert (await ask(lines, soon())).status == 200
