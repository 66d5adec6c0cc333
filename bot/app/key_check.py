"""Asks the exchange before a start whether it takes the API key."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.domain.errors import BotError, CredentialsRefused

logger = logging.getLogger(__name__)

_ASK_EXCHANGE_S = 3.0
"""An exchange that is away does not keep a start waiting; it is no fault of the key."""


async def key_fault(signed_read: Callable[[], Awaitable[object]]) -> str | None:
    """Why the exchange does not take the key; ``None`` where it does or does not answer."""
    try:
        async with asyncio.timeout(_ASK_EXCHANGE_S):
            await signed_read()
    except CredentialsRefused as fault:
        return (
            f"the exchange refuses the API key ({fault}); check that KALSHI_API_KEY_ID and "
            "KALSHI_PRIVATE_KEY_PATH belong together and were made in KALSHI_ENVIRONMENT"
        )
    except (BotError, TimeoutError) as fault:
        why = str(fault) or f"no answer within {_ASK_EXCHANGE_S:.0f} s"
        logger.info("API key not tried yet", extra={"reason": why})
    return None
