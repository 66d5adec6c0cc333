"""What the e-mail channel may be told, and what of it cannot be right."""

import re
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.kit.times import GREENWICH

_ADDRESS = re.compile(r"[^@\s<>,;:\"\\]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9:](?:[A-Za-z0-9.:_-]*[A-Za-z0-9])?")
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_PORT_MAX = 65_535


class Security(StrEnum):
    """How the connection is protected."""

    STARTTLS = "starttls"
    """It begins in the clear and is encrypted before anything is said: port 587."""
    TLS = "tls"
    """It is encrypted from the first byte: port 465."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSettings:
    """The submission server, whose mail it is, and where it goes."""

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str
    recipients: tuple[str, ...]
    ca_file: Path | None = None
    """Certificates to trust instead of the system's, for a server with one of its own."""
    is_unencrypted_allowed: bool = False
    """Whether mail and password may leave this machine unencrypted."""
    command_s: float = 20.0
    """Longest wait for a connection, or for the answer to one command."""
    carry_s: float = 90.0
    """Longest time for one mail, attachment and all."""
    parcel_max: int = 50
    attachment_bytes_max: int = 1_000_000
    """More would hold the loop up while it is sent; larger files are named by their path."""
    zone: ZoneInfo = GREENWICH
    """Whose clock the times in mails are on."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Exact values that must never leave in a mail."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ValueError(
                f"SMTP_HOST: {self.host!r} is no host name; write it like smtp.example.com,"
                " without port or https://"
            )
        if not 1 <= self.port <= _PORT_MAX:
            raise ValueError(f"SMTP_PORT: {self.port} is no port; 587 and 465 are usual")
        self._check_addresses()
        self._check_protection()
        for name in ("command_s", "carry_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be positive seconds")

    def _check_addresses(self) -> None:
        if not self.recipients:
            raise ValueError("ALERT_EMAIL: nobody to write to; set it to one address or several")
        for name, address in (
            ("SMTP_FROM", self.sender),
            *(("ALERT_EMAIL", one) for one in self.recipients),
        ):
            if not (address.isascii() and _ADDRESS.fullmatch(address)):
                raise ValueError(f"{name}: {address!r} is no address like ada@example.com")
        if len(set(self.recipients)) != len(self.recipients):
            raise ValueError("ALERT_EMAIL: the same address is listed twice; list it once")

    def _check_protection(self) -> None:
        if bool(self.user) != bool(self.password):
            missing = "SMTP_PASSWORD" if self.user else "SMTP_USER"
            raise ValueError(f"{missing}: missing; a login needs SMTP_USER and SMTP_PASSWORD")
        is_local = self.host in _LOCAL
        if self.security is Security.NONE and not (is_local or self.is_unencrypted_allowed):
            raise ValueError(
                "security: none would send alerts and password over the network in the clear;"
                " use starttls (587) or tls (465), or set email.unencrypted_allowed if you must"
            )
        if self.ca_file is not None:
            self.trust()

    def trust(self) -> ssl.SSLContext:
        """Whose certificates are believed.

        Raises:
            ValueError: ``ca_file`` holds none.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ValueError(
                f"ca_file: {self.ca_file} holds no PEM certificates ({error.strerror or error})"
            ) from None

    @property
    def place(self) -> str:
        """The server, for people."""
        return f"{self.host}:{self.port}"
