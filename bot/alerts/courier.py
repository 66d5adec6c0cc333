"""Service: takes the outbox's messages of one channel to its carrier, each recipient in order.

A message leaves at least once: one whose answer was lost is sent again, under
the name it had. What can never be delivered is marked with its reason;
everything else is tried for ever. A channel that is shut rests as a whole.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random

from bot.domain.errors import StorageUnavailable
from bot.kit.clock import Clock
from bot.kit.times import MINUTE_US, SECOND_US
from bot.ports.carriers import Carrier, DeliveryWatch, NoWatch, Parcel, Receipt, Verdict
from bot.ports.messages import Outbox, QueuedMessage

logger = logging.getLogger(__name__)

_BEING_SENT = "being sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierSettings:
    """How long a courier waits."""

    idle_s: float = 2.0
    """A message that is queued wakes it; this is for what was put off."""
    retry_s: float = 5.0
    """After the first failure; twice as long after each further one."""
    retry_cap_s: float = 300.0
    shut_us: int = 10 * MINUTE_US
    """How long a channel rests that only a person can mend."""
    drain_s: float = 1.5
    """A hand-over waits no longer: what is left is the successor's."""
    batch: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierParts:
    """What the service works with."""

    carrier: Carrier
    outbox: Outbox
    clock: Clock
    random: Random
    may_send: Callable[[], bool]
    """Whether the lease is held: two senders would tell everything twice."""
    watch: DeliveryWatch = field(default_factory=NoWatch)
    settings: CourierSettings = CourierSettings()


class Courier:
    """The only sender of its channel."""

    def __init__(self, parts: CourierParts) -> None:
        self.name = f"{parts.carrier.channel.value} courier"
        self._parts = parts
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._shut_until_us = 0
        self._is_store_away = False

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """See :meth:`bot.kit.tasks.Service.run`."""
        while True:
            self._wake.clear()
            if not await self._work():
                await self._rest()

    async def drain(self) -> None:
        """Deliver what is due, for a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._parts.settings.drain_s):
                while await self._work():
                    pass

    async def _work(self) -> bool:
        """One round, if this process may send; whether anything left."""
        # Drain runs beside run: two rounds at once would send everything twice.
        async with self._turn:
            if not self._may_send():
                return False
            try:
                has_left = await self._round()
            except StorageUnavailable as fault:
                self._note_store(str(fault))
                return False
            self._note_store("")
            return has_left

    def _may_send(self) -> bool:
        is_open = self._parts.clock.monotonic_us() >= self._shut_until_us
        return is_open and self._parts.may_send()

    def _note_store(self, fault: str) -> None:
        if bool(fault) == self._is_store_away:
            return
        self._is_store_away = bool(fault)
        if fault:
            logger.warning("outbox unavailable", extra={"fault": fault, **self._channel()})
        else:
            logger.info("outbox available again", extra=self._channel())

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._parts.settings.idle_s):
                await self._wake.wait()

    async def _round(self) -> bool:
        """Offer every recipient its next messages; whether any left."""
        parts = self._parts
        heads = await parts.outbox.heads(
            parts.carrier.channel, parts.clock.now_us(), parts.settings.batch
        )
        by_recipient: dict[str, list[QueuedMessage]] = defaultdict(list)
        for head in heads:
            by_recipient[head.message.recipient].append(head)
        has_left = False
        for queue in by_recipient.values():
            has_left = await self._deliver(queue) or has_left
        return has_left

    async def _deliver(self, queue: Sequence[QueuedMessage]) -> bool:
        """Hand over one recipient's messages in order, until one has to wait."""
        has_left = False
        for parcel in parcels(queue, self._parts.carrier.parcel_max):
            if not self._may_send():
                return has_left
            await self._name(parcel)
            receipt = await self._carry(parcel)
            match receipt.verdict:
                case Verdict.DELIVERED:
                    await self._settle(parcel)
                case Verdict.NEVER:
                    await self._give_up(parcel, receipt)
                case Verdict.LATER | Verdict.SHUT:
                    await self._put_off(parcel, receipt)
                    return has_left
            has_left = True
        return has_left

    async def _carry(self, parcel: Parcel) -> Receipt:
        try:
            return await self._parts.carrier.carry(parcel)
        except Exception as fault:
            # The boundary: what is wrong with a message must not end the lead.
            logger.exception("carrier failed", extra=self._channel())
            return Receipt(verdict=Verdict.NEVER, reason=f"fault here: {type(fault).__name__}")

    async def _name(self, parcel: Parcel) -> None:
        """Keep together what leaves together, so that another attempt has the same name.

        Each of them counts one attempt more than those behind it.
        """
        if len(parcel.messages) > 1 and not parcel.messages[0].attempts:
            now_us = self._parts.clock.now_us()
            for message_id in parcel.ids:
                await self._parts.outbox.postpone(message_id, now_us, _BEING_SENT)

    async def _settle(self, parcel: Parcel) -> None:
        """Store that it left. A database that is away must not make it leave twice."""
        parts = self._parts
        while True:
            try:
                await parts.outbox.mark_sent(parcel.ids, parts.clock.now_us())
            except StorageUnavailable as fault:
                logger.warning(
                    "delivery not stored yet", extra={"fault": str(fault), **self._channel()}
                )
                await asyncio.sleep(parts.settings.idle_s)
            else:
                break
        await parts.watch.delivered(parcel.recipient)

    async def _give_up(self, parcel: Parcel, receipt: Receipt) -> None:
        logger.warning(
            "message cannot be delivered",
            extra={**self._channel(), "to": parcel.recipient, "reason": receipt.reason},
        )
        now_us = self._parts.clock.now_us()
        for message_id in parcel.ids:
            await self._parts.outbox.mark_failed(message_id, receipt.reason, now_us)
        await self._parts.watch.failed(parcel.recipient, receipt)

    async def _put_off(self, parcel: Parcel, receipt: Receipt) -> None:
        parts = self._parts
        attempts = parcel.messages[0].attempts
        if not attempts or receipt.verdict is Verdict.SHUT:
            logger.warning(
                "message waits",
                extra={**self._channel(), "to": parcel.recipient, "reason": receipt.reason},
            )
        wait_us = self._wait_us(receipt, attempts)
        if receipt.verdict is Verdict.SHUT:
            self._shut_until_us = parts.clock.monotonic_us() + wait_us
        due_us = parts.clock.now_us() + wait_us
        for message_id in parcel.ids:
            await parts.outbox.postpone(message_id, due_us, receipt.reason)
        await parts.watch.failed(parcel.recipient, receipt)

    def _wait_us(self, receipt: Receipt, attempts: int) -> int:
        settings = self._parts.settings
        if receipt.verdict is Verdict.SHUT:
            return settings.shut_us
        ceiling_s = min(settings.retry_cap_s, settings.retry_s * 2 ** min(attempts, 20))
        # Half of it for sure: greylisting counts from the first attempt.
        wait_s = self._parts.random.uniform(ceiling_s / 2, ceiling_s)
        return int(max(wait_s, receipt.retry_after_s) * SECOND_US)

    def _channel(self) -> dict[str, str]:
        return {"channel": self._parts.carrier.channel.value}


def parcels(queue: Iterable[QueuedMessage], size_max: int) -> list[Parcel]:
    """One recipient's messages with those joined that may leave together, in order.

    What was tried together stays together: its messages were tried as often. A breaker does
    not hide among notices.
    """
    made: list[Parcel] = []
    for (attempts, _), run in groupby(queue, key=lambda one: (one.attempts, one.message.is_urgent)):
        messages = tuple(run)
        # The first attempt draws the borders; what was tried has them.
        size = len(messages) if attempts and size_max > 1 else size_max
        made += [Parcel(messages=messages[at : at + size]) for at in range(0, len(messages), size)]
    return made
