"""Venue events as the ``msg`` objects of the WebSocket channels (asyncapi 2.0.0).

A body is encoded once per distinct view; what differs per subscription (sid and
seq) is put around it when it is sent.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from bot.domain.market import PriceGrid
from bot.domain.money import (
    PAYOUT,
    Price,
    Quantity,
    complement,
    format_money,
    format_price,
    format_quantity,
)
from bot.domain.orders import BookSide
from bot.domain.quotes import BookSnapshot, PublicTrade
from bot.kit.times import SECOND_US, format_rfc3339
from bot.simulator.bodies import Json, grid_ranges, outcome_side, shown_remaining, strikes
from bot.simulator.catalog import Event, MarketInfo, grid_name
from bot.venue.events import BookChanged, GroupChanged, MarketChanged, OrderChanged, OwnFill
from bot.venue.groups import GroupChange
from bot.venue.markets import MarketChange, MarketView
from bot.venue.orders import UpdateReason
from bot.venue.positions import PositionView

_HALF_DOLLAR_VOLUME = 200
_ENCODER = msgspec.json.Encoder()


def encode(body: Mapping[str, Any] | list[Any]) -> bytes:
    """JSON bytes."""
    return _ENCODER.encode(body)


def snapshot_msg(info: MarketInfo, book: BookSnapshot, *, use_yes_price: bool) -> bytes:
    """A whole book. A side without levels has no key."""
    body: Json = {
        "market_ticker": info.ticker,
        "market_id": info.market_id,
        "clock": book.clock or 0,
    }
    if book.bids:
        body["yes_dollars_fp"] = [
            [format_price(level.price), format_quantity(level.quantity)]
            for level in reversed(book.bids)
        ]
    if book.asks:
        body["no_dollars_fp"] = [
            [
                format_price(level.price if use_yes_price else complement(level.price)),
                format_quantity(level.quantity),
            ]
            for level in reversed(book.asks)
        ]
    return encode(body)


def delta_msg(
    info: MarketInfo, event: BookChanged, subaccount: int | None, *, use_yes_price: bool
) -> bytes:
    """A change of one level. Only its owner (``subaccount`` given) learns whose order it was."""
    is_no = event.side is BookSide.ASK
    price = complement(event.price) if is_no and not use_yes_price else event.price
    body: Json = {
        "market_ticker": info.ticker,
        "market_id": info.market_id,
        "clock": event.clock,
        "price_dollars": format_price(price),
        "delta_fp": format_quantity(event.change),
        "side": outcome_side(event.side),
        "ts": format_rfc3339(event.at_us),
        "ts_ms": event.at_us // 1_000,
    }
    if subaccount is not None:
        body["subaccount"] = subaccount
        if event.client_order_id is not None:
            body["client_order_id"] = event.client_order_id
    return encode(body)


def ticker_msg(info: MarketInfo, view: MarketView, at_us: int) -> bytes:
    """A market's summary. Dollar figures count every contract at 50 cents, as the venue does."""
    volume = Quantity(info.prior_volume + view.volume)
    interest = Quantity(info.prior_open_interest + view.open_interest)
    return encode(
        {
            "market_id": info.market_id,
            "market_ticker": info.ticker,
            "price_dollars": format_price(view.last_price or Price(0)),
            "yes_bid_dollars": format_price(view.yes_bid or Price(0)),
            "yes_ask_dollars": format_price(PAYOUT if view.yes_ask is None else view.yes_ask),
            "volume_fp": format_quantity(volume),
            "open_interest_fp": format_quantity(interest),
            "dollar_volume": volume // _HALF_DOLLAR_VOLUME,
            "dollar_open_interest": interest // _HALF_DOLLAR_VOLUME,
            "yes_bid_size_fp": format_quantity(view.yes_bid_size),
            "yes_ask_size_fp": format_quantity(view.yes_ask_size),
            "last_trade_size_fp": format_quantity(view.last_size),
            "ts": at_us // SECOND_US,
            "ts_ms": at_us // 1_000,
            "time": format_rfc3339(at_us),
        }
    )


def trade_msg(trade: PublicTrade) -> bytes:
    """A public trade."""
    side = outcome_side(trade.taker_side)
    return encode(
        {
            "trade_id": trade.trade_id,
            "market_ticker": trade.ticker,
            "yes_price_dollars": format_price(trade.price),
            "no_price_dollars": format_price(complement(trade.price)),
            "count_fp": format_quantity(trade.quantity),
            "taker_side": side,
            "taker_outcome_side": side,
            "taker_book_side": str(trade.taker_side),
            "is_block_trade": trade.is_block,
            "ts": trade.executed_us // SECOND_US,
            "ts_ms": trade.executed_us // 1_000,
        }
    )


def fill_msg(event: OwnFill, subaccount: int) -> bytes:
    """An execution of the subscriber's."""
    fill = event.fill
    side = outcome_side(fill.side)
    body: Json = {
        "trade_id": fill.fill_id,
        "order_id": fill.order_id,
        "market_ticker": fill.ticker,
        "exchange_index": event.exchange_index,
        "is_taker": fill.is_taker,
        "side": side,
        "action": "buy",
        "outcome_side": side,
        "book_side": str(fill.side),
        "purchased_side": side,
        "yes_price_dollars": format_price(fill.price),
        "count_fp": format_quantity(fill.quantity),
        "fee_cost": format_money(fill.fee),
        "post_position_fp": format_quantity(event.post_position),
        "subaccount": subaccount,
        "ts": fill.executed_us // SECOND_US,
        "ts_ms": fill.executed_us // 1_000,
    }
    if event.client_order_id is not None:
        body["client_order_id"] = event.client_order_id
    return encode(body)


def user_order_msg(event: OrderChanged, user_id: str, subaccount: int) -> bytes:
    """A change of one of the subscriber's orders."""
    order = event.order
    side = outcome_side(order.side)
    body: Json = {
        "order_id": order.order_id,
        "user_id": user_id,
        "ticker": order.ticker,
        "exchange_index": order.exchange_index,
        "status": str(order.status),
        "side": side,
        "is_yes": order.side is BookSide.BID,
        "outcome_side": side,
        "book_side": str(order.side),
        "yes_price_dollars": format_price(order.price),
        "initial_count_fp": format_quantity(order.initial),
        "fill_count_fp": format_quantity(order.filled),
        "remaining_count_fp": format_quantity(shown_remaining(order)),
        "taker_fill_cost_dollars": format_money(order.taker_fill_cost),
        "maker_fill_cost_dollars": format_money(order.maker_fill_cost),
        "taker_fees_dollars": format_money(order.taker_fees),
        "maker_fees_dollars": format_money(order.maker_fees),
        "client_order_id": order.client_order_id or "",
        "self_trade_prevention_type": str(order.self_trade_prevention),
        "subaccount_number": subaccount,
        "created_time": format_rfc3339(order.created_us),
        "last_update_time": format_rfc3339(order.updated_us),
        "created_ts_ms": order.created_us // 1_000,
        "last_updated_ts_ms": order.updated_us // 1_000,
    }
    if order.order_group_id is not None:
        body["order_group_id"] = order.order_group_id
    if order.expires_us is not None:
        body["expiration_time"] = format_rfc3339(order.expires_us)
        body["expiration_ts_ms"] = order.expires_us // 1_000
    return encode(body | _reason(event.reason))


def _reason(reason: UpdateReason | None) -> Json:
    return {} if reason is None else {"last_update_reason": str(reason)}


def position_msg(position: PositionView, user_id: str, subaccount: int) -> bytes:
    """A changed position of the subscriber's."""
    return encode(
        {
            "user_id": user_id,
            "market_ticker": position.ticker,
            "position_fp": format_quantity(position.quantity),
            "position_cost_dollars": format_money(position.exposure),
            "realized_pnl_dollars": format_money(position.realized),
            "fees_paid_dollars": format_money(position.fees),
            "position_fee_cost_dollars": format_money(position.fees),
            "volume_fp": format_quantity(position.volume),
            "subaccount": subaccount,
        }
    )


def group_msg(event: GroupChanged) -> bytes:
    """A changed order group of the subscriber's."""
    body: Json = {
        "event_type": str(event.change),
        "order_group_id": event.order_group_id,
        "ts_ms": event.at_us // 1_000,
    }
    if event.change in {GroupChange.CREATED, GroupChange.LIMIT_UPDATED}:
        body["contracts_limit_fp"] = format_quantity(event.limit)
    return encode(body)


def lifecycle_msg(info: MarketInfo, event: MarketChanged) -> bytes | None:
    """A market's life; ``None`` for what the venue does not announce."""
    view = event.market
    facts: dict[MarketChange, Json] = {
        MarketChange.CREATED: _created(info, view),
        MarketChange.ACTIVATED: {"is_deactivated": False},
        MarketChange.DEACTIVATED: {"is_deactivated": True},
        MarketChange.CLOSE_DATE_UPDATED: {"close_ts": view.close_us // SECOND_US},
        MarketChange.DETERMINED: _determined(view),
        MarketChange.SETTLED: {"settled_ts": (view.settled_us or event.at_us) // SECOND_US},
        MarketChange.GRID_UPDATED: _grid(view.grid),
    }
    if event.change not in facts:
        return None
    return encode(
        {
            "event_type": str(event.change),
            "market_ticker": info.ticker,
            "exchange_index": view.exchange_index,
        }
        | facts[event.change]
    )


def _grid(grid: PriceGrid) -> Json:
    return {"price_level_structure": grid_name(grid), "price_ranges": grid_ranges(grid)}


def _determined(view: MarketView) -> Json:
    body: Json = {"result": str(view.result or "")}
    if view.settlement_value is not None:
        body["settlement_value"] = format_price(view.settlement_value)
    if view.determined_us is not None:
        body["determination_ts"] = view.determined_us // SECOND_US
    return body


def _created(info: MarketInfo, view: MarketView) -> Json:
    metadata: Json = {
        "name": info.yes_sub_title,
        "title": info.title,
        "yes_sub_title": info.yes_sub_title,
        "no_sub_title": info.no_sub_title,
        "rules_primary": info.rules_primary,
        "rules_secondary": info.rules_secondary,
        "can_close_early": True,
        "event_ticker": info.event_ticker,
        "expected_expiration_ts": info.expected_expiration_us // SECOND_US,
    }
    return {
        "open_ts": view.open_us // SECOND_US,
        "close_ts": view.close_us // SECOND_US,
        "additional_metadata": metadata | strikes(info),
    } | _grid(view.grid)


def event_msg(event: Event) -> bytes:
    """A new event."""
    return encode(
        {
            "event_ticker": event.ticker,
            "exchange_index": event.exchange_index,
            "title": event.title,
            "subtitle": event.sub_title,
            "collateral_return_type": "MECNET" if event.is_exclusive else "",
            "series_ticker": event.series_ticker,
            "strike_date": event.strike_us // SECOND_US,
        }
    )
