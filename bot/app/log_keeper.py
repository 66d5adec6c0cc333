"""Keeps warnings and errors in the database, where ``recent_errors`` shows them.

A handler must not wait, so it only remembers; a service writes. While the
database is away the newest records are kept, and losing it is not itself
written down again and again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from bot.adapters.storage.logs import SqlLogs
from bot.domain.errors import StorageUnavailable
from bot.kit.logs import LogSettings, RecordTap

_KEPT_MAX = 2_000
_EVERY_S = 2.0
_BATCH = 200


class LogKeeper:
    """A service of the whole process, leader or not."""

    name = "log keeper"

    def __init__(self, store: SqlLogs, settings: LogSettings) -> None:
        self._store = store
        self._waiting: deque[Mapping[str, object]] = deque(maxlen=_KEPT_MAX)
        self.tap = RecordTap(settings, self._waiting.append)

    async def run(self) -> None:
        """Listen to the root logger and write until cancelled."""
        root = logging.getLogger()
        root.addHandler(self.tap)
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.drain()
        finally:
            root.removeHandler(self.tap)

    async def drain(self) -> None:
        """Write what waits; what cannot be written now waits on."""
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                await self._store.append(rows)
            except StorageUnavailable:
                self._waiting.extendleft(reversed(rows))
                return
