"""Looks at everything the bot needs and says, for each, what to do about it.

A check changes nothing, has a deadline, and never ends the examination: what
it raises becomes its finding. What only the outside can tell (configuration,
key, database, exchange) comes in as a callable.
"""

import asyncio
import errno
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from bot.domain.errors import (
    BotError,
    ConfigurationFault,
    CredentialsRefused,
    ExchangeUnavailable,
    StorageUnavailable,
)
from bot.kit.clock import Clock
from bot.ports.carriers import Receipt, Verdict
from bot.ports.exchange import ExchangeStatus

_SECOND_US = 1_000_000
_MEBIBYTE = 1024 * 1024
_BEFORE_STARTING = {
    "absent": "there is no database there yet; starting makes it",
    "behind": "the schema is older than this build; starting migrates it",
}

SKEW_WARN_US = 2 * _SECOND_US
"""Beyond this something is wrong with the machine's time keeping."""
SKEW_FAIL_US = 10 * _SECOND_US
"""The venue was seen to accept signatures up to 10 s off, and to refuse 30 s."""


class Level(StrEnum):
    """How bad a finding is. Only ``fail`` keeps the bot from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. ``fix`` is empty where nothing needs fixing."""

    check: str
    level: Level
    detail: str
    fix: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether the bot cannot work like this."""
        return self.level is Level.FAIL

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "check": self.check,
            "level": self.level.value,
            "detail": self.detail,
            "fix": self.fix,
        }

    @property
    def line(self) -> str:
        """For people: what was found, and below it the fix."""
        told = f"{self.level.value:<4} {self.check}: {self.detail}"
        return f"{told}\n     fix: {self.fix}" if self.fix else told


Answer: TypeAlias = tuple[Level, str]
"""A level and its detail; the fix is the check's own."""

ReadStatus: TypeAlias = Callable[[], Awaitable[ExchangeStatus]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at. ``fix`` is told with every answer that is not ``ok``."""

    name: str
    fix: str
    look: Callable[[], Awaitable[Answer]]


async def examine(checks: Sequence[Check], *, limit_s: float = 10.0) -> tuple[Finding, ...]:
    """Run all checks together; findings come in the order of the checks."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_finding(check, limit_s)) for check in checks]
    return tuple(task.result() for task in tasks)


async def _finding(check: Check, limit_s: float) -> Finding:
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            level, detail = await check.look()
    except (BotError, OSError, ValueError) as fault:
        level, detail = Level.FAIL, str(fault) or type(fault).__name__
        if limit.expired():
            detail = f"no answer within {limit_s:g} s"
    fix = "" if level is Level.OK else check.fix
    return Finding(check=check.name, level=level, detail=detail, fix=fix)


def configuration(load: Callable[[], object]) -> Check:
    """Whether the settings can be read. ``load`` raises ``ConfigurationFault``."""

    async def look() -> Answer:
        try:
            load()
        except ConfigurationFault as fault:
            return Level.FAIL, "; ".join(fault.faults)
        return Level.OK, "every setting is valid"

    return Check(
        name="configuration", fix="correct the settings named above, then run it again", look=look
    )


def signing_key(
    load: Callable[[], object] | None, use: Callable[[], Awaitable[object]] | None = None
) -> Check:
    """Whether the private key can be used; ``None`` where no key is configured.

    ``use`` makes a signed call, so that a key the exchange does not know is found.
    """

    async def look() -> Answer:
        if load is None:
            return Level.WARN, "no API key: public data only, no account and no live feed"
        await asyncio.to_thread(load)
        if use is None:
            return Level.OK, "the private key loads"
        try:
            await use()
        except CredentialsRefused as fault:
            return Level.FAIL, f"the exchange refuses it: {fault}"
        except ExchangeUnavailable:
            return Level.WARN, "the private key loads; the exchange could not be asked about it"
        return Level.OK, "the private key loads and the exchange accepts it"

    return Check(
        name="key",
        fix="set KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PATH (an unencrypted PEM file) of the"
        " same key in config/secrets.env, and KALSHI_ENVIRONMENT to where it was made",
        look=look,
    )


def database(schema: Callable[[], Awaitable[str]]) -> Check:
    """Whether the database answers and has this code's schema.

    ``schema`` says ``absent``, ``current``, ``behind``, ``ahead`` or ``incompatible``.
    """

    async def look() -> Answer:
        try:
            state = await schema()
        except StorageUnavailable as fault:
            return Level.FAIL, f"no answer: {fault}"
        match state:
            case "current":
                return Level.OK, "reachable, schema is current"
            case "absent" | "behind":
                return Level.WARN, _BEFORE_STARTING[state]
            case "ahead":
                return Level.WARN, "the schema is newer than this build, which may still use it"
            case _:
                return Level.FAIL, f"the schema is {state}"

    return Check(
        name="database",
        fix="check DATABASE_URL and that the server runs; `python -m bot migrate` upgrades"
        " an older schema, a newer one needs a newer build",
        look=look,
    )


def exchange(status: ReadStatus) -> Check:
    """Whether the exchange answers and trades."""

    async def look() -> Answer:
        try:
            found = await status()
        except CredentialsRefused as fault:
            return Level.FAIL, f"the key is refused: {fault}"
        except ExchangeUnavailable as fault:
            return Level.FAIL, f"api error: {fault}"
        if not found.is_exchange_active:
            return Level.WARN, "reachable, but the exchange is down for maintenance"
        if not found.is_trading_active:
            return Level.WARN, "reachable, but trading is paused"
        return Level.OK, "reachable and trading"

    return Check(
        name="exchange",
        fix="allow outbound HTTPS, check the key's environment (demo or production) and the"
        " exchange's status page",
        look=look,
    )


def clock_skew(status: ReadStatus, clock: Clock) -> Check:
    """Whether this machine's clock agrees with the exchange's ``Date``."""

    async def look() -> Answer:
        before_us = clock.now_us()
        server_us = (await status()).server_us
        after_us = clock.now_us()
        if server_us is None:
            return Level.WARN, "the exchange sent no Date header; the clock is not checked"
        return _judge_skew(certain_skew_us(before_us, after_us, server_us))

    return Check(
        name="clock",
        fix="switch time synchronisation on: `timedatectl set-ntp true`, or restart the host's"
        " time service",
        look=look,
    )


def certain_skew_us(before_us: int, after_us: int, server_us: int) -> int:
    """By how much our clock is off for sure: above zero is ahead, zero is no contradiction.

    The header has whole seconds: the server wrote it between ``server_us`` and
    a second later by its clock, and between ``before_us`` and ``after_us`` by ours.
    """
    if before_us > server_us + _SECOND_US:
        return before_us - (server_us + _SECOND_US)
    return min(0, after_us - server_us)


def _judge_skew(skew_us: int) -> Answer:
    if skew_us == 0:
        return Level.OK, "agrees with the exchange's clock"
    size_us = abs(skew_us)
    side = "ahead of" if skew_us > 0 else "behind"
    seconds = f"{size_us // _SECOND_US}.{size_us % _SECOND_US // 100_000}"
    detail = f"at least {seconds} s {side} the exchange's clock"
    if size_us >= SKEW_FAIL_US:
        return Level.FAIL, f"{detail}; signatures are refused"
    return (Level.WARN if size_us >= SKEW_WARN_US else Level.OK), detail


def disk_space(path: Path, *, warn_mib: int = 1_024, fail_mib: int = 100) -> Check:
    """Whether the disk that holds ``path`` has room. A full disk ends leadership."""

    async def look() -> Answer:
        free = await asyncio.to_thread(_free_mib, path)
        detail = f"{free} MiB free at {path}"
        if free < fail_mib:
            return Level.FAIL, detail
        return (Level.WARN if free < warn_mib else Level.OK), detail

    return Check(
        name="disk",
        fix="delete old backups and reports, lower their retention, or enlarge the disk",
        look=look,
    )


def writable_directory(name: str, path: Path) -> Check:
    """Whether files can be made in ``path``, or in the parent it will be created in."""

    async def look() -> Answer:
        await asyncio.to_thread(_try_writing, path)
        return Level.OK, f"{path} is writable"

    return Check(
        name=name, fix=f"give the bot's user write permission on {path}, or set another", look=look
    )


def port_free(host: str, port: int) -> Check:
    """Whether the HTTP port can be bound; 0 means any, and always can."""

    async def look() -> Answer:
        try:
            await asyncio.to_thread(_try_binding, host, port)
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                return Level.WARN, f"{host}:{port} is in use; right if the bot runs, else not"
            return Level.FAIL, f"{host}:{port} cannot be bound: {fault.strerror}"
        return Level.OK, f"{host}:{port} is free"

    return Check(
        name="port",
        fix=f"`lsof -i :{port}` shows who has it; stop that, or set PORT to another",
        look=look,
    )


def channel(name: str, probe: Callable[[], Awaitable[Receipt]]) -> Check:
    """Whether a channel of alerts lets us in, as far as that shows without a message."""

    async def look() -> Answer:
        receipt = await probe()
        if receipt.verdict is Verdict.DELIVERED:
            return Level.OK, "lets us in"
        level = Level.WARN if receipt.verdict is Verdict.LATER else Level.FAIL
        return level, receipt.reason

    return Check(
        name=f"alerts by {name}",
        fix=f"correct what is named above; `python -m bot alerts test --channel {name}` sends one",
        look=look,
    )


def some_channel(count: int) -> Check:
    """Whether alerts leave this machine at all."""

    async def look() -> Answer:
        if not count:
            return Level.WARN, "alerts are seen on the bot's own page alone"
        return Level.OK, f"{count} outside the bot's own page are told"

    return Check(
        name="alerts",
        fix="configure Telegram, e-mail or a webhook: docs/alerts.md",
        look=look,
    )


def external_ping(url: str | None) -> Check:
    """Whether somebody outside notices when nobody leads: the bot cannot report its own death."""

    async def look() -> Answer:
        if url is None:
            return Level.WARN, "no external ping: a bot that is gone tells nobody"
        return Level.OK, "an external ping is configured"

    return Check(
        name="external ping",
        fix="let an uptime monitor watch /healthz, or set ALERT_PING_URL: docs/alerts.md",
        look=look,
    )


def _free_mib(path: Path) -> int:
    return shutil.disk_usage(_nearest(path)).free // _MEBIBYTE


def _try_writing(path: Path) -> None:
    with tempfile.TemporaryFile(dir=_nearest(path)):
        pass


def _nearest(path: Path) -> Path:
    """``path``, or the closest parent that exists."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if each.exists())


def _try_binding(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        # As the server will: a port in TIME_WAIT is not in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
