"""Somebody who meets an order at the worst moment: a fault on demand, not a strategy."""

from bot.domain.ids import OrderId
from bot.domain.money import Quantity
from bot.domain.orders import BookSide, OrderStatus, TimeInForce
from bot.simulator.exchange import Exchange
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.orders import OrderRequest, OrderView

RACER = AccountId("house-racer")
_WHOLE = 100


def fill_resting(exchange: Exchange, order_id: OrderId, *, parts: int) -> None:
    """Fill one part of ``parts`` of a resting order, and with it everything that is before it.

    Nothing happens where no such order rests.
    """
    for account in exchange.accounts.every():
        order = exchange.venue.reads.order(account, order_id)
        if order is not None and order.status is OrderStatus.RESTING:
            ahead = exchange.venue.reads.queue_position(account, order_id) or Quantity(0)
            _take(exchange, order, ahead, parts)


def _take(exchange: Exchange, order: OrderView, ahead: Quantity, parts: int) -> None:
    now_us = exchange.now_us()
    terms = AccountTerms(account=RACER, checks_funds=False, keeps_records=False)
    # Opened the first time; afterwards it is there already, which is as good.
    exchange.apply(exchange.venue.open_account(terms, now_us))
    part = max(order.remaining // parts, min(order.remaining, _WHOLE))
    request = OrderRequest(
        ticker=order.ticker,
        side=BookSide.ASK if order.side is BookSide.BID else BookSide.BID,
        price=order.price,
        quantity=Quantity(ahead + part),
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    )
    exchange.apply(exchange.venue.create_order(RACER, request, now_us))
