"""An entry's decision inside its order's row, until it has rows of its own.

An order waits for its commit, so that commit writes one row: the intent, and in its
``decision_json`` the signals and the bracket that were decided with it. Their rows follow in
the next commit, which is the one of the exchange's answer. Until then the intent
is all there is: a leader that starts now finds the decision in it and goes on from there.
"""

from collections.abc import Iterable, Sequence

import msgspec

from bot.domain.errors import InvariantBroken
from bot.domain.orders import OrderIntent, Purpose
from bot.domain.records import BracketRecord, Record
from bot.domain.signals import SignalRecord

VERSION = 1


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided with an entry. ``version`` is that of the records' fields."""

    version: int = VERSION
    signals: tuple[SignalRecord, ...]
    bracket: BracketRecord


_encode = msgspec.json.Encoder().encode
_DECODER = msgspec.json.Decoder(Decision)


def entry_in(records: Sequence[Record]) -> tuple[OrderIntent, Decision] | None:
    """The entry, if the records are one with its signals and its new bracket, and no more."""
    *before, bracket, intent = records if len(records) > 1 else (None, None)
    if not isinstance(intent, OrderIntent) or not isinstance(bracket, BracketRecord):
        return None
    if intent.purpose is not Purpose.ENTRY or bracket.bracket_id != intent.bracket_id:
        return None
    signals = tuple([one for one in before if isinstance(one, SignalRecord)])
    if not signals or len(signals) != len(before):
        return None
    return intent, Decision(signals=signals, bracket=bracket)


def to_json(decision: Decision) -> str:
    """As it is stored with the intent."""
    return _encode(decision).decode()


def from_json(text: str) -> Decision:
    """The decision that ``to_json`` wrote.

    Raises:
        InvariantBroken: another version wrote it, or it is damaged.
    """
    try:
        decision = _DECODER.decode(text)
    except msgspec.MsgspecError as fault:
        raise InvariantBroken(f"a stored decision cannot be read: {fault}") from fault
    if decision.version != VERSION:
        raise InvariantBroken("a stored decision was written by another version")
    return decision


def missing(decisions: Iterable[Decision], records: Iterable[Record]) -> list[Record]:
    """What has to be written with these records; a bracket among them is newer."""
    newer = {one.bracket_id for one in records if isinstance(one, BracketRecord)}
    found: list[Record] = []
    for decision in decisions:
        found += decision.signals
        if decision.bracket.bracket_id not in newer:
            found.append(decision.bracket)
    return found
