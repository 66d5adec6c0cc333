"""Tests about hours must not see one begin."""

import asyncio

from bot.kit.clock import SystemClock
from bot.kit.times import HOUR_US, SECOND_US


async def wait_for_a_fresh_hour(needed_s: int) -> None:
    """Wait for the next hour if this one is too short for ``needed_s``."""
    left_us = HOUR_US - SystemClock().now_us() % HOUR_US
    if left_us < needed_s * SECOND_US:
        await asyncio.sleep(left_us / SECOND_US + 1)
