"""Rules that stored quotes should obey. Pure: each takes quotes and yields what breaks it.

``wrong`` rules contradict the data itself: somebody could take money from the quotes, or the
time cannot be right. ``odd`` ones happen in honest markets and are counted. ``excess`` says how
badly a rule is broken, in its own unit, so that the worst can be shown first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from bot.domain.fees import estimate_fee
from bot.domain.market import FeeTerms, StrikeType
from bot.domain.money import PAYOUT, Price, Quantity, format_price
from bot.kit.times import HOUR_US, SECOND_US, format_seconds
from bot.ports.quality import FrozenQuote, SeenQuote

SKEW_MAX_US = 2 * SECOND_US
CLOSE_SLACK_US = 60 * SECOND_US
"""A listing may be so old: what is in front of the venue keeps answers for a while."""
_HUNDRED = Quantity(10_000)
_MULTIPLIER_ONE_E6 = 1_000_000
_E6_OF_E4 = 100


class Severity(StrEnum):
    """Whether a broken rule is a fault of the data, or merely worth knowing."""

    WRONG = "wrong"
    ODD = "odd"


class Rule(StrEnum):
    """What is checked."""

    CROSSED = "crossed"
    LOCKED = "locked"
    ONE_SIDED = "one_sided"
    EMPTY = "empty"
    AFTER_CLOSE = "after_close"
    BIDS_ABOVE_ONE = "event_bids_above_one"
    ASKS_BELOW_ONE = "event_asks_below_one"
    LADDER = "ladder"
    DUPLICATE = "duplicate"
    OUTSIDE_HOUR = "outside_hour"
    CLOCK = "clock_skew"
    FROZEN = "frozen"


ODD = frozenset({Rule.LOCKED, Rule.ONE_SIDED, Rule.EMPTY, Rule.ASKS_BELOW_ONE, Rule.FROZEN})
"""The others are wrong. Asks below one are an odd sign only: perhaps no listed outcome wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach: of which rule, by whom, how badly, in words."""

    rule: Rule
    subject: str
    excess: int
    detail: str

    @property
    def severity(self) -> Severity:
        """Of its rule."""
        return Severity.ODD if self.rule in ODD else Severity.WRONG


def books(quotes: Iterable[SeenQuote]) -> Iterator[Finding]:
    """Crossed, locked, one-sided and empty books. Excess in $0.0001."""
    for each in quotes:
        if each.bid is None and each.ask is None:
            yield _one(Rule.EMPTY, each, 0, "no bid and no ask")
        elif each.bid is None or each.ask is None:
            missing = "bid" if each.bid is None else "ask"
            yield _one(Rule.ONE_SIDED, each, 0, f"no {missing}")
        elif each.bid > each.ask:
            yield _one(Rule.CROSSED, each, each.bid - each.ask, _sides(each))
        elif each.bid == each.ask:
            yield _one(Rule.LOCKED, each, 0, _sides(each))


def times(quotes: Iterable[SeenQuote], hour_us: int) -> Iterator[Finding]:
    """Rows outside their hour, closed markets, and a venue ahead of our clock. Excess in us.

    ``hour_us`` is the hour the snapshots stand for.
    """
    for each in quotes:
        outside_us = max(hour_us - each.seen_us, each.seen_us - (hour_us + HOUR_US - 1))
        if outside_us > 0:
            told = f"received {format_seconds(each.seen_us)}"
            yield _one(Rule.OUTSIDE_HOUR, each, outside_us, told)
        if each.close_us is not None and each.close_us + CLOSE_SLACK_US < each.seen_us:
            told = f"closed {format_seconds(each.close_us)}, listed as open after it"
            yield _one(Rule.AFTER_CLOSE, each, each.seen_us - each.close_us, told)
        yield from skews([each])


def skews(quotes: Iterable[SeenQuote]) -> Iterator[Finding]:
    """What the venue stamped later than we received it. Excess in microseconds."""
    for each in quotes:
        ahead_us = 0 if each.venue_us is None else each.venue_us - each.seen_us
        if ahead_us > SKEW_MAX_US:
            told = f"stamped {ahead_us // SECOND_US} s after it was received: our clock is behind"
            yield _one(Rule.CLOCK, each, ahead_us, told)


def duplicates(quotes: Sequence[SeenQuote]) -> Iterator[Finding]:
    """A market that has more than one row in the hour. Excess in rows."""
    counts: dict[str, int] = defaultdict(int)
    for each in quotes:
        counts[each.market] += 1
    for market, count in counts.items():
        if count > 1:
            detail = f"{count} rows in one hour"
            yield Finding(rule=Rule.DUPLICATE, subject=market, excess=count - 1, detail=detail)


def event_sums(quotes: Iterable[SeenQuote]) -> Iterator[Finding]:
    """Exclusive outcomes whose bids sum above $1, or asks below it, after fees.

    At most one outcome of an exclusive event pays, so selling several of them for more than a
    dollar cannot lose. Buying all for less wins if one of them does; only events all of whose
    stored outcomes have an ask are judged. Excess in $0.000001.
    """
    for event, outcomes in _by_event(each for each in quotes if each.is_exclusive).items():
        if len(outcomes) < 2:  # noqa: PLR2004 - one outcome excludes nothing
            continue
        bids = [(each.bid, each) for each in outcomes if each.bid is not None]
        asks = [(each.ask, each) for each in outcomes if each.ask is not None]
        gain_e6 = sum(_after_fee(price, each, -1) for price, each in bids) - PAYOUT * _E6_OF_E4
        if gain_e6 > 0:
            detail = f"bids sum to {format_price(Price(sum(price for price, _ in bids)))}"
            yield Finding(rule=Rule.BIDS_ABOVE_ONE, subject=event, excess=gain_e6, detail=detail)
        if len(asks) < len(outcomes):
            continue
        gain_e6 = PAYOUT * _E6_OF_E4 - sum(_after_fee(price, each, 1) for price, each in asks)
        if gain_e6 > 0:
            detail = f"asks sum to {format_price(Price(sum(price for price, _ in asks)))}"
            yield Finding(rule=Rule.ASKS_BELOW_ONE, subject=event, excess=gain_e6, detail=detail)


def ladders(quotes: Iterable[SeenQuote]) -> Iterator[Finding]:
    """Strikes whose prices contradict each other. Excess in $0.0001.

    What is above a higher strike is above every lower one too, so nobody may bid more for the
    higher than is asked for a lower; for ``less`` the other way about.
    """
    for outcomes in _by_event(quotes).values():
        above = [(strike, each) for each in outcomes if (strike := _floor(each)) is not None]
        below = [(strike, each) for each in outcomes if (strike := _cap(each)) is not None]
        yield from _climb(sorted(above, key=lambda one: one[0]))
        yield from _climb(sorted(below, key=lambda one: one[0], reverse=True))


def frozen(found: Iterable[FrozenQuote]) -> Iterator[Finding]:
    """Quotes that stood still while contracts changed hands. Excess in hours."""
    for each in found:
        detail = f"{_price(each.bid)} / {_price(each.ask)} in all of {each.hours} snapshots"
        yield Finding(rule=Rule.FROZEN, subject=each.market, excess=each.hours, detail=detail)


def _climb(rungs: Sequence[tuple[Decimal, SeenQuote]]) -> Iterator[Finding]:
    """``rungs`` from the likeliest to the least likely; equal strikes say nothing of each other."""
    cheapest: SeenQuote | None = None
    waiting: list[SeenQuote] = []
    strike: Decimal | None = None
    for at, each in rungs:
        if at != strike:
            cheapest = min([*waiting, *([cheapest] if cheapest else [])], key=_ask, default=None)
            waiting, strike = [], at
        if cheapest is not None and each.bid is not None:
            excess = each.bid - _ask(cheapest)
            if excess > 0:
                detail = f"bid {_price(each.bid)}, {cheapest.market} asks {_price(cheapest.ask)}"
                yield _one(Rule.LADDER, each, excess, detail)
        if each.ask is not None:
            waiting.append(each)


def _ask(quote: SeenQuote) -> int:
    assert quote.ask is not None
    return quote.ask


def _floor(quote: SeenQuote) -> Decimal | None:
    if quote.strike_type in {StrikeType.GREATER, StrikeType.GREATER_OR_EQUAL}:
        return _number(quote.floor_strike)
    return None


def _cap(quote: SeenQuote) -> Decimal | None:
    if quote.strike_type in {StrikeType.LESS, StrikeType.LESS_OR_EQUAL}:
        return _number(quote.cap_strike)
    return None


def _number(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _by_event(quotes: Iterable[SeenQuote]) -> dict[str, list[SeenQuote]]:
    found: dict[str, list[SeenQuote]] = defaultdict(list)
    for each in quotes:
        found[each.event].append(each)
    return found


def _after_fee(price: Price, quote: SeenQuote, sign: int) -> int:
    """What a contract costs (``sign`` 1) or brings (-1) in $0.000001, a hundred at a time."""
    multiplier = quote.fee_multiplier_e6
    terms = FeeTerms(
        fee_type="quadratic",
        multiplier_e6=_MULTIPLIER_ONE_E6 if multiplier is None else multiplier,
    )
    fee = estimate_fee(terms, price, _HUNDRED, is_taker=True)
    return price * _E6_OF_E4 + sign * -(-fee // 100)


def _one(rule: Rule, quote: SeenQuote, excess: int, detail: str) -> Finding:
    return Finding(rule=rule, subject=quote.market, excess=excess, detail=detail)


def _sides(quote: SeenQuote) -> str:
    return f"bid {_price(quote.bid)}, ask {_price(quote.ask)}"


def _price(price: Price | None) -> str:
    return "-" if price is None else format_price(price)


Check = Callable[[Sequence[SeenQuote]], Iterator[Finding]]
QUOTE_RULES: tuple[Check, ...] = (books, event_sums, ladders)
"""Rules that hold for quotes of any source."""
