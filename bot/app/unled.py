"""Tells that nobody leads, by whoever is alive: past the outbox, which only a leader empties.

A process that waits (for its database, for the lease) looks for itself. One that dies
before it can is looked after by its supervisor, which runs the same look in a fork.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

from bot.adapters.storage.queries import leader_of
from bot.alerts.catalogue import render, text_of
from bot.app.basics import Means, open_existing_database, real_means
from bot.app.past_outbox import outside_banner, send_now
from bot.app.running import Running
from bot.app.settings import BotSettings
from bot.app.told import everyone_told
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault, StorageUnavailable
from bot.domain.events import Role
from bot.kit.markup import bold, code
from bot.kit.tasks import together
from bot.kit.times import SECOND_US
from bot.leadership.unled import UnledNews, UnledSpell
from bot.ports.messages import OutgoingMessage

logger = logging.getLogger(__name__)

_LOOK_S = 5.0
_LOOK_WITHIN_S = 10.0
_AGAIN_S = 30.0
"""Wait after a message that reached nobody."""
_LEADS = (Role.ACTIVATING, Role.LEADING, Role.DRAINING)


class NobodyLeads:
    """Looks from this process's start to its end."""

    def __init__(self, settings: BotSettings, means: Means) -> None:
        self._settings = settings
        self._means = means
        self.running: Running | None = None
        """Set once the database was reached."""
        limit_s = settings.watch.nobody_leads_s
        self._spell = UnledSpell(round(limit_s * SECOND_US)) if limit_s else None
        self._every_s = min(_LOOK_S, limit_s / 4) if limit_s else _LOOK_S

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look meanwhile."""
        async with together() as group:
            task = group.create_task(self._run(), name="nobody leads")
            try:
                yield
            finally:
                task.cancel()

    def end(self) -> None:
        """Look no more: this process ends, and its database closes before its last look."""
        self._spell = None

    async def _run(self) -> None:
        while (spell := self._spell) is not None:
            wait_s = self._every_s
            try:
                if not await self._watch(spell):
                    wait_s = max(wait_s, _AGAIN_S)
            except Exception:  # a watch must not end what it watches
                logger.exception("not looked whether anybody leads")
                wait_s = _AGAIN_S
            await asyncio.sleep(wait_s)

    async def _watch(self, spell: UnledSpell) -> bool:
        """Look once; false when there was something to tell that reached nobody."""
        leader, why = await self._look()
        news = spell.see(leader, self._means.clock.monotonic_us())
        if news is None:
            return True
        if not await tell(self._settings, self._means, news, why):
            return False
        spell.told(news)
        return True

    async def _look(self) -> tuple[str, str]:
        """Who leads, empty for nobody, and what was seen."""
        running = self.running
        if running is None:
            return "", "the database has not answered since this process began"
        if running.standing.role in _LEADS:
            return running.parts.candidate.instance_id, ""
        try:
            async with asyncio.timeout(_LOOK_WITHIN_S):
                leader = await leader_of(running.parts.database, running.scope)
        except (StorageUnavailable, TimeoutError):
            return "", "the database does not answer, so nobody can be seen leading"
        return leader or "", "no lease is held"


async def tell_if_nobody_leads(settings: BotSettings, seconds: int) -> bool:
    """One look for a supervisor whose bots have not led for so long. Whether it was told.

    Raises:
        ConfigurationFault: a channel is wrongly configured.
    """
    limit_s = settings.watch.nobody_leads_s
    if not limit_s or seconds < limit_s:
        return False
    why = "its bot ends again and again before it leads"
    try:
        async with asyncio.timeout(_LOOK_WITHIN_S), open_existing_database(settings) as database:
            if await leader_of(database, settings.scope) is not None:
                return False
    except (StorageUnavailable, ConfigurationFault, TimeoutError):
        why += ", and the database does not answer"
    return await tell(settings, real_means(), UnledNews(leader="", seconds=seconds), why)


async def tell(settings: BotSettings, means: Means, news: UnledNews, why: str) -> bool:
    """Send it to everyone on every channel; whether it reached somebody."""
    facts: Mapping[str, str | int]
    if news.leader:
        kind = AlertKind.LED_AGAIN
        facts = {"leader": news.leader, "seconds": news.seconds}
    else:
        kind = AlertKind.NOBODY_LEADS
        facts = {"seconds": news.seconds, "by": outside_banner(settings).instance, "why": why}
    logger.log(
        logging.INFO if news.leader else logging.CRITICAL,
        "alert",
        extra={"kind": kind.value, "facts": str(dict(facts))},
    )
    banner = outside_banner(settings)
    text = render(kind, facts, settings.operator.zone)
    messages = [
        OutgoingMessage(
            channel=one.channel,
            recipient=one.address,
            kind=kind.value,
            severity=text_of(kind).severity,
            text=f"{text}\n{bold(banner.mode.value.upper())} | {code(settings.scope)}",
            instance=banner.instance,
            facts=facts,
        )
        for one in await everyone_told(settings)
        if one.hears(kind, facts)
    ]
    attempts = await send_now(settings, means, messages)
    for one in attempts:
        if not one.is_good:
            logger.warning(
                "not told",
                extra={
                    "channel": one.channel,
                    "to": one.recipient,
                    "reason": one.receipt.reason,
                },
            )
    return any(one.is_good for one in attempts)
