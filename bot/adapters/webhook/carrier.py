"""Posts alerts to a web address, each under its own id, signed, and never elsewhere."""

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from bot.adapters.webhook.answers import judge_answer, judge_fault
from bot.adapters.webhook.bodies import body_of, message_id, signed_headers
from bot.adapters.webhook.settings import BodyFormat, WebhookSettings
from bot.domain.ids import Scope
from bot.domain.operations import Banner
from bot.kit.clock import Clock
from bot.kit.times import SECOND_US
from bot.ports.carriers import DELIVERED, Parcel, Receipt
from bot.ports.messages import Channel

_VARIABLE = "ALERT_WEBHOOK_URL"


@contextlib.asynccontextmanager
async def open_web() -> AsyncIterator[ClientSession]:
    """Connections for webhook and ping. Nothing is sent: the other side may be away."""
    # No cookies: the same request must mean the same every time.
    async with ClientSession(
        headers={"User-Agent": "kalshi-bot"}, cookie_jar=DummyCookieJar()
    ) as session:
        yield session


class WebhookCarrier:
    """``Carrier`` over HTTPS."""

    channel = Channel.WEBHOOK
    parcel_max = 1

    def __init__(
        self,
        session: ClientSession,
        settings: WebhookSettings,
        scope: Scope,
        banner: Callable[[], Banner],
        clock: Clock,
    ) -> None:
        self._session = session
        self._settings = settings
        self._scope = scope
        self._banner = banner
        self._clock = clock
        self._timeout = ClientTimeout(total=settings.request_s)

    async def carry(self, parcel: Parcel) -> Receipt:
        """See :meth:`Carrier.carry`."""
        settings = self._settings
        body = body_of(parcel, settings, self._scope, self._banner())
        now_us = self._clock.now_us()
        headers = {"Content-Type": "application/json"}
        if settings.format is BodyFormat.JSON:
            name = message_id(parcel, self._scope)
            headers |= signed_headers(settings.key_bytes, name, now_us // SECOND_US, body)
        try:
            async with self._session.post(
                settings.url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                return judge_answer(
                    answer.status, answer.headers, settings.place, _VARIABLE, now_us
                )
        except (ClientError, OSError) as error:
            return judge_fault(error, settings.place, _VARIABLE)

    async def probe(self) -> Receipt:
        """See :meth:`Carrier.probe`: any answer will do, for many addresses take posts alone."""
        settings = self._settings
        try:
            async with self._session.head(
                settings.url, timeout=self._timeout, allow_redirects=False
            ):
                return DELIVERED
        except (ClientError, OSError) as error:
            return judge_fault(error, settings.place, _VARIABLE)
