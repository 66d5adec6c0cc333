"""Granted rates and the border of the archive."""

import json

import pytest

from bot.adapters.kalshi.wire.limits import read_cutoff, read_limits
from bot.domain.errors import InvalidMessage
from tests.fakes.recordings import recordings


def limits(read_rate: object = 200, capacity: object = 600) -> bytes:
    bucket = {"refill_rate": read_rate, "bucket_capacity": capacity}
    return json.dumps(
        {"usage_tier": "basic", "read": bucket, "write": bucket, "grants": []}
    ).encode()


def test_limits_are_tokens_a_second_and_at_once() -> None:
    found = read_limits(limits())
    assert (found.read_rate, found.read_capacity, found.write_rate) == (200, 600, 200)


@pytest.mark.parametrize(
    "rate, capacity", [(0, 1), (-5, 1), (1, 0), (1.5, 1), (10**9, 1), ("9", 1)]
)
def test_senseless_limits_are_refused(rate: object, capacity: object) -> None:
    with pytest.raises(InvalidMessage):
        read_limits(limits(rate, capacity))


def test_the_cutoff_names_both_borders() -> None:
    body = b"""{"market_settled_ts":"2026-07-28T00:00:00Z","trades_created_ts":"2026-07-28T00:00:00Z",
        "orders_updated_ts":"2026-09-12T00:00:00Z"}"""
    cutoff = read_cutoff(body)
    assert cutoff.orders_us - cutoff.trades_us == 46 * 86_400 * 1_000_000


def test_recorded_limits_are_read() -> None:
    body = (recordings("wire_samples_2026-06") / "account__limits.json").read_bytes()
    assert (read_limits(body).read_rate, read_limits(body).write_rate) == (200, 100)
