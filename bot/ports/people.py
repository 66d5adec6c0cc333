"""Who was let in by a one-time code: kept for one scope, beside those that the settings list.

A code is stored as its digest only. No epoch guards these rows: whoever presents a valid
code is let in once, whichever process he reached, and taking somebody out twice is harmless.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.operations import AccessLevel, Authority
from bot.ports.messages import AuditEntry, OutgoingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One who may speak, known by the numeric id of the channel."""

    user_id: int
    name: str
    """As the channel gave it when the person was let in; a courtesy."""
    level: AccessLevel
    added_by: str
    """Who made the code; ``the settings`` for one that they list."""
    added_us: int | None
    """``None`` for one that the settings list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingOffer:
    """A code that waits to be used. ``digest`` is all that is stored of it."""

    digest: str
    level: AccessLevel
    made_by: str
    made_us: int
    expires_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A code as it is told to a person, once."""

    code: str
    link: str | None
    """Opens the bot's chat with the code typed in; ``None`` while its name is not known."""
    level: AccessLevel
    expires_us: int


class PeopleStore(Protocol):
    """The rows. Every call may raise ``StorageUnavailable``."""

    async def everybody(self) -> tuple[Person, ...]:
        """All who were let in, the oldest first."""
        ...

    async def offer(self, made: PairingOffer) -> None:
        """Store a code. Of many open ones only the newest stay."""
        ...

    async def redeem(
        self, digest: str, person: Person, act: AuditEntry, messages: Sequence[OutgoingMessage]
    ) -> AccessLevel | None:
        """Use up an open code, let the person in and record it, together or not at all.

        ``person.added_us`` is now; level and ``added_by`` are the code's, and a higher level
        from before stays. ``None``: there is no such open code, and nothing has changed.
        """
        ...

    async def remove(self, user_id: int, *, admins_besides: int, act: AuditEntry) -> bool:
        """Take a person out and record it, unless no admin would be left.

        ``admins_besides`` counts those that the settings list. Done before under the same
        number, it changes nothing and is true again.
        """
        ...


class People(Protocol):
    """What the console may ask about people."""

    def everybody(self) -> tuple[Person, ...]:
        """All who may speak, the settings' first. Never waits, never fails."""
        ...

    async def invite(self, authority: Authority, level: AccessLevel) -> Invitation:
        """Make a code for one more person. Made again, it is another one; the first expires."""
        ...

    async def remove(self, authority: Authority, user_id: int) -> bool:
        """Take out one who was let in by a code; false: the last admin stays."""
        ...
