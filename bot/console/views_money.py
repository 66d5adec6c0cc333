"""Positions, orders, results and limits as text. Pure, as ``views``."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from bot.console.amounts import contracts, counted, dollars, price, share, signed_dollars
from bot.domain.cockpit import (
    ExposureLine,
    ExposureView,
    FillView,
    LimitView,
    OrderView,
    PeriodResult,
    PositionDetail,
    TradeView,
)
from bot.domain.money import Money, Quantity, complement
from bot.domain.operations import PositionView
from bot.domain.orders import BookSide, Purpose, own_price
from bot.kit.markup import ago, bold, code, escape, moment, span
from bot.ports.cockpit import Period

_PURPOSES = {
    Purpose.ENTRY: "entry",
    Purpose.TAKE_PROFIT: "take-profit",
    Purpose.STOP_LOSS: "stop",
    Purpose.FLATTEN: "way out",
}
_PERIODS = {
    Period.DAY: "Today",
    Period.WEEK: "7 days",
    Period.MONTH: "30 days",
    Period.ALL: "Since the beginning",
}
_STATES = {
    "pending_entry": "The entry rests",
    "partial": "The entry is partly filled and rests on",
    "open": "Held, no take-profit rests",
    "tp_working": "Held, the take-profit rests",
    "exiting": bold("Being sold"),
    "orphan": bold("Waits for a person"),
    "not ours": "Not this bot's: it sets no stop and no target here",
}
_SERIES_SHOWN = 12
_LINES_SHOWN = 15
_MILLION = 1_000_000
_NEAR_E6 = 800_000
"""From here on a limit is marked as nearly used up."""


def position(view: PositionDetail, now_us: int, zone: ZoneInfo) -> str:
    """One held market with all that belongs to it."""
    held = view.position
    is_yes = held.quantity > 0
    side = BookSide.BID if is_yes else BookSide.ASK
    opened = "" if view.entered_us is None else f", since {moment(view.entered_us, zone)}"
    by = f", by {escape(view.strategy_id)}" if view.strategy_id else ""
    lines = [
        f"{code(held.ticker)} {escape(held.title)}",
        (
            f"{bold(_size(held.quantity, is_yes=is_yes))} at {price(view.entry_price)}, "
            f"cost {dollars(held.cost)}{opened}"
        ),
        f"{_STATES.get(view.state, escape(view.state))}{by}",
        *_worth(view, side),
        _guards(held, side),
    ]
    if view.close_us is not None:
        lines.append(_closes(view.close_us, now_us, zone))
    if view.orders:
        lines += [bold("Orders"), *(_order(one, now_us, with_market=False) for one in view.orders)]
    if view.fills:
        lines.append(bold("Fills"))
        lines += [_fill(one, zone, is_yes=is_yes) for one in view.fills]
    if view.past:
        lines += [bold("Before in this market"), *(_past(one, zone) for one in view.past)]
    return "\n".join(lines)


def orders(views: Sequence[OrderView], now_us: int) -> str:
    """What rests or is on its way; in doubt first."""
    if not views:
        return "No order of ours is open."
    doubted = sum(one.is_in_doubt for one in views)
    head = f"{bold('Open orders')}: {len(views)}"
    if doubted:
        head += f", {bold(f'{doubted} of unknown outcome')}: entries wait there"
    return "\n".join((head, *(_order(one, now_us, with_market=True) for one in views)))


def trades(views: Sequence[TradeView], zone: ZoneInfo) -> str:
    """Closed positions, newest first."""
    if not views:
        return "No position has been closed yet."
    total = Money(sum(one.profit for one in views))
    head = f"{bold(counted(len(views), 'newest trade'))}: {signed_dollars(total)} after fees"
    return "\n".join((head, *(_trade(one, zone) for one in views)))


def period(view: PeriodResult, period_: Period) -> str:
    """What was closed within some trading days."""
    since = f" (from {view.first_day})" if view.first_day and period_ is not Period.DAY else ""
    head = f"{bold(_PERIODS[period_])}{since}: "
    if not view.trades:
        return f"{head}nothing was closed{_open(view.unrealized)}."
    total = f"{signed_dollars(view.profit)} after fees of {dollars(view.fees)}"
    lines = [
        f"{head}{total}{_open(view.unrealized)}",
        f"{counted(view.trades, 'trade')}: {view.wins} won, {view.losses} lost{_rates(view)}",
        f"Best {signed_dollars(view.best)}, worst {signed_dollars(view.worst)}",
        bold("By series"),
    ]
    lines += [
        f"{escape(one.series)} {signed_dollars(one.profit)} ({counted(one.trades, 'trade')})"
        for one in view.by_series[:_SERIES_SHOWN]
    ]
    if (hidden := len(view.by_series) - _SERIES_SHOWN) > 0:
        lines.append(f"and {hidden} more")
    return "\n".join(lines)


def exposure(view: ExposureView) -> str:
    """What could be lost at worst, against what may be."""
    part = share(view.total, view.equity)
    lines = [
        f"{bold('At risk')}: {dollars(view.total)} of {dollars(view.total_limit)} allowed"
        + (f", {part} of equity" if part else "")
    ]
    if not view.events:
        return f"{lines[0]}\nNothing is held or being bought."
    for name, some in (
        ("Events", view.events),
        ("Series", view.series),
        ("Release groups", view.release_groups),
    ):
        if some:
            lines += [f"{bold(name)} (limit {dollars(some[0].limit)} each)"]
            lines += [_exposed(one) for one in some[:_LINES_SHOWN]]
            hidden = len(some) - _LINES_SHOWN
            lines += [f"and {hidden} more"] if hidden > 0 else []
    lines.append("The worst outcome of each event; open entries count whole.")
    return "\n".join(lines)


def limits(views: Iterable[LimitView]) -> str:
    """Every limit with its use, and those of a single order."""
    used = [one for one in views if one.used]
    rules = [one for one in views if not one.used]
    lines = [bold("Limits and their use")]
    lines += [f"{_bar(one)} {escape(one.name)}: {one.used} of {one.limit}" for one in used]
    if rules:
        lines.append(bold("Of every order"))
        lines += [f"{escape(one.name)}: {escape(one.limit)}" for one in rules]
    lines.append("/breakers shows what stops trading by itself.")
    return "\n".join(lines)


def _size(quantity: Quantity, *, is_yes: bool) -> str:
    return f"{contracts(Quantity(abs(quantity)))} {'YES' if is_yes else 'NO'}"


def _worth(view: PositionDetail, side: BookSide) -> list[str]:
    held = view.position
    if held.mark is None:
        return ["Nobody bids for it now: what it is worth is not known."]
    kind = "bid now" if view.is_mark_live else "last bid"
    gain = signed_dollars(held.unrealized)
    part = share(held.unrealized, held.cost) if held.unrealized is not None else ""
    told = f" ({part})" if part else ""
    return [f"{kind.capitalize()} {price(own_price(side, held.mark))}: {gain}{told} if sold"]


def _guards(held: PositionView, side: BookSide) -> str:
    stop, target = (
        "none" if one is None else price(own_price(side, one))
        for one in (held.stop_price, held.target_price)
    )
    watched = "" if held.is_stop_watched else f" {bold('STOP NOT WATCHED')}"
    return f"Stop {stop}, target {target}{watched}"


def _closes(close_us: int, now_us: int, zone: ZoneInfo) -> str:
    if close_us <= now_us:
        return f"Closed {ago(close_us, now_us)}; waits for its settlement"
    return f"Closes in {span(close_us - now_us)}, {moment(close_us, zone)}"


def _order(view: OrderView, now_us: int, *, with_market: bool) -> str:
    verb = "buy" if view.is_entry else "sell"
    size = _size(view.quantity, is_yes=view.is_yes)
    filled = f", {contracts(view.filled)} filled" if view.filled else ""
    state = bold("UNKNOWN") if view.is_in_doubt else escape(view.status.value.replace("_", " "))
    market = f"{code(view.ticker)} " if with_market else ""
    ends = ""
    if view.expires_us is not None and view.expires_us > now_us:
        ends = f", expires in {span(view.expires_us - now_us)}"
    return (
        f"{market}{_PURPOSES[view.purpose]}: {verb} {size} at {price(view.price)}{filled}, "
        f"{state}, {ago(view.decided_us, now_us)}{ends}"
    )


def _fill(view: FillView, zone: ZoneInfo, *, is_yes: bool) -> str:
    verb = "bought" if view.is_bid is is_yes else "sold"
    paid = view.price if is_yes else complement(view.price)
    kind = "taker" if view.is_taker else "maker"
    return (
        f"{moment(view.executed_us, zone)}: {verb} {contracts(view.quantity)} at {price(paid)}, "
        f"fee {dollars(view.fee)} ({kind})"
    )


def _past(view: TradeView, zone: ZoneInfo) -> str:
    return f"{moment(view.closed_us, zone)}: {_told(view)}"


def _trade(view: TradeView, zone: ZoneInfo) -> str:
    return f"{moment(view.closed_us, zone)} {code(view.ticker)}\n  {_told(view)}"


def _told(view: TradeView) -> str:
    held = span(view.closed_us - view.entered_us)
    reason = escape(view.reason.replace("_", " "))
    return (
        f"{signed_dollars(view.profit)}: {_size(view.quantity, is_yes=view.is_yes)} "
        f"{price(view.entry_price)} to {price(view.exit_price)}, {reason}, held {held}"
    )


def _open(unrealized: Money | None) -> str:
    return "" if not unrealized else f"; open positions {signed_dollars(unrealized)}"


def _rates(view: PeriodResult) -> str:
    if view.win_rate_e6 is None:
        return ""
    even = "" if view.break_even_e6 is None else f", break-even {_percent(view.break_even_e6)}"
    return f"; win rate {_percent(view.win_rate_e6)}{even}"


def _percent(rate_e6: int) -> str:
    tenths = (rate_e6 + 500) // 1_000
    return f"{tenths // 10}.{tenths % 10} %"


def _exposed(line: ExposureLine) -> str:
    part = share(line.at_risk, line.limit)
    of = f" ({part} of the limit)" if part else ""
    return f"{code(line.name)} {dollars(line.at_risk)}{of}, {counted(line.markets, 'market')}"


def _bar(view: LimitView) -> str:
    """How full it is, readable without colours."""
    if view.used_e6 is None:
        return "-"
    whole = view.used_e6 * 100 // _MILLION
    mark = " FULL" if whole >= 100 else " !" if view.used_e6 >= _NEAR_E6 else ""  # noqa: PLR2004
    return f"{whole} %{mark}"
