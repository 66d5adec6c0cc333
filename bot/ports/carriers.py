"""Ways out for messages: what a channel does with one, and how each recipient fares.

A carrier makes one attempt and says what became of it; it keeps no queue and
never tries again by itself. The queue is the outbox, and its courier decides
what an attempt's end means for the messages behind it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.ports.messages import Channel, QueuedMessage


class Verdict(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    LATER = "later"
    """Not now; it may pass by itself."""
    NEVER = "never"
    """This message can never be delivered to this recipient."""
    SHUT = "shut"
    """The channel itself is refused: a password, a certificate, an address. Only a person helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The end of one attempt. ``reason`` is for people and holds no secret."""

    verdict: Verdict
    reason: str = ""
    retry_after_s: float = 0.0
    """How long the other side asked to be left alone; 0 where it did not."""


DELIVERED = Receipt(verdict=Verdict.DELIVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Waiting messages for one recipient that leave as one, in order; never empty."""

    messages: tuple[QueuedMessage, ...]

    @property
    def recipient(self) -> str:
        """Where it goes."""
        return self.messages[0].message.recipient

    @property
    def ids(self) -> tuple[int, ...]:
        """The outbox's numbers of what is in it."""
        return tuple(one.id for one in self.messages)

    @property
    def name(self) -> str:
        """The same for every attempt at these messages and for no others, also after a restart.

        The time is in it because a restored database gives numbers out again.
        """
        first, last = self.messages[0], self.messages[-1]
        span = str(first.id) if first is last else f"{first.id}-{last.id}-{len(self.messages)}"
        return f"{span}.{first.created_us}"


class Carrier(Protocol):
    """One channel's way out."""

    @property
    def channel(self) -> Channel:
        """Whose messages it takes."""
        ...

    @property
    def parcel_max(self) -> int:
        """How many messages may leave as one."""
        ...

    async def carry(self, parcel: Parcel) -> Receipt:
        """Try once. Nothing that the network or the other side does raises."""
        ...

    async def probe(self) -> Receipt:
        """Go as far as it is possible without delivering anything."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """How one recipient of a channel fares."""

    channel: str
    recipient: str
    is_failing: bool
    """Whether it was told that messages do not arrive there."""
    reason: str
    changed_us: int
    """When ``is_failing`` changed last."""
    delivered_us: int | None
    """The last delivery, to about a minute."""


class ChannelStates(Protocol):
    """What is known of every recipient, for one scope; it outlives a leadership.

    Every call may raise ``StorageUnavailable``.
    """

    async def read(self) -> tuple[ChannelState, ...]:
        """All of them, by channel and recipient."""
        ...

    async def save(self, state: ChannelState) -> None:
        """Put it in the place of what was known of that recipient."""
        ...


class DeliveryWatch(Protocol):
    """Hears how deliveries of one channel end. Never raises and never waits long."""

    async def delivered(self, recipient: str) -> None:
        """A message arrived there."""
        ...

    async def failed(self, recipient: str, receipt: Receipt) -> None:
        """An attempt ended otherwise."""
        ...


class NoWatch:
    """Where nobody wants to know."""

    async def delivered(self, recipient: str) -> None:
        """Forget it."""

    async def failed(self, recipient: str, receipt: Receipt) -> None:
        """Forget it."""
