"""Lease rules as pure functions of readings and the own monotonic clock.

Whether another instance is alive is judged by whether its counter moves while
we watch, never by how old its row looks: the database's clock may be wrong, and
a restarted bot must not stand by for its own dead predecessor. The rules never
touch the row; the statements that do are compare-and-set on what was read here.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.ids import InstanceId
from bot.domain.leadership import InstanceRow, InstanceState, Reading

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """How long a lease lasts and how early its holder must give up; microseconds.

    A holder counts from the moment it *sent* its last good renewal. A rival
    counts from the moment it first *saw* that renewal, which is later. So with
    ``gate + order_timeout <= stop < watchdog < lease`` the last order of one
    leader has ended before the next one may start, whatever the wall clocks say.

    Raises:
        ValueError: the terms break one of the inequalities that make them safe.
    """

    lease_us: int = 15 * _SECOND_US
    renew_us: int = 2 * _SECOND_US
    """From the sending of one good renewal to the sending of the next."""
    retry_us: int = _SECOND_US // 2
    """Pause after a renewal that failed."""
    poll_us: int = _SECOND_US
    """How often an instance without the lease reads it."""
    database_timeout_us: int = 2 * _SECOND_US
    gate_us: int = 8 * _SECOND_US
    """No order may be sent later than this after the last good renewal was sent."""
    order_timeout_us: int = 3 * _SECOND_US
    """The longest that one order call may take."""
    stop_us: int = 11 * _SECOND_US
    """Everything of the leader is cancelled by then."""
    watchdog_us: int = 12 * _SECOND_US
    """A thread ends the process if it still holds the lead by then."""
    drain_us: int = 10 * _SECOND_US
    """The longest that an orderly hand-over may take."""
    settle_us: int = 5 * _SECOND_US
    """A counter that moves within this is alive; also the time an idle instance
    waits for the second of two typed statements before it leaves."""

    def __post_init__(self) -> None:
        for broken, rule in (
            (min(self.renew_us, self.retry_us, self.poll_us) <= 0, "every interval is above zero"),
            (
                self.gate_us + self.order_timeout_us > self.stop_us,
                "gate_s + order_timeout_s <= stop_s: raise stop_s or lower gate_s",
            ),
            (self.stop_us >= self.watchdog_us, "stop_s < watchdog_s: raise watchdog_s"),
            (
                self.lease_us - self.watchdog_us < self.lease_us // 5,
                "watchdog_s <= 4/5 of lease_s: raise lease_s or lower watchdog_s",
            ),
            (
                self.renew_us + 3 * self.database_timeout_us > self.gate_us,
                "renew_s + 3 * database_timeout_s <= gate_s: two renewals may fail; raise gate_s",
            ),
            (
                self.settle_us <= self.renew_us + self.database_timeout_us,
                "settle_s > renew_s + database_timeout_s: raise settle_s",
            ),
        ):
            if broken:
                raise ValueError(f"leadership: {rule}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A counter of somebody else, and since when we have seen it stand still."""

    who: str
    count: tuple[int, ...]
    since_us: int
    """Own monotonic time of the *answer* that first showed this count."""
    moved_us: int | None
    """Own monotonic time of the answer that first showed it move; ``None`` until then."""

    @property
    def has_moved(self) -> bool:
        """Whether it moved at least once while we watched."""
        return self.moved_us is not None

    def lives(self, echo_us: int) -> bool:
        """Whether it went on moving: once may be the last statement of a dead process."""
        return self.moved_us is not None and self.since_us - self.moved_us >= echo_us

    def silent_us(self, now_us: int) -> int:
        """How long it has stood still for us."""
        return now_us - self.since_us


def sight(
    previous: Sighting | None,
    who: str,
    count: tuple[int, ...],
    seen_us: int,
    *,
    settle_us: int,
    was_away: bool = False,
) -> Sighting:
    """Follow a counter from one reading to the next.

    A movement after ``settle_us`` of silence proves no life: it may be a statement of a dead
    process that a network held back, or, if nobody watched meanwhile, of one that died while we
    slept. So it is watched anew. ``was_away``: we slept, whatever the monotonic clock says.
    """
    if previous is None or previous.who != who:
        return Sighting(who=who, count=count, since_us=seen_us, moved_us=None)
    if previous.count != count:
        if was_away or seen_us - previous.since_us > settle_us:
            return Sighting(who=who, count=count, since_us=seen_us, moved_us=None)
        moved_us = seen_us if previous.moved_us is None else previous.moved_us
        return Sighting(who=who, count=count, since_us=seen_us, moved_us=moved_us)
    return previous


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What we watch: the lease's counter, and the heartbeat of whoever is wanted."""

    lease: Sighting
    wanted: Sighting
    """``who`` is empty while nobody is wanted."""

    @staticmethod
    def follow(
        previous: "Watch | None",
        reading: Reading,
        seen_us: int,
        *,
        settle_us: int,
        was_away: bool = False,
    ) -> "Watch":
        """Add one reading, answered at ``seen_us`` of the own monotonic clock."""
        lease, active = reading.lease, reading.active
        return Watch(
            lease=sight(
                previous.lease if previous else None,
                lease.holder or "",
                (lease.epoch, lease.renew_seq),
                seen_us,
                settle_us=settle_us,
                was_away=was_away,
            ),
            wanted=sight(
                previous.wanted if previous else None,
                active.instance_id if active else "",
                (active.heartbeat_us,) if active else (),
                seen_us,
                settle_us=settle_us,
                was_away=was_away,
            ),
        )


class Wish(StrEnum):
    """How an instance without the lease stands to it."""

    FRESH = "fresh"
    """Just started: takes the lead from older generations and from the dead."""
    IDLE = "idle"
    """Had its turn: takes the lead back only if the successor dies before leading."""


class Move(StrEnum):
    """What an instance without the lease does next."""

    ACQUIRE = "acquire"
    """Compare-and-set the lease."""
    CLAIM = "claim"
    """Become the wanted instance, in place of ``rival``."""
    WAIT = "wait"
    STAND_BY = "standby"
    """End: an instance of the same generation leads."""
    YIELD = "superseded"
    """End: a newer generation, or the successor, leads."""
    LEAVE = "deactivated"
    """End: a person deactivated us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A move and the instance it is about."""

    move: Move
    rival: InstanceRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """Everything a decision may depend on."""

    me: InstanceRow
    reading: Reading
    watch: Watch
    wish: Wish
    now_us: int
    """Own monotonic time."""
    death_us: int
    """Silence that proves death: the lease's length, or less under an exclusive host lock."""
    settle_us: int
    echo_us: int
    """So long after its process died a statement may still be carried out."""
    is_warm: bool = True
    """Whether we could trade soon after taking the lead."""


def decide(at: Standpoint) -> Decision:
    """The next move of an instance that does not hold a valid lease."""
    if at.me.stopped_us is not None:
        # A restore closed the row of a process that slept through it: no claim of it counts.
        return Decision(move=Move.LEAVE)
    if at.me.is_active:
        return Decision(move=Move.ACQUIRE if _is_takeable(at) else Move.WAIT)
    rival = at.reading.active
    return _decide_idle(at, rival) if at.wish is Wish.IDLE else _decide_fresh(at, rival)


def _decide_fresh(at: Standpoint, rival: InstanceRow | None) -> Decision:
    if rival is None or _is_dead(at):
        return Decision(move=Move.CLAIM, rival=rival)
    if rival.generation < at.me.generation:
        # Whoever leads goes on trading while we get ready.
        is_led = at.reading.lease.holder is not None
        return Decision(move=Move.WAIT if is_led and not at.is_warm else Move.CLAIM, rival=rival)
    leave = Move.STAND_BY if rival.generation == at.me.generation else Move.YIELD
    is_alive = at.watch.wanted.lives(at.echo_us)
    return Decision(move=leave if is_alive else Move.WAIT, rival=rival)


def _decide_idle(at: Standpoint, rival: InstanceRow | None) -> Decision:
    if rival is None:
        if not at.reading.lease.stood_down:
            return Decision(move=Move.CLAIM)
        silent_us = at.watch.wanted.silent_us(at.now_us)
        return Decision(move=Move.LEAVE if silent_us >= at.settle_us else Move.WAIT)
    if _is_dead(at):
        return Decision(move=Move.CLAIM, rival=rival)
    leads = rival.state is InstanceState.LEADING and at.watch.wanted.has_moved
    return Decision(move=Move.YIELD if leads else Move.WAIT, rival=rival)


def _is_dead(at: Standpoint) -> bool:
    return at.watch.wanted.silent_us(at.now_us) >= at.death_us


def _is_takeable(at: Standpoint) -> bool:
    holder = at.reading.lease.holder
    if holder is None or holder == at.me.instance_id:
        return True
    return at.watch.lease.silent_us(at.now_us) >= at.death_us


def may_act(since_sent_us: int, limit_us: int) -> bool:
    """Whether a renewal sent so long ago still covers an act begun now."""
    return 0 <= since_sent_us < limit_us


def seconds_since(reading: Reading, holder: InstanceId) -> int | None:
    """For the standby's last log line: how long ``holder`` has led, on the database's clock."""
    lease = reading.lease
    if lease.holder != holder or lease.acquired_us is None:
        return None
    return max(0, reading.database_now_us - lease.acquired_us) // _SECOND_US
