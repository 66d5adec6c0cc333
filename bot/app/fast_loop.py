"""The quickest event loop there is on this platform."""

import asyncio
import sys
from collections.abc import Callable


def fast_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's where it exists, else ``None`` for the usual one."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not on every platform

    return uvloop.new_event_loop
