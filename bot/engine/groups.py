"""Order groups: the fence that stands at the exchange.

Every epoch has its own groups, one for each shard and purpose. A successor
triggers the older epochs' entry groups before anything else, so an order that
an old leader still has in the air is refused by the venue itself. A triggered
group is never reset.
"""

import asyncio
import logging
from dataclasses import dataclass

from bot.domain.errors import BotError, RequestRefused
from bot.domain.ids import Epoch, OrderGroupId
from bot.domain.money import Quantity
from bot.domain.orders import Purpose
from bot.kit.clock import Clock
from bot.ports.exchange import ExchangeOrders
from bot.ports.trading import StoredGroup, TradingStore

logger = logging.getLogger(__name__)

_NOT_FOUND = 404
_ONE_CONTRACT_E2 = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """``contracts_max_e2``, in 0.01 contract: more within 15 s and the venue cancels all."""

    contracts_max_e2: int = 100_000

    def __post_init__(self) -> None:
        if self.contracts_max_e2 < _ONE_CONTRACT_E2:
            raise ValueError("contracts_max_e2 must be at least 100, one contract")


class OrderGroups:
    """The groups of one epoch, made when first needed."""

    def __init__(
        self,
        exchange: ExchangeOrders,
        store: TradingStore,
        clock: Clock,
        epoch: Epoch,
        settings: GroupSettings,
    ) -> None:
        self._exchange = exchange
        self._store = store
        self._clock = clock
        self._epoch = epoch
        self._settings = settings
        self._groups: dict[tuple[Purpose, int], OrderGroupId] = {}
        self._condemned: dict[OrderGroupId, None] = {}
        """Entry groups that must be triggered and are not yet."""
        self._lock = asyncio.Lock()

    def made_for(self, purpose: Purpose, exchange_index: int) -> OrderGroupId | None:
        """The group that ``group_for`` has ready, if it has."""
        return self._groups.get((purpose, exchange_index))

    async def group_for(self, purpose: Purpose, exchange_index: int) -> OrderGroupId | None:
        """The group an order carries; immediate exits carry none.

        Raises:
            ExchangeUnavailable, NotLeader, StorageUnavailable: no group, so no order.
        """
        if purpose not in {Purpose.ENTRY, Purpose.TAKE_PROFIT}:
            return None
        key = (purpose, exchange_index)
        if key in self._groups:
            return self._groups[key]
        async with self._lock:
            if key not in self._groups:
                self._groups[key] = await self._create(purpose, exchange_index)
            return self._groups[key]

    def is_in_use(self, group: OrderGroupId) -> bool:
        """Whether orders are sent with it now; not once we decided to trigger it."""
        return group in self._groups.values()

    def forget_entries(self) -> None:
        """The next entry gets a new group: one that was triggered takes no orders."""
        for key in [key for key in self._groups if key[0] is Purpose.ENTRY]:
            del self._groups[key]

    def forget_tripped(self, group: OrderGroupId) -> bool:
        """The venue tripped it: the next order of its purpose gets a new one.

        ``False``: no order of ours carries it.
        """
        keys = [key for key, one in self._groups.items() if one == group]
        for key in keys:
            del self._groups[key]
        return bool(keys)

    def condemn_entries(self) -> None:
        """Decide that the entry groups of this moment are to be triggered; later ones are not."""
        self._condemned |= dict.fromkeys(
            group for (purpose, _), group in self._groups.items() if purpose is Purpose.ENTRY
        )
        self.forget_entries()

    async def trigger_condemned(self) -> None:
        """Shut the condemned groups at the venue.

        Every group is tried, and only then the store told, which may be away: a
        group it believes open is triggered once more by the next leader.

        Raises:
            BotError: one is not triggered yet; call again.
        """
        triggered: list[OrderGroupId] = []
        failed: BotError | None = None
        for group in list(self._condemned):
            try:
                await self._shut(group)
            except BotError as fault:
                failed = fault
            else:
                self._condemned.pop(group, None)
                triggered.append(group)
        for group in triggered:
            await self.note_triggered(group)
        if failed is not None:
            raise failed

    async def note_triggered(self, group: OrderGroupId) -> None:
        """Have the store remember it, if it can: the successor does no more than trigger again."""
        try:
            await self._store.mark_triggered(self._epoch, group)
        except BotError as fault:
            facts = {"order_group_id": group, "reason": str(fault)}
            logger.warning("triggered group not stored", extra=facts)

    async def trigger(self, group: OrderGroupId) -> None:
        """Trigger one group and remember that it is."""
        await self._shut(group)
        await self._store.mark_triggered(self._epoch, group)

    async def fence_predecessors(self, *, clean: Epoch | None) -> int:
        """Trigger what older epochs left open and return how many groups that were.

        ``clean`` is the epoch before ours if it released properly: its resting
        take-profits are wanted, so its exit groups become ours. Those of any other
        epoch are triggered too and the exits placed anew: a leadership that ended
        while it took over may have triggered them already, or be about to.
        """
        triggered = 0
        for group in await self._store.open_groups():
            if group.epoch > self._epoch:
                continue
            is_exit = group.purpose is Purpose.TAKE_PROFIT
            if is_exit and group.epoch in {clean, self._epoch}:
                await self._take_over(group)
            elif group.epoch < self._epoch:
                await self.trigger(group.order_group_id)
                triggered += 1
        return triggered

    async def _take_over(self, group: StoredGroup) -> None:
        """Go on with it, and have our successor know that it was ours."""
        if group.epoch != self._epoch:
            await self._store.add_group(self._epoch, group, self._clock.now_us())
        self._groups[group.purpose, group.exchange_index] = group.order_group_id

    async def _shut(self, group: OrderGroupId) -> None:
        try:
            await self._exchange.trigger_order_group(group)
        except RequestRefused as refusal:
            if refusal.status != _NOT_FOUND:
                raise
            # The venue forgot it, so nothing can carry it any more.
            logger.warning("order group unknown at the exchange", extra={"order_group_id": group})
        logger.info("order group triggered", extra={"order_group_id": group})

    async def _create(self, purpose: Purpose, exchange_index: int) -> OrderGroupId:
        group = await self._exchange.create_order_group(
            Quantity(self._settings.contracts_max_e2), exchange_index
        )
        stored = StoredGroup(
            order_group_id=group,
            epoch=self._epoch,
            exchange_index=exchange_index,
            purpose=purpose,
            is_triggered=False,
        )
        await self._store.add_group(self._epoch, stored, self._clock.now_us())
        return group
