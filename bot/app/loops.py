"""How the loops that ask the exchange fare: for the chat, the page and the health check."""

from bot.app.running import Running
from bot.domain.operations import LoopView


def loop_views(running: Running) -> tuple[LoopView, ...]:
    """Every loop of this process, the REST loops first."""
    now_us = running.clock.monotonic_us()
    return tuple(
        LoopView(
            name=name,
            state=breaker.state(now_us).value,
            failures=breaker.failures,
            rest_us=breaker.rest_us(now_us),
        )
        for name, breaker in running.loops.items()
    )
