"""Asks for the past call by call: counts what fails, and knows when asking on is no use.

Calls are tried again by the client, not here. What one market's call did wrong never
stops the others; an exchange that answers nobody ends the pass.
"""

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bot.collect.history_settings import HistorySettings
from bot.domain.errors import (
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    RequestRefused,
)
from bot.kit.clock import Clock
from bot.kit.metrics import Metric, emit
from bot.ports.collection import QuarantinedItem
from bot.ports.exchange import Quarantined
from bot.ports.history_reads import HistoryReads
from bot.ports.market_history import MarketHistoryStore

T = TypeVar("T")
ROWS_AT_ONCE = 500
"""Most rows of one transaction: an order's own commit waits behind it on SQLite."""
_NOT_FOUND = 404
_SHOWN = 3


class Unanswered(Exception):
    """A call has no answer. It has been counted, unless it ``is_missing`` and might be."""

    def __init__(self, *, is_missing: bool) -> None:
        super().__init__("missing" if is_missing else "unanswered")
        self.is_missing = is_missing


@dataclass(slots=True)
class Asking:
    """The calls of one pass. ``item_metric`` names the line that tells a failed item."""

    outages_max: int
    item_metric: Metric
    calls: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)
    """What could not be read, and why."""
    _outages: int = 0

    @property
    def is_over(self) -> bool:
        """Whether so many calls in a row stayed without an answer that asking on is no use."""
        return self._outages >= self.outages_max

    async def ask(self, what: str, call: Awaitable[T], *, may_be_missing: bool = False) -> T:
        """The answer to ``call``.

        Raises:
            Unanswered: there is none.
        """
        self.calls += 1
        try:
            answer = await call
        except ExchangeUnavailable as fault:
            self._outages += 1
            self.failed(what, fault)
            raise Unanswered(is_missing=False) from fault
        except (CredentialsRefused, RequestRefused, InvalidMessage) as fault:
            self._outages = 0
            is_missing = isinstance(fault, RequestRefused) and fault.status == _NOT_FOUND
            if not (is_missing and may_be_missing):
                self.failed(what, fault)
            raise Unanswered(is_missing=is_missing) from fault
        self._outages = 0
        return answer

    def failed(self, what: str, fault: Exception) -> None:
        """Count something that could not be read, and tell it."""
        self.errors.append((what, f"{type(fault).__name__}: {fault}"))
        emit(self.item_metric, level=logging.WARNING, item=what, error=type(fault).__name__)

    def summary(self) -> str | None:
        """The first errors in words, each reason once; ``None`` if there were none."""
        if not self.errors:
            return None
        failed: dict[str, list[str]] = {}
        for what, why in self.errors:
            failed.setdefault(why, []).append(what)
        told = [f"{_listed(names)}: {why}" for why, names in failed.items()]
        return _listed(told, "; ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Whom to ask about the past, where to keep it, and by what rules."""

    settings: HistorySettings
    reads: HistoryReads
    store: MarketHistoryStore
    clock: Clock

    async def set_aside(self, asking: Asking, items: Sequence[Quarantined]) -> None:
        """Keep unreadable items as they came, and count each as an error."""
        if not items:
            return
        now_us = self.clock.now_us()
        for item in items:
            asking.failed(item.name, InvalidMessage(item.reason))
        kept = [
            QuarantinedItem(name=item.name, reason=item.reason, raw=item.raw, at_us=now_us)
            for item in items
        ]
        await self.store.save_listing([], [], kept, now_us)


def _listed(words: Sequence[str], between: str = ", ") -> str:
    more = len(words) - _SHOWN
    return between.join(words[:_SHOWN]) + (f"{between}and {more} more" if more > 0 else "")


def pieces(rows: Sequence[T]) -> list[Sequence[T]]:
    """The rows in parts of :data:`ROWS_AT_ONCE`; of none, one empty part."""
    return [rows[at : at + ROWS_AT_ONCE] for at in range(0, len(rows) or 1, ROWS_AT_ONCE)]
