"""Lets people in by one-time codes, and offers the first code while there is no admin.

The doorkeeper knows who may speak from memory, so that a halt is heard while the database
stalls; the rows are read when a leadership begins and every few seconds after.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from random import Random

from bot.adapters.storage.people import SqlPeople
from bot.alerts.dispatcher import Recipient
from bot.app.running import Running
from bot.console.access import Doorkeeper
from bot.console.dispatch import actor_of
from bot.console.pairing import CODE_VALID_US, Guesses, code_in, digest_of, link_of, new_code
from bot.domain.errors import StorageUnavailable
from bot.domain.operations import AccessLevel, Authority
from bot.kit.markup import clean
from bot.kit.times import format_seconds
from bot.ports.messages import AuditEntry, Channel, IncomingCommand
from bot.ports.people import Invitation, PairingOffer, PeopleStore, Person

logger = logging.getLogger(__name__)

_LOOK_S = 5.0
_NAME_WITHIN_S = 3.0
_OFFERS_MAX = 6
"""Codes offered unasked in one leadership: an hour. Later ones are asked for."""
_BY_THE_BOT = "the bot"


async def make_invitation(
    store: PeopleStore,
    random: Random,
    *,
    level: AccessLevel,
    made_by: str,
    bot_name: str | None,
    now_us: int,
) -> Invitation:
    """A new code, stored as its digest."""
    code = new_code(random)
    expires_us = now_us + CODE_VALID_US
    await store.offer(
        PairingOffer(
            digest=digest_of(code),
            level=level,
            made_by=made_by,
            made_us=now_us,
            expires_us=expires_us,
        )
    )
    return Invitation(code=code, link=link_of(code, bot_name), level=level, expires_us=expires_us)


class PeopleDesk:
    """Implements ``People``, and is the service that keeps the doorkeeper informed."""

    name = "people"

    def __init__(self, running: Running, doorkeeper: Doorkeeper) -> None:
        self._running = running
        self._doorkeeper = doorkeeper
        self._store = SqlPeople(running.parts.database, running.scope)
        self._guesses = Guesses()
        self._bot_name: str | None = None
        self._named = asyncio.Event()
        self._offers_left = _OFFERS_MAX
        self._has_looked = False
        self._changed: list[Callable[[], None]] = []

    # --- what the console asks ----------------------------------------------------------------

    def everybody(self) -> tuple[Person, ...]:
        """See ``People.everybody``."""
        return self._doorkeeper.everybody()

    async def invite(self, authority: Authority, level: AccessLevel) -> Invitation:
        """See ``People.invite``."""
        return await make_invitation(
            self._store,
            self._running.parts.means.random,
            level=level,
            made_by=authority.actor,
            bot_name=self._bot_name,
            now_us=self._running.clock.now_us(),
        )

    async def remove(self, authority: Authority, user_id: int) -> bool:
        """See ``People.remove``."""
        act = AuditEntry(
            number=authority.number,
            at_us=authority.at_us,
            channel=Channel(authority.channel),
            actor=authority.actor,
            command=f"/unpair {user_id}",
            outcome=f"done: {user_id} is out",
            epoch=self._running.standing.epoch,
        )
        is_out = await self._store.remove(
            user_id, admins_besides=self._doorkeeper.admins_listed, act=act
        )
        if is_out:
            await self._look()
        return is_out

    # --- what the channel asks ----------------------------------------------------------------

    def met(self, bot_name: str) -> None:
        """Telegram told how the bot is called there."""
        self._bot_name = bot_name or None
        self._named.set()

    def on_change(self, changed: Callable[[], None]) -> None:
        """Called whenever somebody came, went or has another level."""
        self._changed.append(changed)

    async def received(self, command: IncomingCommand) -> IncomingCommand:
        """A message as it may be stored: a code is tried, and taken out of it.

        Raises:
            StorageUnavailable: nobody can tell yet who it is from; the message comes again.
        """
        if not self._has_looked and self._doorkeeper.level_of(command) is not AccessLevel.ADMIN:
            # Right after a take-over: one who was let in earlier must not be taken for a stranger.
            # Whom the settings give the highest level need not wait: a halt works in a stall.
            await self._look()
        code = code_in(command.text) if command.is_private else None
        if code is None:
            return command
        # What stays greets whoever is in by now, and is silence for everybody else.
        await self._try(code, command)
        return replace(command, text="/start")

    async def _try(self, code: str, command: IncomingCommand) -> None:
        now_us = self._running.clock.now_us()
        facts = {"user_id": command.user_id}
        if not self._guesses.allows(command.user_id, now_us):
            logger.warning("too many pairing codes tried, this one ignored", extra=facts)
            return
        person = Person(
            user_id=command.user_id,
            name=clean(command.user_name).strip()[:100],
            level=AccessLevel.VIEWER,
            added_by="",
            added_us=now_us,
        )
        act = AuditEntry(
            # No number of the inbox: the message is stored without its code, and as another one.
            number=-abs(command.update_id),
            at_us=now_us,
            channel=command.channel,
            actor=actor_of(command),
            command="/pair",
            outcome="let in by a code",
            epoch=self._running.standing.epoch,
        )
        level = await self._store.redeem(digest_of(code), person, act, ())
        if level is None:
            logger.warning("pairing code not valid, silence kept", extra=facts)
            return
        logger.warning("person let in by a code", extra={**facts, "level": level.name.lower()})
        await self._look()

    # --- the service --------------------------------------------------------------------------

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        while True:
            with contextlib.suppress(StorageUnavailable):  # whoever needs it tells of it
                await self._look()
                await self._offer_if_alone()
            await asyncio.sleep(_LOOK_S if self._has_looked else 1.0)

    async def drain(self) -> None:
        """Nothing to finish."""

    async def _look(self) -> None:
        before = self._doorkeeper.levels()
        self._doorkeeper.know(await self._store.everybody())
        self._has_looked = True
        if AccessLevel.ADMIN in self._doorkeeper.levels().values():
            self._running.invitation = None
        self._tell_admins()
        if self._doorkeeper.levels() != before:
            for changed in self._changed:
                changed()

    def _tell_admins(self) -> None:
        """Admins who came in by a code get the alerts, unless the settings say where those go."""
        if self._running.settings.telegram.alert_chat_ids:
            return
        self._running.alerts.tell_also(
            Recipient(channel=Channel.TELEGRAM, address=str(user_id))
            for user_id, level in self._doorkeeper.levels().items()
            if level is AccessLevel.ADMIN
        )

    async def _offer_if_alone(self) -> None:
        """Make and show the first admin's code; a new one when it has expired."""
        running = self._running
        if running.settings.secrets.telegram_bot_token is None:
            return
        if AccessLevel.ADMIN in self._doorkeeper.levels().values():
            return
        now_us = running.clock.now_us()
        shown = running.invitation
        if shown is not None and shown.expires_us > now_us:
            return
        running.invitation = None
        if not self._offers_left:
            return
        self._offers_left -= 1
        with contextlib.suppress(TimeoutError):  # then without a link
            async with asyncio.timeout(_NAME_WITHIN_S):
                await self._named.wait()
        running.invitation = await make_invitation(
            self._store,
            running.parts.means.random,
            level=AccessLevel.ADMIN,
            made_by=_BY_THE_BOT,
            bot_name=self._bot_name,
            now_us=now_us,
        )
        self._show(running.invitation)

    def _show(self, made: Invitation) -> None:
        # Not a warning: those are stored, and a code is stored nowhere.
        logger.info(
            "nobody is admin of the chat yet: send this to the bot in a private chat",
            extra={
                "send": f"/pair {made.code}",
                "link": made.link or "",
                "valid_until": format_seconds(made.expires_us),
            },
        )
