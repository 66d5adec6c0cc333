"""Collects what one event leads to and puts it into the order that is safe.

What stops trading goes first, cancels before anything is written, facts in one
transaction, and every order right behind the transaction that holds its intent.
"""

from collections.abc import Mapping

from bot.domain.ids import Epoch
from bot.domain.orders import Fill, OrderIntent
from bot.domain.records import (
    ApprovalRecord,
    BaselineRecord,
    BracketRecord,
    BreakerRecord,
    OrderRecord,
    PositionRecord,
    Record,
    SnapshotRecord,
)
from bot.domain.signals import SignalRecord
from bot.engine.effects import (
    CancelOrder,
    Commit,
    Effect,
    LookUpOrder,
    Notice,
    NoticeKind,
    ReadExchange,
    ReadFills,
    RenewEntryGroups,
    Reply,
    SaveHalt,
    SendOrder,
    TriggerEntryGroups,
)

Urgent = TriggerEntryGroups | RenewEntryGroups | SaveHalt | Reply
Question = LookUpOrder | ReadFills | ReadExchange


_KEYS: Mapping[type[Record], str] = {
    OrderRecord: "client_order_id",
    SignalRecord: "signal_id",
    Fill: "fill_id",
    BracketRecord: "bracket_id",
    PositionRecord: "ticker",
    BreakerRecord: "name",
    ApprovalRecord: "key",
    BaselineRecord: "trading_day",
    SnapshotRecord: "taken_us",
}


class Draft:
    """The effects of one event while they are being decided."""

    __slots__ = (
        "_cancels",
        "_epoch",
        "_facts",
        "_intents",
        "_notices",
        "_questions",
        "_urgent",
    )

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._urgent: list[Effect] = []
        self._cancels: list[Effect] = []
        self._facts: dict[tuple[type[Record], object], Record] = {}
        self._notices: list[Notice] = []
        self._intents: list[OrderIntent] = []
        self._questions: list[Effect] = []

    def urgent(self, effect: Urgent) -> None:
        """Something that must not wait for a commit."""
        self._urgent.append(effect)

    def cancel(self, effect: CancelOrder) -> None:
        """A cancel."""
        self._cancels.append(effect)

    def record(self, record: Record) -> None:
        """A fact to store. The newest of a key replaces the older ones of this event."""
        assert not isinstance(record, OrderIntent), "intents are placed, not recorded"
        self._facts[_key(record)] = record

    def tell(self, kind: NoticeKind, **facts: object) -> None:
        """A notice, with its facts as text."""
        told = tuple((name, str(value)) for name, value in facts.items())
        self._notices.append(Notice(kind=kind, facts=told))

    def place(self, intent: OrderIntent) -> None:
        """An order to commit and send."""
        self._intents.append(intent)

    def ask(self, effect: Question) -> None:
        """A question to the exchange."""
        if effect not in self._questions:
            self._questions.append(effect)

    @property
    def is_empty(self) -> bool:
        """Whether nothing follows."""
        return not (
            self._facts
            or self._intents
            or self._cancels
            or self._questions
            or self._notices
            or self._urgent
        )

    def effects(self) -> tuple[Effect, ...]:
        """All of it, in order."""
        if self.is_empty:
            return ()
        facts = tuple(self._facts.values())
        written: list[Effect] = []
        intents = list(self._intents)
        if self._is_one_decision(facts):
            # Lost together they cost nothing: the refusal comes back and is recorded again.
            written = self._committed((*facts, intents[0]), (), intents.pop(0))
        elif facts or self._notices:
            written = [
                Commit(epoch=self._epoch, records=facts, notices=tuple(self._notices)),
            ]
        for intent in intents:
            written += self._committed((intent,), (), intent)
        return (*self._urgent, *self._cancels, *written, *self._questions)

    def _is_one_decision(self, facts: tuple[Record, ...]) -> bool:
        """Whether there is one order and nothing but its own bracket and signal to write."""
        if len(self._intents) != 1 or self._notices:
            return False
        kinds = [type(fact) for fact in facts]
        signals = kinds.count(SignalRecord)
        return kinds.count(BracketRecord) == 1 and signals + 1 == len(kinds)

    def _committed(
        self, records: tuple[Record, ...], notices: tuple[Notice, ...], intent: OrderIntent
    ) -> list[Effect]:
        return [
            Commit(epoch=self._epoch, records=records, notices=notices),
            SendOrder(intent=intent),
        ]


def _key(record: Record) -> tuple[type[Record], object]:
    kind = type(record)
    return kind, getattr(record, _KEYS[kind])
