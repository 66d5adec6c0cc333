"""A bot without a bot: fixed views, and acts that are written down."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.domain.alert_preferences import PreferenceChange, Preferences, changed
from bot.domain.errors import StorageUnavailable
from bot.domain.events import Role
from bot.domain.handles import EntryView, ProposalView
from bot.domain.ids import Epoch, InstanceId, MarketTicker, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.operations import (
    AccessLevel,
    AccountView,
    ApiView,
    Authority,
    BackupFile,
    Banner,
    BreakerView,
    CollectView,
    Decision,
    Done,
    FeedView,
    FunnelStage,
    GapsView,
    HaltView,
    InstanceView,
    LoopView,
    Outcome,
    PnlView,
    PositionView,
    QualityFinding,
    QualityView,
    Refused,
    Severity,
    StatusView,
    StopKind,
    StopReason,
    TradeMode,
    VersionView,
    WhyView,
)
from bot.ports.alert_control import AlertsView, ToldAlert
from bot.ports.messages import HeldBack
from bot.ports.people import Person
from tests.fakes.adjusting import FakeAdjusting
from tests.fakes.cockpit import FakeCockpit
from tests.fakes.people import FakePeople

NOW_US = 1_795_245_300_000_000
MINUTE_US = 60_000_000

BANNER = Banner(
    instance=InstanceId("inst-7f"),
    mode=TradeMode.PAPER,
    role=Role.LEADING,
    epoch=Epoch(7),
    leading_since_us=NOW_US - 90 * MINUTE_US,
    version="0.1.0",
)

DAILY_LOSS = BreakerView(
    name="daily_loss",
    is_tripped=False,
    why="",
    value="-1.2 %",
    limit="-5 %",
    changed_us=None,
    rearms="on the new trading day when flat",
    force_grants="another 1 % today",
)
LOSS_STREAK = BreakerView(
    name="loss_streak",
    is_tripped=True,
    why="5 losses in a row",
    value="5",
    limit="5",
    changed_us=NOW_US - 10 * MINUTE_US,
    rearms="by a person only",
)

HALTED = HaltView(
    is_halted=True,
    reason="first start; /unhalt to begin",
    set_by="the bot",
    changed_us=NOW_US - 3 * MINUTE_US,
)
FREE = replace(HALTED, is_halted=False, reason="", set_by="telegram:1 Ada")

ACCOUNT = AccountView(
    as_of_us=NOW_US - 5_000_000,
    cash=Money(900_000_000),
    equity=Money(1_012_340_000),
    exposure=Money(112_340_000),
    baseline=Money(1_000_000_000),
)
PNL = PnlView(
    trading_day="2026-11-21",
    realized=Money(15_000_000),
    unrealized=Money(-2_000_000),
    fees=Money(660_000),
    baseline=Money(1_000_000_000),
    trades=6,
    wins=4,
    losses=2,
)
POSITION = PositionView(
    ticker=MarketTicker("KXFED-26DEC-T4.25"),
    title="Fed <rate> above 4.25 % & more",
    quantity=Quantity(1_000),
    cost=Money(8_500_000),
    mark=Price(8_650),
    unrealized=Money(150_000),
    stop_price=Price(8_075),
    target_price=Price(9_012),
    is_stop_watched=True,
)
FOREIGN = replace(
    POSITION,
    ticker=MarketTicker("KXCPI-26NOV"),
    title="CPI",
    quantity=Quantity(-250),
    mark=None,
    unrealized=None,
    stop_price=None,
    target_price=None,
    is_stop_watched=False,
    is_ours=False,
)
STATUS = StatusView(
    now_us=NOW_US,
    started_us=NOW_US - 26 * 60 * MINUTE_US,
    stop=None,
    halt=FREE,
    breakers=(DAILY_LOSS, LOSS_STREAK),
    account=ACCOUNT,
    pnl=PNL,
    open_positions=2,
    open_positions_max=5,
    markets_seen=1_240,
    markets_eligible=6,
    feed=FeedView(is_connected=True, changed_us=None, last_frame_us=NOW_US - 1_000_000),
    api=ApiView(calls=240, failed=3),
    collect=CollectView(
        last_success_us=NOW_US - 20 * MINUTE_US, last_error_us=None, missing_hours=2
    ),
    unsent_messages=0,
    loops=(
        LoopView(name="rest", state="open", failures=6, rest_us=45_000_000),
        LoopView(name="websocket", state="closed", failures=0, rest_us=0),
    ),
)
QUALITY = QualityView(
    hour="2026-11-21T06:00:00Z",
    snapshots=340,
    ticks=12,
    wrong=1,
    findings=(
        QualityFinding(
            is_wrong=True, what="snapshot crossed", count=1, worst="KXFED-1: bid 0.6, ask 0.4"
        ),
        QualityFinding(
            is_wrong=False, what="snapshot one_sided", count=30, worst="KXFED-2: no bid"
        ),
    ),
)
NOTHING_KNOWN = StatusView(
    now_us=NOW_US,
    started_us=NOW_US,
    stop=StopReason(
        kind=StopKind.HALTED, why="first start", remedy="/unhalt to begin", since_us=NOW_US
    ),
    halt=None,
    breakers=(),
    account=None,
    pnl=None,
    open_positions=None,
    open_positions_max=None,
    markets_seen=None,
    markets_eligible=None,
    feed=None,
    api=None,
    collect=None,
    unsent_messages=None,
)
INSTANCE = InstanceView(
    instance=InstanceId("inst-7f"),
    state="leading",
    is_wanted=True,
    leads_since_us=NOW_US - 90 * MINUTE_US,
    is_alive=True,
    deployment="d12",
    generation=12,
    epoch=Epoch(7),
    host="host-a",
    version="0.1.0",
    started_us=NOW_US - 90 * MINUTE_US,
    heartbeat_us=NOW_US - 2_000_000,
    is_me=True,
)
RELEASED = replace(
    INSTANCE,
    instance=InstanceId("inst-6e"),
    is_me=False,
    leads_since_us=None,
    is_wanted=False,
    deployment="d11",
    generation=11,
    epoch=None,
    state="released",
)
WHY = WhyView(
    ticker=None,
    stop=None,
    funnel=(FunnelStage(name="seen", left=1_240), FunnelStage(name="liquid", left=6)),
    decisions=(
        Decision(
            at_us=NOW_US - MINUTE_US,
            ticker=MarketTicker("KXFED-26DEC-T4.25"),
            verdict="denied",
            reason="stale_book: book is 12 s old",
        ),
    ),
)


ENTRY = EntryView(
    ticker=MarketTicker("KXFED-26DEC-T4.25"),
    order_id=OrderId("order-1"),
    is_yes=True,
    own_price=Price(8_500),
    left=Quantity(500),
)
PROPOSAL = ProposalView(
    name="7-1",
    ticker=MarketTicker("KXCPI-26NOV"),
    own_price=Price(9_100),
    quantity=Quantity(1_000),
)
PEOPLE = (
    Person(user_id=11, name="", level=AccessLevel.ADMIN, added_by="the settings", added_us=None),
    Person(
        user_id=55,
        name="Bo <b>",
        level=AccessLevel.TRADER,
        added_by="telegram:11 Ada",
        added_us=NOW_US - 60 * MINUTE_US,
    ),
)


@dataclass
class FakeAlerts:
    """Implements ``AlertControl``; ``changes`` lists what was chosen under which number."""

    preferences: Preferences = field(default_factory=Preferences)
    held: tuple[HeldBack, ...] = (HeldBack(kind="stale", count=3, until_us=NOW_US + MINUTE_US),)
    latest: tuple[ToldAlert, ...] = (
        ToldAlert(
            name="ak3f9x2a",
            at_us=NOW_US - 8 * MINUTE_US,
            kind="breaker_tripped",
            severity=Severity.CRITICAL,
            text="<b>Breaker tripped</b>: loss_streak: 5 losses &lt;in a row&gt;\nNo new entries.",
        ),
        ToldAlert(
            name="ak3f9zz1",
            at_us=NOW_US - MINUTE_US,
            kind="position_opened",
            severity=Severity.INFO,
            text="<b>Position opened</b>: KXFED-26DEC-T4.25\nside: YES",
        ),
    )
    changes: list[tuple[PreferenceChange, str, int]] = field(default_factory=list)
    check: Callable[[], None] = lambda: None

    async def view(self, latest: int) -> AlertsView:
        self.check()
        shown = self.latest[-latest:] if latest else ()
        return AlertsView(preferences=self.preferences, held=self.held, latest=shown)

    async def change(
        self, authority: Authority, line: str, change: PreferenceChange
    ) -> Preferences:
        self.check()
        self.changes.append((change, line, authority.number))
        self.preferences = changed(self.preferences, change)
        return self.preferences

    async def release(self) -> int:
        count = sum(one.count for one in self.held)
        self.held = ()
        return count


@dataclass
class FakeOperator:
    """Implements ``Operator``; ``acts`` lists what was done under which number."""

    view: StatusView = STATUS
    halt_view: HaltView = FREE
    breaker_views: tuple[BreakerView, ...] = (DAILY_LOSS, LOSS_STREAK)
    the_banner: Banner = BANNER
    refusal: Refused | None = None
    is_store_away: bool = False
    acts: list[tuple[str, int]] = field(default_factory=list)
    halts_now: list[tuple[int, str]] = field(default_factory=list)
    backup_path: str = "backups/kalshi_20261121_071500.sqlite"
    missing_hours: tuple[str, ...] = ("2026-11-20T03:00:00Z", "2026-11-20T04:00:00Z")
    adjusting: FakeAdjusting = field(default_factory=FakeAdjusting)
    people: FakePeople = field(default_factory=lambda: FakePeople(PEOPLE))
    entry_views: tuple[EntryView, ...] = (ENTRY,)
    proposal_views: tuple[ProposalView, ...] = (PROPOSAL,)
    instance_views: tuple[InstanceView, ...] = (INSTANCE, RELEASED)
    alerts: FakeAlerts = field(default_factory=FakeAlerts)

    def __post_init__(self) -> None:
        self.alerts.check = self._check
        self.adjusting.act = self._act

    @property
    def cockpit(self) -> FakeCockpit:
        return FakeCockpit(is_away=self.is_store_away)

    def banner(self) -> Banner:
        return self.the_banner

    def halt_now(self, authority: Authority, reason: str) -> None:
        self.halts_now.append((authority.number, reason))

    async def halt(self, authority: Authority, reason: str) -> HaltView:
        self._check()
        self.acts.append(("halt", authority.number))
        self.halt_view = HaltView(
            is_halted=True, reason=reason, set_by=authority.actor, changed_us=authority.at_us
        )
        return self.halt_view

    async def unhalt(self, authority: Authority) -> Outcome:
        self._check()
        if self.refusal is not None:
            return self.refusal
        self.acts.append(("unhalt", authority.number))
        self.halt_view = FREE
        return Done(text="the halt has ended")

    async def reset_breaker(self, authority: Authority, name: str, *, force: bool) -> Outcome:
        self._check()
        if self.refusal is not None:
            return self.refusal
        self.acts.append((f"reset {name}{' force' if force else ''}", authority.number))
        return Done(text=f"{name} is reset")

    async def acknowledge(self, authority: Authority, ticker: MarketTicker) -> Outcome:
        return self._act(f"acknowledge {ticker}", authority, f"{ticker} acknowledged")

    async def close(self, authority: Authority, ticker: MarketTicker | None) -> Outcome:
        return self._act(f"close {ticker or 'all'}", authority, "closing 1 position")

    async def panic(self, authority: Authority, *, everything: bool) -> Outcome:
        what = f"panic{' everything' if everything else ''}"
        return self._act(what, authority, "halted, leaving 1 positions and entries. flat")

    async def reconcile(self, authority: Authority) -> Outcome:
        return self._act("reconcile", authority, "the exchange agrees: 2 positions")

    async def judge_entry(
        self,
        authority: Authority,
        proposal: str,
        *,
        is_approved: bool,
        contracts: int | None = None,
    ) -> Outcome:
        what = f"{'approve' if is_approved else 'skip'} {proposal}"
        what += "" if contracts is None else f" {contracts}"
        return self._act(what, authority, f"{proposal} approved and sent")

    async def cancel_entries(self, authority: Authority, chosen: str | None = None) -> Outcome:
        return self._act(
            f"cancel {chosen or 'all'}", authority, "cancelling 2 entries; take-profits stay"
        )

    async def adopt(self, authority: Authority) -> Outcome:
        return self._act("adopt", authority, "2 order groups are shut")

    async def hand_over(self, authority: Authority, successor: InstanceId) -> Outcome:
        return self._act(f"hand over to {successor}", authority, f"handing over to {successor}")

    async def backup(self, authority: Authority) -> BackupFile:
        self._check()
        self.acts.append(("backup", authority.number))
        return BackupFile(
            path=self.backup_path,
            size_bytes=12_345_678,
            sha256="ab" * 32,
            made_us=NOW_US,
            is_durable=False,
        )

    async def check_restore(self, authority: Authority) -> Outcome:
        return self._act("restore check", authority, "kalshi_20261121.sqlite restores: 127 rows")

    async def halt_state(self) -> HaltView:
        return self.halt_view

    async def breakers(self) -> tuple[BreakerView, ...]:
        return self.breaker_views

    async def status(self) -> StatusView:
        self._check()
        return self.view

    async def positions(self) -> tuple[PositionView, ...]:
        return (POSITION, FOREIGN)

    async def entries(self) -> tuple[EntryView, ...]:
        return self.entry_views

    async def proposals(self) -> tuple[ProposalView, ...]:
        return self.proposal_views

    async def pnl(self) -> PnlView:
        return PNL

    async def balance(self) -> AccountView:
        return ACCOUNT

    async def instances(self) -> tuple[InstanceView, ...]:
        return self.instance_views

    async def gaps(self) -> GapsView:
        return GapsView(
            first_hour="2026-11-20T00:00:00Z",
            last_hour="2026-11-21T06:00:00Z",
            hours_expected=31,
            missing=self.missing_hours,
            reasons=(("the bot was not running", 2),) if self.missing_hours else (),
            markets_missing=0,
            stream_gaps=0,
            detail_hours=168,
        )

    async def repair(self, authority: Authority) -> Outcome:
        return self._act("repair", authority, "127 rows refetched")

    async def quality(self) -> QualityView:
        return QUALITY

    async def why(self, ticker: MarketTicker | None) -> WhyView:
        return replace(WHY, ticker=ticker)

    async def version(self) -> VersionView:
        return VersionView(version="0.1.0", deployment="local", schema="3", python="3.11.7")

    def _act(self, what: str, authority: Authority, text: str) -> Outcome:
        self._check()
        if self.refusal is not None:
            return self.refusal
        self.acts.append((what, authority.number))
        return Done(text=text)

    def _check(self) -> None:
        if self.is_store_away:
            raise StorageUnavailable("the database is away")
