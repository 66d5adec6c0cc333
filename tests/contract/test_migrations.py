"""The schema that migrations make is the one the code is written for, on both databases."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import text

from alembic import command
from bot.adapters.storage import ddl, tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import SchemaState, check, code_version, migrate
from bot.domain.errors import ConfigurationFault
from tests.support.postgres import Server

pytestmark = pytest.mark.looptime(False)

_ROOT = Path(__file__).resolve().parents[2]
_SQLITE_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    " AND name <> 'alembic_version' ORDER BY type, name"
)
# Months come and go: tests/contract/test_partitions.py looks at them.
_PARTS = (
    "(SELECT oid FROM pg_class WHERE relispartition"
    " AND relnamespace = current_schema()::regnamespace)"
)
_PART_NAMES = (
    "(SELECT relname FROM pg_class WHERE relispartition"
    " AND relnamespace = current_schema()::regnamespace)"
)
_POSTGRES_OBJECTS = (
    "SELECT 'view' AS kind, viewname AS name, definition AS body FROM pg_views"
    " WHERE schemaname = current_schema()"
    " UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)"
    " FROM pg_trigger WHERE NOT tgisinternal"
    " UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace"
    " UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname,"
    " pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace AND conname NOT LIKE 'alembic%'"
    f" AND conrelid NOT IN {_PARTS}"
    " UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes"
    " WHERE schemaname = current_schema() AND tablename <> 'alembic_version'"
    f" AND tablename NOT IN {_PART_NAMES}"
    " UNION ALL SELECT 'column', table_name || '.' || column_name, concat_ws(' ', data_type,"
    " is_nullable, column_default, is_generated, generation_expression)"
    " FROM information_schema.columns WHERE table_schema = current_schema()"
    f" AND table_name <> 'alembic_version' AND table_name NOT IN {_PART_NAMES} ORDER BY 1, 2"
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    empty: Callable[[], str] = request.getfixturevalue("empty_postgres_factory")
    return empty()


async def test_migrations_make_what_the_tables_and_ddl_say(
    database: Database, empty_url: str
) -> None:
    fresh = await Database.open(empty_url)
    if fresh.dialect == database.dialect:
        async with fresh.begin() as connection:
            await connection.run_sync(_create_all)
        # A difference here wants a new revision: those that have been released never change.
        assert await _objects(database) == await _objects(fresh)
    await fresh.close()


async def test_alembic_finds_nothing_to_change(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(lambda each: command.check(_config(each)))


async def test_going_down_leaves_nothing_and_up_again_everything(database: Database) -> None:
    before = await _objects(database)
    async with database.begin() as connection:
        await connection.run_sync(lambda each: command.downgrade(_config(each), "base"))
    assert await _objects(database) == []
    assert await check(database) is SchemaState.BEHIND
    assert await migrate(database) is SchemaState.CURRENT
    assert await _objects(database) == before


async def test_eight_starts_at_once_migrate_once(empty_url: str) -> None:
    databases = [await Database.open(empty_url) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(migrate(each)) for each in databases]
    assert {task.result() for task in tasks} == {SchemaState.CURRENT}
    async with databases[0].read() as connection:
        rows = (
            await connection.execute(text("SELECT version, revision FROM schema_version"))
        ).all()
    assert [tuple(row) for row in rows] == [
        (number, f"{number:04d}") for number in range(1, code_version() + 1)
    ]
    for each in databases:
        await each.close()


async def test_a_failed_migration_leaves_the_database_as_it_was(empty_url: str) -> None:
    database = await Database.open(empty_url)
    async with database.begin() as connection:
        # The last table of all is in the way.
        await connection.execute(text("CREATE VIEW ingest_state AS SELECT 1 AS one"))
    before = await _objects(database)
    with pytest.raises(Exception, match="ingest_state"):
        await migrate(database)
    assert await _objects(database) == before
    await database.close()


@pytest.mark.parametrize(
    ("minimum", "state"),
    [(0, SchemaState.AHEAD), (9_999, SchemaState.INCOMPATIBLE)],
)
async def test_a_newer_schema_is_used_only_if_it_allows_it(
    database: Database, minimum: int, state: SchemaState
) -> None:
    async with database.begin() as connection:
        await connection.execute(
            tables.schema_version.insert().values(
                version=9_999, revision="9999", min_code_version=minimum, applied_at_us=1
            )
        )
    assert await check(database) is state
    if state is SchemaState.AHEAD:
        assert await migrate(database) is SchemaState.AHEAD
    else:
        with pytest.raises(ConfigurationFault, match="newer"):
            await migrate(database)


def test_every_revision_says_whether_older_code_survives_it() -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - only this test reads scripts

    scripts = ScriptDirectory.from_config(_config(None))
    for number, script in enumerate(reversed(list(scripts.walk_revisions())), start=1):
        assert script.revision == f"{number:04d}"
        assert script.module.phase in {"expand", "contract"}
        assert 1 <= script.module.min_code_version <= number
        source = Path(script.path).read_text()
        # A migration must do in a year what it does today.
        assert "bot.adapters" not in source, script.path


@pytest.mark.parametrize("arguments", [["check"], ["upgrade", "head"]])
async def test_the_command_line_of_alembic_works(sqlite_url: str, arguments: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        str(_ROOT / ".venv" / "bin" / "alembic") if _has_venv() else "alembic",
        "-x",
        f"url={sqlite_url}",
        *arguments,
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def _has_venv() -> bool:
    return (_ROOT / ".venv" / "bin" / "alembic").exists()


def _config(connection: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "alembic"))
    config.attributes["connection"] = connection
    return config


def _create_all(connection: Any) -> None:
    tables.metadata.create_all(connection)
    for statement in ddl.create_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


async def _objects(database: Database) -> list[tuple[str, ...]]:
    query = _SQLITE_OBJECTS if database.dialect == "sqlite" else _POSTGRES_OBJECTS
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql(query)).all()
    plain = [tuple(" ".join(str(part).split()) for part in row) for row in rows]
    return [(*row[:-1], _unordered(row[-1])) if row[0] == "table" else row for row in plain]


def _unordered(statement: str) -> str:
    """A ``CREATE TABLE`` with its columns and constraints sorted: a later column comes last."""
    opening, closing = statement.index("("), statement.rindex(")")
    parts, depth = [""], 0
    for character in statement[opening + 1 : closing]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    body = sorted(part.strip() for part in parts)
    return f"{statement[:opening]}({', '.join(body)}){statement[closing + 1 :]}"


def test_the_order_of_columns_alone_is_no_difference() -> None:
    made = "CREATE TABLE t (a INTEGER, b NUMERIC(2, 1), CHECK (a > 0)) STRICT"
    altered = "CREATE TABLE t (b NUMERIC(2, 1), CHECK (a > 0), a INTEGER) STRICT"
    assert _unordered(made) == _unordered(altered)
    assert _unordered(made) != _unordered(altered.replace("> 0", "> 1"))


@pytest.fixture
def empty_postgres_factory(
    postgres_server: Server, postgres_factory: Callable[..., str]
) -> Callable[[], str]:
    """Makes PostgreSQL databases with nothing in them."""
    return lambda: postgres_factory(template="template0")
