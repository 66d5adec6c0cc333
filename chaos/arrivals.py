"""What the exchange saw, and what follows from it: the gap, the zombies."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An order at the exchange."""

    at_us: int
    """The host's monotonic clock."""
    epoch: int
    is_accepted: bool


def gap_s(arrivals: Sequence[Arrival], before: int, after: int) -> float:
    """From the last order of one epoch to the first of a later one."""
    last = max(one.at_us for one in arrivals if one.is_accepted and one.epoch == before)
    first = min(one.at_us for one in arrivals if one.is_accepted and one.epoch == after)
    return (first - last) / 1_000_000


def zombies(arrivals: Sequence[Arrival]) -> int:
    """Orders accepted from an older epoch after the first one of a newer epoch."""
    count, newest = 0, 0
    for one in sorted(arrivals, key=lambda each: each.at_us):
        if not one.is_accepted:
            continue
        count += one.epoch < newest
        newest = max(newest, one.epoch)
    return count


def longest_silence_s(arrivals: Sequence[Arrival], from_us: int) -> float:
    """The longest time without an accepted order since ``from_us``."""
    stamps = sorted(one.at_us for one in arrivals if one.is_accepted and one.at_us >= from_us)
    pairs = pairwise([from_us, *stamps])
    return max((later - earlier for earlier, later in pairs), default=0) / 1_000_000
