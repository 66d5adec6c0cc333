"""One text for each event. Pure.

A text is a headline with facts filled in, an advice where there is something to
do, and whatever facts neither has used. A missing fact never stops an
alert: the bare title goes out instead.
"""

import string
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.domain.alerts import AlertFacts, AlertKind
from bot.domain.errors import InvalidAmount
from bot.domain.money import (
    Money,
    Price,
    Quantity,
    complement,
    format_dollars,
    format_price,
    format_quantity,
    parse_price,
)
from bot.domain.operations import Severity
from bot.domain.orders import BookSide
from bot.kit.markup import bold, escape, moment
from bot.kit.times import GREENWICH

_UNITS = ("_us", "_e2", "_e4", "_e6")
_SIDES: dict[str, str] = {BookSide.BID.value: "YES", BookSide.ASK.value: "NO"}
_OF_A_SIDE = (AlertKind.POSITION_OPENED, AlertKind.POSITION_CLOSED, AlertKind.FILL_SEEN)
_YES_PRICES = ("price", "stop", "target")
_COUNTS = ("contracts", "wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertText:
    """How one event is told."""

    severity: Severity
    title: str
    headline: str = ""
    """Follows the title; ``{fact}`` is filled in. Left out when a fact is missing."""
    advice: str = ""
    is_limited: bool = True
    """Whether repeats within the limit's window are gathered into one message."""

    @property
    def is_vital(self) -> bool:
        """Whether nobody can mute it: breakers, halts, panic, deaths, questions about money."""
        return not self.is_limited and self.severity is not Severity.INFO


def text_of(kind: AlertKind) -> AlertText:
    """How ``kind`` is told."""
    return _CATALOGUE[kind]


def render(kind: AlertKind, facts: AlertFacts, zone: ZoneInfo = GREENWICH) -> str:
    """The message, escaped. Facts are shown by the unit at the end of their name."""
    told = _CATALOGUE[kind]
    names = _fields(told.headline)
    shown = {name: shown_fact(name, value, zone) for name, value in facts.items()}
    if kind in _OF_A_SIDE:
        shown = _as_held(shown)
    lines = [bold(told.title)]
    if told.headline and names <= shown.keys():
        lines[0] += ": " + _filled(told.headline, shown)
    else:
        names = set()
    advice = [_filled(told.advice, shown)] if _fields(told.advice) <= shown.keys() else []
    if advice:
        names = names | _fields(told.advice)
    rest = [
        f"{_label(name)}: {escape(value)}" for name, value in shown.items() if name not in names
    ]
    if rest:
        lines.append(", ".join(rest))
    lines += [one for one in advice if one]
    return "\n".join(lines)


def shown_fact(name: str, value: str | int, zone: ZoneInfo = GREENWICH) -> str:
    """A fact as people read it: ``fee_e6=1500000`` is ``$1.50``."""
    if isinstance(value, str):
        return value
    if name.endswith("_us"):
        return moment(value, zone)
    if name.endswith("_e6"):
        return format_dollars(Money(value))
    if name.endswith("_e4"):
        return f"${format_price(Price(value))}"
    return format_quantity(Quantity(value)) if name.endswith("_e2") else str(value)


def _as_held(shown: dict[str, str]) -> dict[str, str]:
    """A position in its holder's words: YES or NO, and that side's prices."""
    side = _SIDES.get(shown.get("side", ""))
    if side is None:
        return shown
    held = shown | {"side": side}
    for name in held.keys() & set(_YES_PRICES):
        held[name] = _own_price(held[name], is_yes=side == "YES")
    for name in held.keys() & set(_COUNTS):
        held[name] = held[name].removesuffix(".00")
    if "reason" in held:
        held["reason"] = held["reason"].replace("_", " ")
    return held


def _own_price(text: str, *, is_yes: bool) -> str:
    """A YES-leg price as ``$0.97`` of the held side; 0 means none, what is no price stays."""
    try:
        price = parse_price(text)
    except InvalidAmount:
        return text
    if price == 0:
        return "none"
    whole, _, fraction = format_price(price if is_yes else complement(price)).partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _label(name: str) -> str:
    for unit in _UNITS:
        name = name.removesuffix(unit)
    return escape(name.replace("_", " "))


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def _filled(template: str, shown: dict[str, str]) -> str:
    return template.format_map({name: escape(value) for name, value in shown.items()})


_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL

_CATALOGUE: dict[AlertKind, AlertText] = {
    AlertKind.LEADER_STARTED: AlertText(
        severity=_INFO,
        title="Leading",
        headline="epoch {epoch}",
        is_limited=False,
    ),
    AlertKind.LEADER_DEPOSED: AlertText(
        severity=_WARNING,
        title="No longer leading",
        headline="{reason}",
        advice="Take-profits stay at the exchange; stops are not watched until someone leads.",
        is_limited=False,
    ),
    AlertKind.LEADER_STANDBY: AlertText(
        severity=_INFO, title="Standby", headline="{leader} leads; this one ends"
    ),
    AlertKind.NOBODY_LED: AlertText(
        severity=_CRITICAL,
        title="Leader died",
        headline="leader {previous} silent for {seconds} s ({end}), {successor} took over, "
        "{brackets} brackets re-armed",
        advice="Stops were not watched in that time.",
        is_limited=False,
    ),
    AlertKind.DRAINING: AlertText(
        severity=_INFO,
        title="Handing over",
        headline="{reason}",
        advice="No new entries. Take-profits stay; stops are not watched until a successor leads.",
        is_limited=False,
    ),
    AlertKind.STOPS_UNWATCHED: AlertText(
        severity=_CRITICAL,
        title="Stops not watched",
        headline="for {seconds} s: {reason}",
        advice="Resting take-profits stay at the exchange.",
        is_limited=False,
    ),
    AlertKind.HALT_SET: AlertText(
        severity=_WARNING,
        title="Halted",
        headline="by {by}: {reason}",
        advice="No new entries. Positions stay open, their stops are watched while this bot "
        "leads. /unhalt ends it.",
        is_limited=False,
    ),
    AlertKind.HALT_CLEARED: AlertText(
        severity=_WARNING, title="Halt ended", headline="by {by}", is_limited=False
    ),
    AlertKind.BREAKER_TRIPPED: AlertText(
        severity=_CRITICAL,
        title="Breaker tripped",
        headline="{name}: {reason}",
        advice="No new entries. Positions stay open, their stops are watched while this bot "
        "leads. /breakers shows it, /reset_breaker {name} resets it.",
        is_limited=False,
    ),
    AlertKind.BREAKER_RESET: AlertText(
        severity=_WARNING, title="Breaker reset", headline="{name}", is_limited=False
    ),
    AlertKind.PAUSED: AlertText(
        severity=_INFO,
        title="Paused by the exchange",
        advice="Stops are frozen until it resumes; then everything is armed again.",
    ),
    AlertKind.RESUMED: AlertText(severity=_INFO, title="The exchange resumed"),
    AlertKind.POSITION_OPENED: AlertText(
        severity=_INFO,
        title="Position opened",
        headline="{ticker}",
        advice="{title}\n{contracts} of {wanted} {side} at {price}, stop {stop}, target {target}",
    ),
    AlertKind.POSITION_CLOSED: AlertText(
        severity=_INFO,
        title="Position closed",
        headline="{ticker}",
        advice="{title}\n{contracts} {side}, {reason}: {profit} after {fees} of fees",
    ),
    AlertKind.EXIT_STUCK: AlertText(
        severity=_CRITICAL,
        title="Exit not filled",
        headline="{ticker}",
        advice="The position is still open: look at it, or close it in the exchange's app.",
    ),
    AlertKind.ORDER_UNKNOWN: AlertText(
        severity=_WARNING,
        title="Order of unknown outcome",
        headline="{ticker}",
        advice="Entries in this market wait until the exchange has said what became of it.",
    ),
    AlertKind.FOREIGN_ACTIVITY: AlertText(
        severity=_WARNING,
        title="Not this bot's doing",
        headline="{ticker}",
        advice="No entries there until /acknowledge {ticker}, unless traded_by_hand_too is set. "
        "Contracts that are not the bot's have no stop and no target here: sell them in the app, "
        "or /panic everything.",
    ),
    AlertKind.RECONCILED: AlertText(severity=_INFO, title="Reconciled"),
    AlertKind.FILL_SEEN: AlertText(severity=_INFO, title="Traded", headline="{ticker}"),
    AlertKind.APPROVAL_WANTED: AlertText(
        severity=_WARNING,
        title="May I?",
        headline="buy {contracts} {side} of {ticker} at {price}, {cost} in all",
        advice="{why}. /approve {id} within {seconds} s (with a number behind it: only so many), "
        "or /skip {id}. Unanswered it expires.",
        is_limited=False,
    ),
    AlertKind.APPROVAL_ENDED: AlertText(
        severity=_INFO, title="Not bought", headline="{id}, {ticker}: {why}"
    ),
    AlertKind.PANIC_BEGUN: AlertText(
        severity=_CRITICAL,
        title="Getting out of everything",
        headline="by {by}",
        advice="Halted. Entries are cancelled, positions are sold round by round; the proof "
        "follows.",
        is_limited=False,
    ),
    AlertKind.PANIC_WAITS: AlertText(
        severity=_CRITICAL,
        title="Not out yet",
        headline="{why}",
        advice="It goes on by itself as soon as that changes.",
        is_limited=False,
    ),
    AlertKind.PANIC_ENDED: AlertText(
        severity=_CRITICAL, title="Out", headline="{outcome}", is_limited=False
    ),
    AlertKind.COLLECT_FAILED: AlertText(
        severity=_WARNING, title="Collection failed", headline="{error}"
    ),
    AlertKind.COLLECT_RECOVERED: AlertText(severity=_INFO, title="Collection works again"),
    AlertKind.GAP_FOUND: AlertText(
        severity=_WARNING,
        title="Gap in the collection",
        headline="{missing} hours missing",
        advice="/gaps lists them.",
    ),
    AlertKind.STALE: AlertText(
        severity=_WARNING, title="Stale", headline="{service}, silent for {seconds} s"
    ),
    AlertKind.API_ERROR_RATE: AlertText(
        severity=_WARNING,
        title="API error rate",
        headline="{what}",
        advice="At twice that a breaker stops entries. /status shows how it goes on.",
    ),
    AlertKind.WIN_RATE_LOW: AlertText(
        severity=_WARNING,
        title="Win rate below break-even",
        headline="{what}",
        advice="What is bought costs more than it brings on average. /pnl and /why show more.",
    ),
    AlertKind.POSITIONS_NEAR_LIMIT: AlertText(
        severity=_WARNING, title="Open positions", headline="{what}"
    ),
    AlertKind.DAILY_LOSS_NEAR: AlertText(
        severity=_WARNING, title="Half of the daily loss limit", headline="{what}"
    ),
    AlertKind.KEY_EXPIRES: AlertText(
        severity=_WARNING,
        title="API key",
        headline="{what}",
        advice="Make a new one at Kalshi and set it before: without a key stops are not watched.",
    ),
    AlertKind.ATTESTATION_EXPIRES: AlertText(
        severity=_WARNING,
        title="Location attestation",
        headline="{what}",
        advice="Confirm your location in Kalshi's own app or page: after it orders in some "
        "categories are refused though the key still works.",
    ),
    AlertKind.BALANCE_LOW: AlertText(
        severity=_WARNING,
        title="Too little money for the next entry",
        headline="{what}",
        advice="Move money at Kalshi, or lower trading.order_cost_max. /balance shows the shards.",
    ),
    AlertKind.PAUSE_AHEAD: AlertText(
        severity=_INFO,
        title="The exchange will pause",
        headline="in {minutes} min ({why})",
        advice="Stops will be frozen from {from_us} to {to_us}; what rests stays. Nothing has to "
        "be done: everything is armed again afterwards.",
        is_limited=False,
    ),
    AlertKind.WATCH_ENDED: AlertText(
        severity=_INFO, title="Well again", headline="{watch}: {what}", is_limited=False
    ),
    AlertKind.NOBODY_LEADS: AlertText(
        severity=_CRITICAL,
        title="Nobody leads",
        headline="for {seconds} s, says {by}: {why}",
        advice="Resting take-profits stay at the exchange, stops are not watched. Start the bot, "
        "or look at Kalshi's own app.",
        is_limited=False,
    ),
    AlertKind.LED_AGAIN: AlertText(
        severity=_INFO,
        title="Led again",
        headline="by {leader}, after {seconds} s",
        is_limited=False,
    ),
    AlertKind.WEBSOCKET_DOWN: AlertText(
        severity=_WARNING,
        title="WebSocket down",
        headline="{reason}",
        advice="Stops are frozen until data flows again.",
    ),
    AlertKind.WEBSOCKET_UP: AlertText(severity=_INFO, title="WebSocket up again"),
    AlertKind.RECORDING_STOPPED: AlertText(
        severity=_WARNING,
        title="Recording stopped",
        headline="{reason}",
        advice="Trading goes on. What is decided meanwhile cannot be replayed.",
    ),
    AlertKind.RECORDING_RESUMED: AlertText(severity=_INFO, title="Recording goes on"),
    AlertKind.BACKUP_DONE: AlertText(severity=_INFO, title="Backup done", headline="{path}"),
    AlertKind.BACKUP_FAILED: AlertText(
        severity=_CRITICAL, title="Backup failed", headline="{error}"
    ),
    AlertKind.RESTORE_DONE: AlertText(
        severity=_WARNING,
        title="Restored",
        headline="{path}",
        advice="Trading is halted until a person sends /unhalt.",
        is_limited=False,
    ),
    AlertKind.DAILY_SUMMARY: AlertText(
        severity=_INFO,
        title="Day",
        headline="{trading_day}: {profit} after {fees} of fees\n"
        "{trades}\nWin rate {win_rate}, break-even {break_even}\n"
        "Open now: {open}\nBreakers: {breakers}\nCollection: {collection}",
        is_limited=False,
    ),
    AlertKind.LIVE_TRADING_ENABLED: AlertText(
        severity=_CRITICAL,
        title="Live trading is on",
        headline="real money, account {account}",
        is_limited=False,
    ),
    AlertKind.COST_LIMIT_HIT: AlertText(
        severity=_WARNING, title="Cost limit hit", headline="{what}"
    ),
    AlertKind.CHANNEL_FAILED: AlertText(
        severity=_WARNING,
        title="Messages do not arrive",
        headline="{channel} to {recipient}: {reason}; {then}",
        advice="`python -m bot alerts test` tries it.",
        is_limited=False,
    ),
    AlertKind.CHANNEL_RECOVERED: AlertText(
        severity=_WARNING,
        title="Messages arrive again",
        headline="{channel} to {recipient}, after {silent}",
        is_limited=False,
    ),
    AlertKind.TELEGRAM_CONFLICT: AlertText(
        severity=_CRITICAL,
        title="Another process reads this Telegram bot",
        headline="for {seconds} s",
        advice="Commands may be lost to it. If it is not yours, rotate the token with BotFather.",
    ),
    AlertKind.CRITICAL_ERROR: AlertText(
        severity=_CRITICAL, title="Critical error", headline="{error}"
    ),
}
