"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from bot.simulator.limits import Bucket, Limiter, TokenBucket
from bot.simulator.settings import RateLimits

SECOND = 1_000_000


def test_a_burst_empties_the_bucket_and_time_refills_it() -> None:
    limiter = Limiter(RateLimits())
    assert all(limiter.allows("u", Bucket.WRITE, 10, 0) for _ in range(10))
    assert not limiter.allows("u", Bucket.WRITE, 10, 0)
    assert not limiter.allows("u", Bucket.WRITE, 10, SECOND // 10 - 1)
    assert limiter.allows("u", Bucket.WRITE, 10, SECOND // 10)


def test_users_buckets_and_shards_are_apart() -> None:
    limiter = Limiter(RateLimits())
    assert limiter.allows("u", Bucket.WRITE, 100, 0)
    assert not limiter.allows("u", Bucket.WRITE, 2, 0)
    assert limiter.allows("u", Bucket.WRITE, 100, 0, shard=2)
    assert limiter.allows("u", Bucket.READ, 200, 0)
    assert limiter.allows("v", Bucket.WRITE, 100, 0)
    assert not limiter.allows("u", Bucket.WRITE, 2, 0, shard=-1)


def test_the_balance_has_one_a_second() -> None:
    limiter = Limiter(RateLimits())
    assert limiter.allows("u", Bucket.BALANCE, 1, 0)
    assert not limiter.allows("u", Bucket.BALANCE, 1, SECOND - 1)
    assert limiter.allows("u", Bucket.BALANCE, 1, SECOND)


def test_a_batch_above_the_capacity_never_fits() -> None:
    assert not Limiter(RateLimits()).allows("u", Bucket.WRITE, 110, 10**12)


def test_without_limits_everything_is_allowed() -> None:
    limiter = Limiter(RateLimits(is_on=False))
    assert all(limiter.allows("u", Bucket.WRITE, 1_000, 0) for _ in range(100))
    assert Limiter(RateLimits()).allows("u", Bucket.NONE, 10**9, 0)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 400_000)), max_size=60))
def test_no_window_gives_more_than_capacity_plus_refill(calls: list[tuple[int, int]]) -> None:
    bucket = TokenBucket(100, 100, 100 * SECOND, 0)
    now_us, spent = 0, 0
    for cost, wait_us in calls:
        now_us += wait_us
        if bucket.take(cost, now_us):
            spent += cost
        assert spent * SECOND <= 100 * SECOND + now_us * 100
