"""A wish sized and checked, as one function of one value, so that it can be judged again.

The engine decides by ``judge`` and keeps the case beside the verdict. Whoever
reads it later - a person, an audit, a test - asks the same function and must get
the same answer; another one says that the rules or the record have changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity, format_quantity
from bot.domain.quotes import Quote
from bot.kit.values import from_plain, to_plain
from bot.risk.checks import Denial, RiskView, first_denial
from bot.risk.limits import RiskLimits
from bot.risk.sizing import Offer, Size, kelly_stake, size

APPROVED = ", approved"
"""Ends the reason of an entry that a person allowed, maybe with fewer contracts."""

EXPIRY, APPROVAL = "expiry", "approval"
"""Checks of what sizing and the chain of checks had passed: the clock's and a person's."""


class SizingCase(msgspec.Struct, kw_only=True):
    """What a wish is sized by. ``money_caps`` and ``contract_caps`` are named, in order."""

    offer: Offer
    equity: Money
    money_caps: Sequence[tuple[str, Money]]
    contract_caps: Sequence[tuple[str, Quantity]]


def sized(case: SizingCase, limits: RiskLimits) -> Size:
    """The number of contracts, and what decided it."""
    stake = kelly_stake(case.offer, case.equity, limits.kelly_fraction_bp)
    return size(case.offer, stake, case.money_caps, case.contract_caps)


def checked(view: RiskView, limits: RiskLimits, decided_by: str) -> Denial | None:
    """Why the sized wish may not become an order; ``decided_by`` names what left no contracts."""
    denial = first_denial(view, limits)
    if denial is not None and denial.check == "some_size":
        return Denial(denial.check, f"no contracts: {decided_by}")
    return denial


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The market as the strategy saw it: the top of its book, since when, and its close."""

    bid: Price | None
    ask: Price | None
    bid_size: Quantity
    ask_size: Quantity
    quote_us: int
    close_us: int


def seen(quote: Quote, close_us: int) -> Seen:
    """What is written down of a quote."""
    return Seen(
        bid=quote.bid,
        ask=quote.ask,
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        quote_us=quote.received_us,
        close_us=close_us,
    )


def seen_by(record: Mapping[str, object]) -> Seen | None:
    """What the strategy saw, where the record says so.

    Raises:
        ValueError: the record is not one that this version wrote.
    """
    plain = record.get("seen")
    return None if plain is None else from_plain(Seen, plain)


def case_record(
    case: SizingCase,
    view: RiskView,
    limits: RiskLimits,
    quote: Quote | None = None,
    close_us: int = 0,
) -> dict[str, object]:
    """The case as plain values, cheap enough for the way of an order."""
    offer = case.offer
    return {
        "offer": {
            "own_price": offer.own_price,
            "chance_e6": offer.chance_e6,
            "fees": _plain(offer.fees),
            "is_taker": offer.is_taker,
        },
        "equity": case.equity,
        "money_caps": case.money_caps,
        "contract_caps": case.contract_caps,
        "view": msgspec.structs.asdict(view),
        "limits": _plain(limits),
        "seen": None if quote is None else to_plain(seen(quote, close_us)),
    }


@cache
def _plain(value: FeeTerms | RiskLimits) -> object:
    """They are few, and the same for many decisions."""
    return to_plain(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    own_price: Price
    chance_e6: int
    fees: FeeTerms
    is_taker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    offer: _Offered
    equity: Money
    money_caps: tuple[tuple[str, Money], ...]
    contract_caps: tuple[tuple[str, Quantity], ...]
    view: RiskView
    limits: RiskLimits
    seen: Seen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the stored case leads to by today's rules."""

    size: Size
    denial: Denial | None


def judge_again(record: Mapping[str, object]) -> Judgement:
    """Size and check a stored case anew.

    Raises:
        ValueError: the record is not one that this version wrote.
    """
    # Records of earlier versions do not say what was seen.
    stored = from_plain(_Stored, {"seen": None, **record})
    offered = stored.offer
    case = SizingCase(
        offer=Offer(
            own_price=offered.own_price,
            chance_e6=offered.chance_e6,
            fees=offered.fees,
            is_taker=offered.is_taker,
        ),
        equity=stored.equity,
        money_caps=stored.money_caps,
        contract_caps=stored.contract_caps,
    )
    size_now = sized(case, stored.limits)
    # The view holds the quantity of that time: a different one shows as a different size.
    return Judgement(size=size_now, denial=checked(stored.view, stored.limits, size_now.decided_by))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """A decision as it was written down. An empty ``case``: it was refused before sizing."""

    quantity: Quantity
    is_taken: bool
    reason: str
    case: Mapping[str, object]


def disagreement(stored: StoredDecision) -> str:
    """What the stored case leads to now, where that differs from what was decided; else empty.

    Raises:
        ValueError: the case is not one that this version wrote.
    """
    if not stored.case:
        return ""
    now = judge_again(stored.case)
    wanted = "" if now.denial is None else f"{now.denial.check}: {now.denial.reason}"
    check = "" if stored.is_taken else stored.reason.partition(":")[0]
    had = "" if stored.is_taken or check in (EXPIRY, APPROVAL) else stored.reason
    if wanted != had:
        return f"now {wanted or 'taken'}, then {had or 'passed'}"
    is_edited = stored.is_taken and stored.reason.endswith(APPROVED)
    if now.size.quantity != stored.quantity and not is_edited:
        return f"now {format_quantity(now.size.quantity)}, then {format_quantity(stored.quantity)}"
    return ""
