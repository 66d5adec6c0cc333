"""What the Telegram channel may be told."""

import re
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from bot.kit.times import GREENWICH

_TOKEN = re.compile(r"\d{6,}:[A-Za-z0-9_-]{30,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings:
    """The bot's token and the pace of talking. Telegram's own limits are the defaults."""

    token: str = field(repr=False)
    api_url: str = "https://api.telegram.org"
    poll_s: int = 10
    """How long Telegram may hold a poll open."""
    request_s: float = 10.0
    upload_s: float = 120.0
    retry_cap_s: float = 30.0
    """Longest wait after a network fault."""
    conflict_retry_s: float = 3.0
    """Telegram answers a second poller at once, or 3 s later if it just did."""
    conflict_alert_s: float = 30.0
    token_retry_s: float = 30.0
    """Wait after a refused token: only a person can help."""
    store_s: float = 5.0
    """Longest wait for the inbox, so that a stalled database does not deafen the bot."""
    private_gap_s: float = 1.0
    """At least this long between two messages to one person."""
    group_gap_s: float = 3.0
    all_gap_s: float = 0.034
    """30 messages a second over all chats."""
    document_bytes_max: int = 50_000_000
    zone: ZoneInfo = GREENWICH
    """Of the reader's clock."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Exact values that must never leave in a message."""

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.token):
            raise ValueError(
                "token: not a bot token; BotFather gives one like 123456789:AA..., "
                "set it as TELEGRAM_BOT_TOKEN"
            )
        if not self.api_url.startswith(("http://", "https://")):
            raise ValueError("api_url: must begin with https://, for example the default")
        for name in ("poll_s", "request_s", "upload_s", "retry_cap_s", "store_s", "token_retry_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be positive seconds")

    @property
    def bot_id(self) -> int:
        """The bot's user id, which is the first part of its token."""
        return int(self.token.partition(":")[0])
