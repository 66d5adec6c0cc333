"""What a running panic can say of itself."""

import asyncio
import contextlib

from bot.app.trading import TradingDesk

_PROVED_WITHIN_S = 20.0
_LOOK_S = 0.1


async def word_of_panic(desk: TradingDesk) -> str:
    """The proof, or after some seconds what is in its way."""
    world = desk.engine.world
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PROVED_WITHIN_S):
            while world.panic is not None and not world.panic.is_over:  # noqa: ASYNC110 - the engine is a value, it signals nothing
                await asyncio.sleep(_LOOK_S)
    panic = world.panic
    if panic is None:
        return "It did not begin"
    if panic.is_over:
        return panic.outcome
    return f"Not out yet: {panic.hindrance or 'exits are being worked'}; the proof follows"
