"""Beside another bot on the same account: halt, and carry out what an operator decides."""

import asyncio
import contextlib
import logging

from bot.app.lifecycle import Tenure
from bot.app.running import Running
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError, NotLeader, StorageUnavailable
from bot.domain.operations import Authority, Done, Outcome, Refused
from bot.domain.records import HaltRecord
from bot.engine.groups import OrderGroups
from bot.engine.rivals import Rival, find_rival, take_note
from bot.kit.backoff import Backoff
from bot.ports.exchange import Exchange
from bot.ports.messages import AuditEntry, Channel
from bot.ports.trading import TradingStore

logger = logging.getLogger(__name__)

_RETRY = Backoff(base_s=0.5, cap_s=10.0)
_BY = "activation"


class OtherBot:
    """What one leadership knows of another bot whose database is not ours."""

    def __init__(
        self,
        running: Running,
        tenure: Tenure,
        exchange: Exchange,
        store: TradingStore,
        groups: OrderGroups,
    ) -> None:
        self._running = running
        self._epoch = tenure.epoch
        self._exchange = exchange
        self._store = store
        self._groups = groups
        self.found: Rival | None = None
        """Until an operator has decided."""

    async def find(self) -> Rival | None:
        """Look, for as long as the exchange does not answer. A paper account is ours alone."""
        if self._running.settings.trading_mode in {"paper", "watch"}:
            return None
        for wait_s in _RETRY.waits(self._running.parts.means.random):
            with contextlib.suppress(BotError):
                return await find_rival(self._exchange, self._store, self._running.clock.now_us())
            logger.warning("api error", extra={"task": "look for other bots"})
            await asyncio.sleep(wait_s)
        raise AssertionError("the waits never end")

    async def halt_beside(self, rival: Rival) -> None:
        """Across databases the exchange is the judge: a second bot there keeps us halted."""
        self.found = rival
        logger.error("halted beside another bot", extra={"reason": rival.why})
        before = await self._store.halt()
        reason = rival.reason_after(before.reason if before.halted else "")
        now_us = self._running.clock.now_us()
        await self._store.save_halt(
            HaltRecord(halted=True, reason=reason, set_by=_BY, changed_us=now_us)
        )
        self._running.alerts.post(AlertKind.HALT_SET, {"reason": rival.why, "by": _BY})

    async def accept(self) -> None:
        """An operator lets us trade beside what was found: it is no news from now on.

        Raises:
            NotLeader, StorageUnavailable: it is not remembered; nothing was decided.
        """
        if self.found is None:
            return
        await take_note(self._store, self.found, self._epoch, self._running.clock.now_us())
        self.found = None

    async def adopt(self, authority: Authority) -> Outcome:
        """See ``Operator.adopt``. Repeated, it shuts again what is still open."""
        rival = self.found
        if rival is None:
            return Done(text="nothing of another bot is left to take over")
        try:
            for group in rival.groups:
                await self._groups.trigger(group)
        except (NotLeader, StorageUnavailable):
            raise
        except BotError as fault:
            return Refused(why=f"not every order group is shut: {fault}", remedy="send it again")
        await self.accept()
        done = (
            f"{len(rival.groups)} order groups are shut and their orders cancelled; /unhalt ends"
            " the halt, /acknowledge TICKER takes over what is held in a market"
        )
        await self._running.audit.record(
            AuditEntry(
                number=authority.number,
                at_us=authority.at_us,
                channel=Channel(authority.channel),
                actor=authority.actor,
                command="/adopt",
                outcome=f"done: {done}",
                epoch=self._epoch,
            )
        )
        return Done(text=done)
