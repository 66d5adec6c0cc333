"""Hands mail to the submission server: one connection for each, certificate checked."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from email.policy import SMTP as SMTP_POLICY

from aiosmtplib import SMTP, SMTPException

from bot.adapters.email.faults import judge
from bot.adapters.email.letters import letter_of
from bot.adapters.email.settings import EmailSettings, Security
from bot.domain.ids import Scope
from bot.domain.operations import Banner
from bot.ports.carriers import DELIVERED, Parcel, Receipt, Verdict
from bot.ports.messages import Channel

_GOODBYE_S = 2.0
# Understood by every server, whatever it offers.
_SEVEN_BITS = SMTP_POLICY.clone(cte_type="7bit")


class EmailCarrier:
    """``Carrier`` over SMTP."""

    channel = Channel.EMAIL

    def __init__(self, settings: EmailSettings, scope: Scope, banner: Callable[[], Banner]) -> None:
        self.parcel_max = settings.parcel_max
        self._settings = settings
        self._scope = scope
        self._banner = banner
        self._trust: ssl.SSLContext | None = None

    async def carry(self, parcel: Parcel) -> Receipt:
        """See :meth:`Carrier.carry`."""
        settings = self._settings
        if parcel.recipient not in settings.recipients:
            return Receipt(
                verdict=Verdict.NEVER, reason=f"{parcel.recipient} is no longer in ALERT_EMAIL"
            )
        banner = self._banner()
        try:
            # In a thread: a picture is read and encoded, and the loop has orders to send.
            mail = await asyncio.to_thread(_written, parcel, settings, self._scope, banner)
        except ValueError as error:  # no mail can be made of it, today or later
            return Receipt(verdict=Verdict.NEVER, reason=f"cannot be written as mail: {error}")
        try:
            async with asyncio.timeout(settings.carry_s), self._connected() as server:
                await server.sendmail(settings.sender, [parcel.recipient], mail)
        except (SMTPException, OSError) as error:
            return judge(error, settings)
        return DELIVERED

    async def probe(self) -> Receipt:
        """See :meth:`Carrier.probe`: connects, encrypts and logs in."""
        try:
            async with asyncio.timeout(self._settings.carry_s), self._connected():
                return DELIVERED
        except (SMTPException, OSError) as error:
            return judge(error, self._settings)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        settings = self._settings
        if self._trust is None and settings.security is not Security.NONE:
            # Reading the system's certificates takes a while.
            self._trust = await asyncio.to_thread(settings.trust)
        server = SMTP(
            hostname=settings.host,
            port=settings.port,
            # Else the name of this machine is looked up, and told to the provider.
            local_hostname=settings.sender.rpartition("@")[2],
            timeout=settings.command_s,
            use_tls=settings.security is Security.TLS,
            start_tls=settings.security is Security.STARTTLS,
            tls_context=self._trust,
            username=settings.user,
            password=settings.password,
        )
        try:
            await server.connect()
            yield server
            # It has the mail. A goodbye that is lost must not make it leave twice.
            with contextlib.suppress(SMTPException, OSError):
                await server.quit(timeout=_GOODBYE_S)
        finally:
            server.close()


def _written(parcel: Parcel, settings: EmailSettings, scope: Scope, banner: Banner) -> bytes:
    return letter_of(parcel, settings, scope, banner).as_bytes(policy=_SEVEN_BITS)
