"""Markets and verdicts on them as text. Pure, as ``views``."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot.console.amounts import contracts, counted, dollars, price, signed_dollars
from bot.domain.cockpit import MarketDetail, MarketLine, MarketsView
from bot.domain.money import Price, Quantity
from bot.domain.operations import Decision
from bot.domain.orders import own_price
from bot.domain.signals import Verdict
from bot.kit.markup import ago, bold, code, escape, moment, span

_TITLE_SHOWN_MAX = 60


def markets(view: MarketsView, query: str, now_us: int) -> str:
    """Watched markets, the soonest to close first."""
    if not view.watched:
        return "No market is watched. /why says what is left out and why."
    which = f" with {code(query)}" if query else ""
    if not view.found:
        return f"None of {counted(view.watched, 'watched market')}{which}."
    head = f"{bold(counted(view.matching, 'watched market'))}{which}, the soonest to close first"
    lines = [head, *(_line(one, now_us) for one in view.found)]
    if hidden := view.matching - len(view.found):
        lines.append(f"and {hidden:,} more: {code('/markets WORD')} finds by ticker or title")
    return "\n".join(lines)


def market(view: MarketDetail, now_us: int, zone: ZoneInfo) -> str:
    """One market now."""
    closes = (
        f"closes in {span(view.close_us - now_us)}, {moment(view.close_us, zone)}"
        if view.close_us > now_us
        else f"closed {ago(view.close_us, now_us)}"
    )
    spread = (
        f"spread {price(Price(view.ask - view.bid))}"
        if view.bid is not None and view.ask is not None
        else "one side is empty"
    )
    source = "our book" if view.is_trusted else "the exchange's answer, not a book we keep"
    lines = [
        f"{code(view.ticker)} {escape(view.title)}",
        f"Event {code(view.event_ticker)}, {escape(view.status)}, {closes}",
        (
            f"{bold('YES')} bid {_side(view.bid, view.bid_size)}, "
            f"ask {_side(view.ask, view.ask_size)}, {spread}"
        ),
        (
            f"Depth {contracts(view.bid_depth)} bid, {contracts(view.ask_depth)} asked ({source}); "
            f"last {price(view.last_price)}"
        ),
        f"24 h {_whole(view.volume_24h)} contracts, {_whole(view.open_interest)} open",
        _ours(view),
    ]
    if view.why_not:
        lines.append(f"Why not bought: {escape(view.why_not)}")
    elif view.position is None:
        lines.append("Nothing speaks against it now.")
    return "\n".join(lines)


def signals(decisions: Sequence[Decision], now_us: int) -> str:
    """The newest verdicts, newest first."""
    if not decisions:
        return "No signal has been decided on yet."
    return "\n".join(
        (f"{bold('Newest verdicts')} on signals", *(_decision(one, now_us) for one in decisions))
    )


def _line(view: MarketLine, now_us: int) -> str:
    closes = span(view.close_us - now_us) if view.close_us > now_us else "closed"
    held = f" {bold('HELD')}" if view.is_held else ""
    doubted = "" if view.is_trusted else ", book not trusted"
    return (
        f"{code(view.ticker)}{held} {escape(_cut(view.title))}\n"
        f"  {_top(view.bid)} / {_top(view.ask)}, {closes}{doubted}"
    )


def _decision(one: Decision, now_us: int) -> str:
    head = f"{ago(one.at_us, now_us)} {code(one.ticker)} {bold(one.verdict)}"
    wish = ""
    if one.signal is not None:
        own = own_price(one.signal.side, one.signal.price)
        side = "YES" if own == one.signal.price else "NO"
        size = f"{contracts(one.quantity)} " if one.quantity else ""
        wish = f" {size}{side} at {price(own)}, {escape(one.signal.strategy_id)}"
    reason = f": {escape(why_of(one))}" if one.reason else ""
    return f"{head}{wish}{reason}"


def why_of(one: Decision) -> str:
    """The reason of a verdict; of what was taken, it is what its size was limited by."""
    return f"size limited by {one.reason}" if one.verdict == Verdict.TAKEN else one.reason


def _ours(view: MarketDetail) -> str:
    held = view.position
    if held is None:
        return "We hold nothing here" + ("." if view.is_watched else "; it is not watched.")
    side = "YES" if held.quantity > 0 else "NO"
    size = contracts(Quantity(abs(held.quantity)))
    return (
        f"We hold {size} {side}, cost {dollars(held.cost)}, open "
        f"{signed_dollars(held.unrealized)}: /position shows more"
    )


def _side(value: Price | None, size: Quantity) -> str:
    return "nobody" if value is None else f"{price(value)} x {contracts(size)}"


def _top(value: Price | None) -> str:
    return "-" if value is None else price(value)


def _whole(value: Quantity) -> str:
    return f"{value // 100:,}"


def _cut(title: str) -> str:
    return title if len(title) <= _TITLE_SHOWN_MAX else f"{title[: _TITLE_SHOWN_MAX - 3]}..."
