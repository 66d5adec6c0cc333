"""Five shapes of refusal and what each of them means for what was asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire.refusals import (
    order_fault,
    read_fault,
    read_refusal,
    request_fault,
)
from bot.domain.errors import (
    BotError,
    CredentialsRefused,
    ExchangeUnavailable,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
)
from tests.fakes.recordings import recordings


@pytest.mark.parametrize(
    "status, body, code, reason",
    [
        (
            409,
            b'{"error":{"code":"order_already_exists","message":"order already exists"}}',
            "order_already_exists",
            "order already exists",
        ),
        (
            400,
            b'{"error":{"code":"invalid_order","message":"invalid order","details":"post only cross"}}',
            "invalid_order",
            "invalid order: post only cross",
        ),
        (
            400,
            b'{"code":"bad_request","message":"bad request","details":"json: cannot unmarshal"}',
            "bad_request",
            "bad request: json: cannot unmarshal",
        ),
        (400, b'{"msg":"Parameter validation failed"}', "http_400", "Parameter validation failed"),
        (400, b'{"details":"invalid status filter"}', "http_400", "invalid status filter"),
        (429, b'{"error":"too many requests"}', "too_many_requests", "too many requests"),
        (
            429,
            b'{"error":{"code":"too_many_requests","message":"too many requests"}}',
            "too_many_requests",
            "too many requests",
        ),
        (404, b"", "not_found", "HTTP 404"),
        (502, b"<html>Bad Gateway</html>", "http_502", "HTTP 502"),
    ],
)
def test_every_shape_gives_code_and_reason(
    status: int, body: bytes, code: str, reason: str
) -> None:
    refusal = read_refusal(status, body)
    assert (refusal.code, refusal.reason) == (code, reason)


@given(st.integers(100, 599), st.binary(max_size=80))
def test_no_body_is_too_strange(status: int, body: bytes) -> None:
    refusal = read_refusal(status, body)
    assert refusal.code
    for fault in (order_fault, request_fault, read_fault):
        assert isinstance(fault(refusal), BotError)


@pytest.mark.parametrize(
    "status, order, other, read",
    [
        (400, OrderRejected, RequestRefused, RequestRefused),
        (401, CredentialsRefused, CredentialsRefused, CredentialsRefused),
        (403, OrderRejected, RequestRefused, RequestRefused),
        (404, OrderRejected, RequestRefused, RequestRefused),
        (408, OutcomeUnknown, OutcomeUnknown, ExchangeUnavailable),
        (409, OrderRejected, RequestRefused, RequestRefused),
        (410, OrderRejected, RequestRefused, RequestRefused),
        (429, OrderRejected, RateLimited, RateLimited),
        (500, OutcomeUnknown, OutcomeUnknown, ExchangeUnavailable),
        (502, OutcomeUnknown, OutcomeUnknown, ExchangeUnavailable),
        (503, OutcomeUnknown, OutcomeUnknown, ExchangeUnavailable),
        (301, OutcomeUnknown, OutcomeUnknown, ExchangeUnavailable),
        (418, OutcomeUnknown, OutcomeUnknown, RequestRefused),
    ],
)
def test_only_what_the_venue_states_as_refused_did_not_happen(
    status: int, order: type[BotError], other: type[BotError], read: type[BotError]
) -> None:
    refusal = read_refusal(status, b"")
    assert type(order_fault(refusal)) is order
    assert type(request_fault(refusal)) is other
    assert type(read_fault(refusal)) is read


@pytest.mark.parametrize(
    "sample, status, code",
    [
        ("orders__duplicate_client_order_id", 409, "order_already_exists"),
        ("orders__reuse_canceled_client_id", 409, "order_already_exists"),
        ("orders__insufficient_balance", 400, "insufficient_balance"),
        ("orders__invalid_price_structure", 400, "invalid_price"),
        ("orders__post_only_cross", 400, "invalid_order"),
        ("orders__cancel_already_canceled", 404, "not_found"),
        ("orders__cancel_executed", 404, "not_found"),
        ("orders__cancel_unknown_id", 404, "not_found"),
        ("orders__numeric_field_types", 400, "bad_request"),
        ("auth__bad_signature", 401, "authentication_error"),
        ("auth__missing_signature_header", 401, "signature_is_missing_from_headers"),
        ("auth__skew_minus5min", 401, "header_timestamp_expired"),
        ("auth__unknown_key_id", 401, "authentication_error"),
        ("markets__limit_over_max", 400, "http_400"),
    ],
)
def test_recorded_refusals_give_their_code(sample: str, status: int, code: str) -> None:
    body = (recordings("wire_samples_2026-06") / f"{sample}.json").read_bytes()
    assert read_refusal(status, body).code == code
