"""Channels in memory: a carrier that a test scripts, and the states of recipients."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.domain.errors import StorageUnavailable
from bot.ports.carriers import DELIVERED, ChannelState, Parcel, Receipt
from bot.ports.messages import Channel


@dataclass
class ScriptedCarrier:
    """Gives the next answer of the script for each attempt; delivers when there is none."""

    channel: Channel = Channel.EMAIL
    parcel_max: int = 50
    script: list[Receipt | Exception] = field(default_factory=list)
    tried: list[Parcel] = field(default_factory=list)
    arrived: list[Parcel] = field(default_factory=list)
    before: Callable[[Parcel], Awaitable[None]] | None = None

    async def carry(self, parcel: Parcel) -> Receipt:
        self.tried.append(parcel)
        if self.before is not None:
            await self.before(parcel)
        receipt = self.script.pop(0) if self.script else DELIVERED
        if isinstance(receipt, Exception):
            raise receipt
        if receipt is DELIVERED:
            self.arrived.append(parcel)
        return receipt

    async def probe(self) -> Receipt:
        return DELIVERED

    def texts(self) -> list[str]:
        """What arrived, in order."""
        return [one.message.text for parcel in self.arrived for one in parcel.messages]


@dataclass
class MemoryChannelStates:
    """Passes the same contract suite as the real one. ``is_away`` makes every call fail."""

    rows: dict[tuple[str, str], ChannelState] = field(default_factory=dict)
    is_away: bool = False

    async def read(self) -> tuple[ChannelState, ...]:
        self._check()
        return tuple(self.rows[key] for key in sorted(self.rows))

    async def save(self, state: ChannelState) -> None:
        self._check()
        self.rows[state.channel, state.recipient] = state

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("the database is away")
