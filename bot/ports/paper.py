"""The paper exchange's memory: what was done to the account, in order, never changed.

It belongs to the exchange and not to the bot, so it knows no epoch and no fence.
Two processes cannot both write: a number is given once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One operation. ``seq`` counts from 1 without a gap."""

    seq: int
    at_us: int
    kind: str
    data_json: str


class PaperJournal(Protocol):
    """The journal of one scope. Every call may raise ``StorageUnavailable``."""

    async def append(self, entry: JournalEntry) -> bool:
        """Write it; false if its ``seq`` is taken, and then nothing was written.

        After ``StorageUnavailable`` it may be written or not: read to know.
        """
        ...

    async def read(self, after_seq: int) -> Sequence[JournalEntry]:
        """Every later entry, oldest first."""
        ...
