"""Works one bracket: asks what is next, turns it into effects, tells what became of it."""

from bot.domain.ids import MarketTicker
from bot.domain.market import CENT_GRID
from bot.domain.money import format_dollars, format_price, format_quantity
from bot.engine.draft import Draft
from bot.engine.effects import CancelOrder, LookUpOrder, NoticeKind, ReadFills
from bot.engine.world import World
from bot.execution.actions import Action, Alarm, Cancel, FetchFills, LookUp, Place
from bot.execution.bracket import Bracket
from bot.execution.order_state import CREATION_SLACK_US
from bot.execution.protection import Situation, decide
from bot.portfolio.pnl import Result

_STEPS_MAX = 4
"""A step may make the next one possible at once; more than a few would be a loop."""


def work(world: World, bracket: Bracket, draft: Draft) -> None:
    """Let a bracket do everything it can do now, and keep the result."""
    now = situation(world, bracket)
    for _ in range(_STEPS_MAX):
        after, actions = decide(bracket, now, world.settings.rules)
        for action in actions:
            _act(bracket.plan.ticker, action, draft)
        if after == bracket and not actions:
            break
        bracket = after
    keep(world, bracket, draft)


def work_all(world: World, draft: Draft) -> None:
    """Every bracket that is not over."""
    for bracket in world.desk.open():
        work(world, bracket, draft)


def work_market(world: World, ticker: MarketTicker, draft: Draft) -> None:
    """Every bracket of one market."""
    for bracket in world.desk.open():
        if bracket.plan.ticker == ticker:
            work(world, bracket, draft)


def keep(world: World, bracket: Bracket, draft: Draft) -> None:
    """Store a bracket's new value and tell a person about its turning points."""
    before = world.desk.brackets.get(bracket.plan.bracket_id)
    world.desk.put(bracket, draft)
    if before is None or before == bracket:
        return
    if bracket.entered_us is not None and before.entered_us is None:
        _tell_opened(bracket, draft)
    if bracket.orphan_reason and not before.orphan_reason:
        draft.tell(
            NoticeKind.CRITICAL_ERROR, ticker=bracket.plan.ticker, what=bracket.orphan_reason
        )
    if bracket.is_over and not before.is_over and bracket.entered:
        _close(world, bracket, draft)


def _close(world: World, bracket: Bracket, draft: Draft) -> None:
    closed_us = bracket.closed_us if bracket.closed_us is not None else world.now_us
    world.ledger.closed(
        Result(
            bracket_id=bracket.plan.bracket_id,
            contracts=bracket.entered,
            cost=bracket.entry_cost,
            fees=bracket.fees,
            profit=bracket.profit,
            closed_us=closed_us,
        )
    )
    draft.tell(
        NoticeKind.POSITION_CLOSED,
        ticker=bracket.plan.ticker,
        title=bracket.plan.title,
        side=bracket.plan.side,
        contracts=format_quantity(bracket.entered),
        reason=bracket.exit_reason,
        profit=format_dollars(bracket.profit),
        fees=format_dollars(bracket.fees),
    )


def _tell_opened(bracket: Bracket, draft: Draft) -> None:
    plan = bracket.plan
    draft.tell(
        NoticeKind.POSITION_OPENED,
        ticker=plan.ticker,
        title=plan.title,
        side=plan.side,
        contracts=format_quantity(bracket.entered),
        wanted=format_quantity(plan.wanted),
        price=format_price(plan.entry_price),
        stop=format_price(plan.stop_price) if plan.stop_price is not None else "none",
        target=format_price(plan.target_price) if plan.target_price is not None else "none",
    )


def situation(world: World, bracket: Bracket) -> Situation:
    """The world as this bracket sees it."""
    market = world.markets.get(bracket.plan.ticker)
    stance = world.stance
    is_open = market is not None and market.is_open(world.now_us) and not stance.is_paused
    return Situation(
        now_us=world.now_us,
        epoch=stance.epoch,
        grid=market.listing.market.grid if market is not None else CENT_GRID,
        close_us=market.close_us if market is not None else world.now_us,
        release_us=_release_us(world, bracket),
        is_open=is_open,
        quote=market.live_quote if market is not None else None,
        may_enter=stance.may_enter,
        may_exit=stance.may_exit,
    )


def _release_us(world: World, bracket: Bracket) -> int | None:
    if not world.settings.releases:
        return None
    market = world.markets.get(bracket.plan.ticker)
    group = market.listing.release_group if market is not None else ""
    return world.settings.nearest_release_us(group, world.now_us)


def _act(ticker: MarketTicker, action: Action, draft: Draft) -> None:
    match action:
        case Place():
            draft.place(action.intent)
        case Cancel():
            intent, order_id = action.order.intent, action.order.order_id
            assert order_id is not None, "only an order with a name can be cancelled"
            draft.cancel(
                CancelOrder(
                    client_order_id=intent.client_order_id, order_id=order_id, ticker=ticker
                )
            )
        case LookUp():
            intent = action.order.intent
            draft.ask(
                LookUpOrder(
                    client_order_id=intent.client_order_id,
                    ticker=ticker,
                    since_us=intent.decided_us - CREATION_SLACK_US,
                )
            )
        case FetchFills():
            draft.ask(ReadFills(order_id=action.order_id))
        case Alarm():
            draft.tell(NoticeKind.EXIT_STUCK, ticker=ticker, what=action.text)
