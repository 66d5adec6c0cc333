"""What the page shows: the operator's views as JSON, with amounts as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from zoneinfo import ZoneInfo

from bot.adapters.storage.queries import CollectFacts, Totals
from bot.console.amounts import contracts, dollars, price, signed_dollars
from bot.domain.money import Price, Quantity, complement, format_price, format_quantity
from bot.domain.operations import (
    AccountView,
    Banner,
    BreakerView,
    Decision,
    FeedView,
    PnlView,
    PositionView,
    StatusView,
    StopKind,
    StopReason,
    WhyView,
)
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel
from bot.kit.markup import moment, span
from bot.kit.times import GREENWICH, format_seconds
from bot.marketdata.book import OrderBook
from bot.ports.people import Invitation


def status_json(
    banner: Banner,
    view: StatusView,
    positions: tuple[PositionView, ...],
    why: WhyView,
    *,
    trades: bool,
    zone: ZoneInfo = GREENWICH,
    left_out: tuple[tuple[str, int], ...],
) -> dict[str, object]:
    """The part of ``/status`` that comes from the operator."""
    return {
        "now_utc": format_seconds(view.now_us),
        "uptime": span(view.now_us - view.started_us),
        "uptime_s": (view.now_us - view.started_us) // 1_000_000,
        "banner": _banner(banner),
        "trades": trades,
        "why_not_trading": _stop(view.stop),
        "circuit_breaker_active": any(one.is_tripped for one in view.breakers),
        "halted": view.halt.is_halted if view.halt else None,
        "account": _account(view.account),
        "pnl": _pnl(view.pnl),
        "open_positions": view.open_positions,
        "open_positions_max": view.open_positions_max,
        "positions": [_position(one) for one in positions],
        "breakers": [_breaker(one) for one in view.breakers],
        "watches": [asdict(one) for one in view.watches],
        "markets": {
            "seen": view.markets_seen,
            "watched": view.markets_eligible,
            "funnel": [list(one) for one in left_out],
        },
        "feed": _feed(view.feed, view.now_us),
        "websocket_connected": view.feed.is_connected if view.feed else None,
        "api": _api(view),
        "loops": [asdict(one) for one in view.loops],
        "decisions": [_decision(one, zone) for one in why.decisions],
        "unsent_messages": view.unsent_messages,
        "channels_failing": [
            {
                "channel": one.channel,
                "recipient": one.recipient,
                "reason": one.reason,
                "since_utc": format_seconds(one.since_us),
            }
            for one in view.channels_failing
        ],
    }


def collect_json(facts: CollectFacts, missing_hours: int | None) -> dict[str, object]:
    """The part of ``/status`` about collecting."""
    counts = asdict(facts)
    rows = counts.pop("status")
    return {**rows, **counts, "missing_hours": missing_hours}


def totals_json(totals: Totals) -> dict[str, object]:
    """Counts over all time."""
    return asdict(totals)


def invitation_json(made: Invitation | None, now_us: int) -> Mapping[str, object] | None:
    """The first admin's code, while there is one to use."""
    if made is None or made.expires_us <= now_us:
        return None
    return {
        "send": f"/pair {made.code}",
        "link": made.link,
        "valid_for": span(made.expires_us - now_us),
    }


def _banner(banner: Banner) -> dict[str, object]:
    return {
        "instance": banner.instance,
        "mode": banner.mode.value,
        "role": banner.role.value,
        "epoch": banner.epoch,
        "version": banner.version,
        "leading_since_utc": format_seconds(banner.leading_since_us)
        if banner.leading_since_us
        else None,
    }


def _stop(stop: StopReason | None) -> str | None:
    if stop is None:
        return None
    name = f"{stop.kind.value} {stop.name}" if stop.kind is StopKind.TRIPPED else stop.kind.value
    return f"{name}: {stop.why}" + (f" ({stop.remedy})" if stop.remedy else "")


def _account(view: AccountView | None) -> Mapping[str, object] | None:
    if view is None:
        return None
    return {
        "cash": dollars(view.cash),
        "equity": dollars(view.equity),
        "exposure": dollars(view.exposure),
        "as_of_utc": format_seconds(view.as_of_us),
    }


def _pnl(view: PnlView | None) -> Mapping[str, object] | None:
    if view is None:
        return None
    return {
        "trading_day": view.trading_day,
        "realized": signed_dollars(view.realized),
        "unrealized": signed_dollars(view.unrealized),
        "fees": dollars(view.fees),
        "trades": view.trades,
        "wins": view.wins,
        "losses": view.losses,
    }


def _position(view: PositionView) -> Mapping[str, object]:
    is_yes = view.quantity > 0
    return {
        "ticker": view.ticker,
        "title": view.title or view.ticker,
        "side": "YES" if is_yes else "NO",
        "contracts": contracts(Quantity(abs(view.quantity))),
        "cost": dollars(view.cost),
        "mark": _own(view.mark, is_yes=is_yes),
        "unrealized": signed_dollars(view.unrealized) if view.unrealized is not None else None,
        "target": _own(view.target_price, is_yes=is_yes),
        "stop": _own(view.stop_price, is_yes=is_yes),
        "is_ours": view.is_ours,
    }


def books_json(books: Iterable[OrderBook]) -> Mapping[str, object]:
    """``/books``: every level of the YES leg, best first, in dollars and contracts."""
    return {
        book.ticker: {
            "is_trusted": book.is_trusted,
            "bids": _levels(book.levels(BookSide.BID)),
            "asks": _levels(book.levels(BookSide.ASK)),
        }
        for book in books
    }


def _levels(levels: Iterable[BookLevel]) -> list[list[str]]:
    return [[format_price(one.price), format_quantity(one.quantity)] for one in levels]


def _own(yes_price: Price | None, *, is_yes: bool) -> str | None:
    """A YES-leg price as the held side's own; 0 means none."""
    if not yes_price:
        return None
    return price(yes_price if is_yes else complement(yes_price))


def _breaker(view: BreakerView) -> Mapping[str, object]:
    return {
        "name": view.name,
        "is_tripped": view.is_tripped,
        "value": view.value,
        "limit": view.limit,
        "why": view.why,
        "rearms": view.rearms,
    }


def _feed(view: FeedView | None, now_us: int) -> Mapping[str, object] | None:
    if view is None:
        return None
    silent = None if view.last_frame_us is None else span(max(0, now_us - view.last_frame_us))
    return {"state": "up" if view.is_connected else "down", "last_frame": silent}


def _api(view: StatusView) -> Mapping[str, object] | None:
    if view.api is None:
        return None
    calls, failed = view.api.calls, view.api.failed
    permille = failed * 1_000 // calls if calls else 0
    rate = f"{permille // 10}.{permille % 10} %"
    return {"calls": calls, "failed": failed, "rate": rate}


def _decision(one: Decision, zone: ZoneInfo) -> Mapping[str, object]:
    return {
        "at": moment(one.at_us, zone),
        "ticker": one.ticker,
        "verdict": one.verdict,
        "reason": one.reason,
    }
