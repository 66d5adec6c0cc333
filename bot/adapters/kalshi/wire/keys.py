"""``GET /api_keys``: of all it lists, only until when the location of their owner is attested.

The venue tells no expiry of a key itself.
"""

import msgspec

from bot.adapters.kalshi.wire.fields import decode
from bot.domain.errors import InvalidMessage
from bot.kit.times import SECOND_US

_LATEST_S = 32_503_680_000
"""The year 3000."""
_MILLIS = 1_000


class _Keys(msgspec.Struct):
    api_key_region_expiration_ts: int | None = None


_KEYS = msgspec.json.Decoder(_Keys)


def read_attestation(body: bytes) -> int | None:
    """Until when orders of location-bound categories are taken; ``None``: nothing is said of it.

    Raises:
        InvalidMessage: not the documented shape, or no moment of this age.
    """
    stated = decode(_KEYS, body).api_key_region_expiration_ts
    if stated is None:
        return None
    # Seconds, by the specification 3.34.0; milliseconds, as in other fields, are recognised.
    seconds = stated // _MILLIS if stated > _LATEST_S else stated
    if not 0 <= seconds <= _LATEST_S:
        raise InvalidMessage(f"api_key_region_expiration_ts: {stated} is no moment of this age")
    return seconds * SECOND_US
