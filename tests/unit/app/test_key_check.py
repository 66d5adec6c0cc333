"""A key that the exchange refuses is a fault of the configuration; an absent exchange is none."""

import asyncio

import pytest

from bot.app.key_check import key_fault
from bot.domain.errors import CredentialsRefused, ExchangeUnavailable


async def test_a_refused_key_is_one_line_with_its_settings() -> None:
    async def read() -> None:
        raise CredentialsRefused("INCORRECT_API_KEY_SIGNATURE")

    told = await key_fault(read)
    assert told is not None
    for words in ("INCORRECT_API_KEY_SIGNATURE", "KALSHI_API_KEY_ID", "KALSHI_ENVIRONMENT"):
        assert words in told


@pytest.mark.parametrize("fault", [ExchangeUnavailable("away"), TimeoutError()])
async def test_an_exchange_that_does_not_answer_is_no_fault(fault: Exception) -> None:
    async def read() -> None:
        raise fault

    assert await key_fault(read) is None


async def test_an_exchange_that_stays_silent_is_not_waited_for() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await key_fault(asyncio.Event().wait) is None
    assert loop.time() - began < 5
