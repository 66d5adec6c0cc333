"""What was heard, made into what is stored: sorted by kind, repeats left out, gaps ended. Pure.

One gap of the whole stream is open from the beginning (something was stored before this
process) or from a lost connection, and ends with the first thing heard afterwards. Gaps
of one market end with its next whole book.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.ids import MarketTicker
from bot.domain.quotes import PublicTrade, TickerUpdate
from bot.kit.times import DAY_US, SECOND_US, format_rfc3339
from bot.marketdata.stream_queue import Data, Record
from bot.ports.exchange import FeedAlive, FeedDown, FeedUp, MarketLifecycle
from bot.ports.stream import BookChange, BookStart, GapEnd, GapReason, StreamBatch, StreamGap

REPEAT_US = SECOND_US
"""A tick that says what the one before it said, no longer ago than this, says nothing."""
CATCH_UP_US = 5 * SECOND_US
"""For so long after a connection the venue may tell again what was stored before it."""

OPEN_GAPS_US = 7 * DAY_US
"""A gap that has been open for longer ends with nothing that could still come."""
KNOWN_MAX = 10_000
"""So many markets are remembered before it is asked which of them still matter."""


def stored_mark(stream: str) -> str:
    """The name of the mark until when everything is stored or in a gap (microseconds)."""
    return f"ws_stored_us:{stream}"


class BatchMaker:
    """What one process knows about the stream it stores."""

    def __init__(
        self,
        stream: str,
        *,
        stored_us: int | None = None,
        open_gaps: Sequence[StreamGap] = (),
        drops_repeats: bool = True,
    ) -> None:
        """``stored_us`` is the mark of the process before this one, ``None`` if there was none."""
        self._stream = stream
        self._drops_repeats = drops_repeats
        self._gap = next((one for one in open_gaps if one.ticker is None), None)
        self._market_gaps: dict[MarketTicker, list[StreamGap]] = {}
        for gap in open_gaps:
            self._remember(gap)
        if self._gap is None and stored_us is not None:
            self._gap = StreamGap(stream=stream, reason=GapReason.RESTART, from_us=stored_us)
        self._is_told = bool(open_gaps) and self._gap in open_gaps
        self._said: dict[MarketTicker, TickerUpdate] = {}
        self._known_max = KNOWN_MAX
        self._heard_us = stored_us or 0
        self._up_us: int | None = None
        self._newest: TickerUpdate | None = None
        self.repeats = 0
        """Ticks left out, ever."""
        self.may_repeat = True
        """Whether something of the next batches may be stored already."""

    def make(self, records: Iterable[Record]) -> StreamBatch:
        """The batch of these records, in their order."""
        batch = StreamBatch()
        self.extend(batch, records)
        return batch

    def extend(self, batch: StreamBatch, records: Iterable[Record]) -> None:
        """Add what these records say to a batch."""
        if self._gap is not None and not self._is_told:
            self._is_told = True
            batch.gaps.append(self._gap)
        said, add, newest = self._said, batch.ticks.append, None
        for record in records:
            if type(record) is not TickerUpdate or self._gap is not None:
                self._take(record, batch)
                continue
            # Most of what comes, most of the time: a call each would cost as much as the rest.
            newest, ticker = record, record.ticker
            before = said.get(ticker)
            said[ticker] = record
            if (
                before is not None
                and before.yes_ask_size == record.yes_ask_size
                and before.yes_bid_size == record.yes_bid_size
                and self._is_repeat(before, record)
            ):
                self.repeats += 1
            else:
                add(record)
        if newest is not None:
            self._newest = newest
            self._heard_us = max(self._heard_us, newest.received_us)
        if batch.gaps:
            batch.gaps = _latest(batch.gaps)

    def marks(self) -> dict[str, str]:
        """What ``ingest_state`` should say once everything made so far is stored."""
        marks = {}
        if self._heard_us:
            marks[stored_mark(self._stream)] = str(self._heard_us)
        if self._newest is not None:
            marks["last_tick_ts"] = format_rfc3339(self._newest.exchange_us)
            marks["last_ws_tick_ts"] = format_rfc3339(self._newest.received_us)
        return marks

    def stored(self, batch: StreamBatch, new: int) -> None:
        """A batch is stored; so many of its ticks were new."""
        is_settled = self._up_us is not None and self._heard_us > self._up_us + CATCH_UP_US
        if self.may_repeat and is_settled and new == len(batch.ticks):
            self.may_repeat = False
        if len(self._said) + len(self._market_gaps) > self._known_max:
            self._forget()

    def _forget(self) -> None:
        """Let go of what says nothing any more: markets come and go for ever."""
        earliest_us = self._heard_us - REPEAT_US
        self._said = {
            ticker: tick for ticker, tick in self._said.items() if tick.received_us >= earliest_us
        }
        earliest_us = self._heard_us - OPEN_GAPS_US
        self._market_gaps = {
            ticker: gaps
            for ticker, gaps in self._market_gaps.items()
            if any(gap.from_us >= earliest_us for gap in gaps)
        }
        self._known_max = max(KNOWN_MAX, 2 * (len(self._said) + len(self._market_gaps)))

    def _take(self, record: Record, batch: StreamBatch) -> None:
        match record:
            case BookChange():
                self._resume(record, batch)
                batch.changes.append(record)
            case TickerUpdate():
                # The first of all, or after a gap: whatever it says is news.
                self._resume(record, batch)
                self._newest = self._said[record.ticker] = record
                batch.ticks.append(record)
            case FeedAlive():
                self._heard_us = max(self._heard_us, record.received_us)
            case StreamGap():
                self._remember(record)
                batch.gaps.append(record)
            case FeedUp():
                self._up_us = record.received_us
                self.may_repeat = True
            case FeedDown():
                self._on_down(record, batch)
            case _:
                self._rare(record, batch)

    def _rare(self, record: PublicTrade | MarketLifecycle | BookStart, batch: StreamBatch) -> None:
        self._resume(record, batch)
        match record:
            case PublicTrade():
                batch.trades.append(record)
            case MarketLifecycle():
                batch.lifecycle.append(record)
            case BookStart():
                batch.starts.append(record)
                for gap in self._market_gaps.pop(record.ticker, ()):
                    ended = replace(gap, to_us=record.snapshot_us, ended=GapEnd.SNAPSHOT)
                    batch.gaps.append(ended)

    def _is_repeat(self, before: TickerUpdate, tick: TickerUpdate) -> bool:
        """Whether a tick says again, a moment later, what the one before it said."""
        return (
            self._drops_repeats
            and tick.volume == before.volume
            and tick.yes_bid == before.yes_bid
            and tick.yes_ask == before.yes_ask
            and tick.last_price == before.last_price
            and tick.open_interest == before.open_interest
            and tick.received_us - before.received_us <= REPEAT_US
        )

    def _resume(self, record: Data, batch: StreamBatch) -> None:
        """Something is heard: whatever was missing until now is over."""
        heard_us = record.snapshot_us if isinstance(record, BookStart) else record.received_us
        self._heard_us = max(self._heard_us, heard_us)
        if self._gap is not None:
            ended = replace(self._gap, to_us=heard_us, ended=GapEnd.RESUMED)
            self._gap = None
            batch.gaps.append(ended)

    def _on_down(self, down: FeedDown, batch: StreamBatch) -> None:
        if self._gap is None:
            self._gap = StreamGap(
                stream=self._stream,
                reason=GapReason.DISCONNECTED,
                from_us=self._heard_us or down.received_us,
                detail=down.reason,
            )
            batch.gaps.append(self._gap)

    def _remember(self, gap: StreamGap) -> None:
        if gap.ticker is None:
            return
        others = [
            one
            for one in self._market_gaps.pop(gap.ticker, ())
            if (one.reason, one.from_us) != (gap.reason, gap.from_us)
        ]
        open_now = others if gap.to_us is not None else [*others, gap]
        if open_now:
            self._market_gaps[gap.ticker] = open_now


def _latest(gaps: Sequence[StreamGap]) -> list[StreamGap]:
    """Each gap once, as it was told last."""
    known = {(gap.ticker, gap.reason, gap.from_us): gap for gap in gaps}
    return list(known.values())
