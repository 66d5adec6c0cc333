"""A real PgBouncer in front of the tests' PostgreSQL, where one is installed."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

_START_S = 20.0


class NoPooler(Exception):
    """PgBouncer cannot be run here; the text says why."""


@contextlib.asynccontextmanager
async def pooler(url: str, mode: str, *, takes_turns: bool = False) -> AsyncIterator[str]:
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
        for path in (home, config):
            shutil.chown(path, "nobody", "nogroup")
        words = [setpriv, "--reuid=nobody", "--regid=nogroup", "--clear-groups", *words]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, cwd=home)


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
