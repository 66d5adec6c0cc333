"""Identifiers that sort by time and never repeat, from an injected clock and randomness."""

from random import Random

from bot.kit.clock import Clock


class IdFactory:
    """Makes UUIDv7 strings (RFC 9562): 48 bits of milliseconds, then 74 random bits.

    Give production an ``random.SystemRandom`` and tests a seeded ``random.Random``.
    """

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random

    def new(self) -> str:
        """A fresh identifier, greater than those of every earlier millisecond."""
        milliseconds = self._clock.now_us() // 1_000 & (1 << 48) - 1
        value = milliseconds << 80 | 0x7 << 76 | self._random.getrandbits(12) << 64
        value |= 0b10 << 62 | self._random.getrandbits(62)
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
