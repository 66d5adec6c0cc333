"""A bracket around contracts that somebody else bought, as if its entry were over."""

from dataclasses import dataclass

from msgspec.structs import replace

from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    EventTicker,
    MarketTicker,
    SignalId,
    StrategyId,
)
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, OrderIntent, OrderStatus, Purpose, TimeInForce, own_price
from bot.execution.bracket import Bracket, Plan, opened
from bot.execution.order_state import submitted
from bot.execution.pricing import own_value

OPERATOR = StrategyId("operator")
_LOWEST, _HIGHEST = 1, 9_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """What is held: ``quantity`` above zero is YES, below is NO; ``paid`` in own prices."""

    ticker: MarketTicker
    event_ticker: EventTicker
    title: str
    exchange_index: int
    quantity: Quantity
    paid: Money


def adopted(held: Contracts, signal_id: SignalId, epoch: Epoch, now_us: int) -> Bracket:
    """The bracket; it has no stop and no target. Its entry was never an order of ours."""
    side = BookSide.BID if held.quantity > 0 else BookSide.ASK
    size = Quantity(abs(held.quantity))
    own = Price(min(_HIGHEST, max(_LOWEST, held.paid // size)))
    plan = Plan(
        bracket_id=BracketId(signal_id),
        signal_id=signal_id,
        strategy_id=OPERATOR,
        ticker=held.ticker,
        event_ticker=held.event_ticker,
        title=held.title,
        exchange_index=held.exchange_index,
        side=side,
        entry_price=own_price(side, own),
        stop_price=None,
        target_price=None,
        wanted=size,
        opened_us=now_us,
    )
    intent = OrderIntent(
        client_order_id=ClientOrderId(f"{signal_id}-a0"),
        epoch=epoch,
        strategy_id=OPERATOR,
        signal_id=signal_id,
        bracket_id=plan.bracket_id,
        purpose=Purpose.ENTRY,
        ticker=held.ticker,
        exchange_index=held.exchange_index,
        side=side,
        price=plan.entry_price,
        quantity=size,
        time_in_force=TimeInForce.GOOD_TILL_CANCELED,
        post_only=False,
        reduce_only=False,
        expires_us=None,
        decided_us=now_us,
    )
    entry = replace(
        submitted(intent),
        status=OrderStatus.EXECUTED,
        filled=size,
        booked=size,
        value=own_value(side, held.paid, size),
    )
    return replace(opened(plan, entry), entered_us=now_us)
