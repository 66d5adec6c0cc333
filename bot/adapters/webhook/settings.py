"""What the webhook and the ping may be told, and what of it cannot be right."""

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

_LOCAL = {"localhost", "127.0.0.1", "::1"}
_KEY_PREFIX = "whsec_"
_KEY_BYTES_MIN = 16


class BodyFormat(StrEnum):
    """Whose words the body speaks."""

    JSON = "json"
    """Ours, signed; see docs/alerts.md."""
    SLACK = "slack"
    DISCORD = "discord"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """An address that takes alerts. It is a secret itself: whoever has it can write there."""

    url: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    """Signs the body; ``whsec_`` and base64, or any text."""
    format: BodyFormat = BodyFormat.JSON
    request_s: float = 15.0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Exact values that must never leave in a body."""

    def __post_init__(self) -> None:
        check_address("ALERT_WEBHOOK_URL", self.url)
        if self.request_s <= 0:
            raise ValueError("request_s: must be positive seconds")
        if self.format is not BodyFormat.JSON:
            return
        if not self.key:
            raise ValueError(
                "ALERT_WEBHOOK_SECRET: missing; the receiver checks with it who wrote. Make one"
                ' with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'
            )
        if len(self.key_bytes) < _KEY_BYTES_MIN:
            raise ValueError(
                "ALERT_WEBHOOK_SECRET: too short to protect anything;"
                f" {_KEY_BYTES_MIN} bytes at least"
            )

    @property
    def key_bytes(self) -> bytes:
        """The signing key.

        Raises:
            ValueError: it begins with ``whsec_`` and no base64 follows.
        """
        key = self.key or ""
        if not key.startswith(_KEY_PREFIX):
            return key.encode()
        try:
            return base64.b64decode(key.removeprefix(_KEY_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(
                "ALERT_WEBHOOK_SECRET: what follows whsec_ must be base64; copy it again"
            ) from None

    @property
    def place(self) -> str:
        """The address without its secret parts."""
        return place_of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class PingSettings:
    """An address that raises the alarm when it was not asked for a while."""

    url: str = field(repr=False)
    every_s: float = 60.0
    has_signals: bool = False
    """Whether it also understands ``/start`` and ``/fail`` behind the address."""
    request_s: float = 10.0

    def __post_init__(self) -> None:
        check_address("ALERT_PING_URL", self.url)
        for name in ("every_s", "request_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be positive seconds")

    @property
    def place(self) -> str:
        """The address without its secret parts."""
        return place_of(self.url)


def check_address(name: str, url: str) -> None:
    """Refuse what cannot be a safe address.

    Raises:
        ValueError: with what is wrong, and without the address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{name}: no web address; copy it again") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"{name}: must begin with https:// and name a host")
    if parts.scheme == "http" and host not in _LOCAL:
        raise ValueError(
            f"{name}: must begin with https://; http would send alerts in the clear to {host}"
        )


def place_of(url: str) -> str:
    """Host and port; path, query and login of an address may be secret."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
