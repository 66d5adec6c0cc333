"""A real SMTP submission server (aiosmtpd) whose answers a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL_POLICY
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "bot@example.com", "a-secret-app-password"


@dataclass(frozen=True)
class Mail:
    """What arrived, taken apart."""

    sender: str
    recipients: tuple[str, ...]
    was_encrypted: bool
    letter: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.letter["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.letter["Subject"])

    def part(self, kind: str) -> str:
        found = self.letter.get_body((kind,))
        assert found is not None
        return str(found.get_content())


@dataclass
class MailServer:
    """``on_rcpt`` and ``on_data`` hold answers to give first, one for each attempt."""

    port: int = 0
    inbox: list[Mail] = field(default_factory=list)
    on_rcpt: list[str] = field(default_factory=list)
    on_data: list[str | None] = field(default_factory=list)
    """``None`` takes the mail and cuts the connection before it says so."""
    refused: set[str] = field(default_factory=set)
    attempts: int = 0
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.attempts += 1
        if address in self.refused:
            return "550 5.1.1 no such user"
        if self.on_rcpt:
            return self.on_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.on_data.pop(0) if self.on_data else "250 OK"
        if answer is None or answer.startswith("250"):
            self.inbox.append(_mail(session, envelope))
        if answer is None:
            assert server.transport is not None
            server.transport.abort()
            return "421 gone"
        return answer

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        is_right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        # Handled would mean that we have answered ourselves.
        return AuthResult(success=is_right, handled=False)


def _mail(session: Session, envelope: Envelope) -> Mail:
    content = envelope.content
    assert isinstance(content, bytes)
    return Mail(
        sender=envelope.mail_from or "",
        recipients=tuple(envelope.rcpt_tos),
        was_encrypted=session.ssl is not None,
        letter=message_from_bytes(content, policy=MAIL_POLICY),  # type: ignore[arg-type]  # the policy makes an EmailMessage
    )


@asynccontextmanager
async def mail_server(
    tls: SSLContext | None = None, *, is_tls_at_once: bool = False, wants_login: bool = True
) -> AsyncIterator[MailServer]:
    """Serve on loopback; with ``tls`` it insists on STARTTLS, or speaks TLS at once."""
    fake = MailServer()
    starttls = None if is_tls_at_once else tls

    def protocol() -> SMTP:
        return SMTP(
            fake,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=fake.login if wants_login else None,
            auth_required=wants_login and starttls is not None,
            # Without a login this keeps it from offering one.
            auth_require_tls=starttls is not None or not wants_login,
            loop=asyncio.get_running_loop(),
        )

    loop = asyncio.get_running_loop()
    made: Callable[[], SMTP] = protocol
    server = await loop.create_server(
        made, "localhost", 0, ssl=tls if is_tls_at_once else None, start_serving=True
    )
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
