"""What a pass says of what it could not read."""

from bot.collect.asking import Asking
from bot.domain.errors import ExchangeUnavailable, InvalidMessage
from bot.kit.metrics import Metric


def test_a_reason_is_told_once_however_many_it_concerns() -> None:
    asking = Asking(3, Metric.BACKFILL_ITEM_ERROR)
    assert asking.summary() is None
    asking.failed("trades of A", InvalidMessage("no price"))
    for series in ("KXCPI", "KXFED", "KXGDP", "KXPCE"):
        asking.failed(f"markets of {series}", ExchangeUnavailable("nobody answers"))
    assert asking.summary() == (
        "trades of A: InvalidMessage: no price; markets of KXCPI, markets of KXFED,"
        " markets of KXGDP, and 1 more: ExchangeUnavailable: nobody answers"
    )
    for number in range(3):
        asking.failed(f"candles of {number}", InvalidMessage(f"price {number}"))
    assert str(asking.summary()).endswith("candles of 0: InvalidMessage: price 0; and 2 more")
