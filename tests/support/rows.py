"""Rows for storage tests: a leader with a lease, and one row for each fenced table."""

from typing import Any

from sqlalchemy import insert, text

from bot.adapters.storage import tables
from bot.adapters.storage.database import Database
from bot.adapters.storage.sql_terms import NOW_US

SCOPE = "paper:main:0"
EPOCH = 7
FAR_US = 4_000_000_000_000_000

_COMMON: dict[str, Any] = {"scope": SCOPE, "epoch": EPOCH}
_BRACKET: dict[str, Any] = {
    **_COMMON,
    "bracket_id": "b1",
    "signal_id": "s1",
    "strategy_id": "fade",
    "ticker": "KXFED-27",
    "event_ticker": "KXFED",
    "title": "Rates above 4%?",
    "side": "bid",
    "state": "open",
    "entry_price_e4": 6_000,
    "stop_price_e4": 5_000,
    "target_price_e4": 7_500,
    "wanted_e2": 1_000,
    "entered_e2": 1_000,
    "entry_cost_e6": 6_000_000,
    "exited_e2": 0,
    "exit_value_e6": 0,
    "fees_e6": 170_000,
    "exit_reason": None,
    "data_json": "{}",
    "opened_us": 1_784_000_000_000_000,
    "entered_us": 1_784_000_001_000_000,
    "closed_us": None,
    "updated_us": 1_784_000_001_000_000,
}
_INTENT: dict[str, Any] = {
    **_COMMON,
    "client_order_id": "c1",
    "strategy_id": "fade",
    "signal_id": "s1",
    "bracket_id": "b1",
    "purpose": "take_profit",
    "ticker": "KXFED-27",
    "exchange_index": 0,
    "side": "bid",
    "price_e4": 6_000,
    "quantity_e2": 1_000,
    "time_in_force": "good_till_canceled",
    "post_only": False,
    "reduce_only": False,
    "status": "resting",
    "order_id": "o1",
    "decided_us": 1,
    "updated_us": 1,
}
FENCED_ROWS: dict[str, dict[str, Any]] = {
    "account_snapshots": {
        **_COMMON,
        "taken_us": 1_784_000_000_000_000,
        "cash_e6": 90_000_000,
        "equity_e6": 100_250_000,
        "exposure_e6": 6_000_000,
        "realized_today_e6": -1_500_000,
        "unrealized_e6": 250_000,
        "open_positions": 1,
        "trades_today": 2,
        "wins_today": 1,
        "losses_today": 1,
        "stopped_by": "",
    },
    "approval_steps": {
        **_COMMON,
        "proposal": "1-1",
        "step": "asked",
        "ticker": "KXFED-27",
        "side": "bid",
        "own_price_e4": 6_000,
        "quantity_e2": 1_000,
        "cost_e6": 6_170_000,
        "actor": "",
        "note": "",
        "at_us": 1_784_000_000_000_000,
    },
    "brackets": _BRACKET,
    "breaker_state": {
        **_COMMON,
        "name": "daily_loss",
        "tripped": False,
        "reason": "",
        "data_json": "{}",
        "changed_us": 1,
    },
    "equity_baselines": {
        **_COMMON,
        "trading_day": "2026-07-13",
        "equity_e6": 100_000_000,
        "taken_us": 1,
    },
    "fills": {
        **_COMMON,
        "fill_id": "f1",
        "order_id": "o1",
        "ticker": "KXFED-27",
        "side": "bid",
        "price_e4": 6_000,
        "quantity_e2": 1_000,
        "fee_e6": 170_000,
        "is_taker": True,
        "executed_us": 1_784_000_001_000_000,
        "received_us": 1_784_000_001_000_001,
    },
    "job_runs": {**_COMMON, "job": "collect", "slot_us": 1, "state": "running", "started_us": 1},
    "order_groups": {
        **_COMMON,
        "order_group_id": "g1",
        "exchange_index": 0,
        "purpose": "entry",
        "is_triggered": False,
        "created_us": 1,
    },
    "order_intents": _INTENT,
    "positions": {
        **_COMMON,
        "ticker": "KXFED-27",
        "quantity_e2": 1_000,
        "cost_e6": 6_000_000,
        "realized_e6": 0,
        "fees_e6": 170_000,
        "updated_us": 1,
    },
    "signals": {
        **_COMMON,
        "signal_id": "s1",
        "strategy_id": "fade",
        "ticker": "KXFED-27",
        "side": "bid",
        "price_e4": 6_000,
        "quantity_e2": 1_000,
        "verdict": "accepted",
        "reason": "",
        "inputs_json": "{}",
        "decided_us": 1,
    },
}


async def grant_lease(
    database: Database, *, seconds: int = 600, epoch: int = EPOCH, scope: str = SCOPE
) -> None:
    """Make ``EPOCH`` the current lease of ``SCOPE``, or one that ended when negative."""
    now = NOW_US[database.dialect]
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM leader_lease WHERE scope = :s"), {"s": scope})
        await connection.execute(
            text(
                "INSERT INTO leader_lease (scope, epoch, holder, generation, renew_seq, expires_us,"
                f" clean_release) VALUES (:s, :e, 'me', 1, 1, {now} + {seconds * 1_000_000}, FALSE)"
            ),
            {"s": scope, "e": epoch},
        )


async def set_halt(database: Database, *, halted: bool) -> None:
    """Write the halt of ``SCOPE``."""
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM risk_state WHERE scope = :s"), {"s": SCOPE})
        await connection.execute(
            insert(tables.risk_state).values(
                scope=SCOPE, halted=halted, reason="", set_by="test", changed_us=1
            )
        )


async def add(database: Database, table: str, **changes: Any) -> None:
    """Insert the sample row of a fenced table, with some columns changed."""
    async with database.begin() as connection:
        await connection.execute(
            insert(tables.metadata.tables[table]).values(FENCED_ROWS[table] | changes)
        )
