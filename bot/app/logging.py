"""Log settings of the operator turned into the kit's, once per process."""

import sys
from pathlib import Path

from bot.app.settings import BotSettings, runs_under_journald
from bot.kit.logs import LogSettings, configure_logging


def start_logging(
    settings: BotSettings, *, service: str = "bot", to_stderr: bool = False
) -> LogSettings:
    """Point the root logger where the settings say; secrets are taken out of every line."""
    log = log_settings(settings, service)
    configure_logging(log, sys.stderr if to_stderr else sys.stdout)
    return log


def log_settings(settings: BotSettings, service: str = "bot") -> LogSettings:
    """The operator's section in the kit's terms."""
    section = settings.log
    return LogSettings(
        level=section.level,
        http_level=section.http_level,
        format=_form(settings),
        service=service,
        file=section.file or _file_in(section.dir, service),
        stdout=section.stdout,
        # journald reads the priority from the line's start only where it owns the stream.
        has_priority_prefix=runs_under_journald(),
        secrets=settings.secrets.values(),
    )


def _form(settings: BotSettings) -> str:
    if settings.log.format != "auto":
        return settings.log.format
    return "json" if settings.deployment.deployment_id else "text"


def _file_in(folder: Path | None, service: str) -> Path | None:
    return folder / f"{service}.log" if folder else None
