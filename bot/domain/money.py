"""Price, Quantity and Money as exact integers.

The venue quotes prices to $0.0001 and contracts to 0.01, so a price times a
quantity is always a whole number of millionths of a dollar. Holding all three
as integers in those units means the order path never rounds by accident, and
SQLite and Postgres store the very same value.
"""

from typing import NewType

from bot.domain.errors import InvalidAmount

Price = NewType("Price", int)
"""Dollars per contract, in units of $0.0001 (the venue's "centicent")."""

Quantity = NewType("Quantity", int)
"""Contracts, in units of 0.01 contract."""

Money = NewType("Money", int)
"""Dollars, in units of $0.000001. ``Price`` times ``Quantity`` is ``Money``."""

PRICE_PLACES = 4
QUANTITY_PLACES = 2
MONEY_PLACES = 6
PAYOUT = Price(10**PRICE_PLACES)

assert PRICE_PLACES + QUANTITY_PLACES == MONEY_PLACES


def parse_price(text: str) -> Price:
    """Read a ``*_dollars`` string that must be a price."""
    return Price(_parse_fixed(text, PRICE_PLACES))


def parse_quantity(text: str) -> Quantity:
    """Read a ``*_fp`` string; signed, because book deltas shrink levels."""
    return Quantity(_parse_fixed(text, QUANTITY_PLACES))


def parse_money(text: str) -> Money:
    """Read a ``*_dollars`` string that is an amount: a fee, a cost, a balance."""
    return Money(_parse_fixed(text, MONEY_PLACES))


def format_price(price: Price) -> str:
    """Write a price the way the venue writes it, e.g. ``0.5600``."""
    return _format_fixed(price, PRICE_PLACES)


def shown_price(price: Price) -> str:
    """Write a price for people, e.g. ``$0.56`` or ``$0.5625``."""
    cents, rest = format_price(price)[:-2], format_price(price)[-2:]
    return f"${cents}{rest.rstrip('0')}"


def format_quantity(quantity: Quantity) -> str:
    """Write a quantity the way the venue writes it, e.g. ``10.00``."""
    return _format_fixed(quantity, QUANTITY_PLACES)


def format_money(money: Money) -> str:
    """Write an amount with all its six places, e.g. ``0.009597``."""
    return _format_fixed(money, MONEY_PLACES)


def format_dollars(money: Money) -> str:
    """Write an amount for people: ``$1,234.56``, rounded half away from zero to the cent."""
    cents = (abs(money) + 5_000) // 10_000
    sign = "-" if money < 0 and cents else ""
    return f"{sign}${cents // 100:,}.{cents % 100:02d}"


def money_of_cents(cents: int) -> Money:
    """Whole cents, as the venue still states balances, as ``Money``."""
    return Money(cents * 10_000)


def cost(price: Price, quantity: Quantity) -> Money:
    """What ``quantity`` contracts cost at ``price``; exact."""
    return Money(price * quantity)


def complement(price: Price) -> Price:
    """The NO price of a YES price, and the other way round."""
    return Price(PAYOUT - price)


def _parse_fixed(text: str, places: int) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, fraction = digits.partition(".")
    kept, dropped = fraction[:places], fraction[places:]
    well_formed = (whole + fraction).isascii() and (whole + fraction).isdigit() and whole
    if not well_formed or dropped.strip("0"):
        raise InvalidAmount(f"{text!r} is not a fixed-point number with {places} places")
    return sign * int(whole + kept.ljust(places, "0"))


def _format_fixed(value: int, places: int) -> str:
    whole, fraction = divmod(abs(value), 10**places)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{fraction:0{places}d}"
