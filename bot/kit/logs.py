"""Log lines for people, for journald and for machines, with secrets taken out.

A record is a constant phrase plus facts in ``extra``. Text output is one line
of ``key=value`` pairs behind the phrase; JSON output is one object a line.
Redaction sits on the handlers, so it also covers libraries and tracebacks.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from typing_extensions import override

from bot.kit.secrecy import redact

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# RFC 5424 severities, as journald reads them from a "<n>" prefix (sd-daemon(3)).
_PRIORITIES = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Where lines go and how they look."""

    level: str = "INFO"
    http_level: str | None = None
    """Level of the HTTP and WebSocket libraries; ``None`` keeps them at WARNING."""
    format: str = "text"
    """``text`` or ``json``."""
    service: str = "bot"
    file: Path | None = None
    stdout: bool = True
    has_priority_prefix: bool = False
    """Whether lines start with ``<n>``, so that ``journalctl -p err`` filters them."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Exact values that must never appear in any line."""


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What was passed as ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class _LineFormatter(logging.Formatter):
    """Shared: the redacted final text of a record."""

    def __init__(self, settings: LogSettings) -> None:
        super().__init__()
        self._settings = settings

    def _safe(self, text: str) -> str:
        return redact(text, self._settings.secrets)

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class TextFormatter(_LineFormatter):
    """``2026-11-21T07:15:02.123Z INFO    bot collect: page failed series=KXCPI tries=5``."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        name = record.name.removeprefix("bot.")
        facts = "".join(f" {key}={_plain(value)}" for key, value in facts_of(record).items())
        service = self._settings.service
        line = f"{stamp}Z {record.levelname:<7} {service} {name}: {record.getMessage()}{facts}"
        trace = self._trace(record)
        line = self._safe(f"{line}\n{trace}" if trace else line)
        if not self._settings.has_priority_prefix:
            return line
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + part for part in line.splitlines())


class JsonFormatter(_LineFormatter):
    """One object a line; ``level`` and ``message`` are the names log platforms look for."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "service": self._settings.service,
            "logger": record.name,
            "message": record.getMessage(),
            **facts_of(record),
        }
        if trace := self._trace(record):
            body["trace"] = trace
        return self._safe(json.dumps(body, default=str, ensure_ascii=False))


class RecordTap(logging.Handler):
    """Hands every warning and worse to a callback, for the ``logs`` table and alerts."""

    def __init__(self, settings: LogSettings, take: Callable[[Mapping[str, object]], None]) -> None:
        super().__init__(logging.WARNING)
        self._settings = settings
        self._take = take

    @override
    def emit(self, record: logging.LogRecord) -> None:
        secrets = self._settings.secrets
        facts = json.dumps(facts_of(record), default=str, ensure_ascii=False)
        self._take(
            {
                "at_us": int(record.created * 1_000_000),
                "level": record.levelname,
                "service": self._settings.service,
                "logger": record.name,
                "message": redact(record.getMessage(), secrets),
                "data_json": redact(facts, secrets),
            }
        )


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Replace the root handlers. An unwritable log file falls back to stdout, loudly."""
    formatter: logging.Formatter = (
        JsonFormatter(settings) if settings.format == "json" else TextFormatter(settings)
    )
    handlers: list[logging.Handler] = []
    problem = ""
    if settings.file is not None:
        try:
            settings.file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(logging.FileHandler(settings.file, encoding="utf-8"))
        except OSError as error:
            problem = f"{error.strerror}: {settings.file}"
    if settings.stdout or not handlers:
        handlers.append(logging.StreamHandler(stream or sys.stdout))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(settings.level)
    _quieten(settings)
    if problem:
        logging.getLogger(__name__).warning("log file not writable", extra={"problem": problem})


def _quieten(settings: LogSettings) -> None:
    # httpx logs whole URLs at INFO, and a Telegram URL holds the bot token.
    level = settings.http_level or "WARNING"
    for name in ("httpx", "httpcore", "telegram", "aiohttp", "websockets", "picows", "asyncio"):
        logging.getLogger(name).setLevel(level)
    for name in ("apscheduler", "aiosqlite", "alembic"):
        logging.getLogger(name).setLevel("WARNING")


def _plain(value: object) -> str:
    text = str(value)
    return (
        json.dumps(text, ensure_ascii=False)
        if not text or any(c in text for c in ' "=\n')
        else text
    )
