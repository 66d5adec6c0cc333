"""Signatures: the four checks, in their order, for both kinds of keys."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from bot.simulator.errors import WireError
from bot.simulator.keys import KeyRing, make_key_pair
from bot.simulator.settings import AuthSettings, KeyType
from tests.support.simulator import sign

NOW_MS = 1_790_000_000_000
PATH = "/trade-api/v2/portfolio/balance"


def headers(pem: bytes, key_id: str, stamp: str, method: str = "GET") -> dict[str, str]:
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": sign(pem, f"{stamp}{method}{PATH}"),
    }


def failure(ring: KeyRing, given: dict[str, str]) -> str:
    with pytest.raises(WireError) as caught:
        ring.identify(given, "GET", PATH, NOW_MS)
    assert caught.value.status == 401
    error = caught.value.body["error"]
    return str(error.get("details", error["code"]))


@pytest.mark.parametrize("key_type", list(KeyType))
def test_each_check_fails_by_its_name(key_type: KeyType) -> None:
    pair = make_key_pair("key", key_type)
    ring = KeyRing(AuthSettings())
    ring.register("key", pair.public_pem, "user")
    good = headers(pair.private_pem, "key", str(NOW_MS))
    assert ring.identify(good, "GET", PATH, NOW_MS).user_id == "user"
    assert failure(ring, {}) == "signature_is_missing_from_headers"
    late = headers(pair.private_pem, "key", str(NOW_MS - 20_001))
    assert failure(ring, late) == "header_timestamp_expired"
    early = headers(pair.private_pem, "key", str(NOW_MS + 40_001))
    assert failure(ring, early) == "header_timestamp_expired"
    seconds = headers(pair.private_pem, "key", str(NOW_MS // 1_000))
    assert failure(ring, seconds) == "header_timestamp_expired"
    assert failure(ring, headers(pair.private_pem, "other", str(NOW_MS))) == "NOT_FOUND"
    wrong = headers(pair.private_pem, "key", str(NOW_MS), "POST")
    assert failure(ring, wrong) == "INCORRECT_API_KEY_SIGNATURE"
    garbage = good | {"KALSHI-ACCESS-SIGNATURE": "not base64!"}
    assert failure(ring, garbage) == "INCORRECT_API_KEY_SIGNATURE"
    words = good | {"KALSHI-ACCESS-TIMESTAMP": "today"}
    assert failure(ring, words) == "header_timestamp_expired"


def test_a_forgotten_key_is_unknown() -> None:
    pair = make_key_pair("key", KeyType.ED25519)
    ring = KeyRing(AuthSettings())
    ring.register("key", pair.public_pem, "user")
    ring.forget("key")
    assert failure(ring, headers(pair.private_pem, "key", str(NOW_MS))) == "NOT_FOUND"


def test_the_private_half_does_not_show() -> None:
    pair = make_key_pair("key", KeyType.ED25519)
    assert "PRIVATE" not in repr(pair)
    assert b"PRIVATE KEY" in pair.private_pem


def test_other_kinds_of_keys_are_refused() -> None:
    public = generate_private_key(SECP256R1()).public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(ValueError, match="RSA or Ed25519"):
        KeyRing(AuthSettings()).register("key", pem, "user")
