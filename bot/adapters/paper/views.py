"""The account's own pictures in the words of the port."""

from bot.domain.market import MarketStatus
from bot.domain.orders import Balance, Order, Settlement, VenuePosition
from bot.venue.accounts import BalanceView
from bot.venue.orders import OrderView
from bot.venue.positions import PositionView, SettlementView

BEFORE_CLOSE = frozenset({MarketStatus.INITIALIZED, MarketStatus.ACTIVE, MarketStatus.INACTIVE})


def order_of(view: OrderView, exchange_index: int) -> Order:
    """An order, on its real shard."""
    return Order(
        order_id=view.order_id,
        client_order_id=view.client_order_id,
        ticker=view.ticker,
        exchange_index=exchange_index,
        side=view.side,
        status=view.status,
        price=view.price,
        initial=view.initial,
        filled=view.filled,
        remaining=view.remaining,
        order_group_id=view.order_group_id,
        created_us=view.created_us,
        updated_us=view.updated_us,
    )


def position_of(view: PositionView, exchange_index: int) -> VenuePosition:
    """A position, on its real shard."""
    return VenuePosition(
        ticker=view.ticker,
        exchange_index=exchange_index,
        quantity=view.quantity,
        exposure=view.exposure,
        realized=view.realized,
        fees=view.fees,
    )


def balance_of(view: BalanceView) -> Balance:
    """One pot of cash for all shards."""
    return Balance(cash=view.available, portfolio_value=view.portfolio_value, by_shard=())


def settlement_of(view: SettlementView) -> Settlement:
    """A payout."""
    return Settlement(
        ticker=view.ticker,
        event_ticker=view.event_ticker,
        result=view.result,
        value=view.value,
        revenue=view.revenue,
        fee=view.fees,
        settled_us=view.settled_us,
    )
