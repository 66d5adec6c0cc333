"""Releases the lease of a bot that its supervisor saw die."""

import asyncio

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.domain.errors import StorageUnavailable
from bot.domain.ids import InstanceId, Scope
from bot.ops.pulse import Identity

_RETRY_S = 0.5
_LIMIT_S = 15
"""By then the lease has ended by itself."""


def bury(dead: Identity, how: str) -> None:
    """Release what ``dead`` held. Blocks.

    Raises:
        StorageUnavailable: the database was away for too long.
        ConfigurationFault: it cannot be used at all.
    """
    asyncio.run(_bury(dead, how))


async def _bury(dead: Identity, how: str) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _LIMIT_S
    while True:
        try:
            return await _release(dead, how)
        except StorageUnavailable:
            if loop.time() >= give_up_at:
                raise
        await asyncio.sleep(_RETRY_S)


async def _release(dead: Identity, how: str) -> None:
    database = await Database.open(dead.database)
    try:
        store = SqlLeaseStore(database)
        await store.bury(Scope(dead.scope), InstanceId(dead.instance_id), how)
    finally:
        await database.close()
