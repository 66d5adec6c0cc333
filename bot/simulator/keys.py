"""API keys: who signed a request, and whether the signature is good.

Checks run in the venue's order: headers, timestamp, key, signature. Only public
keys are kept; a private key made here is handed out once and forgotten.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from typing_extensions import override

from bot.simulator.errors import WireError, nested
from bot.simulator.settings import AuthSettings, KeyType

KEY_HEADER = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER = "KALSHI-ACCESS-SIGNATURE"
_SALT_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks. Keys of one user share accounts, limits and orders."""

    key_id: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A fresh API key. ``private_pem`` is all a client needs beside the id."""

    key_id: str
    private_pem: bytes
    public_pem: bytes

    @override
    def __repr__(self) -> str:
        """The id only: a key pair ends up in logs and tracebacks."""
        return f"KeyPair(key_id={self.key_id!r})"


def make_key_pair(key_id: str, key_type: KeyType) -> KeyPair:
    """A new key, in the PEM format the venue hands out (PKCS#8)."""
    private: RSAPrivateKey | Ed25519PrivateKey
    if key_type is KeyType.RSA:
        private = generate_private_key(public_exponent=65_537, key_size=2_048)
    else:
        private = Ed25519PrivateKey.generate()
    return KeyPair(
        key_id=key_id,
        private_pem=private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        public_pem=private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


class KeyRing:
    """The registered public keys."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._keys: dict[str, tuple[RSAPublicKey | Ed25519PublicKey, Identity]] = {}

    def register(self, key_id: str, public_pem: bytes, user_id: str) -> Identity:
        """Accept signatures of this key for a user.

        Raises:
            ValueError: the key is neither RSA nor Ed25519.
        """
        key = serialization.load_pem_public_key(public_pem)
        if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
            raise ValueError("an API key is RSA or Ed25519")  # noqa: TRY004 - the file, not a type, is wrong
        identity = Identity(key_id=key_id, user_id=user_id)
        self._keys[key_id] = (key, identity)
        return identity

    def forget(self, key_id: str) -> None:
        """Refuse this key from now on."""
        self._keys.pop(key_id, None)

    def identify(self, headers: Mapping[str, str], method: str, path: str, now_ms: int) -> Identity:
        """Who signed this request.

        Raises:
            WireError: a 401 that says which check failed.
        """
        key_id = headers.get(KEY_HEADER, "")
        timestamp = headers.get(TIMESTAMP_HEADER, "")
        signature = headers.get(SIGNATURE_HEADER, "")
        if not (key_id and timestamp and signature):
            raise nested(
                401, "signature_is_missing_from_headers", "signature is missing from headers"
            )
        if not self._is_timely(timestamp, now_ms):
            raise nested(401, "header_timestamp_expired", "header timestamp expired")
        known = self._keys.get(key_id)
        if known is None:
            raise _unauthenticated("NOT_FOUND")
        key, identity = known
        if not _is_signed(key, signature, f"{timestamp}{method}{path}".encode()):
            raise _unauthenticated("INCORRECT_API_KEY_SIGNATURE")
        return identity

    def _is_timely(self, timestamp: str, now_ms: int) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit()):
            return False
        early_ms = int(timestamp) - now_ms
        return -self._settings.past_ms <= early_ms <= self._settings.future_ms


def _unauthenticated(details: str) -> WireError:
    return nested(401, "authentication_error", "authentication_error", details)


def _is_signed(key: RSAPublicKey | Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, message)
        else:
            pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=_SALT_LENGTH)
            key.verify(raw, message, pss, hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        return False
    return True
