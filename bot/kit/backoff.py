"""Exponential backoff with full jitter, as numbers: the caller does the waiting."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits of ``0..min(cap_s, base_s * 2**n)`` seconds, drawn evenly.

    Full jitter spreads clients that failed together (Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    base_s: float
    cap_s: float

    @staticmethod
    def of_ms(base_ms: int, cap_ms: int) -> "Backoff":
        """From whole milliseconds."""
        return Backoff(base_s=base_ms / 1_000, cap_s=cap_ms / 1_000)

    def waits(self, random: Random) -> Iterator[float]:
        """An endless sequence of waits; take as many as there may be retries."""
        ceiling = self.base_s
        while True:
            yield random.uniform(0.0, ceiling)
            ceiling = min(self.cap_s, ceiling * 2)
