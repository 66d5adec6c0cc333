"""What our orders are called at the exchange, which never forgets a name.

An entry's name is its signal's: the same signal cannot enter twice, whoever leads. An exit
also carries the epoch it is made under: a bracket counts its exits, but a restored database
counts from where the backup left off, and would give names out again that the exchange knows.
No epoch is ever given twice, also not by a restore.
"""

import re

from bot.domain.ids import ClientOrderId, Epoch, SignalId

_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-[a-z]+[0-9]+(?:-[0-9]+)?")
"""A signal id, a leg, an attempt, and an exit's epoch. Those of older versions had none."""


def entry_name(signal_id: SignalId) -> ClientOrderId:
    """The one entry of a signal."""
    return ClientOrderId(f"{signal_id}-e0")


def exit_name(signal_id: SignalId, leg: str, attempt: int, epoch: Epoch) -> ClientOrderId:
    """An exit of a bracket; at most 64 characters, as the exchange wants it."""
    return ClientOrderId(f"{signal_id}-{leg}{attempt}-{epoch}")


def signal_of(name: ClientOrderId) -> SignalId | None:
    """The signal of an order that is named as ours are; ``None`` for any other name."""
    found = _NAME.fullmatch(name)
    return SignalId(found[1]) if found is not None else None
