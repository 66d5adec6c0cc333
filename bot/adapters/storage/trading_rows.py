"""Records to rows and rows to records: the only place that knows both spellings."""

import json
from typing import Any, assert_never

from sqlalchemy import Row, Table

from bot.adapters.storage import tables
from bot.domain.ids import (
    BracketId,
    ClientOrderId,
    Epoch,
    EventTicker,
    FillId,
    MarketTicker,
    OrderId,
    SignalId,
    StrategyId,
)
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill, OrderIntent, OrderStatus, Purpose, TimeInForce
from bot.domain.records import (
    ApprovalRecord,
    BaselineRecord,
    BracketRecord,
    BracketState,
    BreakerRecord,
    ExitReason,
    HaltRecord,
    OrderRecord,
    PositionRecord,
    Record,
    SnapshotRecord,
    StoredOrder,
)
from bot.domain.signals import SignalRecord


def row_of(  # noqa: C901, PLR0911, PLR0912 - one arm a kind, completeness checked by types
    record: Record,
) -> tuple[Table, dict[str, object]]:
    """The table of a record and its columns, scope and epoch apart."""
    match record:
        case SignalRecord():
            return tables.signals, _signal_row(record)
        case OrderIntent():
            return tables.order_intents, _intent_row(record)
        case Fill():
            return tables.fills, _fill_row(record)
        case BracketRecord():
            return tables.brackets, _bracket_row(record)
        case PositionRecord():
            return tables.positions, _position_row(record)
        case BreakerRecord():
            return tables.breaker_state, _breaker_row(record)
        case ApprovalRecord():
            return tables.approval_steps, _approval_row(record)
        case BaselineRecord():
            return tables.equity_baselines, _baseline_row(record)
        case SnapshotRecord():
            return tables.account_snapshots, _snapshot_row(record)
        case OrderRecord():
            raise AssertionError("progress of an order is an update of its intent, not a row")
        case _:
            assert_never(record)


def _signal_row(record: SignalRecord) -> dict[str, object]:
    signal = record.signal
    return {
        "signal_id": record.signal_id,
        "strategy_id": signal.strategy_id,
        "ticker": signal.ticker,
        "side": signal.side.value,
        "price_e4": signal.price,
        "quantity_e2": record.quantity,
        "verdict": record.verdict.value,
        "reason": record.reason,
        "inputs_json": json.dumps(dict(signal.inputs)),
        "case_json": json.dumps(record.case),
        "decided_us": record.decided_us,
    }


def _intent_row(intent: OrderIntent) -> dict[str, object]:
    return {
        "client_order_id": intent.client_order_id,
        "strategy_id": intent.strategy_id,
        "signal_id": intent.signal_id,
        "bracket_id": intent.bracket_id,
        "purpose": intent.purpose.value,
        "ticker": intent.ticker,
        "exchange_index": intent.exchange_index,
        "side": intent.side.value,
        "price_e4": intent.price,
        "quantity_e2": intent.quantity,
        "time_in_force": intent.time_in_force.value,
        "post_only": intent.post_only,
        "reduce_only": intent.reduce_only,
        "expires_us": intent.expires_us,
        "status": OrderStatus.SUBMITTING.value,
        "decided_us": intent.decided_us,
        "updated_us": intent.decided_us,
    }


def _fill_row(fill: Fill) -> dict[str, object]:
    return {
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "ticker": fill.ticker,
        "side": fill.side.value,
        "price_e4": fill.price,
        "quantity_e2": fill.quantity,
        "fee_e6": fill.fee,
        "is_taker": fill.is_taker,
        "executed_us": fill.executed_us,
        "received_us": fill.executed_us,
    }


def _bracket_row(record: BracketRecord) -> dict[str, object]:
    return {
        "bracket_id": record.bracket_id,
        "signal_id": record.signal_id,
        "strategy_id": record.strategy_id,
        "ticker": record.ticker,
        "event_ticker": record.event_ticker,
        "title": record.title,
        "side": record.side.value,
        "state": record.state.value,
        "entry_price_e4": record.entry_price,
        "stop_price_e4": record.stop_price,
        "target_price_e4": record.target_price,
        "wanted_e2": record.wanted,
        "entered_e2": record.entered,
        "entry_cost_e6": record.entry_cost,
        "exited_e2": record.exited,
        "exit_value_e6": record.exit_value,
        "fees_e6": record.fees,
        "exit_reason": record.exit_reason.value if record.exit_reason else None,
        "data_json": record.data_json,
        "opened_us": record.opened_us,
        "entered_us": record.entered_us,
        "closed_us": record.closed_us,
        "updated_us": record.updated_us,
    }


def _position_row(record: PositionRecord) -> dict[str, object]:
    return {
        "ticker": record.ticker,
        "quantity_e2": record.quantity,
        "cost_e6": record.cost,
        "realized_e6": record.realized,
        "fees_e6": record.fees,
        "updated_us": record.updated_us,
    }


def _breaker_row(record: BreakerRecord) -> dict[str, object]:
    return {
        "name": record.name,
        "tripped": record.tripped,
        "reason": record.reason,
        "data_json": record.data_json,
        "changed_us": record.changed_us,
    }


def _approval_row(record: ApprovalRecord) -> dict[str, object]:
    return {
        "proposal": record.proposal,
        "step": record.step.value,
        "ticker": record.ticker,
        "side": record.side.value,
        "own_price_e4": record.own_price,
        "quantity_e2": record.quantity,
        "cost_e6": record.cost,
        "actor": record.actor,
        "note": record.note,
        "at_us": record.at_us,
    }


def _baseline_row(record: BaselineRecord) -> dict[str, object]:
    return {
        "trading_day": record.trading_day,
        "equity_e6": record.equity,
        "taken_us": record.taken_us,
    }


def _snapshot_row(record: SnapshotRecord) -> dict[str, object]:
    return {
        "taken_us": record.taken_us,
        "cash_e6": record.cash,
        "equity_e6": record.equity,
        "exposure_e6": record.exposure,
        "realized_today_e6": record.realized_today,
        "unrealized_e6": record.unrealized,
        "open_positions": record.open_positions,
        "trades_today": record.trades_today,
        "wins_today": record.wins_today,
        "losses_today": record.losses_today,
        "stopped_by": record.stopped_by,
    }


def halt_of(row: Row[Any]) -> HaltRecord:
    """A row of ``risk_state``."""
    return HaltRecord(
        halted=row.halted, reason=row.reason, set_by=row.set_by, changed_us=row.changed_us
    )


def breaker_of(row: Row[Any]) -> BreakerRecord:
    """A row of ``breaker_state``."""
    return BreakerRecord(
        name=row.name,
        tripped=row.tripped,
        reason=row.reason,
        data_json=row.data_json,
        changed_us=row.changed_us,
    )


def baseline_of(row: Row[Any]) -> BaselineRecord:
    """A row of ``equity_baselines``."""
    return BaselineRecord(
        trading_day=row.trading_day, equity=Money(row.equity_e6), taken_us=row.taken_us
    )


def snapshot_of(row: Row[Any]) -> SnapshotRecord:
    """A row of ``account_snapshots``."""
    return SnapshotRecord(
        taken_us=row.taken_us,
        cash=Money(row.cash_e6),
        equity=Money(row.equity_e6),
        exposure=Money(row.exposure_e6),
        realized_today=Money(row.realized_today_e6),
        unrealized=Money(row.unrealized_e6),
        open_positions=row.open_positions,
        trades_today=row.trades_today,
        wins_today=row.wins_today,
        losses_today=row.losses_today,
        stopped_by=row.stopped_by,
    )


def position_of(row: Row[Any]) -> PositionRecord:
    """A row of ``positions``."""
    return PositionRecord(
        ticker=MarketTicker(row.ticker),
        quantity=Quantity(row.quantity_e2),
        cost=Money(row.cost_e6),
        realized=Money(row.realized_e6),
        fees=Money(row.fees_e6),
        updated_us=row.updated_us,
    )


def fill_of(row: Row[Any]) -> Fill:
    """A row of ``fills``."""
    return Fill(
        fill_id=FillId(row.fill_id),
        order_id=OrderId(row.order_id),
        ticker=MarketTicker(row.ticker),
        side=BookSide(row.side),
        price=Price(row.price_e4),
        quantity=Quantity(row.quantity_e2),
        fee=Money(row.fee_e6),
        is_taker=row.is_taker,
        executed_us=row.executed_us,
    )


def bracket_of(row: Row[Any]) -> BracketRecord:
    """A row of ``brackets``."""
    return BracketRecord(
        bracket_id=BracketId(row.bracket_id),
        signal_id=SignalId(row.signal_id),
        strategy_id=StrategyId(row.strategy_id),
        ticker=MarketTicker(row.ticker),
        event_ticker=EventTicker(row.event_ticker),
        title=row.title,
        side=BookSide(row.side),
        state=BracketState(row.state),
        entry_price=Price(row.entry_price_e4),
        stop_price=Price(row.stop_price_e4),
        target_price=Price(row.target_price_e4),
        wanted=Quantity(row.wanted_e2),
        entered=Quantity(row.entered_e2),
        entry_cost=Money(row.entry_cost_e6),
        exited=Quantity(row.exited_e2),
        exit_value=Money(row.exit_value_e6),
        fees=Money(row.fees_e6),
        exit_reason=ExitReason(row.exit_reason) if row.exit_reason else None,
        data_json=row.data_json,
        opened_us=row.opened_us,
        entered_us=row.entered_us,
        closed_us=row.closed_us,
        updated_us=row.updated_us,
    )


def stored_order_of(row: Row[Any]) -> StoredOrder:
    """A row of ``order_intents``."""
    intent = OrderIntent(
        client_order_id=ClientOrderId(row.client_order_id),
        epoch=Epoch(row.epoch),
        strategy_id=StrategyId(row.strategy_id),
        signal_id=SignalId(row.signal_id) if row.signal_id else None,
        bracket_id=BracketId(row.bracket_id) if row.bracket_id else None,
        purpose=Purpose(row.purpose),
        ticker=MarketTicker(row.ticker),
        exchange_index=row.exchange_index,
        side=BookSide(row.side),
        price=Price(row.price_e4),
        quantity=Quantity(row.quantity_e2),
        time_in_force=TimeInForce(row.time_in_force),
        post_only=row.post_only,
        reduce_only=row.reduce_only,
        expires_us=row.expires_us,
        decided_us=row.decided_us,
    )
    progress = OrderRecord(
        client_order_id=intent.client_order_id,
        status=OrderStatus(row.status),
        order_id=OrderId(row.order_id) if row.order_id else None,
        filled=Quantity(row.filled_e2),
        reason=row.reason,
        updated_us=row.updated_us,
    )
    return StoredOrder(intent=intent, progress=progress)
