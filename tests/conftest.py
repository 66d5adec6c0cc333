"""Databases for tests: SQLite in a file and a real PostgreSQL, freshly migrated for each test.

A test that takes ``database`` or ``database_url`` runs once on each. Both come
from a template that is migrated once in a session, so that a fresh one costs
milliseconds. Such tests do real I/O, so virtual time is switched off for them.
"""

import asyncio
import itertools
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import hypothesis
import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from tests.support.golden import Golden
from tests.support.postgres import NoServer, Server, running_server

# A law holds however busy the machine is: nothing here measures speed.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

# Started in the background of a script (`test.sh &`), this process ignores Ctrl-C, and so would
# every program that a test starts and interrupts.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REAL_IO = {
    "database",
    "database_url",
    "sqlite_url",
    "postgres_url",
    "postgres_factory",
    "postgres_server",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is kept as a file can be written anew."""
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real servers answer in real time; long forms are for who asks for them (``-m whole``)."""
    if "whole" not in config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("whole")]
    for item in items:
        if _REAL_IO & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.looptime(False))
    # What may take longest goes first, so that no worker is alone with it in the end.
    items.sort(key=_granted_s, reverse=True)


def _granted_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None else float(item.config.getini("timeout"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Texts kept as files."""
    return Golden(is_renewing=request.config.getoption("--renew-golden"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database of each kind, open."""
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """A fresh, migrated SQLite file."""
    copy = tmp_path / "kalshi.sqlite"
    shutil.copyfile(sqlite_template, copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def postgres_url(postgres_factory: Callable[[], str]) -> str:
    """A fresh, migrated PostgreSQL database."""
    return postgres_factory()


@pytest.fixture
def postgres_factory(
    postgres_server: Server, postgres_template: str
) -> Iterator[Callable[..., str]]:
    """Makes as many PostgreSQL databases as a test asks for: migrated, or of another template."""
    made: list[str] = []

    def make(template: str = postgres_template) -> str:
        name = f"test_{next(_NUMBERS)}"
        made.append(name)
        _administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgres_server.url(name)

    yield make
    for name in made:
        _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody opens."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    _in_a_thread(_migrated(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> str:
    """The name of a migrated database that nobody opens."""
    _administer(postgres_server, "CREATE DATABASE template_migrated")
    _in_a_thread(_migrated(postgres_server.url("template_migrated")))
    return "template_migrated"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for the session (for each worker under xdist)."""
    try:
        with running_server() as server:
            yield server
    except NoServer as fault:
        if os.environ.get("CI", "").lower() in {"1", "true"}:  # noqa: TID251 - decides how to fail
            pytest.fail(f"PostgreSQL is required in CI: {fault}")
        pytest.skip(f"PostgreSQL: {fault}")


_NUMBERS = itertools.count(1)


async def _migrated(url: str) -> None:
    database = await Database.open(url)
    try:
        await migrate(database)
    finally:
        await database.close()


def _administer(server: Server, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(server.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _in_a_thread(run())


def _in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` on a loop of its own, away from the one pytest keeps for the test."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
