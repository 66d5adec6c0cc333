"""Takes stored commands one by one, has them answered, and ends each in one transaction.

Two lanes run side by side, so that ``/halt`` never waits behind a slow report.
A command that dies with its process is claimed again by the next leader; the
audit row of its act keeps the act from happening twice.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.console.dispatch import Console, Reply, actor_of
from bot.console.views import halted_unsaved
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import Epoch
from bot.domain.operations import Severity
from bot.kit.clock import Clock
from bot.kit.markup import split
from bot.ports.messages import (
    AuditEntry,
    Channel,
    ClaimedCommand,
    Inbox,
    IncomingCommand,
    OutgoingMessage,
)

logger = logging.getLogger(__name__)

REPLY_KIND = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How the inbox is worked off."""

    poll_s: float = 0.5
    """Longest wait for a command whose wake-up was missed."""
    retry_s: float = 1.0
    """Wait after the database failed."""
    attempts_max: int = 4
    """A command that took its process down this often is given up, unless it is urgent."""

    def __post_init__(self) -> None:
        if self.poll_s <= 0 or self.retry_s <= 0:
            raise ValueError("poll_s, retry_s: must be positive seconds, for example 0.5")
        if self.attempts_max < 1:
            raise ValueError("attempts_max: must be at least 1")


class CommandDesk:
    """Has one claimed command answered and ended."""

    def __init__(self, *, inbox: Inbox, console: Console, clock: Clock) -> None:
        self._inbox = inbox
        self._console = console
        self._clock = clock

    async def answer_directly(self, command: IncomingCommand, epoch: Epoch) -> Reply:
        """Answer someone who waits (portal, command line); the reply is returned, not queued.

        Raises:
            NotLeader: another instance leads.
            StorageUnavailable: nothing could be stored; a ``/halt`` acts all the same
                and is answered.
        """
        reason = self._console.halt_if_told(command)
        try:
            claimed = await self._inbox.open(command, epoch)
        except StorageUnavailable:
            if reason is None:
                raise
            return Reply(
                text=halted_unsaved(reason), command="/halt", outcome="halted, not yet saved"
            )
        reply = await self._console.handle(claimed)
        await self._inbox.finish(claimed, self._audit(claimed, reply), ())
        return reply

    async def answer(self, claimed: ClaimedCommand) -> Reply:
        """What the console says. Raises ``NotLeader``."""
        return await self._console.handle(claimed)

    async def end(self, claimed: ClaimedCommand, reply: Reply) -> None:
        """Store that it is over, with its replies. Raises ``NotLeader``, ``StorageUnavailable``."""
        await self._inbox.finish(claimed, self._audit(claimed, reply), messages(claimed, reply))

    def _audit(self, claimed: ClaimedCommand, reply: Reply) -> AuditEntry:
        return AuditEntry(
            number=claimed.number,
            at_us=self._clock.now_us(),
            channel=claimed.command.channel,
            actor=actor_of(claimed.command),
            command=reply.command,
            outcome=reply.outcome,
            epoch=claimed.epoch,
        )


class CommandWorker:
    """Service: works off the inbox while this process holds the lease."""

    name = "commands"

    def __init__(
        self,
        *,
        inbox: Inbox,
        desk: CommandDesk,
        epoch: Callable[[], Epoch | None],
        replied: Callable[[], None],
        settings: WorkerSettings | None = None,
    ) -> None:
        """``epoch`` is the held epoch or ``None``; ``replied`` wakes the sender of messages."""
        self._inbox = inbox
        self._desk = desk
        self._epoch = epoch
        self._replied = replied
        self._settings = settings or WorkerSettings()
        self._wakes = {True: asyncio.Event(), False: asyncio.Event()}
        self._hands = {True: asyncio.Lock(), False: asyncio.Lock()}
        self._is_draining = False
        self._is_lost = False

    def wake(self) -> None:
        """A command was stored."""
        for event in self._wakes.values():
            event.set()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        async with asyncio.TaskGroup() as lanes:
            for urgent in (True, False):
                lanes.create_task(self._lane(urgent=urgent), name=f"commands urgent={urgent}")

    async def drain(self) -> None:
        """Take nothing new; let what is in hand be answered and ended."""
        self._is_draining = True
        for hand in self._hands.values():
            async with hand:
                pass

    async def _lane(self, *, urgent: bool) -> None:
        while True:
            self._wakes[urgent].clear()
            try:
                async with self._hands[urgent]:
                    has_worked = await self._work_one(urgent=urgent)
            except (StorageUnavailable, NotLeader) as fault:
                self._note(str(fault))
                await asyncio.sleep(self._settings.retry_s)
                continue
            self._note("")
            if not has_worked:
                await self._rest(self._wakes[urgent])

    def _note(self, fault: str) -> None:
        """One line when the inbox is lost, one when it is back."""
        if bool(fault) == self._is_lost:
            return
        self._is_lost = bool(fault)
        if fault:
            logger.warning("inbox unavailable", extra={"fault": fault})
        else:
            logger.info("inbox available again")

    async def _rest(self, wake: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_s):
                await wake.wait()
        except TimeoutError:
            return

    async def _work_one(self, *, urgent: bool) -> bool:
        epoch = self._epoch()
        if epoch is None or self._is_draining:
            return False
        claimed = await self._inbox.claim(epoch, urgent=urgent)
        if claimed is None:
            return False
        if claimed.attempts > self._settings.attempts_max and not urgent:
            reply = _given_up(claimed)
        else:
            reply = await self._desk.answer(claimed)
        await self._end(claimed, reply)
        return True

    async def _end(self, claimed: ClaimedCommand, reply: Reply) -> None:
        # The act has happened: the end is stored, however long that takes. Answering
        # again instead would read the state twice and could say something else.
        while True:
            try:
                await self._desk.end(claimed, reply)
            except StorageUnavailable as fault:
                logger.warning(
                    "reply not stored yet", extra={"number": claimed.number, "fault": str(fault)}
                )
                await asyncio.sleep(self._settings.retry_s)
                continue
            logger.info(
                "command done",
                extra={"number": claimed.number, "command": reply.command, "epoch": claimed.epoch},
            )
            self._replied()
            return


def messages(claimed: ClaimedCommand, reply: Reply) -> tuple[OutgoingMessage, ...]:
    """A reply as messages to the chat, or the caller, that asked: none when it is silence."""
    if reply.is_silent:
        return ()
    command = claimed.command
    recipient = command.place if command.channel is Channel.TELEGRAM else str(claimed.number)
    parts = split(reply.text)
    return tuple(
        OutgoingMessage(
            channel=command.channel,
            recipient=recipient,
            kind=REPLY_KIND,
            severity=Severity.INFO,
            text=part,
            attachment=reply.attachment if index == len(parts) - 1 else None,
            buttons=reply.buttons if index == len(parts) - 1 else (),
            # Several messages cannot take the place of one.
            edits=reply.edits if len(parts) == 1 else None,
        )
        for index, part in enumerate(parts)
    )


def _given_up(claimed: ClaimedCommand) -> Reply:
    return Reply(
        text=f"#{claimed.number} was tried {claimed.attempts - 1} times and never finished: "
        "given up. See the log, then send it again.",
        command=claimed.command.text,
        outcome="given up",
    )
