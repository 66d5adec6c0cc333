"""Engine.handle(event) -> effects; pure and synchronous.

All trading state lives behind it and changes only inside ``handle``. The engine
cannot wait, so nothing can change between a check and the act it permits. The
same events give the same effects, every time: the journal can be replayed.

One engine serves one leadership. It knows nothing until ``StateLoaded``, sends
nothing before the account is reconciled, and entries only while leading, not
halted, not tripped, not paused and not switched off.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from bot.domain.events import (
    ApiCallsCounted,
    BooksDistrusted,
    ClockCompared,
    CommandEvent,
    Event,
    ExchangeRead,
    ExchangeStatusRead,
    FeedConnected,
    FeedHeard,
    FeedLost,
    HaltFound,
    HaltSaved,
    LeadDoubted,
    MarketEvent,
    MarketPhaseChanged,
    MarketsDropped,
    MarketsListed,
    OrderEvent,
    QuoteChanged,
    Role,
    RoleChanged,
    SettlementReported,
    StateLoaded,
    TimeAdvanced,
    VenueEvent,
)
from bot.domain.ids import InstanceId, MarketTicker, Scope
from bot.domain.market import MarketStatus
from bot.domain.quotes import Quote
from bot.engine import approvals, duty, panic
from bot.engine.activation import load_state, on_exchange_read
from bot.engine.commands import on_command, on_halt_found, on_halt_saved
from bot.engine.draft import Draft
from bot.engine.effects import Effect, NoticeKind
from bot.engine.entries import Rehearsed, consider, rehearsed
from bot.engine.markets import MarketNow
from bot.engine.order_events import on_order_event, on_settlement, settle, sort_waiting_fills
from bot.engine.settings import EngineSettings
from bot.engine.stance import Stance
from bot.engine.work import work, work_all, work_market
from bot.engine.world import World
from bot.strategies.base import Strategy

_STAGES_TRIED = 8


class Engine:
    """The single writer."""

    def __init__(
        self,
        settings: EngineSettings,
        strategies: Sequence[Strategy],
        scope: Scope,
        instance_id: InstanceId,
    ) -> None:
        self.world = World(
            settings=settings,
            strategies=tuple(strategies),
            scope=scope,
            instance_id=instance_id,
            stance=Stance(entries_on=settings.entries_on, is_read_only=settings.is_read_only),
        )
        self._may_enter = False
        """What the stance said after the last event that may change it."""
        self._stages: Iterator[MarketTicker] = iter(())

    def handle(self, event: Event) -> tuple[Effect, ...]:
        """Apply one event and say what should follow, in order."""
        world = self.world
        world.now_us = max(world.now_us, event.received_us)
        if isinstance(event, QuoteChanged):
            # A quote changes nothing of the stance, so it need not be asked, nor followed.
            return _on_quote(world, event.quote, may_enter=self._may_enter)
        if isinstance(event, RoleChanged):
            world.stance.epoch = event.epoch
        draft = Draft(world.stance.epoch)
        world.standing = None
        _dispatch(world, event, draft)
        world.standing = None
        could_enter, self._may_enter = self._may_enter, world.stance.may_enter
        _follow(world, draft, could_enter=could_enter, can_enter=self._may_enter)
        return draft.effects()

    def rehearse(self, understudies: Sequence[Strategy]) -> Rehearsed | None:
        """Decide on an entry that nobody wants, as far as that changes nothing.

        So that the processor still knows the way when somebody does. ``None``: there is
        nothing to rehearse with now, or no entry would be decided on.
        """
        if not self._may_enter:
            return None
        market = self._stage()
        return rehearsed(self.world, market, understudies) if market is not None else None

    def _stage(self) -> MarketNow | None:
        """A market with a quote, each time the next one."""
        markets = self.world.markets.by_ticker
        for _ in range(_STAGES_TRIED):
            ticker = next(self._stages, None)
            if ticker is None:
                self._stages = iter(tuple(markets))
                continue
            market = markets.get(ticker)
            if market is not None and market.live_quote is not None:
                return market
        return None


def _dispatch(world: World, event: Event, draft: Draft) -> None:
    match event:
        case TimeAdvanced():
            _on_time(world, draft)
        case HaltSaved():
            on_halt_saved(world, event, draft)
        case HaltFound():
            on_halt_found(world, event, draft)
        case RoleChanged():
            _on_role(world, event, draft)
        case LeadDoubted():
            _on_doubt(world, event, draft)
        case StateLoaded():
            load_state(world, event.state, draft)
        case SettlementReported() | ExchangeRead():
            _on_account(world, event, draft)
        case _:
            _dispatch_group(world, event, draft)


def _dispatch_group(
    world: World, event: MarketEvent | VenueEvent | OrderEvent | CommandEvent, draft: Draft
) -> None:
    if isinstance(event, OrderEvent):
        on_order_event(world, event, draft)
        duty.judge_breakers(world, draft)
    elif isinstance(event, CommandEvent):
        on_command(world, event, draft)
    elif isinstance(event, VenueEvent):
        _on_venue(world, event, draft)
    else:
        _on_market(world, event, draft)


def _follow(world: World, draft: Draft, *, could_enter: bool, can_enter: bool) -> None:
    """When entries become forbidden the resting ones go; when allowed, new groups are made.

    A quiet market may not be quoted again for hours: what was refused while entries were
    forbidden is asked anew.
    """
    if can_enter:
        duty.reopen_groups(world, draft)
        if not could_enter:
            _consider_all(world, draft)
    elif could_enter:
        work_all(world, draft)


def _consider_all(world: World, draft: Draft) -> None:
    for ticker, market in tuple(world.markets.by_ticker.items()):
        if world.desk.in_market(ticker) is None:
            consider(world, market, draft)


def _on_quote(world: World, quote: Quote, *, may_enter: bool) -> tuple[Effect, ...]:
    """The hot path: one market, its bracket or a new wish."""
    market = world.markets.quoted(quote, world.now_us)
    if market is None:
        return ()
    draft: Draft | None = None
    bracket = world.desk.in_market(quote.ticker)
    if bracket is not None:
        draft = Draft(world.stance.epoch)
        world.standing = None
        work(world, bracket, draft)
        world.standing = None
    else:
        if world.ledger.holds(quote.ticker):
            world.standing = None
        if may_enter:
            draft = consider(world, market)
    return () if draft is None else draft.effects()


def _on_time(world: World, draft: Draft) -> None:
    """Every second: timeouts, breakers, the day, questions that have had no answer."""
    sort_waiting_fills(world, draft)
    work_all(world, draft)
    panic.go_on(world, draft)
    approvals.expire(world, draft)
    duty.keep_day(world, draft)
    duty.judge_breakers(world, draft)
    duty.take_snapshot(world, draft)
    world.desk.forget_old()
    if world.stance.role in (Role.ACTIVATING, Role.LEADING):
        duty.ask_for_account(world, draft)


def _on_role(world: World, event: RoleChanged, draft: Draft) -> None:
    stance = world.stance
    is_ending = stance.role in (Role.DRAINING, Role.RELEASED)
    if is_ending and event.role in (Role.ACTIVATING, Role.LEADING):
        return  # said before the end began, and heard after: one leadership ends once
    if event.role is not stance.role:
        stance.role_since_us = world.now_us
    stance.role = event.role
    if event.role is Role.ACTIVATING:
        world.feed.since_us = world.now_us
        world.is_unclean_start = not event.is_clean
    work_all(world, draft)


def _on_doubt(world: World, event: LeadDoubted, draft: Draft) -> None:
    """Resting entries must not fill while nobody may be there to manage what they bought.

    Without a database no cancel can be written down, so the exchange is told to end them all.
    """
    world.stance.is_doubted = event.is_doubted
    if event.is_doubted and world.stance.role is Role.LEADING:
        duty.shut_groups(world, "the database does not confirm the lead", draft)


def _on_account(world: World, event: SettlementReported | ExchangeRead, draft: Draft) -> None:
    match event:
        case SettlementReported():
            on_settlement(world, event.settlement, draft)
        case ExchangeRead():
            on_exchange_read(world, event, draft)
        case _:
            assert_never(event)
    duty.keep_day(world, draft)
    duty.judge_breakers(world, draft)


def _on_venue(world: World, event: VenueEvent, draft: Draft) -> None:
    feed = world.feed
    match event:
        case FeedHeard():
            feed.last_frame_us = world.now_us
        case FeedConnected():
            feed.is_connected, feed.changed_us = True, world.now_us
            feed.last_frame_us = world.now_us
            duty.ask_after_silence(world)
        case FeedLost():
            feed.is_connected, feed.changed_us = False, world.now_us
            world.markets.all_distrusted(world.now_us)
        case ApiCallsCounted():
            if not world.stance.is_paused:
                world.api.add(world.now_us, event.calls, event.failed)
            duty.judge_breakers(world, draft)
        case ClockCompared():
            world.clock_skew_us = event.skew_us
            duty.judge_breakers(world, draft)
        case ExchangeStatusRead():
            _on_exchange_status(world, event, draft)
        case _:
            assert_never(event)


def _on_exchange_status(world: World, event: ExchangeStatusRead, draft: Draft) -> None:
    stance = world.stance
    was_paused = stance.is_paused
    stance.is_exchange_active = event.is_exchange_active
    stance.is_trading_active = event.is_trading_active
    if stance.is_paused == was_paused:
        return
    stance.paused_since_us = world.now_us if stance.is_paused else None
    # Silence and failed calls of a pause are no fault of ours: both are counted anew afterwards.
    world.feed.since_us = world.now_us
    world.api.restart()
    resume = "not stated" if event.resume_us is None else str(event.resume_us)
    draft.tell(
        NoticeKind.PAUSED if stance.is_paused else NoticeKind.RESUMED,
        resume_us=resume,
        stops="frozen" if stance.is_paused else "watched again",
    )
    work_all(world, draft)


def _on_market(world: World, event: MarketEvent, draft: Draft) -> None:
    match event:
        case MarketsListed():
            world.markets.listed(event)
            work_all(world, draft)
        case MarketsDropped():
            kept = {bracket.plan.ticker for bracket in world.desk.open()}
            kept |= {position.ticker for position in world.ledger.open_positions()}
            world.markets.dropped(event, frozenset(kept))
        case BooksDistrusted():
            world.markets.distrusted(event)
            for ticker in event.tickers:
                work_market(world, ticker, draft)
        case MarketPhaseChanged():
            _on_phase(world, event, draft)
        case QuoteChanged():
            raise AssertionError("quotes have a way of their own")
        case _:
            assert_never(event)


def _on_phase(world: World, event: MarketPhaseChanged, draft: Draft) -> None:
    """Money moves when a market is final; before that its result may still be disputed."""
    world.markets.phase(event)
    market = world.markets.get(event.ticker)
    is_final = event.status is MarketStatus.FINALIZED
    if is_final and market is not None and market.value is not None:
        settle(world, event.ticker, market.value, draft)
    else:
        work_market(world, event.ticker, draft)
