"""Typed identifiers: a ticker is not an order id, and the checker knows it.

Tickers are names, never parsed for meaning: strikes and series come from the
venue's own fields.
"""

from typing import NewType

MarketTicker = NewType("MarketTicker", str)
EventTicker = NewType("EventTicker", str)
SeriesTicker = NewType("SeriesTicker", str)

ClientOrderId = NewType("ClientOrderId", str)
"""Ours, sent with the order; the venue never frees it for a second use."""
OrderId = NewType("OrderId", str)
"""The venue's."""
OrderGroupId = NewType("OrderGroupId", str)
FillId = NewType("FillId", str)
"""The venue's ``fill_id``, which its WebSocket calls ``trade_id``."""

SignalId = NewType("SignalId", str)
BracketId = NewType("BracketId", str)
StrategyId = NewType("StrategyId", str)

InstanceId = NewType("InstanceId", str)
"""One process start. Never reused."""
Scope = NewType("Scope", str)
"""Who is traded for: mode, account and subaccount, e.g. ``paper:main:0``.

The lead, every halt, breaker, order and position belong to one scope.
"""
Epoch = NewType("Epoch", int)
"""Counts leaderships of a scope. Every trading write carries the epoch it was decided under."""

_UUID_BLOCKS = (8, 4, 4, 4, 12)


def brief(instance_id: str) -> str:
    """The first block of a UUID, as people read it in messages; any other name as it is.

    Two processes of one account do not share it by chance. Commands take the whole one,
    which ``/instances`` shows.
    """
    blocks = instance_id.split("-")
    is_uuid = tuple(map(len, blocks)) == _UUID_BLOCKS
    return blocks[0] if is_uuid else instance_id
