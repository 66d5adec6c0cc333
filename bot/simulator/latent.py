"""The hidden number an event is about, and what it makes each of its markets worth.

All markets of an event ask about one number (a rate, a price, a margin), so a
ladder's probabilities never contradict each other and every path is a fair
game: the number diffuses and jumps until the close, and a release adds the
uncertainty that no trader can resolve before.
"""

import math
from dataclasses import dataclass
from random import Random

_SQRT_2 = math.sqrt(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """YES wins where the number is above ``floor`` and not above ``cap``."""

    floor: float | None = None
    cap: float | None = None

    def holds(self, value: float) -> bool:
        """Whether YES wins."""
        above = self.floor is None or value > self.floor
        return above and (self.cap is None or value <= self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """What is still open at the start: total drift until the close, the release, and jumps."""

    centre: float
    drift: float
    release: float
    jumps: float = 1.5
    """How many jumps a life sees on average; each is about half the drift."""


class Latent:
    """One path of the number. Moves forward only."""

    def __init__(self, uncertainty: Uncertainty, start_us: int, close_us: int, rng: Random) -> None:
        self._uncertainty = uncertainty
        self._start_us = start_us
        self._close_us = close_us
        self._rng = rng
        self._at_us = start_us
        self.value = rng.gauss(uncertainty.centre, (uncertainty.drift + uncertainty.release) / 2)
        self._final: float | None = None

    def move(self, now_us: int) -> None:
        """Let time pass."""
        until_us = min(now_us, self._close_us)
        if until_us <= self._at_us:
            return
        share = (until_us - self._at_us) / (self._close_us - self._start_us)
        drift = self._uncertainty.drift
        self.value += self._rng.gauss(0.0, drift * math.sqrt(share))
        if self._rng.random() < share * self._uncertainty.jumps:
            self.value += self._rng.gauss(0.0, drift / 2)
        self._at_us = until_us

    def probability(self, claim: Claim) -> float:
        """What YES is worth now."""
        left = max(0, self._close_us - self._at_us) / (self._close_us - self._start_us)
        return self._worth(claim, self.value, left)

    def past(self, moments: int, rng: Random) -> list[float]:
        """Where the number was at earlier moments, latest first; they change nothing ahead."""
        values, value = [], self.value
        for _ in range(moments):
            value += rng.gauss(0.0, self._uncertainty.drift / 6)
            values.append(value)
        return values

    def past_probability(self, claim: Claim, value: float) -> float:
        """What YES was worth while everything was still open and the number stood at ``value``."""
        return self._worth(claim, value, 1.0)

    def settle(self) -> float:
        """The final number, drawn once."""
        if self._final is None:
            self.move(self._close_us)
            self._final = self.value + self._rng.gauss(0.0, self._uncertainty.release)
        return self._final

    def _worth(self, claim: Claim, value: float, left: float) -> float:
        below_cap = 1.0 if claim.cap is None else self._below(claim.cap, value, left)
        below_floor = 0.0 if claim.floor is None else self._below(claim.floor, value, left)
        return max(0.0, below_cap - below_floor)

    def _below(self, strike: float, value: float, left: float) -> float:
        drift = self._uncertainty.drift
        variance = self._uncertainty.release**2 + drift**2 * left * (
            1 + self._uncertainty.jumps / 4
        )
        if variance <= 0:
            return 1.0 if value <= strike else 0.0
        distance = (strike - value) / math.sqrt(variance)
        return 0.5 * (1 + math.erf(distance / _SQRT_2))
