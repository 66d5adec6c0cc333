"""Limits, strategies and brackets to take hold of; what is done to them is told to the bot."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.handles import BracketHandle, LimitChange, LimitHandle, StrategyHandle
from bot.domain.ids import MarketTicker
from bot.domain.money import Price, Quantity, format_price
from bot.domain.operations import Authority, Done, Outcome, Refused
from bot.risk import adjustable

LIMITS = (
    LimitHandle(
        name="order_cost_max",
        help="what one order may cost",
        value="$50.00",
        configured="$100.00",
        set_by="telegram:22 Bo <b>",
    ),
    LimitHandle(
        name="max_concurrent",
        help="positions at the same time",
        value="10",
        configured="10",
        set_by="",
    ),
)
_NOW = {"order_cost_max": 50_000_000, "max_concurrent": 10}
BRACKET = BracketHandle(
    ticker=MarketTicker("KXFED-26DEC-T4.25"),
    held=Quantity(1_000),
    own_entry=Price(8_500),
    own_stop=Price(8_075),
    own_target=Price(9_012),
    own_bid=Price(8_650),
)


def _nothing(what: str, authority: Authority, text: str) -> Outcome:
    del what, authority
    return Done(text=text)


@dataclass
class FakeAdjusting:
    """Implements ``Adjusting``."""

    held: tuple[LimitHandle, ...] = LIMITS
    known: tuple[StrategyHandle, ...] = (
        StrategyHandle(name="near_expiry", is_on=True),
        StrategyHandle(name="wide_spread", is_on=False),
    )
    ours: tuple[BracketHandle, ...] = (BRACKET,)
    act: Callable[[str, Authority, str], Outcome] = _nothing

    def limits(self) -> tuple[LimitHandle, ...]:
        return self.held

    def compare(self, name: str, typed: str) -> LimitChange | Refused:
        one = adjustable.named(name)
        if one is None or name not in _NOW:
            return Refused(why=f"there is no limit {name}", remedy="/limit lists them")
        try:
            value = adjustable.parsed(one, typed)
        except ValueError as fault:
            return Refused(why=str(fault), remedy="/limit lists what holds")
        return LimitChange(
            name=name,
            before=adjustable.shown(one, _NOW[name]),
            after=adjustable.shown(one, value),
            is_looser=value > _NOW[name],
        )

    async def set_limit(
        self, authority: Authority, name: str, typed: str, *, may_loosen: bool
    ) -> Outcome:
        what = f"limit {name} {typed}{' or looser' if may_loosen else ''}"
        return self.act(what, authority, f"{name} is {typed}")

    def strategies(self) -> tuple[StrategyHandle, ...]:
        return self.known

    async def switch(self, authority: Authority, name: str | None, *, is_on: bool) -> Outcome:
        told = f"{name or 'every strategy'}: {'on' if is_on else 'off'}"
        return self.act(told, authority, told)

    def brackets(self) -> tuple[BracketHandle, ...]:
        return self.ours

    async def change_bracket(
        self,
        authority: Authority,
        seen: BracketHandle,
        *,
        own_stop: Price | None,
        own_target: Price | None,
    ) -> Outcome:
        ends = [format_price(one) if one else "as it is" for one in (own_stop, own_target)]
        return self.act(f"bracket {seen.ticker} {', '.join(ends)}", authority, "changed")
