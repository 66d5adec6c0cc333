"""A console over a fake bot and an in-memory store, and a way to talk to it."""

import itertools
from dataclasses import dataclass, field, replace
from random import Random
from zoneinfo import ZoneInfo

from bot.console.access import AccessSettings, Doorkeeper
from bot.console.confirmations import Confirmations
from bot.console.dispatch import Console, Reply
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel
from bot.kit.markup import plain
from bot.kit.times import GREENWICH
from bot.ports.messages import Channel, ClaimedCommand, IncomingCommand
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryAudit, MemoryInbox, MemoryOutbox, MemoryStore
from tests.fakes.operator import FakeOperator

ADMIN, TRADER, VIEWER, STRANGER = 11, 22, 33, 666
GROUP = -100
EPOCH = Epoch(7)
ACCESS = AccessSettings(
    admins=frozenset({ADMIN}),
    traders=frozenset({TRADER}),
    viewers=frozenset({VIEWER}),
    groups=frozenset({GROUP}),
)
_UPDATES = itertools.count(1)


@dataclass
class Talk:
    """One person at a console."""

    operator: FakeOperator = field(default_factory=FakeOperator)
    clock: ManualClock = field(default_factory=ManualClock)
    zone: ZoneInfo = GREENWICH
    random: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)
        self.inbox = MemoryInbox(self.store)
        self.outbox = MemoryOutbox(self.store)
        self.audit = MemoryAudit(self.store)
        self.doorkeeper = Doorkeeper(ACCESS)
        self.console = self.fresh_console()
        self.numbers = itertools.count(1)

    def fresh_console(self) -> Console:
        """As after a restart: no open questions."""
        return Console(
            operator=self.operator,
            audit=self.audit,
            doorkeeper=self.doorkeeper,
            confirmations=Confirmations(self.random),
            clock=self.clock,
            zone=self.zone,
        )

    def command(self, user: int, text: str = "", **changes: object) -> IncomingCommand:
        made = IncomingCommand(
            channel=Channel.TELEGRAM,
            bot_id=1,
            update_id=next(_UPDATES),
            user_id=user,
            user_name="Ada",
            chat_id=user,
            is_private=True,
            text=text,
            button=None,
            sent_us=self.clock.now_us(),
            received_us=self.clock.now_us(),
            is_urgent=False,
        )
        return replace(made, **changes)

    def request(
        self, command: IncomingCommand, *, attempts: int = 1, epoch: Epoch = EPOCH
    ) -> ClaimedCommand:
        return ClaimedCommand(
            number=next(self.numbers), attempts=attempts, epoch=epoch, command=command
        )

    async def says(self, user: int, text: str, **changes: object) -> Reply:
        return await self.console.handle(self.request(self.command(user, text, **changes)))

    async def presses(
        self, user: int, reply: Reply, label: str, *, epoch: Epoch = EPOCH, **changes: object
    ) -> Reply:
        data = next(b.data for row in reply.buttons for b in row if b.label == label)
        pressed = self.command(user, button=data, **changes)
        return await self.console.handle(self.request(pressed, epoch=epoch))


def body(reply: Reply) -> str:
    """The text without markup and without the tag line."""
    return plain(reply.text).rpartition("\n\n")[0]


LEVELS = {ADMIN: AccessLevel.ADMIN, TRADER: AccessLevel.TRADER, VIEWER: AccessLevel.VIEWER}
