"""The vendor's bot object, and its errors sorted by what to do about them."""

import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)
from telegram.request import HTTPXRequest

from bot.adapters.telegram.settings import TelegramSettings
from bot.kit.secrecy import redact
from bot.ports.carriers import Receipt, Verdict

# A URL of the API holds the token, and httpx logs URLs at INFO.
_QUIET_LOGGERS = ("httpx", "httpcore", "telegram")


class Fault(StrEnum):
    """What a failed request asks for."""

    WAIT = "wait"
    """Network, server, anything that may pass."""
    SLOW_DOWN = "slow down"
    """Flood control named a time."""
    TOKEN = "token"  # noqa: S105 - a kind of fault, not a secret
    """The token is wrong or revoked."""
    CONFLICT = "conflict"
    """Somebody else polls, or a webhook is set."""
    NEVER = "never"
    """This request can never succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A vendor error in our words. ``reason`` holds no secrets."""

    fault: Fault
    reason: str
    retry_after_s: float = 0.0


_VERDICTS = {Fault.TOKEN: Verdict.SHUT, Fault.NEVER: Verdict.NEVER}


def judge(error: TelegramError) -> Judged:
    """Sort an error. The order matters: the vendor derives some classes from others."""
    reason = redact(error.message)
    retry_after_s = 0.0
    match error:
        case InvalidToken():
            # Its text may hold the token.
            fault, reason = Fault.TOKEN, "Telegram refuses the bot token"
        case RetryAfter():
            fault, retry_after_s = Fault.SLOW_DOWN, _seconds(error.retry_after)
        case Conflict():
            fault = Fault.CONFLICT
        case ChatMigrated():
            fault, reason = Fault.NEVER, f"the group is now {error.new_chat_id}; set that id"
        case BadRequest() | Forbidden():
            fault = Fault.NEVER
        case _:
            fault = Fault.WAIT
    return Judged(fault=fault, reason=reason, retry_after_s=retry_after_s)


def receipt_of(judged: Judged) -> Receipt:
    """An error in the words that all channels share."""
    verdict = _VERDICTS.get(judged.fault, Verdict.LATER)
    advice = ": renew TELEGRAM_BOT_TOKEN" if judged.fault is Fault.TOKEN else ""
    return Receipt(
        verdict=verdict,
        reason=f"{judged.reason}{advice}",
        retry_after_s=judged.retry_after_s,
    )


@asynccontextmanager
async def open_bot(settings: TelegramSettings) -> AsyncIterator[Bot]:
    """A bot with its own connections. Nothing is sent: Telegram may be away."""
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The vendor warns about the unit of a value whose both units are handled here, and about
    # raw polling, which is chosen so that one odd update cannot block the ones behind it.
    warnings.filterwarnings("ignore", message=r".*retry_after")
    warnings.filterwarnings("ignore", message=r".*do_api_request")
    requests = [_request(settings, connections) for connections in (2, 8)]
    bot = Bot(
        settings.token,
        base_url=f"{settings.api_url.rstrip('/')}/bot",
        base_file_url=f"{settings.api_url.rstrip('/')}/file/bot",
        get_updates_request=requests[0],
        request=requests[1],
    )
    try:
        yield bot
    finally:
        for request in requests:
            await request.shutdown()


def _request(settings: TelegramSettings, connections: int) -> HTTPXRequest:
    return HTTPXRequest(
        connection_pool_size=connections,
        connect_timeout=settings.request_s,
        read_timeout=settings.request_s,
        write_timeout=settings.request_s,
        pool_timeout=settings.request_s,
        media_write_timeout=settings.upload_s,
    )


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
