"""Signatures the venue would accept, and keys it would not, without a trace of either."""

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.kalshi.signing import PreSigned, load_signer
from bot.domain.errors import ConfigurationFault

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = ed25519.Ed25519PrivateKey.generate()
PATH = "/trade-api/v2/portfolio/events/orders"


def pem(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def verify(headers: object, method: str, path: str) -> None:
    """Raises unless the signature is what the venue computes."""
    assert isinstance(headers, dict)
    message = f"{headers['KALSHI-ACCESS-TIMESTAMP']}{method}{path}".encode()
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True)
    if len(signature) == 64:
        ED.public_key().verify(signature, message)
    else:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        RSA.public_key().verify(signature, message, pss, hashes.SHA256())


@pytest.mark.parametrize(
    "text",
    [
        pem(RSA),
        pem(RSA, PrivateFormat.TraditionalOpenSSL),
        pem(ED),
        pem(RSA).replace("\n", "\\n"),
        pem(ED).replace("\n", "\\r\\n"),
        f'"{pem(ED)}"',
        f"\n  {pem(RSA)}  ",
    ],
    ids=["pkcs8", "pkcs1", "ed25519", "escaped", "escaped crlf", "quoted", "padded"],
)
def test_every_usual_form_of_a_key_signs(text: str) -> None:
    signer = load_signer(" key-id ", text)
    headers = signer.headers(1_781_159_364_059, "delete", f"{PATH}/o1?subaccount=0")
    assert headers["KALSHI-ACCESS-KEY"] == "key-id"
    verify(headers, "DELETE", f"{PATH}/o1")


ENCRYPTED = ED.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a key",
        pem(RSA)[:400],
        pem(RSA).replace("A", "B"),
        ENCRYPTED,
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        ED.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
    ids=["empty", "text", "cut", "garbled", "encrypted", "curve", "short", "public"],
)
def test_a_bad_key_is_one_clear_line_without_the_key(text: str) -> None:
    with pytest.raises(ConfigurationFault) as caught:
        load_signer("id", text)
    (fault,) = caught.value.faults
    assert "\n" not in fault
    assert "KALSHI_PRIVATE_KEY" in fault
    assert not any(line and line in fault for line in text.splitlines())
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key_id", ["", "  ", "a\nb", "schl\u00fcssel"])
def test_a_bad_key_id_is_refused(key_id: str) -> None:
    with pytest.raises(ConfigurationFault, match="KALSHI_API_KEY_ID"):
        load_signer(key_id, pem(ED))


def test_a_signer_shows_nothing_of_itself() -> None:
    assert "key-id" not in repr(load_signer("key-id", pem(ED)))


def ring(size: int = 4) -> PreSigned:
    return PreSigned(load_signer("id", pem(ED)), "POST", PATH, size=size, age_max_ms=1_000)


def test_a_warm_ring_never_signs_on_the_order_path() -> None:
    ready = ring()
    assert ready.refresh(10_000) == 4
    taken = [ready.take(10_100) for _ in range(4)]
    assert ready.signed_inline == 0
    assert len({one["KALSHI-ACCESS-SIGNATURE"] for one in taken}) == 4
    for headers in taken:
        verify(headers, "POST", PATH)


def test_an_empty_or_stale_ring_signs_inline_with_the_present_time() -> None:
    ready = ring()
    ready.refresh(10_000)
    assert ready.take(60_000)["KALSHI-ACCESS-TIMESTAMP"] == "60000"
    assert ready.signed_inline == 1


def test_refreshing_a_young_ring_costs_nothing() -> None:
    ready = ring()
    ready.refresh(10_000)
    assert ready.refresh(10_200) == 0


def test_a_ring_is_renewed_one_signature_at_a_time_before_any_goes_stale() -> None:
    ready = ring()
    ready.refresh(10_000)
    made = [ready.refresh(now_ms) for now_ms in range(10_100, 13_000, 100)]
    assert made[:5] == [0] * 5
    assert set(made[5:]) <= {0, 1}
    for _ in range(4):
        ready.take(12_950)
    assert ready.signed_inline == 0


def test_a_ring_that_went_stale_is_filled_at_once() -> None:
    ready = ring()
    ready.refresh(10_000)
    assert ready.refresh(20_000) == 4


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3_000, 3_000)), max_size=40))
def test_no_header_is_used_twice_or_stale_whatever_the_clock_does(
    steps: list[tuple[bool, int]],
) -> None:
    ready, now_ms, seen = ring(size=3), 1_000_000, set[str]()
    for is_refresh, step_ms in steps:
        now_ms += step_ms
        if is_refresh:
            ready.refresh(now_ms)
            continue
        headers = ready.take(now_ms)
        assert abs(int(headers["KALSHI-ACCESS-TIMESTAMP"]) - now_ms) <= 1_000
        if step_ms >= 0:
            verify(headers, "POST", PATH)
        seen.add(headers["KALSHI-ACCESS-SIGNATURE"])


def test_many_orders_in_one_millisecond_have_distinct_signatures() -> None:
    ready = ring()
    taken = [ready.take(10_000)["KALSHI-ACCESS-SIGNATURE"] for _ in range(50)]
    assert len(set(taken)) == 50


@pytest.mark.parametrize("size, age_max_ms", [(0, 1), (1, 0)])
def test_a_ring_without_room_or_life_is_refused(size: int, age_max_ms: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PreSigned(load_signer("id", pem(ED)), "POST", PATH, size=size, age_max_ms=age_max_ms)
