"""Every spelling of an address, and the ones that are refused."""

from pathlib import Path

import pytest

from bot.adapters.storage.urls import parse_address, sqlite_address
from bot.domain.errors import ConfigurationFault


@pytest.mark.parametrize(
    "text",
    ["sqlite:///var/k.sqlite", "sqlite+aiosqlite:///var/k.sqlite", " sqlite3:///var/k.sqlite\n"],
)
def test_sqlite_spellings_are_one(text: str) -> None:
    address = parse_address(text)
    assert (address.dialect, address.path) == ("sqlite", Path("var/k.sqlite"))
    assert address.url.drivername == "sqlite+aiosqlite"


def test_an_absolute_sqlite_path_stays_absolute() -> None:
    assert parse_address("sqlite:////data/k.sqlite").path == Path("/data/k.sqlite")
    assert sqlite_address(Path("/data/odd #%? name")).path == Path("/data/odd #%? name")


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg2"]
)
def test_postgres_spellings_are_one(scheme: str) -> None:
    address = parse_address(f"{scheme}://u:p%40ss@db.example:5433/kalshi")
    assert address.dialect == "postgresql"
    assert address.url.drivername == "postgresql+asyncpg"
    assert (address.url.password, address.url.port) == ("p@ss", 5433)


def test_tls_is_asked_for_in_the_drivers_words() -> None:
    url = parse_address("postgres://u@h/d?sslmode=require&connect_timeout=5&channel_binding=x").url
    assert dict(url.query) == {"ssl": "require"}


def test_the_password_is_never_shown() -> None:
    assert "hush" not in str(parse_address("postgresql://u:hush@h/d"))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("mysql://h/d", "neither"),
        ("just words", "not an address"),
        ("sqlite://", "plain file path"),
        ("sqlite:///:memory:", "plain file path"),
        ("sqlite:///file:x?mode=memory&uri=true", "plain file path"),
        ("sqlite://var/k.sqlite", "sqlite:///relative"),
        ("postgresql://h", "name is missing"),
        ("postgresql://u@h/d?sslrootcert=/x", "sslmode=require"),
        ("postgresql://u@ep-1-pooler.eu.neon.tech/d", "ep-1.eu.neon.tech"),
        ("postgresql://u@h:6543/d", "port 5432"),
        ("postgresql://u@h/d?pgbouncer=true", "without pgbouncer"),
    ],
)
def test_a_wrong_address_is_refused_with_its_fix(text: str, fix: str) -> None:
    with pytest.raises(ConfigurationFault, match=fix):
        parse_address(text)
