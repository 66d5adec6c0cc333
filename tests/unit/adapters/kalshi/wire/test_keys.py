"""Until when a location is attested: the one date that ``GET /api_keys`` tells."""

import pytest

from bot.adapters.kalshi.wire.keys import read_attestation
from bot.domain.errors import InvalidMessage


@pytest.mark.parametrize(
    ("stated", "until_us"),
    [("1790000000", 1_790_000_000_000_000), ("1790000000123", 1_790_000_000_000_000)],
)
def test_seconds_and_milliseconds_are_told_apart(stated: str, until_us: int) -> None:
    body = f'{{"api_keys":[],"api_key_region_expiration_ts":{stated}}}'
    assert read_attestation(body.encode()) == until_us


@pytest.mark.parametrize("body", ['{"api_keys":[]}', '{"api_key_region_expiration_ts":null}'])
def test_nothing_said_is_not_known(body: str) -> None:
    assert read_attestation(body.encode()) is None


@pytest.mark.parametrize("stated", ["-1", "99999999999999999", '"soon"'])
def test_no_moment_of_this_age_is_refused(stated: str) -> None:
    with pytest.raises(InvalidMessage):
        read_attestation(f'{{"api_key_region_expiration_ts":{stated}}}'.encode())
