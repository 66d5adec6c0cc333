"""Domain and venue values as the JSON objects of the venue's REST answers (spec 3.34.0).

Prices are of the YES leg and get their NO twin here. An empty bid reads 0.0000
and an empty ask 1.0000, as on the wire.
"""

from typing import Any

from bot.domain.market import MarketStatus, PriceGrid
from bot.domain.money import (
    PAYOUT,
    Money,
    Price,
    Quantity,
    complement,
    format_money,
    format_price,
    format_quantity,
)
from bot.domain.orders import BookSide, Fill, OrderStatus
from bot.domain.quotes import BookLevel, BookSnapshot, PublicTrade
from bot.kit.times import SECOND_US, format_rfc3339
from bot.simulator.catalog import Event, MarketInfo, Series, grid_name
from bot.venue.accounts import BalanceView
from bot.venue.markets import MarketResult, MarketView
from bot.venue.orders import CancelReceipt, DecreaseReceipt, OrderReceipt, OrderView
from bot.venue.positions import PositionView, SettlementView

Json = dict[str, Any]

_NO_PRICE = Price(0)
_FEE_PRECISION = 100
_CENT = 10_000
_RESULT_KNOWN = frozenset(
    {MarketStatus.DETERMINED, MarketStatus.DISPUTED, MarketStatus.AMENDED, MarketStatus.FINALIZED}
)


def outcome_side(side: BookSide) -> str:
    """``yes`` for a bid, ``no`` for an ask."""
    return "yes" if side is BookSide.BID else "no"


def four_places(money: Money) -> str:
    """An amount with four decimals, cut towards zero as the venue cuts averages."""
    return format_price(Price(money // _FEE_PRECISION))


def grid_ranges(grid: PriceGrid) -> list[dict[str, str]]:
    """A grid as ``price_ranges``."""
    return [
        {
            "start": format_price(band.start),
            "end": format_price(band.end),
            "step": format_price(band.step),
        }
        for band in grid.bands
    ]


def series_body(series: Series, volume: Quantity | None) -> Json:
    """A series; its volume only where it was asked for."""
    body: Json = {
        "ticker": series.ticker,
        "frequency": series.frequency,
        "title": series.title,
        "category": series.category,
        "categories": [series.category],
        "tags": list(series.tags),
        "settlement_sources": [{"name": series.source, "url": "https://example.org/source"}],
        "contract_url": "https://example.org/contract",
        "contract_terms_url": "https://example.org/terms",
        "fee_type": series.fees.fee_type,
        "fee_multiplier": series.fees.multiplier_e6 / 1_000_000,
        "additional_prohibitions": [],
        "exchange_index": series.exchange_index,
    }
    if volume is not None:
        body["volume_fp"] = format_quantity(volume)
    return body


def event_body(event: Event, series: Series) -> Json:
    """An event without its markets."""
    return {
        "event_ticker": event.ticker,
        "series_ticker": event.series_ticker,
        "title": event.title,
        "sub_title": event.sub_title,
        "collateral_return_type": "MECNET" if event.is_exclusive else "",
        "mutually_exclusive": event.is_exclusive,
        "category": series.category,
        "strike_date": format_rfc3339(event.strike_us),
        "settlement_sources": [{"name": series.source, "url": "https://example.org/source"}],
        "last_updated_ts": format_rfc3339(event.created_us),
        "exchange_index": event.exchange_index,
    }


def market_body(info: MarketInfo, view: MarketView) -> Json:
    """A market object. ``previous_*`` are zero, as for every market younger than a day."""
    body = _market_terms(info, view) | _market_quotes(view)
    body |= {
        "volume_fp": format_quantity(Quantity(info.prior_volume + view.volume)),
        "volume_24h_fp": format_quantity(Quantity(info.prior_volume_24h + view.volume_24h)),
        "open_interest_fp": format_quantity(
            Quantity(info.prior_open_interest + view.open_interest)
        ),
        # Always zero and out of the document since 09/2026, but clients still require it.
        "liquidity_dollars": "0.0000",
        "result": str(view.result) if view.result and view.status in _RESULT_KNOWN else "",
        "expiration_value": _expiration_value(view),
    }
    if view.settlement_value is not None and view.status in _RESULT_KNOWN:
        body["settlement_value_dollars"] = format_price(view.settlement_value)
    if view.settled_us is not None:
        body["settlement_ts"] = format_rfc3339(view.settled_us)
    return body


def _market_terms(info: MarketInfo, view: MarketView) -> Json:
    latest = format_rfc3339(max(info.latest_expiration_us, view.close_us))
    body: Json = {
        "ticker": info.ticker,
        "event_ticker": info.event_ticker,
        "market_type": "binary",
        "title": info.title,
        "yes_sub_title": info.yes_sub_title,
        "no_sub_title": info.no_sub_title,
        "created_time": format_rfc3339(info.created_us),
        "updated_time": format_rfc3339(max(view.updated_us, info.created_us)),
        "open_time": format_rfc3339(view.open_us),
        "close_time": format_rfc3339(view.close_us),
        "expected_expiration_time": format_rfc3339(info.expected_expiration_us),
        "expiration_time": latest,
        "latest_expiration_time": latest,
        "settlement_timer_seconds": view.settlement_timer_us // SECOND_US,
        "status": str(view.status),
        "exchange_index": view.exchange_index,
        "can_close_early": True,
        "early_close_condition": "This market will close and expire early if the event occurs.",
        "notional_value_dollars": "1.0000",
        "settlement_bounds_type": "default",
        "price_level_structure": grid_name(view.grid),
        "price_ranges": grid_ranges(view.grid),
        "rules_primary": info.rules_primary,
        "rules_secondary": info.rules_secondary,
    }
    return body | strikes(info)


def strikes(info: MarketInfo) -> Json:
    """The strike fields a market has; the venue leaves out the others."""
    body: Json = {}
    if info.strike_type is not None:
        body["strike_type"] = info.strike_type
    if info.floor_strike is not None:
        body["floor_strike"] = info.floor_strike
    if info.cap_strike is not None:
        body["cap_strike"] = info.cap_strike
    if info.custom_strike is not None:
        body["custom_strike"] = {"outcome": info.custom_strike}
    return body


def _market_quotes(view: MarketView) -> Json:
    bid = _NO_PRICE if view.yes_bid is None else view.yes_bid
    ask = PAYOUT if view.yes_ask is None else view.yes_ask
    last = _NO_PRICE if view.last_price is None else view.last_price
    return {
        "yes_bid_dollars": format_price(bid),
        "yes_ask_dollars": format_price(ask),
        "no_bid_dollars": format_price(complement(ask)),
        "no_ask_dollars": format_price(complement(bid)),
        "yes_bid_size_fp": format_quantity(view.yes_bid_size),
        "yes_ask_size_fp": format_quantity(view.yes_ask_size),
        "last_price_dollars": format_price(last),
        "previous_yes_bid_dollars": "0.0000",
        "previous_yes_ask_dollars": "0.0000",
        "previous_price_dollars": "0.0000",
    }


def _expiration_value(view: MarketView) -> str:
    if view.result is None or view.status not in _RESULT_KNOWN:
        return ""
    return "" if view.result is MarketResult.SCALAR else str(view.result)


def book_body(book: BookSnapshot, depth: int) -> Json:
    """``orderbook_fp``: bids of both legs, ascending, best last."""
    keep = depth or None
    return {
        "yes_dollars": [_level(level) for level in reversed(book.bids[:keep])],
        "no_dollars": [_no_level(level) for level in reversed(book.asks[:keep])],
    }


def _level(level: BookLevel) -> list[str]:
    return [format_price(level.price), format_quantity(level.quantity)]


def _no_level(level: BookLevel) -> list[str]:
    return [format_price(complement(level.price)), format_quantity(level.quantity)]


def trade_body(trade: PublicTrade) -> Json:
    """A public trade."""
    side = outcome_side(trade.taker_side)
    return {
        "trade_id": trade.trade_id,
        "ticker": trade.ticker,
        "count_fp": format_quantity(trade.quantity),
        "yes_price_dollars": format_price(trade.price),
        "no_price_dollars": format_price(complement(trade.price)),
        "taker_side": side,
        "taker_outcome_side": side,
        "taker_book_side": str(trade.taker_side),
        "is_block_trade": trade.is_block,
        "created_time": format_rfc3339(trade.executed_us),
    }


def shown_remaining(order: OrderView) -> Quantity:
    """What a read shows as remaining: nothing, once the order is dead."""
    return order.remaining if order.status is OrderStatus.RESTING else Quantity(0)


def order_body(order: OrderView, user_id: str, subaccount: int) -> Json:
    """An order of a portfolio read. ``yes_price_dollars`` is its limit."""
    side = outcome_side(order.side)
    body: Json = {
        "order_id": order.order_id,
        "user_id": user_id,
        "client_order_id": order.client_order_id or "",
        "ticker": order.ticker,
        "exchange_index": order.exchange_index,
        "outcome_side": side,
        "book_side": str(order.side),
        "side": side,
        "action": "buy",
        "type": "limit",
        "status": str(order.status),
        "yes_price_dollars": format_price(order.price),
        "no_price_dollars": format_price(complement(order.price)),
        "initial_count_fp": format_quantity(order.initial),
        "fill_count_fp": format_quantity(order.filled),
        "remaining_count_fp": format_quantity(shown_remaining(order)),
        "taker_fill_cost_dollars": format_money(order.taker_fill_cost),
        "maker_fill_cost_dollars": format_money(order.maker_fill_cost),
        "taker_fees_dollars": format_money(order.taker_fees),
        "maker_fees_dollars": format_money(order.maker_fees),
        "self_trade_prevention_type": str(order.self_trade_prevention),
        "subaccount_number": subaccount,
        "created_time": format_rfc3339(order.created_us),
        "last_update_time": format_rfc3339(order.updated_us),
    }
    if order.cancel_on_pause:
        body["cancel_order_on_pause"] = True
    if order.expires_us is not None:
        body["expiration_time"] = format_rfc3339(order.expires_us)
    if order.order_group_id is not None:
        body["order_group_id"] = order.order_group_id
    return body


def fill_body(fill: Fill, exchange_index: int, subaccount: int) -> Json:
    """One match. ``fill_id`` and ``trade_id`` are the same, and the public trade's."""
    side = outcome_side(fill.side)
    return {
        "fill_id": fill.fill_id,
        "trade_id": fill.fill_id,
        "order_id": fill.order_id,
        "ticker": fill.ticker,
        "market_ticker": fill.ticker,
        "exchange_index": exchange_index,
        "outcome_side": side,
        "book_side": str(fill.side),
        "side": side,
        "action": "buy",
        "count_fp": format_quantity(fill.quantity),
        "yes_price_dollars": format_price(fill.price),
        "no_price_dollars": format_price(complement(fill.price)),
        "is_taker": fill.is_taker,
        "fee_cost": format_money(fill.fee),
        "subaccount_number": subaccount,
        "created_time": format_rfc3339(fill.executed_us),
        "ts": fill.executed_us // SECOND_US,
    }


def balance_body(balance: BalanceView, now_us: int, *, shows_reservation: bool) -> Json:
    """Cash in cents, cut down, and in dollars; per shard in dollars."""
    return {
        "balance": balance.available // _CENT,
        "balance_dollars": four_places(balance.available),
        "portfolio_value": balance.portfolio_value // _CENT,
        "updated_ts": now_us // SECOND_US,
        "balance_breakdown": [
            {
                "exchange_index": shard.exchange_index,
                "balance": four_places(shard.free if shows_reservation else shard.cash),
            }
            for shard in balance.shards
        ],
    }


def position_body(position: PositionView) -> Json:
    """One market's position."""
    return {
        "ticker": position.ticker,
        "exchange_index": position.exchange_index,
        "position_fp": format_quantity(position.quantity),
        "market_exposure_dollars": format_money(position.exposure),
        "total_traded_dollars": format_money(position.traded),
        "realized_pnl_dollars": format_money(position.realized),
        "fees_paid_dollars": format_money(position.fees),
        "last_updated_ts": format_rfc3339(position.updated_us),
    }


def event_position_bodies(positions: list[PositionView]) -> list[Json]:
    """Positions summed per event, in the order of their first market."""
    events: dict[str, list[PositionView]] = {}
    for position in positions:
        events.setdefault(position.event_ticker, []).append(position)
    return [
        {
            "event_ticker": event,
            "total_cost_dollars": format_money(Money(sum(p.traded for p in group))),
            "total_cost_shares_fp": format_quantity(Quantity(sum(p.volume for p in group))),
            "event_exposure_dollars": format_money(Money(sum(p.exposure for p in group))),
            "realized_pnl_dollars": format_money(Money(sum(p.realized for p in group))),
            "fees_paid_dollars": format_money(Money(sum(p.fees for p in group))),
        }
        for event, group in events.items()
    ]


def settlement_body(settlement: SettlementView) -> Json:
    """A payout; ``revenue`` and ``value`` in whole cents, as the venue still has them."""
    return {
        "ticker": settlement.ticker,
        "event_ticker": settlement.event_ticker,
        "exchange_index": settlement.exchange_index,
        "market_result": settlement.result,
        "yes_count_fp": format_quantity(settlement.yes_count),
        "yes_total_cost_dollars": format_money(settlement.yes_cost),
        "no_count_fp": format_quantity(settlement.no_count),
        "no_total_cost_dollars": format_money(settlement.no_cost),
        "revenue": settlement.revenue // _CENT,
        "value": settlement.value // 100,
        "fee_cost": format_money(settlement.fees),
        "settled_time": format_rfc3339(settlement.settled_us),
    }


def receipt_body(receipt: OrderReceipt) -> Json:
    """The answer to a create or amend; averages only where something filled."""
    body: Json = {
        "order_id": receipt.order_id,
        "fill_count": format_quantity(receipt.filled),
        "remaining_count": format_quantity(receipt.remaining),
        "ts_ms": receipt.at_us // 1_000,
    }
    if receipt.client_order_id is not None:
        body["client_order_id"] = receipt.client_order_id
    if receipt.filled:
        body["average_fill_price"] = format_price(Price(receipt.fill_cost // receipt.filled))
        body["average_fee_paid"] = format_price(Price(receipt.fees // receipt.filled))
    return body


def cancel_body(receipt: CancelReceipt) -> Json:
    """The answer to a cancel."""
    return {
        "order_id": receipt.order_id,
        "reduced_by": format_quantity(receipt.reduced_by),
        "ts_ms": receipt.at_us // 1_000,
    }


def decrease_body(receipt: DecreaseReceipt) -> Json:
    """The answer to a decrease."""
    body: Json = {
        "order_id": receipt.order_id,
        "remaining_count": format_quantity(receipt.remaining),
        "ts_ms": receipt.at_us // 1_000,
    }
    if receipt.client_order_id is not None:
        body["client_order_id"] = receipt.client_order_id
    return body
