"""Scalars: exact where they are read, one kind of refusal where they are not."""

import contextlib
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire import fields
from bot.domain.errors import InvalidMessage
from bot.domain.orders import BookSide

texts = st.text(max_size=30) | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,12})?", fullmatch=True)


@given(texts)
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    for read in (fields.price_of, fields.quantity_of, fields.count_of, fields.money_of):
        try:
            value = read(text)
        except InvalidMessage:
            continue
        assert abs(value) < 1 << 63
        assert (
            Decimal(text)
            == Decimal(value)
            / {
                fields.price_of: 10_000,
                fields.quantity_of: 100,
                fields.count_of: 100,
                fields.money_of: 1_000_000,
            }[read]
        )


@pytest.mark.parametrize("text", ["-0.0001", "1.0001", "2", "99999999"])
def test_a_price_beyond_a_dollar_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        fields.price_of(text)


@pytest.mark.parametrize("text", ["0.0000", "1.0000"])
def test_sentinels_are_an_empty_side_and_no_level(text: str) -> None:
    assert fields.quoted_price(text) is None
    with pytest.raises(InvalidMessage):
        fields.inner_price(text)


def test_a_last_price_of_zero_means_no_trade_yet() -> None:
    assert fields.traded_price("0.0000") is None
    assert fields.traded_price("1.0000") == 10_000
    assert fields.traded_price(None) is None


@given(st.decimals(0, 10**6, places=6))
def test_a_json_number_becomes_exact_millionths(number: Decimal) -> None:
    assert fields.millionths_of(msgspec.Raw(str(number).encode())) == int(number * 10**6)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1_000_000),
        ("0.5", 500_000),
        ("5e-1", 500_000),
        ("1E2", 100_000_000),
        ('"0.5"', 500_000),
    ],
)
def test_spellings_of_a_multiplier(text: str, value: int) -> None:
    assert fields.millionths_of(msgspec.Raw(text.encode())) == value


@pytest.mark.parametrize("text", ["null", "-1", "0.0000001", "1e99", "true", "[]", '"x"', ""])
def test_other_multipliers_are_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        fields.millionths_of(msgspec.Raw(text.encode()))


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none())
def test_a_strike_keeps_its_own_text_or_is_refused(value: object) -> None:
    encoded = msgspec.json.encode(value)
    try:
        text = fields.number_text(msgspec.Raw(encoded))
    except InvalidMessage:
        return
    if isinstance(value, str):
        assert text == (value or None)
    elif value is None:
        assert text is None
    else:
        assert text == encoded.decode()


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidMessage):
        assert isinstance(fields.instant_of(text), int)


@pytest.mark.parametrize("number", [-1, 10**18])
def test_a_time_out_of_range_is_refused(number: int) -> None:
    for read in (fields.micros_of_ms, fields.micros_of_seconds):
        with pytest.raises(InvalidMessage):
            read(number)


@pytest.mark.parametrize(
    "book_side, outcome, action, side",
    [
        ("bid", "no", "sell", BookSide.BID),
        ("ask", None, None, BookSide.ASK),
        (None, "yes", None, BookSide.BID),
        (None, "no", "buy", BookSide.ASK),
        (None, "yes", "sell", BookSide.ASK),
        (None, "no", "sell_to_close", BookSide.BID),
    ],
)
def test_who_gains_from_yes(
    book_side: str | None, outcome: str | None, action: str | None, side: BookSide
) -> None:
    assert fields.side_of(book_side, outcome, action) is side


@pytest.mark.parametrize("book_side, outcome", [("buy", "yes"), (None, None), (None, "maybe")])
def test_a_side_nobody_named_is_refused(book_side: str | None, outcome: str | None) -> None:
    with pytest.raises(InvalidMessage):
        fields.side_of(book_side, outcome)


def test_levels_come_best_first_on_the_yes_leg() -> None:
    rows = [("0.4600", "10.00"), ("0.4800", "0.00"), ("0.4700", "3.00")]
    assert [(one.price, one.quantity) for one in fields.levels_of(rows, is_complement=False)] == [
        (4700, 300),
        (4600, 1000),
    ]
    assert [one.price for one in fields.levels_of(rows, is_complement=True)] == [5400, 5300]


@pytest.mark.parametrize(
    "rows",
    [
        [("0.4600", "1.00"), ("0.46", "2.00")],
        [("0.0000", "1.00")],
        [("0.4600", "-1.00")],
    ],
)
def test_impossible_levels_are_refused(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidMessage):
        fields.levels_of(rows, is_complement=False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'"\xff"', b'"\xed\xa0\x80"', b"[" * 100_000, b"1" * 5000, b"3"]
)
def test_undecodable_bytes_fail_in_one_way(body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        fields.decode(msgspec.json.Decoder(str), body)
