"""One process's way to the store of all: an entry is one row at first, as in the real store.

The rules are the real ones (``bot.adapters.storage.folding``); only the tables are in memory.
What a process has folded dies with it, and the next one must find it again.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.adapters.storage.folding import Decision, entry_in, from_json, missing, to_json
from bot.domain.ids import ClientOrderId, Epoch
from bot.domain.records import OrderRecord, Record, StoredState
from bot.ports.messages import OutgoingMessage
from tests.fakes.trading import MemoryTradingStore


class FoldedStore:
    """``TradingStore`` over a shared one."""

    def __init__(self, store: MemoryTradingStore) -> None:
        self._store = store
        self._folded: dict[ClientOrderId, Decision] = {}

    async def commit(
        self,
        epoch: Epoch,
        records: Sequence[Record],
        messages: Sequence[OutgoingMessage],
        now_us: int,
    ) -> None:
        """An entry's order and decision; or the records and what was folded before."""
        decisions = self._store.decisions
        entry = entry_in(records) if not messages else None
        if entry is not None:
            intent, decision = entry
            # A decision without its intent is never looked at.
            decisions[intent.client_order_id] = to_json(decision)
            await self._store.commit(epoch, (intent,), (), now_us)
            self._folded[intent.client_order_id] = decision
            return
        folded = dict(self._folded)
        unwritten = missing(folded.values(), records)
        await self._store.commit(epoch, (*unwritten, *records), messages, now_us)
        for name in folded:
            del self._folded[name]
        for record in records:
            if isinstance(record, OrderRecord):
                decisions.pop(record.client_order_id, None)

    async def load(self, now_us: int) -> StoredState:
        """With the brackets that only their entries know."""
        state = await self._store.load(now_us)
        decisions, stored = self._store.decisions, self._store.tables.brackets
        names = [one.intent.client_order_id for one in state.orders]
        self._folded = {name: from_json(decisions[name]) for name in names if name in decisions}
        found = [
            one.bracket for one in self._folded.values() if one.bracket.bracket_id not in stored
        ]
        return replace(state, brackets=(*state.brackets, *found))

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
