"""Scalars: fixed-point strings, timestamps, sides, and decoding that fails one way only."""

import re
from typing import TypeVar

import msgspec

from bot.domain.errors import InvalidAmount, InvalidMessage
from bot.domain.money import (
    PAYOUT,
    Money,
    Price,
    Quantity,
    complement,
    parse_money,
    parse_price,
    parse_quantity,
)
from bot.domain.orders import BookSide
from bot.domain.quotes import BookLevel
from bot.kit.times import SECOND_US, parse_rfc3339

T = TypeVar("T")

# The longest amount that is still below 2**63 in every unit, the range of a BIGINT.
_AMOUNT_LENGTH_MAX = 12
_NUMBER = re.compile(rb"(-?)([0-9]{1,12})(?:\.([0-9]{1,20}))?(?:[eE]([+-]?[0-9]{1,2}))?")
TIME_MS_MAX = 253_402_300_799_999
"""9999-12-31 in milliseconds."""


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes | str | msgspec.Raw) -> T:
    """Decode JSON into the decoder's type.

    Raises:
        InvalidMessage: malformed JSON, wrong encoding, wrong shape, or nesting without end.
    """
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not the documented shape: {error}") from error


def price_of(text: str) -> Price:
    """A price from $0 to $1, both included (the sentinels of an empty side)."""
    try:
        price = parse_price(_short(text))
    except InvalidAmount as error:
        raise InvalidMessage(str(error)) from error
    if not 0 <= price <= PAYOUT:
        raise InvalidMessage(f"price {text!r} is outside $0 to $1")
    return price


def inner_price(text: str) -> Price:
    """A price somebody can trade at: strictly inside $0 and $1."""
    price = price_of(text)
    if not 0 < price < PAYOUT:
        raise InvalidMessage(f"price {text!r} is not strictly inside $0 and $1")
    return price


def optional_price(text: str | None) -> Price | None:
    """A price, or ``None`` where the venue sent nothing."""
    return price_of(text) if text else None


def quoted_price(text: str | None) -> Price | None:
    """A best bid or ask; the sentinels ``0.0000`` and ``1.0000`` are an empty side."""
    price = optional_price(text)
    return None if price is None or price in (0, PAYOUT) else price


def traded_price(text: str | None) -> Price | None:
    """A last price; ``0.0000`` says that nothing has traded yet."""
    return optional_price(text) or None


def quantity_of(text: str) -> Quantity:
    """A count that may be negative (book deltas, positions)."""
    try:
        return parse_quantity(_short(text))
    except InvalidAmount as error:
        raise InvalidMessage(str(error)) from error


def count_of(text: str) -> Quantity:
    """A count of contracts, never negative."""
    quantity = quantity_of(text)
    if quantity < 0:
        raise InvalidMessage(f"count {text!r} is negative")
    return quantity


def money_of(text: str) -> Money:
    """An amount of dollars, up to six places, of either sign."""
    try:
        return parse_money(_short(text))
    except InvalidAmount as error:
        raise InvalidMessage(str(error)) from error


def instant_of(text: str) -> int:
    """An RFC 3339 timestamp as microseconds."""
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise InvalidMessage(f"{text!r} is not a timestamp") from error


def optional_instant(text: str | None) -> int | None:
    """The same, or ``None`` where the venue sent nothing."""
    return instant_of(text) if text else None


def micros_of_ms(milliseconds: int) -> int:
    """Unix milliseconds as microseconds."""
    if not 0 <= milliseconds <= TIME_MS_MAX:
        raise InvalidMessage(f"{milliseconds} is not a time in milliseconds")
    return milliseconds * 1_000


def micros_of_seconds(seconds: int) -> int:
    """Unix seconds as microseconds."""
    if not 0 <= seconds <= TIME_MS_MAX // 1_000:
        raise InvalidMessage(f"{seconds} is not a time in seconds")
    return seconds * SECOND_US


def number_text(raw: msgspec.Raw) -> str | None:
    """A JSON number or string as its text, without a float in between; ``None`` for null."""
    text = bytes(raw)
    if not text or text == b"null":
        return None
    if text.startswith(b'"'):
        return decode(_STRING, raw) or None
    if not _NUMBER.fullmatch(text):
        raise InvalidMessage("not a number")
    return text.decode()


def millionths_of(raw: msgspec.Raw) -> int:
    """A JSON number, never negative, as whole millionths."""
    match = _NUMBER.fullmatch((number_text(raw) or "").encode())
    if match is None or match[1]:
        raise InvalidMessage("not a number from zero up")
    fraction = match[3] or b""
    digits = int(match[2] + fraction)
    shift = 6 - len(fraction) + int(match[4] or b"0")
    whole, rest = divmod(digits * int(10 ** max(shift, 0)), int(10 ** max(-shift, 0)))
    if rest or whole >= 1 << 63:
        raise InvalidMessage("more than six decimal places, or out of range")
    return whole


def side_of(book_side: str | None, outcome: str | None, action: str | None = None) -> BookSide:
    """Which side of the YES book gains.

    ``book_side`` decides; ``outcome`` (yes gains like a bid) where it is missing;
    the older pair of outcome and ``action`` is turned round by a ``sell``.
    """
    if book_side:
        try:
            return BookSide(book_side)
        except ValueError as error:
            raise InvalidMessage(f"{book_side!r} is not a book side") from error
    if outcome not in ("yes", "no"):
        raise InvalidMessage(f"{outcome!r} is not an outcome")
    side = BookSide.BID if outcome == "yes" else BookSide.ASK
    return side.opposite if action and action.startswith("sell") else side


def levels_of(rows: list[tuple[str, str]] | None, *, is_complement: bool) -> tuple[BookLevel, ...]:
    """One side of a book, highest price first; empty levels are left out.

    Raises:
        InvalidMessage: a price twice, a price nobody can trade at, a negative size.
    """
    found: dict[Price, Quantity] = {}
    for price_text, size_text in rows or ():
        price = inner_price(price_text)
        if is_complement:
            price = complement(price)
        if price in found:
            raise InvalidMessage(f"price {price_text!r} is listed twice")
        found[price] = count_of(size_text)
    return tuple(
        BookLevel(price, found[price]) for price in sorted(found, reverse=True) if found[price]
    )


def refuse_crossed(bids: tuple[BookLevel, ...], asks: tuple[BookLevel, ...]) -> None:
    """A resting book whose best bid meets its best ask has been read on the wrong leg."""
    if bids and asks and bids[0].price >= asks[0].price:
        raise InvalidMessage(f"crossed book: bid {bids[0].price} meets ask {asks[0].price}")


def _short(text: str) -> str:
    if len(text) > _AMOUNT_LENGTH_MAX + 7:
        raise InvalidMessage("amount is too long")
    whole = text.partition(".")[0]
    if len(whole) > _AMOUNT_LENGTH_MAX:
        raise InvalidMessage("amount is out of range")
    return text


_STRING = msgspec.json.Decoder(str)
