"""Decisions lived through again from raw frames: the same books, the same wish, or what differs.

Nothing of the engine's own memory is asked: the recorded conversation goes through
the same session, the same books and the same strategies, with the parameters of
that time. What comes out has to be what was written down.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from bot.adapters.kalshi.replayed import ReplayedSession
from bot.app.progress import OnAdvance
from bot.app.recording import LISTING, STRATEGIES
from bot.domain.errors import BotError, InvalidMessage
from bot.domain.events import Event, MarketPhaseChanged, MarketsListed, QuoteChanged
from bot.domain.ids import MarketTicker
from bot.domain.listing import Listing
from bot.domain.operations import Decision
from bot.domain.quotes import Quote
from bot.domain.signals import Signal
from bot.engine.markets import MarketNow, Markets
from bot.kit.frames import (
    HEARD,
    NOTE,
    SAID,
    DamagedFile,
    Record,
    Summary,
    frame_files,
    read_note,
    read_records,
    read_summary,
)
from bot.kit.times import SECOND_US
from bot.kit.values import from_plain
from bot.marketdata.book import OrderBook
from bot.marketdata.feed import FeedTranslator
from bot.risk.decision import Seen, seen, seen_by
from bot.strategies.base import MarketView, Strategy
from bot.strategies.registry import build_strategies

_WRITTEN_US = 2 * SECOND_US
"""A decision may be so much younger than the last frame of its file."""


class RecordingDamaged(BotError):
    """A file of the recordings was changed; the text names it."""


class Outcome(StrEnum):
    """What became of living through a decision again."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_RECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class Replayed:
    """``detail`` names the first difference, or what is missing."""

    outcome: Outcome
    detail: str = ""

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.outcome.value}: {self.detail}" if self.detail else self.outcome.value


_Key: TypeAlias = tuple[MarketTicker, int]
_EQUAL = Replayed(Outcome.EQUAL)
_UNSEEN = Replayed(Outcome.NOT_RECORDED, "no recording holds this moment")


def replay(
    decisions: Sequence[Decision], root: Path, strategies: Sequence[Strategy], bar: OnAdvance
) -> list[Replayed]:
    """Live through each; ``strategies`` stand in where a recording does not name its own.

    Raises:
        RecordingDamaged: not even the times of a recording can be read.
    """
    found: dict[int, Replayed] = {}
    talks = _talks(root)
    for done, talk in enumerate(talks):
        asked = {
            number: one
            for number, one in enumerate(decisions)
            if talk.began_us <= one.at_us <= talk.ended_us + _WRITTEN_US
        }
        if not asked:
            continue
        bar(done, len(talks), talk.instance)
        for number, told in talk.told(asked, strategies).items():
            # Two instances may have listened in a hand-over; one of them has decided.
            if found.get(number, _UNSEEN).outcome is not Outcome.EQUAL:
                found[number] = told
    return [found.get(number, _UNSEEN) for number in range(len(decisions))]


@dataclass(slots=True)
class _Talk:
    """Everything one process heard, over all its connections."""

    instance: str
    files: list[tuple[Path, Summary]] = field(default_factory=list)

    @property
    def began_us(self) -> int:
        return min(summary.began_us for _, summary in self.files)

    @property
    def ended_us(self) -> int:
        return max(summary.ended_us for _, summary in self.files)

    def told(
        self, asked: Mapping[int, Decision], strategies: Sequence[Strategy]
    ) -> dict[int, Replayed]:
        """The answer to each decision; those behind a damaged place differ by it."""
        found: dict[int, Replayed] = {}
        try:
            found.update(self._answers(asked, strategies))
        except DamagedFile as fault:
            damaged = Replayed(Outcome.DIFFERENT, str(fault))
            found.update({number: damaged for number in asked if number not in found})
        return found

    def _answers(
        self, asked: Mapping[int, Decision], strategies: Sequence[Strategy]
    ) -> Iterator[tuple[int, Replayed]]:
        """The answer to each decision, in the order of time."""
        waiting = sorted(asked.items(), key=lambda one: one[1].at_us)
        stage = _Stage(strategies, {_key(one) for one in asked.values()})
        for record, connection in self._records(waiting[0][1].at_us):
            while waiting and record.at_us > waiting[0][1].at_us:
                number, decision = waiting.pop(0)
                yield number, stage.judge(decision)
            if not waiting:
                return
            stage.take(record, connection)
        for number, decision in waiting:
            yield number, stage.judge(decision)

    def _records(self, first_us: int) -> Iterator[tuple[Record, str]]:
        """From the file before the one that holds the first moment: there its books are known."""
        talks = [one for one in self.files if one[1].frames]
        terms = [one for one in self.files if not one[1].frames]
        holding = next(
            (at for at, one in enumerate(talks) if one[1].ended_us >= first_us), len(talks)
        )
        streams = [_chained(terms), _chained(talks[max(0, holding - 1) :])]
        return heapq.merge(*streams, key=lambda one: one[0].at_us)


def _chained(files: Iterable[tuple[Path, Summary]]) -> Iterator[tuple[Record, str]]:
    for path, summary in files:
        for record in read_records(path):
            yield record, summary.connection


def _talks(root: Path) -> list[_Talk]:
    """By instance, in the order they began."""
    found: dict[str, _Talk] = {}
    for path in frame_files(root):
        try:
            summary = read_summary(path)
        except DamagedFile as fault:
            raise RecordingDamaged(str(fault)) from fault
        instance = summary.connection.rpartition("-")[0]
        found.setdefault(instance, _Talk(instance)).files.append((path, summary))
    for talk in found.values():
        talk.files.sort(key=lambda one: (one[1].began_us, one[1].ended_us, one[0]))
    return sorted(found.values(), key=lambda one: one.began_us)


class _Stage:
    """What the engine knew, from what was heard."""

    def __init__(self, strategies: Sequence[Strategy], wanted: set[_Key]) -> None:
        self._strategies = tuple(strategies)
        self._wanted = wanted
        self._quotes: dict[_Key, list[tuple[Quote, int]]] = {}
        """The tops a wanted market had at a wanted moment, with its close as known then."""
        self._markets = Markets()
        self._translator = FeedTranslator(self._hear, self._refresh)
        self._session: ReplayedSession | None = None
        self._connection = ""
        self._now_us = 0

    def take(self, record: Record, connection: str) -> None:
        """One record, in the order of time."""
        self._now_us = record.at_us
        if record.kind == NOTE:
            self._note(record, connection)
        elif self._session is not None and connection == self._connection:
            self._live(self._session, record)

    def judge(self, decision: Decision) -> Replayed:
        """Whether the strategy wishes the same, seeing the same."""
        market = self._markets.get(decision.ticker)
        book = self._translator.books.get(decision.ticker)
        assert decision.signal is not None  # it comes from the table of signals
        if market is None or book is None:
            what = "the terms" if market is None else "the book"
            return Replayed(Outcome.NOT_RECORDED, f"{what} of its market: the files begin later")
        try:
            then = seen_by(decision.case)
        except ValueError as fault:
            return Replayed(Outcome.DIFFERENT, f"written by another version: {fault}")
        if then is not None:
            return self._same_sight(decision, market.listing, then, market.close_us)
        return self._same_now(decision, market, book)

    def _same_now(self, decision: Decision, market: MarketNow, book: OrderBook) -> Replayed:
        """Where nothing says what was seen, it was the book of that moment."""
        if not book.is_trusted:
            return _different("the book", "not trusted", "acted on")
        quote = book.quote(self._now_us)
        return self._same_wish(decision, market.listing, quote, market.close_us)

    def _same_sight(
        self, decision: Decision, listing: Listing, then: Seen, close_us: int
    ) -> Replayed:
        """The quote that was seen must be among those the frames give at its moment."""
        tops = self._quotes.get((decision.ticker, then.quote_us), [])
        if not tops:
            return _different("the book", "no new top at that moment", "one")
        again = [seen(quote, closes) for quote, closes in tops]
        again += [seen(quote, close_us) for quote, _ in tops]
        if then in again:
            quote = tops[again.index(then) % len(tops)][0]
            return self._same_wish(decision, listing, quote, then.close_us)
        name = next(
            name for name in Seen.__slots__ if getattr(again[-1], name) != getattr(then, name)
        )
        return _different(name, getattr(again[-1], name), getattr(then, name))

    def _same_wish(
        self, decision: Decision, listing: Listing, quote: Quote, close_us: int
    ) -> Replayed:
        wanted = decision.signal
        assert wanted is not None
        named = [one for one in self._strategies if one.strategy_id == wanted.strategy_id]
        if not named:
            return Replayed(Outcome.DIFFERENT, f"there is no strategy {wanted.strategy_id} now")
        view = MarketView(listing=listing, quote=quote, close_us=close_us, now_us=decision.at_us)
        opinion = named[0].on_quote(view)
        if not isinstance(opinion, Signal):
            return _different("the wish", f"none ({opinion.reason})", "one")
        return _compared(decision, opinion)

    # --- what is heard ----------------------------------------------------------------------

    def _note(self, record: Record, connection: str) -> None:
        said = read_note(record)
        match said.get("note"):
            case "began" if "subscriptions" in said:
                self._join(said, connection, record.at_us)
            case "began" if STRATEGIES in said:
                self._strategies = _strategies(said[STRATEGIES], self._strategies)
            case "ended":
                if connection == self._connection:
                    self._leave(record.at_us, str(said.get("reason")))
            case "gap" if "lost" in said:
                # Frames we could not keep: the next file begins anew.
                self._leave(record.at_us, "frames were not kept")
            case _ if said.get("note") == LISTING:
                listing = from_plain(Listing, said["listing"])
                event = MarketsListed(received_us=record.at_us, listings=(listing,))
                self._markets.listed(event)
            case _:
                pass

    def _join(self, facts: Mapping[str, Any], connection: str, at_us: int) -> None:
        """A new connection; a later file of the same one goes on with what is known."""
        if connection == self._connection and self._session is not None:
            return
        if self._session is not None:
            self._leave(at_us, "another connection")
        self._connection = connection
        self._session = ReplayedSession(facts)
        self._session.began(self._translator, at_us)

    def _leave(self, at_us: int, reason: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.disconnected(at_us, reason)

    def _live(self, session: ReplayedSession, record: Record) -> None:
        try:
            if record.kind == SAID:
                session.said(record.data, record.at_us)
            elif record.kind == HEARD:
                session.receive(record.data, record.at_us)
                # On paper each change is told by itself, otherwise the last one of a read:
                # every top that a read had is one that may have been seen.
                self._translator.read_ended()
        except InvalidMessage:
            return  # then, too, it was only logged
        except ValueError as fault:
            # What was said is no command any more, so nothing that follows can be trusted.
            self._leave(record.at_us, str(fault))

    def _hear(self, event: Event) -> None:
        match event:
            case QuoteChanged() if (key := (event.quote.ticker, event.received_us)) in self._wanted:
                market = self._markets.get(event.quote.ticker)
                closes = 0 if market is None else market.close_us
                self._quotes.setdefault(key, []).append((event.quote, closes))
            case MarketPhaseChanged():
                self._markets.phase(event)
            case _:
                pass

    def _refresh(self, tickers: tuple[MarketTicker, ...]) -> None:
        if self._session is not None:
            self._session.refresh(tickers, self._now_us)


def _key(decision: Decision) -> _Key:
    try:
        then = seen_by(decision.case)
    except ValueError:
        then = None
    return decision.ticker, 0 if then is None else then.quote_us


def _compared(decision: Decision, now: Signal) -> Replayed:
    wanted = decision.signal
    assert wanted is not None
    pairs: list[tuple[str, object, object]] = [
        ("side", now.side.value, wanted.side.value),
        ("price", now.price, wanted.price),
        *_compared_inputs(dict(now.inputs), dict(wanted.inputs)),
    ]
    offer = decision.case.get("offer")
    if isinstance(offer, Mapping):
        pairs.append(("chance_e6", now.chance_e6, offer.get("chance_e6")))
    for name, here, there in pairs:
        if here != there:
            return _different(name, here, there)
    return _EQUAL


def _compared_inputs(
    now: Mapping[str, str], then: Mapping[str, str]
) -> Iterator[tuple[str, object, object]]:
    for name in {**then, **now}:
        yield name, now.get(name), then.get(name)


def _different(what: str, now: object, then: object) -> Replayed:
    return Replayed(Outcome.DIFFERENT, f"{what}: now {now}, then {then}")


def _strategies(told: object, otherwise: Sequence[Strategy]) -> tuple[Strategy, ...]:
    """Those of the recording, if this version still has them."""
    if not isinstance(told, Mapping):
        return tuple(otherwise)
    try:
        return build_strategies(told)
    except (ValueError, TypeError):
        return tuple(otherwise)
