"""A real PgBouncer in front of the tests' PostgreSQL, where one is installed."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_START_S = 20.0


class NoPooler(Exception):
    """PgBouncer cannot be run here; the text says why."""


@contextlib.asynccontextmanager
async def pooler(
    url: str, mode: str, *, takes_turns: bool = False, wants_tls: bool = False
) -> AsyncIterator[str]:
    """A pooler in ``mode``; gives the address of the same database behind it.

    Raises:
        NoPooler: it is not installed, or cannot be started by this user.
    """
    program = shutil.which("pgbouncer", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise NoPooler("no pgbouncer (apt-get install pgbouncer)")
    server, _, name = url.rpartition("/")
    home = Path(tempfile.mkdtemp(prefix="kalshi-bot-pgbouncer-"))
    port = _free_port()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        "server_round_robin": int(takes_turns),
        "min_pool_size": 3 if takes_turns else 0,
    }
    if wants_tls:
        settings |= {"client_tls_sslmode": "require"} | _tls_files(home)
    lines = [f"{key} = {value}" for key, value in settings.items()]
    target = f"{name} = host=127.0.0.1 port={server.rpartition(':')[2]} user=postgres"
    config = home / "pgbouncer.ini"
    config.write_text("\n".join(["[databases]", target, "[pgbouncer]", *lines, ""]))
    process = _start(program, home, config)
    try:
        await _answers(process, port, home)
        yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _start(program: str, home: Path, config: Path) -> "subprocess.Popen[bytes]":
    """PgBouncer refuses to run as root."""
    words = [program, str(config)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise NoPooler("pgbouncer refuses root and setpriv is missing")
        for path in (home, *home.iterdir()):
            shutil.chown(path, "nobody", "nogroup")
        words = [setpriv, "--reuid=nobody", "--regid=nogroup", "--clear-groups", *words]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, cwd=home)


def _tls_files(home: Path) -> dict[str, str]:
    """A key and a certificate that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    (home / "tls.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (home / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {"client_tls_key_file": f"{home}/tls.key", "client_tls_cert_file": f"{home}/tls.crt"}


async def _answers(process: "subprocess.Popen[bytes]", port: int, home: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_S
    while process.poll() is None and loop.time() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    process.kill()
    raise NoPooler(f"pgbouncer did not start: {(home / 'log').read_text(errors='replace')[-300:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
