"""Who was let in, in memory: the store passes the same contract suite as the real one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.operations import AccessLevel, Authority
from bot.ports.messages import AuditEntry, IncomingCommand, OutgoingMessage
from bot.ports.people import Invitation, PairingOffer, Person
from tests.fakes.messages import MemoryStore


@dataclass
class MemoryPeople:
    """Implements ``PeopleStore``."""

    store: MemoryStore
    people: dict[int, Person] = field(default_factory=dict)
    codes: list[PairingOffer] = field(default_factory=list)

    async def everybody(self) -> tuple[Person, ...]:
        self.store.check()
        return tuple(sorted(self.people.values(), key=lambda one: (one.added_us, one.user_id)))

    async def offer(self, made: PairingOffer) -> None:
        self.store.check()
        kept = [one for one in self.codes if one.expires_us > made.made_us]
        self.codes = [*sorted(kept, key=lambda one: one.made_us)[-4:], made]

    async def redeem(
        self, digest: str, person: Person, act: AuditEntry, messages: Sequence[OutgoingMessage]
    ) -> AccessLevel | None:
        self.store.check()
        now_us = person.added_us or 0
        code = next(
            (one for one in self.codes if one.digest == digest and one.expires_us > now_us), None
        )
        if code is None:
            return None
        self.codes.remove(code)
        self.store.audit.setdefault(act.number, act)
        before = self.people.get(person.user_id)
        level = max(code.level, before.level) if before else code.level
        self.people[person.user_id] = replace(person, level=level, added_by=code.made_by)
        self.store.queue(messages)
        return level

    async def remove(self, user_id: int, *, admins_besides: int, act: AuditEntry) -> bool:
        self.store.check()
        if act.number in self.store.audit:
            return True
        others = [one.level for one in self.people.values() if one.user_id != user_id]
        if not admins_besides and AccessLevel.ADMIN not in others:
            return False
        self.store.audit[act.number] = act
        self.people.pop(user_id, None)
        return True


@dataclass
class FakePeople:
    """Implements ``People`` for a console whose bot is a fake."""

    people: tuple[Person, ...] = ()
    is_last: bool = False
    invited: list[tuple[AccessLevel, int]] = field(default_factory=list)
    removed: list[tuple[int, int]] = field(default_factory=list)

    def everybody(self) -> tuple[Person, ...]:
        return self.people

    async def invite(self, authority: Authority, level: AccessLevel) -> Invitation:
        self.invited.append((level, authority.number))
        return Invitation(
            code="ABCD-EFGH-JKMN",
            link="https://t.me/kalshi_test_bot?start=ABCD-EFGH-JKMN",
            level=level,
            expires_us=authority.at_us + 600_000_000,
        )

    async def remove(self, authority: Authority, user_id: int) -> bool:
        if self.is_last:
            return False
        self.removed.append((user_id, authority.number))
        self.people = tuple(one for one in self.people if one.user_id != user_id)
        return True


class NobodyPairs:
    """A channel's ``Pairing`` where no code works."""

    def met(self, bot_name: str) -> None:
        del bot_name

    def on_change(self, changed: object) -> None:
        del changed

    async def received(self, command: IncomingCommand) -> IncomingCommand:
        return command
