"""Driver faults in the bot's own words.

Only what has a reaction is translated: a refusing fence, and a database that is
away, busy, full or broken. A wrong statement or a broken unique key stays what
it is, because it is a bug or the caller's business.
"""

import sqlite3

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.errors import (
    ActivationRefused,
    BotError,
    ConfigurationFault,
    NotLeader,
    StorageUnavailable,
    TradingHalted,
)

# What the triggers of ``ddl`` raise. PostgreSQL tells by code, SQLite by the text's beginning.
NOT_LEADER = ("PF001", "stale leader epoch")
HALTED = ("PF002", "trading halted")
ACTIVATION_REFUSED = ("PF003", "activation refused")

# Connecting and direct writes raise the driver's own classes, everything else SQLAlchemy's.
FAULTS = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # A session that ends in the moment of a call: the driver finds its own state impossible.
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,
    TimeoutError,
)

_REFUSALS: tuple[tuple[tuple[str, str], type[BotError]], ...] = (
    (NOT_LEADER, NotLeader),
    (HALTED, TradingHalted),
    (ACTIVATION_REFUSED, ActivationRefused),
)
# Connection, serialisation, resources, object state, operator, system, internal; read-only.
_AWAY_CLASSES = ("08", "40", "53", "55", "57", "58", "XX")
_MISSING_RIGHT = "42501"
_LOST = {"InterfaceError", "ConnectionDoesNotExistError", "InternalClientError"}
_AWAY_CODES = ("25006", "25P03", _MISSING_RIGHT)
_WRONG_ADDRESS = ("3D000", "28000", "28P01")
# Nothing that waiting would mend.
_SQLITE_MISPLACED = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
}
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
}


def translated(fault: Exception) -> BotError | None:
    """The bot's word for one of ``FAULTS``, ``None`` when it has none."""
    if isinstance(fault, (PoolTimeout, TimeoutError, OSError)):
        return StorageUnavailable(f"{type(fault).__name__}: {fault}")
    if isinstance(fault, DBAPIError):
        origin: BaseException | None = fault.orig
    elif isinstance(fault, SQLAlchemyError):
        return None
    else:
        origin = fault
    text = str(origin)
    code = getattr(origin, "sqlstate", None)
    refusal = _refusal(text, code)
    if refusal is not None:
        return refusal
    is_lost = isinstance(fault, DBAPIError) and fault.connection_invalidated
    return StorageUnavailable(text) if is_lost or _is_away(origin, code) else None


def is_misconfigured(fault: BaseException | None) -> bool:
    """Whether the answer was that the database, the user, its password or rights are wrong."""
    origin = fault.orig if isinstance(fault, DBAPIError) else fault
    if getattr(origin, "sqlstate", None) in (*_WRONG_ADDRESS, _MISSING_RIGHT):
        return True
    return getattr(origin, "sqlite_errorcode", 0) & 0xFF in _SQLITE_MISPLACED


def _refusal(text: str, code: str | None) -> BotError | None:
    for (sqlstate, beginning), kind in _REFUSALS:
        if code == sqlstate or text.startswith(beginning):
            # SQLAlchemy puts the driver's class in front of PostgreSQL's message.
            return kind(text[text.index(beginning) :])
    if "unsupported startup parameter" in text:
        return ConfigurationFault(
            ["database.url: a connection pooler answers; use PostgreSQL's own address"]
        )
    return None


def _is_away(origin: BaseException | None, code: str | None) -> bool:
    if code is not None:
        return code[:2] in _AWAY_CLASSES or code in _AWAY_CODES or code in _WRONG_ADDRESS
    sqlite_code = getattr(origin, "sqlite_errorcode", None)
    if sqlite_code is not None:
        # The low byte is the primary code, the rest says which kind of it.
        return sqlite_code & 0xFF in _SQLITE_AWAY
    # asyncpg's own faults carry no code: a closed or half-opened connection.
    return type(origin).__name__ in _LOST
