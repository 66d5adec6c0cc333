"""Who may speak, and what a stranger hears: nothing.

People are those that the settings list, and those who were let in by a one-time code.

Telegram users are known by their numeric id only; names can be taken over. A
chat id alone never lets anybody in, because a group would let everybody in.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.domain.operations import AccessLevel
from bot.kit.times import HOUR_US
from bot.ports.messages import Channel, IncomingCommand
from bot.ports.people import Person

logger = logging.getLogger(__name__)

_STRANGERS_REMEMBERED_MAX = 1_000
_BY_SETTINGS = "the settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """User ids by level, and the groups in which they are heard."""

    admins: frozenset[int] = field(default=frozenset())
    traders: frozenset[int] = field(default=frozenset())
    viewers: frozenset[int] = field(default=frozenset())
    groups: frozenset[int] = field(default=frozenset())

    def __post_init__(self) -> None:
        for name in ("admins", "traders", "viewers"):
            wrong = [user for user in getattr(self, name) if user <= 0]
            if wrong:
                raise ValueError(
                    f"{name}: {wrong[0]} is not a user id; send /whoami to learn yours, "
                    "and name groups in groups"
                )
        if wrong_groups := [group for group in self.groups if group >= 0]:
            raise ValueError(f"groups: {wrong_groups[0]} is not a group id; those are negative")

    def level_of_user(self, user_id: int) -> AccessLevel | None:
        """The highest level that lists the user."""
        if user_id in self.admins:
            return AccessLevel.ADMIN
        if user_id in self.traders:
            return AccessLevel.TRADER
        return AccessLevel.VIEWER if user_id in self.viewers else None

    @property
    def users(self) -> frozenset[int]:
        """Everybody who is listed."""
        return self.admins | self.traders | self.viewers


class Doorkeeper:
    """Decides who is heard; writes one log line per stranger and hour."""

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._paired: dict[int, Person] = {}
        self._last_logged_us: OrderedDict[int, int] = OrderedDict()

    def know(self, paired: Iterable[Person]) -> None:
        """These were let in by a code; whoever was and is not among them is out."""
        self._paired = {person.user_id: person for person in paired}

    def everybody(self) -> tuple[Person, ...]:
        """All who may speak, the settings' first; one in both has the higher level."""
        listed = (
            Person(
                user_id=user_id,
                name="",
                level=self.level_of_user(user_id) or AccessLevel.VIEWER,
                added_by=_BY_SETTINGS,
                added_us=None,
            )
            for user_id in sorted(self._settings.users)
        )
        others = (one for one in self._paired.values() if one.user_id not in self._settings.users)
        return (*listed, *others)

    def levels(self) -> Mapping[int, AccessLevel]:
        """What each of them may do."""
        return {person.user_id: person.level for person in self.everybody()}

    @property
    def admins_listed(self) -> int:
        """Admins that no command can take out."""
        return len(self._settings.admins)

    def is_listed(self, user_id: int) -> bool:
        """Whether the settings list this person, so that only a change of them takes him out."""
        return user_id in self._settings.users

    def level_of_user(self, user_id: int) -> AccessLevel | None:
        """The higher of what the settings and a code say."""
        listed, paired = self._settings.level_of_user(user_id), self._paired.get(user_id)
        if paired is None:
            return listed
        return paired.level if listed is None else max(listed, paired.level)

    def level_of(self, command: IncomingCommand) -> AccessLevel | None:
        """What the sender may do here, or ``None`` for silence."""
        if command.channel is not Channel.TELEGRAM:
            return command.granted
        if command.is_private or command.chat_id in self._settings.groups:
            return self.level_of_user(command.user_id)
        return None

    def admits(self, command: IncomingCommand) -> bool:
        """Whether the sender is heard at all; a stranger leaves a trace in the log."""
        if self.level_of(command) is not None:
            return True
        self._note_stranger(command)
        return False

    def _note_stranger(self, command: IncomingCommand) -> None:
        now_us = command.received_us
        last_us = self._last_logged_us.get(command.user_id)
        if last_us is not None and now_us - last_us < HOUR_US:
            return
        self._last_logged_us[command.user_id] = now_us
        self._last_logged_us.move_to_end(command.user_id)
        while len(self._last_logged_us) > _STRANGERS_REMEMBERED_MAX:
            self._last_logged_us.popitem(last=False)
        logger.warning(
            "stranger ignored; to let this person in, make a code with /pair or "
            "`python -m bot pair`, or add the id to TELEGRAM_ADMIN_IDS, TELEGRAM_TRADER_IDS "
            "or TELEGRAM_VIEWER_IDS",
            extra={
                "user_id": command.user_id,
                "chat_id": command.chat_id,
                "private": command.is_private,
            },
        )
