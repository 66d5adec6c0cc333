"""A bracket as a stored record and back. Integers and words only, so nothing is rounded.

The JSON carries a version: a process that meets one it does not know must not
guess at a position.
"""

import json

import msgspec

from bot.domain.errors import InvariantBroken
from bot.domain.money import Money, Price, Quantity
from bot.domain.records import BracketRecord, BracketState
from bot.execution.bracket import NO_EXITS, Bracket
from bot.kit.values import from_plain

VERSION = 1
_BEFORE = f'{{"version":{VERSION},"bracket":'
_ENCODER = msgspec.json.Encoder()


def to_record(bracket: Bracket) -> BracketRecord:
    """What is stored: columns for people and queries, JSON to resume from."""
    return _untouched(bracket) if _is_untouched(bracket) else _touched(bracket)


def _is_untouched(bracket: Bracket) -> bool:
    """Whether nothing has happened since it was opened: its order waits for this record."""
    entry = bracket.entry
    return not (
        entry.filled
        or entry.booked
        or entry.is_final
        or bracket.take_profit is not None
        or bracket.exit is not None
        or bracket.unbooked
        or bracket.past is not NO_EXITS
        or bracket.outside
        or bracket.wants_out is not None
        or bracket.closed_us is not None
        or bracket.settled_price is not None
        or bracket.orphan_reason
    )


def _untouched(bracket: Bracket) -> BracketRecord:
    """As ``_touched``, without adding up what there is nothing of."""
    plan, nothing, none = bracket.plan, Money(0), Quantity(0)
    return BracketRecord(
        bracket_id=plan.bracket_id,
        signal_id=plan.signal_id,
        strategy_id=plan.strategy_id,
        ticker=plan.ticker,
        event_ticker=plan.event_ticker,
        title=plan.title,
        side=plan.side,
        state=BracketState.PENDING_ENTRY,
        entry_price=plan.entry_price,
        stop_price=plan.stop_price or Price(0),
        target_price=plan.target_price or Price(0),
        wanted=plan.wanted,
        entered=none,
        entry_cost=nothing,
        exited=none,
        exit_value=nothing,
        fees=nothing,
        exit_reason=bracket.exit_reason,
        data_json=to_json(bracket),
        opened_us=plan.opened_us,
        entered_us=bracket.entered_us,
        closed_us=None,
        updated_us=bracket.updated_us,
    )


def _touched(bracket: Bracket) -> BracketRecord:
    plan = bracket.plan
    return BracketRecord(
        bracket_id=plan.bracket_id,
        signal_id=plan.signal_id,
        strategy_id=plan.strategy_id,
        ticker=plan.ticker,
        event_ticker=plan.event_ticker,
        title=plan.title,
        side=plan.side,
        state=bracket.state,
        entry_price=plan.entry_price,
        stop_price=plan.stop_price or Price(0),
        target_price=plan.target_price or Price(0),
        wanted=plan.wanted,
        entered=bracket.entered,
        entry_cost=bracket.entry_cost,
        exited=Quantity(bracket.entered - bracket.held),
        exit_value=bracket.exit_value,
        fees=bracket.fees,
        exit_reason=bracket.exit_reason,
        data_json=to_json(bracket),
        opened_us=plan.opened_us,
        entered_us=bracket.entered_us,
        closed_us=bracket.closed_us,
        updated_us=bracket.updated_us,
    )


def to_json(bracket: Bracket) -> str:
    """The whole bracket; keys are field names."""
    return f"{_BEFORE}{_ENCODER.encode(bracket).decode()}}}"


def from_json(text: str) -> Bracket:
    """The bracket that ``to_json`` wrote.

    Raises:
        InvariantBroken: another version wrote it, or it is damaged.
    """
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise InvariantBroken("the bracket was written by another version")
        return from_plain(Bracket, data["bracket"])
    except (KeyError, TypeError, ValueError) as fault:
        raise InvariantBroken(f"a stored bracket cannot be read: {fault}") from fault
