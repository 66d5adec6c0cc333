"""Amounts as people read them: signed, trimmed, and honest about what is not known. Pure."""

from bot.domain.money import Money, Price, Quantity, format_dollars, format_quantity, shown_price


def dollars(money: Money | None) -> str:
    """An amount, or ``unknown``."""
    return "unknown" if money is None else format_dollars(money)


def signed_dollars(money: Money | None) -> str:
    """A gain or a loss with its sign, or ``unknown``."""
    if money is None:
        return "unknown"
    text = format_dollars(money)
    return f"+{text}" if money > 0 and not text.startswith("-") else text


def price(value: Price | None) -> str:
    """``$0.56``, ``$0.5625``, or ``unknown``."""
    return "unknown" if value is None else shown_price(value)


def contracts(value: Quantity) -> str:
    """``10``, ``2.50``, with a sign when negative."""
    text = format_quantity(value)
    return text.removesuffix(".00")


def held(quantity: Quantity) -> str:
    """``10 YES``; ``10 NO`` where it is negative."""
    return f"{contracts(Quantity(abs(quantity)))} {'YES' if quantity > 0 else 'NO'}"


def share(part: Money, whole: Money | None) -> str:
    """``-3.12 %``: a part of a whole, cut towards zero, or nothing when the whole is unknown."""
    if not whole or whole < 0:
        return ""
    points = abs(part) * 10_000 // whole
    return f"{'-' if part < 0 and points else ''}{points // 100}.{points % 100:02d} %"


def _trimmed(text: str, keep: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(keep, '0')}"


def counted(count: int, thing: str) -> str:
    """``1 trade``, ``1,240 trades``: the plural with an s."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
