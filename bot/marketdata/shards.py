"""Which of the open markets one process watches: its shard, and its turn where there are too many.

The shard of a market depends on its name alone, so every process of any version finds
the same one. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from bot.domain.ids import EventTicker, MarketTicker


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of ``count`` equal parts of the markets. By event, markets of one event stay together."""

    count: int = 1
    number: int = 0
    key: Literal["event", "market"] = "event"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError("shard_count must be at least 1")
        if not 0 <= self.number < self.count:
            raise ValueError(
                f"shard_id {self.number} must be from 0 to {self.count - 1}, below shard_count"
            )

    def holds(self, ticker: MarketTicker, event: EventTicker) -> bool:
        """Whether a market is of this shard."""
        return shard_of(event if self.key == "event" else ticker, self.count) == self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is watched now."""

    watched: tuple[MarketTicker, ...]
    left_out: int
    """Markets of the shard that have to wait for their turn."""
    cursor: str
    """Where the next turn begins."""


def shard_of(name: str, count: int) -> int:
    """The shard of a name: the same in every process, for ever."""
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count


def take_turn(
    markets: Iterable[MarketTicker], limit: int, cursor: str, *, goes_round: bool
) -> Turn:
    """At most ``limit`` of the markets by name: those after the cursor, or always the first."""
    ordered = sorted(set(markets))
    if len(ordered) <= limit:
        return Turn(watched=tuple(ordered), left_out=0, cursor="")
    if not goes_round:
        return Turn(watched=tuple(ordered[:limit]), left_out=len(ordered) - limit, cursor="")
    later = [ticker for ticker in ordered if ticker > cursor]
    chosen = (later + ordered)[:limit]
    return Turn(watched=tuple(chosen), left_out=len(ordered) - limit, cursor=chosen[-1])
