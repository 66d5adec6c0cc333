"""Database addresses in every spelling people have, made into the one the driver takes.

Refuses what would fail later and worse: a database in memory (nobody else could
see the lease), an unknown kind, and the address of a transaction pooler.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from typing_extensions import override

from bot.domain.errors import ConfigurationFault

Dialect = Literal["sqlite", "postgresql"]

_SQLITE = {"sqlite", "sqlite3", "sqlite+aiosqlite", "sqlite+pysqlite"}
_POSTGRESQL = {"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"}
_POSTGRESQL |= {"postgresql+psycopg", "postgres+asyncpg"}
_SSL_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# libpq's names that asyncpg does not take; what they ask for is its default or harmless to lose.
_LIBPQ_ONLY = {"connect_timeout", "channel_binding", "gssencmode", "keepalives", "pgbouncer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A checked address. ``str`` hides the password."""

    url: URL
    dialect: Dialect

    @override
    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        if self.dialect != "sqlite" or self.url.database is None:
            raise ValueError("only a SQLite address has a file")
        return Path(self.url.database)

    @property
    def asyncpg_words(self) -> dict[str, Any]:
        """What ``asyncpg.connect`` takes for this PostgreSQL address, where it is used bare."""
        _, words = PGDialect_asyncpg().create_connect_args(self.url)  # type: ignore[no-untyped-call]
        return dict(words)


def parse_address(text: str) -> Address:
    """Read an address in any usual spelling.

    Raises:
        ConfigurationFault: it names no database this bot can use.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ConfigurationFault(
            ["database.url: not an address; use sqlite:///path or postgresql://user@host/name"]
        ) from None
    if url.drivername in _SQLITE:
        return _sqlite(url)
    if url.drivername in _POSTGRESQL:
        return _postgresql(url)
    raise ConfigurationFault(
        [f"database.url: {url.drivername!r} is neither sqlite:///path nor postgresql://..."]
    )


def sqlite_address(path: Path) -> Address:
    """The address of a SQLite file."""
    return _sqlite(URL.create("sqlite", database=str(path)))


def _sqlite(url: URL) -> Address:
    if not url.database or ":memory:" in url.database or url.database.startswith("file:"):
        raise ConfigurationFault(
            ["database.url: SQLite needs a plain file path, e.g. sqlite:///var/kalshi.sqlite"]
        )
    if url.host or url.query:
        raise ConfigurationFault(
            ["database.url: a SQLite address is sqlite:///relative or sqlite:////absolute"]
        )
    return Address(url=url.set(drivername="sqlite+aiosqlite"), dialect="sqlite")


def _postgresql(url: URL) -> Address:
    if not url.database:
        raise ConfigurationFault(["database.url: the database name is missing after the host"])
    _refuse_pooler(url)
    query: dict[str, tuple[str, ...] | str] = {
        key: value for key, value in url.query.items() if key not in _LIBPQ_ONLY
    }
    _translate_tls(query)
    return Address(url=url.set(drivername="postgresql+asyncpg", query=query), dialect="postgresql")


def _translate_tls(query: dict[str, tuple[str, ...] | str]) -> None:
    """``sslmode`` is libpq's word; asyncpg takes the same values as ``ssl``."""
    mode = query.pop("sslmode", None)
    if mode is not None and "ssl" not in query:
        query["ssl"] = mode
    files = [name for name in _SSL_FILES if name in query]
    if files:
        raise ConfigurationFault(
            [f"database.url: {files[0]} is not supported; use sslmode=require and the system roots"]
        )


def _refuse_pooler(url: URL) -> None:
    """A transaction pooler loses LISTEN, session settings and the timeouts the fence relies on."""
    hint = _pooler_hint(url.host or "", url.port, url.query)
    if hint is not None:
        raise ConfigurationFault(
            [f"database.url: this is a transaction pooler; {hint} (or set DATABASE_UNPOOLED_URL)"]
        )


def _pooler_hint(
    host: str, port: int | None, query: Mapping[str, tuple[str, ...] | str]
) -> str | None:
    if "-pooler." in host:
        return f"use the direct host {host.replace('-pooler.', '.', 1)}"
    if port == 6543:  # noqa: PLR2004 - Supabase's transaction port
        return f"use port 5432 (session mode) of the same host: postgresql://USER@{host}:5432/NAME"
    if str(query.get("pgbouncer", "")).lower() == "true":
        return "use the address without pgbouncer=true, straight to PostgreSQL"
    return None
