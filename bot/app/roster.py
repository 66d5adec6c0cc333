"""Which instances there are, and giving the lead to another one of them."""

from bot.adapters.storage.leases import SqlLeaseStore
from bot.app.running import Running
from bot.domain.errors import ActivationRefused
from bot.domain.ids import InstanceId
from bot.domain.leadership import InstanceRow, Roster
from bot.domain.operations import Authority, Done, InstanceView, Outcome, Refused
from bot.ports.messages import AuditEntry, Channel

_SHOWN = 10
_REMEDY = "/instances lists those that are alive"


class InstanceRoll:
    """The instances of this process's scope."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._me = running.parts.candidate.instance_id
        self._desk = SqlLeaseStore(running.parts.database)

    async def views(self) -> tuple[InstanceView, ...]:
        """See ``Operator.instances``."""
        roster = await self._desk.roster(self._running.scope, _SHOWN)
        return tuple(self._view(roster, row) for row in roster.rows)

    async def hand_over(self, authority: Authority, successor: InstanceId) -> Outcome:
        """See ``Operator.hand_over``.

        Carried out again by the successor, after the one that was asked died over it,
        it finds its work done.
        """
        if successor == self._me:
            return Done(text=f"{successor} leads")
        roster = await self._desk.roster(self._running.scope, _SHOWN)
        if all(row.instance_id != successor for row in roster.rows):
            return Refused(why=f"there is no living instance {successor}", remedy=_REMEDY)
        try:
            await self._desk.activate(successor)
        except ActivationRefused as fault:
            return Refused(why=str(fault), remedy=_REMEDY)
        done = f"handing over to {successor}; this instance drains, and ends once {successor} leads"
        await self._running.audit.record(
            AuditEntry(
                number=authority.number,
                at_us=authority.at_us,
                channel=Channel(authority.channel),
                actor=authority.actor,
                command=f"/handover {successor}",
                outcome=f"done: {done}",
                epoch=self._running.standing.epoch,
            )
        )
        return Done(text=done)

    def _view(self, roster: Roster, row: InstanceRow) -> InstanceView:
        return InstanceView(
            instance=row.instance_id,
            state=row.state.value,
            is_wanted=row.is_active,
            leads_since_us=roster.leads_since_us(row),
            is_alive=roster.is_alive(row),
            deployment=row.deployment_id,
            generation=row.generation,
            epoch=row.epoch,
            host=row.host,
            version=row.code_version,
            started_us=row.started_us,
            heartbeat_us=row.heartbeat_us,
            is_me=row.instance_id == self._me,
        )
