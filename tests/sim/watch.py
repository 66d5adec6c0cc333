"""What an all-seeing observer writes down while a run goes on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.app.lifecycle import Role, RoleChange
from bot.domain.ids import Epoch, MarketTicker
from bot.domain.orders import OrderIntent
from tests.sim.database import Database
from tests.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An order at the moment that its last check is behind it."""

    at_us: int
    process: str
    epoch: Epoch
    intent: OrderIntent
    renewal_age_us: int
    """Since the last good renewal was sent, on whichever of the process's clocks says more."""
    is_deceived: bool


class Polls(Protocol):
    """A process that asks for commands."""

    name: str
    is_deceived: bool


@dataclass
class Observer:
    """Facts in their order; judged when the run is over."""

    world: World
    database: Database
    tickers: list[MarketTicker] = field(default_factory=list)
    sent: list[tuple[Sent, bool]] = field(default_factory=list)
    """Each with whether its intent was durable."""
    roles: list[tuple[int, str, RoleChange]] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    polls_by_others: list[str] = field(default_factory=list)
    deployments: dict[str, int] = field(default_factory=dict)
    """Of every process: the number of its deployment."""
    activated: set[str] = field(default_factory=set)
    """Processes that a person has made the leader."""
    background: set[asyncio.Task[None]] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    restores: list[int] = field(default_factory=list)
    """When a backup was put back."""

    def role_changed(self, name: str, change: RoleChange) -> None:
        self.roles.append((self.world.now_us, name, change))

    def ended(self, name: str, code: int) -> None:
        self.ends[name] = code

    def sending(self, sent: Sent) -> None:
        stored = self.database.trading.tables.intents
        self.sent.append((sent, sent.intent.client_order_id in stored))

    def polled(self, process: Polls, epoch: Epoch) -> None:
        newest = self.database.won[-1].epoch
        if newest > epoch and not process.is_deceived:
            self.polls_by_others.append(f"{process.name} under epoch {epoch}")

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def leading(self) -> Sequence[str]:
        """Who says at the end that it leads."""
        last: dict[str, Role] = {}
        for _, name, change in self.roles:
            last[name] = change.role
        return [
            name for name, role in last.items() if role is Role.LEADING and name not in self.ends
        ]
