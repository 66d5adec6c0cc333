"""Which markets are watched, and for each one left out the first reason why.

The counts by reason are the funnel: they answer "why does it not trade" before
any book is read. Listings may be 15 s old, so this only chooses what to watch;
orders are decided on books.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.ids import MarketTicker, SeriesTicker
from bot.domain.listing import Listing
from bot.domain.market import Market, MarketStatus
from bot.domain.money import PAYOUT, Money, Price, Quantity, complement, cost
from bot.kit.times import HOUR_US, MINUTE_US

_HALF = Price(PAYOUT // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFilter:
    """What a market must offer to be watched. A favourite is the side bid at 50 cents or more."""

    series: frozenset[SeriesTicker] = frozenset()
    """Only these series; empty means every one."""
    always: frozenset[SeriesTicker] = frozenset()
    """Every open market of these is watched, whatever it offers."""
    favourite_bid_min_e4: int = 8_500
    favourite_bid_max_e4: int = 9_800
    liquidity_min_e6: int = 500_000_000
    """Dollars resting at the favourite's best bid."""
    volume_24h_min_e6: int = 10_000_000_000
    """Contracts of 24 hours at the favourite's bid, in dollars."""
    spread_max_e4: int = 200
    closes_after_us: int = 10 * MINUTE_US
    closes_within_us: int = 6 * HOUR_US
    markets_max: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.favourite_bid_min_e4 <= self.favourite_bid_max_e4 < PAYOUT:
            raise ValueError("favourite_bid_min_e4 <= favourite_bid_max_e4, both inside $0 and $1")
        if not 0 <= self.closes_after_us < self.closes_within_us:
            raise ValueError("closes_after_us must be below closes_within_us")
        if self.markets_max < 1:
            raise ValueError("markets_max must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """The favoured side of a listed market, in that side's own prices."""

    is_yes: bool
    bid: Price
    bid_size: Quantity
    spread: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The watched markets, best liquidity first, and why the others are not."""

    watched: tuple[Listing, ...]
    left_out: Mapping[MarketTicker, str]

    def funnel(self) -> tuple[tuple[str, int], ...]:
        """How many markets each reason left out, largest first."""
        counts: dict[str, int] = {}
        for reason in self.left_out.values():
            counts[reason] = counts.get(reason, 0) + 1
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def select(
    listings: Iterable[Listing], rules: MarketFilter, held: frozenset[MarketTicker], now_us: int
) -> Selection:
    """Choose what to watch. Markets in ``held`` (position or open order) always are.

    They and the markets of ``rules.always`` do not count against ``markets_max``
    being full: what is left of it goes to the candidates.
    """
    kept: list[Listing] = []
    candidates: list[tuple[Money, Listing]] = []
    left_out: dict[MarketTicker, str] = {}
    for listing in listings:
        if listing.market.ticker in held or _is_always(listing.market, rules):
            kept.append(listing)
        elif reason := why_not(listing.market, rules, now_us):
            left_out[listing.market.ticker] = reason
        else:
            candidates.append((_liquidity(listing.market), listing))
    candidates.sort(key=lambda item: (-item[0], item[1].market.ticker))
    room = max(0, rules.markets_max - len(kept))
    for _, listing in candidates[room:]:
        left_out[listing.market.ticker] = "more liquid markets fill the watch list"
    return Selection(
        watched=(*kept, *(listing for _, listing in candidates[:room])), left_out=left_out
    )


def why_not(market: Market, rules: MarketFilter, now_us: int) -> str | None:
    """The first reason not to watch a market, or ``None``."""
    return (
        _why_not_now(market, rules, now_us)
        or _why_not_price(market, rules)
        or _why_not_size(market, rules)
    )


def favourite_of(market: Market) -> Favourite | None:
    """The side bid at 50 cents or more, if there is one."""
    bid, ask = market.yes_bid, market.yes_ask
    spread = Price(ask - bid) if bid is not None and ask is not None else None
    if bid is not None and bid >= _HALF:
        return Favourite(is_yes=True, bid=bid, bid_size=market.yes_bid_size, spread=spread)
    if ask is not None and complement(ask) >= _HALF:
        return Favourite(
            is_yes=False, bid=complement(ask), bid_size=market.yes_ask_size, spread=spread
        )
    return None


def _why_not_now(market: Market, rules: MarketFilter, now_us: int) -> str | None:
    if market.status is not MarketStatus.ACTIVE:
        return f"market is {market.status}"
    if rules.series and market.series_ticker not in rules.series:
        return "series is not chosen"
    left_us = market.close_us - now_us
    if left_us < rules.closes_after_us:
        return "closes too soon"
    return "closes too late" if left_us > rules.closes_within_us else None


def _why_not_price(market: Market, rules: MarketFilter) -> str | None:
    favourite = favourite_of(market)
    if favourite is None:
        return "no favourite"
    if favourite.bid < rules.favourite_bid_min_e4:
        return "probability too low"
    if favourite.bid > rules.favourite_bid_max_e4:
        return "probability too high"
    if favourite.spread is None:
        return "one-sided book"
    return "spread too wide" if favourite.spread > rules.spread_max_e4 else None


def _why_not_size(market: Market, rules: MarketFilter) -> str | None:
    favourite = favourite_of(market)
    assert favourite is not None  # _why_not_price came first
    if _liquidity(market) < rules.liquidity_min_e6:
        return "too little liquidity"
    volume = cost(favourite.bid, market.volume_24h)
    return "too little volume" if volume < rules.volume_24h_min_e6 else None


def _is_always(market: Market, rules: MarketFilter) -> bool:
    return market.status is MarketStatus.ACTIVE and market.series_ticker in rules.always


def _liquidity(market: Market) -> Money:
    favourite = favourite_of(market)
    return cost(favourite.bid, favourite.bid_size) if favourite else Money(0)
