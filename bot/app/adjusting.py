"""What a person changes about running trading, brought to the engine."""

import asyncio
from collections.abc import Awaitable, Callable

from bot.app.running import Running
from bot.app.trading import TradingDesk
from bot.domain.errors import StorageUnavailable
from bot.domain.events import BracketCommanded, CommandEvent, LimitCommanded, StrategyCommanded
from bot.domain.handles import BracketHandle, LimitChange, LimitHandle, StrategyHandle
from bot.domain.money import Price, format_price
from bot.domain.operations import Authority, Done, Outcome, Refused
from bot.domain.orders import own_price
from bot.engine.adjusted import ADJUSTED
from bot.engine.adjusting import configured_value, value_now
from bot.engine.world import World
from bot.execution.bracket import Bracket
from bot.execution.pricing import own_bid
from bot.risk import adjustable
from bot.risk.adjustable import Adjustable

_SAVED_WITHIN_S = 10.0
_LOOK_S = 0.05
_NOT_TRADING = Refused(why="mode collect trades nothing", remedy="start it with --mode trade")

CarryOut = Callable[[Authority, str, CommandEvent], Awaitable[Outcome]]


class AdjustingDesk:
    """Implements ``Adjusting`` for one leadership."""

    def __init__(self, running: Running, desk: TradingDesk | None, carry_out: CarryOut) -> None:
        """``carry_out`` has the engine do it and puts it on record."""
        self._running = running
        self._world = desk.engine.world if desk is not None else None
        self._carry_out = carry_out

    def limits(self) -> tuple[LimitHandle, ...]:
        """See ``Adjusting.limits``."""
        world = self._world
        return () if world is None else tuple(_limit(world, one) for one in adjustable.ADJUSTABLE)

    def compare(self, name: str, typed: str) -> LimitChange | Refused:
        """See ``Adjusting.compare``."""
        if self._world is None:
            return _NOT_TRADING
        found = _read(name, typed)
        if isinstance(found, Refused):
            return found
        one, value = found
        now = value_now(self._world, one)
        return LimitChange(
            name=one.name,
            before=adjustable.shown(one, now),
            after=adjustable.shown(one, value),
            is_looser=value > now,
        )

    async def set_limit(
        self, authority: Authority, name: str, typed: str, *, may_loosen: bool
    ) -> Outcome:
        """See ``Adjusting.set_limit``."""
        found = _read(name, typed)
        if isinstance(found, Refused):
            return found
        one, value = found
        event = LimitCommanded(
            received_us=self._running.clock.now_us(),
            command_id=authority.number,
            actor=authority.actor,
            name=one.name,
            value=value,
            may_loosen=may_loosen,
        )
        return await self._saved(authority, f"/limit {one.name} {typed}", event)

    def strategies(self) -> tuple[StrategyHandle, ...]:
        """See ``Adjusting.strategies``."""
        world = self._world
        if world is None:
            return ()
        return tuple(
            StrategyHandle(name=one.strategy_id, is_on=one.strategy_id not in world.adjusted.off)
            for one in world.all_strategies
        )

    async def switch(self, authority: Authority, name: str | None, *, is_on: bool) -> Outcome:
        """See ``Adjusting.switch``."""
        event = StrategyCommanded(
            received_us=self._running.clock.now_us(),
            command_id=authority.number,
            actor=authority.actor,
            name=name,
            is_on=is_on,
        )
        line = f"/strategy {'on' if is_on else 'off'}{f' {name}' if name else ''}"
        return await self._saved(authority, line, event)

    def brackets(self) -> tuple[BracketHandle, ...]:
        """See ``Adjusting.brackets``."""
        world = self._world
        if world is None:
            return ()
        return tuple(
            _bracket(world, one)
            for one in world.desk.open()
            if one.held and one.wants_out is None and not one.orphan_reason
        )

    async def change_bracket(
        self,
        authority: Authority,
        seen: BracketHandle,
        *,
        own_stop: Price | None,
        own_target: Price | None,
    ) -> Outcome:
        """See ``Adjusting.change_bracket``."""
        found = self._world.desk.in_market(seen.ticker) if self._world is not None else None
        side = found.plan.side if found is not None else None
        event = BracketCommanded(
            received_us=self._running.clock.now_us(),
            command_id=authority.number,
            actor=authority.actor,
            ticker=seen.ticker,
            own_stop=own_stop,
            own_target=own_target,
            seen_stop=own_price(side, seen.own_stop) if side and seen.own_stop else None,
            seen_target=own_price(side, seen.own_target) if side and seen.own_target else None,
        )
        words = (("sl", own_stop), ("tp", own_target))
        told = " ".join(f"{word}={format_price(one)}" for word, one in words if one is not None)
        return await self._carry_out(authority, f"/bracket {seen.ticker} {told}", event)

    async def _saved(
        self, authority: Authority, line: str, event: LimitCommanded | StrategyCommanded
    ) -> Outcome:
        """Carried out, and durable unless nothing changed.

        Raises:
            StorageUnavailable: it is not saved for now; it is retried, and holds here.
        """
        outcome = await self._carry_out(authority, line, event)
        if not isinstance(outcome, Done) or outcome.text.endswith("already"):
            return outcome
        queries = self._running.queries
        try:
            async with asyncio.timeout(_SAVED_WITHIN_S):
                while (await queries.breaker_changed_us(ADJUSTED) or 0) < event.received_us:  # noqa: ASYNC110 - a row has no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise StorageUnavailable(f"{outcome.text}: holds here, and not saved yet") from None
        return outcome


def _read(name: str, typed: str) -> tuple[Adjustable, int] | Refused:
    one = adjustable.named(name)
    if one is None:
        return Refused(why=f"there is no limit {name}", remedy="/limit lists them")
    try:
        return one, adjustable.parsed(one, typed)
    except ValueError as fault:
        return Refused(why=str(fault), remedy="/limit lists what holds")


def _limit(world: World, one: Adjustable) -> LimitHandle:
    held = world.adjusted.holds(one, world.configured)
    return LimitHandle(
        name=one.name,
        help=one.help,
        value=adjustable.shown(one, value_now(world, one)),
        configured=adjustable.shown(one, configured_value(world, one)),
        set_by=held.set_by if held is not None else "",
    )


def _bracket(world: World, bracket: Bracket) -> BracketHandle:
    plan = bracket.plan
    market = world.markets.get(plan.ticker)
    quote = market.live_quote if market is not None else None
    return BracketHandle(
        ticker=plan.ticker,
        held=bracket.held,
        own_entry=own_price(plan.side, plan.entry_price),
        own_stop=own_price(plan.side, plan.stop_price) if plan.stop_price else None,
        own_target=own_price(plan.side, plan.target_price) if plan.target_price else None,
        own_bid=own_bid(plan.side, quote)[0] if quote is not None else None,
    )
