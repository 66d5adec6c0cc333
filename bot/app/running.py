"""What one process holds for its whole life, whoever leads."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot import __version__
from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.signing import Signer
from bot.adapters.storage.alert_preferences import SqlPreferenceStore
from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlAudit, SqlInbox
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.queries import SqlQueries
from bot.alerts.dispatcher import Alerts, AlertSettings
from bot.app.basics import Means
from bot.app.channel_settings import recipients
from bot.app.lifecycle import Role as LifeRole
from bot.app.lifecycle import RoleChange
from bot.app.settings import BotSettings
from bot.app.trading_settings import monitor_settings
from bot.app.warmth import Warmth
from bot.domain.alert_preferences import Preferences
from bot.domain.alerts import AlertKind
from bot.domain.events import Role
from bot.domain.ids import Epoch, brief
from bot.domain.leadership import Candidate
from bot.domain.operations import Banner, TradeMode, WatchView
from bot.kit.loop_breaker import LoopBreaker
from bot.kit.times import SECOND_US
from bot.ports.people import Invitation

_ROLES = {
    LifeRole.STANDBY: Role.STANDBY,
    LifeRole.ACTIVATING: Role.ACTIVATING,
    LifeRole.LEADING: Role.LEADING,
    LifeRole.DRAINING: Role.DRAINING,
    LifeRole.RELEASED: Role.RELEASED,
    LifeRole.ENDED: Role.RELEASED,
}
_UNLED_TOLD_US = 5 * SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The concrete outsides of one process."""

    settings: BotSettings
    means: Means
    database: Database
    exchange: KalshiExchange
    signer: Signer | None
    candidate: Candidate


@dataclass(slots=True)
class Standing:
    """What this process is at the moment."""

    role: Role = Role.STANDBY
    epoch: Epoch | None = None
    leading_since_us: int | None = None
    found: RoleChange | None = None
    """The take-over from an instance that did not let go in order, until it was told."""
    lost: str = ""
    """Why this instance lost the lead last."""
    open_positions: Callable[[], int] = field(default=lambda: 0)
    watches: tuple[WatchView, ...] = ()
    """What the operator's watch found last."""


@dataclass(slots=True)
class Wakes:
    """Services of the current leadership that can be woken early."""

    commands: list[Callable[[], None]] = field(default_factory=list)
    messages: list[Callable[[], None]] = field(default_factory=list)

    def clear(self) -> None:
        """The leadership is over."""
        self.commands.clear()
        self.messages.clear()

    def command_stored(self) -> None:
        """A command waits in the inbox."""
        for wake in self.commands:
            wake()

    def message_queued(self) -> None:
        """A message waits in the outbox."""
        for wake in self.messages:
            wake()


class Running:
    """The process: its parts, its standing, and the alerts that outlive a leadership."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        settings, clock = parts.settings, parts.means.clock
        self.settings = settings
        self.clock = clock
        self.scope = settings.scope
        self.started_us = clock.now_us()
        self.standing = Standing()
        self.invitation: Invitation | None = None
        """The first admin's code while nobody is admin: shown, never stored."""
        self.wakes = Wakes()
        self.inbox = SqlInbox(parts.database, self.scope, clock)
        self.outbox = SqlOutbox(parts.database, self.scope, clock)
        exchange = settings.exchange
        self.rest_breaker = LoopBreaker(
            threshold=exchange.rest_failure_threshold,
            cooldown_us=round(exchange.rest_cooldown_s * SECOND_US),
        )
        # Loops that ask the exchange, for who wants to know how they fare.
        self.loops: dict[str, LoopBreaker] = {"rest": self.rest_breaker}
        is_trading = settings.mode == "trade"
        self.warmth = Warmth(
            parts.exchange, monitor_settings(settings).series if is_trading else (), clock
        )
        self.audit = SqlAudit(parts.database, self.scope)
        self.queries = SqlQueries(parts.database, self.scope)
        self.preferences = SqlPreferenceStore(parts.database, self.scope)
        self.recipients = recipients(settings)
        self.alerts = Alerts(
            outbox=self.outbox,
            clock=clock,
            banner=self.banner,
            settings=AlertSettings(
                recipients=self.recipients,
                zone=settings.operator.zone,
                configured=Preferences(
                    verbosity=settings.alerts.verbosity, quiet=settings.alerts.quiet_hours
                ),
                secrets=settings.secrets.values(),
            ),
            queued=self.wakes.message_queued,
            preferences=self.preferences,
        )

    def banner(self) -> Banner:
        """Who answers."""
        standing = self.standing
        return Banner(
            instance=self.parts.candidate.instance_id,
            mode=TradeMode(self.settings.trading_mode),
            role=standing.role,
            epoch=standing.epoch,
            leading_since_us=standing.leading_since_us,
            version=__version__,
        )

    def told(self, change: RoleChange) -> None:
        """Hear a change of role from the lifecycle, and tell who should know."""
        was, self.standing.role = self.standing.role, _ROLES[change.role]
        match change.role:
            case LifeRole.ACTIVATING:
                self.standing.epoch = change.epoch
                self.alerts.reread()
                self._activating(change)
            case LifeRole.DRAINING:
                self._draining(change)
            case LifeRole.STANDBY | LifeRole.RELEASED | LifeRole.ENDED:
                self.standing.epoch = None
                self.standing.leading_since_us = None
                self.standing.watches = ()
                self._not_leading(change, was)
            case LifeRole.LEADING:
                pass

    def leading(self, facts: dict[str, str | int]) -> None:
        """Activation is complete."""
        self.standing.role = Role.LEADING
        self.standing.leading_since_us = self.clock.now_us()
        epoch = self.standing.epoch or 0
        found, self.standing.found = self.standing.found, None
        if found is None:
            self.alerts.post(AlertKind.LEADER_STARTED, {"epoch": epoch, **facts})
        else:
            self._took_over(found, {"epoch": epoch, "brackets": 0, **facts})
        if self.settings.trading_mode == "live":
            facts = {"account": self.settings.account.name}
            self.alerts.post(AlertKind.LIVE_TRADING_ENABLED, facts)

    def _activating(self, change: RoleChange) -> None:
        """Remember a death until we lead: then one message tells it and what came of it."""
        predecessor = change.predecessor
        if change.is_clean or predecessor is None:
            return
        if predecessor.instance_id != self.parts.candidate.instance_id:
            self.standing.found = change
        elif self.standing.found is None and change.unled_us > _UNLED_TOLD_US:
            silent_s = change.unled_us // SECOND_US
            reason = self.standing.lost or "the lead was lost"
            self.alerts.post(AlertKind.STOPS_UNWATCHED, {"seconds": silent_s, "reason": reason})

    def _took_over(self, found: RoleChange, facts: dict[str, str | int]) -> None:
        assert found.predecessor is not None
        self.alerts.post(
            AlertKind.NOBODY_LED,
            {
                "previous": found.predecessor.instance_id,
                "seconds": found.unled_us // SECOND_US,
                "end": found.predecessor.end or "without a word",
                "successor": self.parts.candidate.instance_id,
                **facts,
            },
        )

    def _draining(self, change: RoleChange) -> None:
        """Told while messages can still be sent: after the release nobody here may."""
        if change.is_deactivated and not change.rival:
            reason = "nobody leads, by SQL or command"
            facts: dict[str, str | int] = {"seconds": 0, "reason": reason}
            facts["positions_without_a_stop"] = self.standing.open_positions()
            self.alerts.post(AlertKind.STOPS_UNWATCHED, facts)
            return
        facts = {"reason": str(change.reason)}
        if change.rival:
            facts["successor"] = change.rival
        self.alerts.post(AlertKind.DRAINING, facts)

    def _not_leading(self, change: RoleChange, was: Role) -> None:
        """An orderly end was told when it began; this one was not orderly."""
        if was in {Role.LEADING, Role.ACTIVATING}:
            self.standing.lost = change.reason
            self.alerts.post(AlertKind.LEADER_DEPOSED, {"reason": str(change.reason)})
        elif was is Role.STANDBY and change.role is LifeRole.ENDED and change.rival:
            self.alerts.post(AlertKind.LEADER_STANDBY, {"leader": brief(change.rival)})
