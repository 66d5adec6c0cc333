"""The events that a person is told about, by name.

The texts, severities and limits live in ``bot.alerts.catalogue``; whoever has
something to tell needs only the name and the facts.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

AlertFacts: TypeAlias = Mapping[str, str | int]
"""Named facts. Integers carry their unit in the name (``_us _e4 _e2 _e6``) and are shown by it."""


class AlertKind(StrEnum):
    """One name per event."""

    LEADER_STARTED = "leader_started"
    LEADER_DEPOSED = "leader_deposed"
    LEADER_STANDBY = "leader_standby"
    NOBODY_LED = "nobody_led"
    DRAINING = "draining"
    STOPS_UNWATCHED = "stops_unwatched"
    HALT_SET = "halt_set"
    HALT_CLEARED = "halt_cleared"
    BREAKER_TRIPPED = "breaker_tripped"
    BREAKER_RESET = "breaker_reset"
    PAUSED = "paused"
    RESUMED = "resumed"
    POSITION_OPENED = "position_opened"
    POSITION_CLOSED = "position_closed"
    EXIT_STUCK = "exit_stuck"
    ORDER_UNKNOWN = "order_unknown"
    FOREIGN_ACTIVITY = "foreign_activity"
    RECONCILED = "reconciled"
    FILL_SEEN = "fill_seen"
    APPROVAL_WANTED = "approval_wanted"
    APPROVAL_ENDED = "approval_ended"
    PANIC_BEGUN = "panic_begun"
    PANIC_WAITS = "panic_waits"
    PANIC_ENDED = "panic_ended"
    COLLECT_FAILED = "collect_failed"
    COLLECT_RECOVERED = "collect_recovered"
    GAP_FOUND = "gap_found"
    STALE = "stale"
    API_ERROR_RATE = "api_error_rate"
    WIN_RATE_LOW = "win_rate_low"
    POSITIONS_NEAR_LIMIT = "positions_near_limit"
    DAILY_LOSS_NEAR = "daily_loss_near"
    KEY_EXPIRES = "key_expires"
    ATTESTATION_EXPIRES = "attestation_expires"
    BALANCE_LOW = "balance_low"
    PAUSE_AHEAD = "pause_ahead"
    WATCH_ENDED = "watch_ended"
    NOBODY_LEADS = "nobody_leads"
    LED_AGAIN = "led_again"
    WEBSOCKET_DOWN = "websocket_down"
    WEBSOCKET_UP = "websocket_up"
    RECORDING_STOPPED = "recording_stopped"
    RECORDING_RESUMED = "recording_resumed"
    BACKUP_DONE = "backup_done"
    BACKUP_FAILED = "backup_failed"
    RESTORE_DONE = "restore_done"
    DAILY_SUMMARY = "daily_summary"
    LIVE_TRADING_ENABLED = "live_trading_enabled"
    COST_LIMIT_HIT = "cost_limit_hit"
    CHANNEL_FAILED = "channel_failed"
    CHANNEL_RECOVERED = "channel_recovered"
    TELEGRAM_CONFLICT = "telegram_conflict"
    CRITICAL_ERROR = "critical_error"
