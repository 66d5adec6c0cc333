"""Signed request headers: RSA-PSS or Ed25519 over ``timestamp + METHOD + path``.

Host, query and body are not signed, so a header for a fixed path can be made
before it is needed. No message of this module contains key material.
"""

import base64
from collections import deque
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.domain.errors import ConfigurationFault

Headers: TypeAlias = Mapping[str, str]
_PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

_PADDING = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
_RSA_BITS_MIN = 2048
_HINT = (
    "KALSHI_PRIVATE_KEY (or the file at KALSHI_PRIVATE_KEY_PATH) must be the unencrypted PEM "
    "text of an RSA or Ed25519 private key"
)


class Signer:
    """One API key: its id and the private half. ``repr`` shows neither."""

    def __init__(self, key_id: str, private_key: _PrivateKey) -> None:
        self._key_id = key_id
        self._private_key = private_key

    def headers(self, timestamp_ms: int, method: str, path: str) -> Headers:
        """The three headers. ``path`` runs from the host root; a query in it is cut off."""
        stamp = str(timestamp_ms)
        message = f"{stamp}{method.upper()}{path.partition('?')[0]}".encode()
        return {
            "KALSHI-ACCESS-KEY": self._key_id,
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(self._sign(message)).decode("ascii"),
        }

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self._private_key, Ed25519PrivateKey):
            return self._private_key.sign(message)
        return self._private_key.sign(message, _PADDING, hashes.SHA256())


def load_signer(key_id: str, pem: str) -> Signer:
    r"""Read a private key from PEM text; ``\n`` written out as two characters is accepted.

    Raises:
        ConfigurationFault: no key id, or no usable key in the text.
    """
    key_id = key_id.strip()
    if not key_id.isascii() or not key_id.isprintable() or not key_id:
        raise ConfigurationFault(["KALSHI_API_KEY_ID must be the id Kalshi shows for the key"])
    return Signer(key_id, _load(pem))


def _load(pem: str) -> _PrivateKey:
    text = pem.strip().strip("\"'").replace("\\r", "").replace("\\n", "\n")
    if "ENCRYPTED" in text:
        raise ConfigurationFault([f"the private key is encrypted: {_HINT}"])
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's text may quote the input.
        raise ConfigurationFault([f"the private key cannot be read: {_HINT}"]) from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= _RSA_BITS_MIN:
        return key
    raise ConfigurationFault([f"the private key is of a kind Kalshi does not take: {_HINT}"])


class PreSigned:
    """Unused headers for one method and path, made off the order path.

    Every header is handed out once and never older than ``age_max_ms``. Their
    timestamps are distinct and may lie up to ``size`` milliseconds ahead, well
    inside the venue's tolerance of about ten seconds.
    """

    def __init__(
        self, signer: Signer, method: str, path: str, *, size: int = 4, age_max_ms: int = 1_000
    ) -> None:
        if size < 1 or age_max_ms < 1:
            raise ValueError("size and age_max_ms must be at least 1")
        self._signer = signer
        self._method = method
        self._path = path
        self._size = size
        self._age_max_ms = age_max_ms
        self._ready: deque[tuple[int, Headers]] = deque()
        self._last_ms = 0
        self.signed_inline = 0
        """How often ``take`` found the ring empty and had to sign on the order path."""

    def refresh(self, now_ms: int) -> int:
        """Fill the ring, or replace the oldest in its second half; returns how many were signed.

        A full one gets one a call, as nothing else has its turn while they are made.
        """
        while self._ready and not self._is_fresh(self._ready[0][0], now_ms):
            self._ready.popleft()
        if len(self._ready) == self._size and not self._is_young(self._ready[0][0], now_ms):
            self._ready.popleft()
        missing = self._size - len(self._ready)
        for _ in range(missing):
            self._ready.append(self._make(now_ms))
        return missing

    def add_one(self, now_ms: int) -> bool:
        """Make up for one that was used; whether any is missing still."""
        if len(self._ready) < self._size:
            self._ready.append(self._make(now_ms))
        return len(self._ready) < self._size

    def take(self, now_ms: int) -> Headers:
        """One header no other request has used, signed now if none is ready."""
        while self._ready:
            stamp_ms, headers = self._ready.popleft()
            if self._is_fresh(stamp_ms, now_ms):
                return headers
        self.signed_inline += 1
        return self._make(now_ms)[1]

    def _make(self, now_ms: int) -> tuple[int, Headers]:
        # Ed25519 is deterministic: the same millisecond twice would be the same signature.
        ahead_ms = self._last_ms - now_ms
        stamp_ms = self._last_ms + 1 if 0 <= ahead_ms < self._age_max_ms else now_ms
        self._last_ms = stamp_ms
        return stamp_ms, self._signer.headers(stamp_ms, self._method, self._path)

    def _is_young(self, stamp_ms: int, now_ms: int) -> bool:
        return abs(now_ms - stamp_ms) * 2 <= self._age_max_ms

    def _is_fresh(self, stamp_ms: int, now_ms: int) -> bool:
        return abs(now_ms - stamp_ms) <= self._age_max_ms
