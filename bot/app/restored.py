"""Tells a restore, once, when the bot leads again: who restored may have had no chat."""

import asyncio

from bot.adapters.storage.post_restore import RESTORE
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.running import Running
from bot.domain.alerts import AlertKind
from bot.domain.errors import StorageUnavailable

_RETRY_S = 5.0


class RestoreTeller:
    """A service of the leader. The halt that a restore leaves behind says that there was one."""

    name = "restore teller"

    def __init__(self, running: Running) -> None:
        self._running = running
        self._store = SqlTradingStore(running.parts.database, running.scope)

    async def run(self) -> None:
        """Once, then stay."""
        while True:
            try:
                await self.tell()
            except StorageUnavailable:
                await asyncio.sleep(_RETRY_S)
            else:
                await asyncio.Event().wait()

    async def drain(self) -> None:
        """Nothing to finish."""

    async def tell(self) -> None:
        """Tell the restore that nobody has had a look at yet, if there is one.

        Raises:
            StorageUnavailable: the halt cannot be read.
        """
        halt = await self._store.halt()
        if not halt.halted or halt.set_by != RESTORE:
            return
        path = halt.reason.removeprefix("restored from ").partition(";")[0]
        await self._running.alerts.tell(
            AlertKind.RESTORE_DONE, {"path": path}, once=f"restore {halt.changed_us}"
        )
