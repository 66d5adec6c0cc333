"""What the chat asks and changes about alerts."""

from collections import defaultdict

from bot.alerts.policy import Way, way_of
from bot.app.running import Running
from bot.domain.alert_preferences import PreferenceChange, Preferences, changed
from bot.domain.alerts import AlertKind
from bot.domain.operations import Authority
from bot.ports.alert_control import AlertsView
from bot.ports.messages import AuditEntry, Channel

_EVERY_KIND = tuple(kind.value for kind in AlertKind)


class AlertDesk:
    """``AlertControl`` for one process."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def view(self, latest: int) -> AlertsView:
        """See ``AlertControl.view``."""
        running = self._running
        return AlertsView(
            preferences=running.alerts.preferences,
            held=await running.outbox.held(running.clock.now_us()),
            latest=await running.queries.alerts(latest),
        )

    async def change(
        self, authority: Authority, line: str, change: PreferenceChange
    ) -> Preferences:
        """See ``AlertControl.change``."""
        running = self._running
        # First, and harmless to repeat: after the act is on record nobody would do it.
        await self._move(changed(running.alerts.preferences, change))
        act = AuditEntry(
            number=authority.number,
            at_us=authority.at_us,
            channel=Channel(authority.channel),
            actor=authority.actor,
            command=line,
            outcome="done",
            epoch=running.standing.epoch,
        )
        running.alerts.prefer(await running.preferences.change(act, change))
        running.wakes.message_queued()
        return running.alerts.preferences

    async def release(self) -> int:
        """See ``AlertControl.release``."""
        running = self._running
        now_us = running.clock.now_us()
        held = await running.outbox.held(now_us)
        await running.outbox.hold(_EVERY_KIND, now_us, now_us)
        running.wakes.message_queued()
        return sum(one.count for one in held)

    async def _move(self, after: Preferences) -> None:
        """Have what is held back go by the preferences to come, where they say otherwise."""
        running = self._running
        now_us = running.clock.now_us()
        before = running.alerts.preferences
        moved: dict[int, list[str]] = defaultdict(list)
        for kind in AlertKind:
            way = self._way(kind, after, now_us)
            if way == self._way(kind, before, now_us) or way is None:
                continue
            moved[way.held_until_us or now_us].append(kind.value)
        for until_us, kinds in moved.items():
            await running.outbox.hold(kinds, now_us, until_us)

    def _way(self, kind: AlertKind, preferences: Preferences, now_us: int) -> Way | None:
        return way_of(kind, preferences, self._running.settings.operator.zone, now_us)
