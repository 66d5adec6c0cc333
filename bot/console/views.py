"""Snapshots of the bot as text. Pure: no clock, no bot, no channel.

The first line of ``status`` answers "why is it not trading"; unknown facts are
called unknown.
"""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from bot.console.amounts import contracts, counted, dollars, price, share, signed_dollars
from bot.console.views_market import why_of
from bot.domain.ids import brief
from bot.domain.money import Money
from bot.domain.operations import (
    AccountView,
    ApiView,
    BackupFile,
    Banner,
    BreakerView,
    CollectView,
    FeedView,
    GapsView,
    HaltView,
    InstanceView,
    LoopView,
    PnlView,
    PositionView,
    StatusView,
    StopKind,
    StopReason,
    VersionView,
    WatchView,
    WhyView,
)
from bot.domain.orders import BookSide, own_price
from bot.kit.markup import ago, bold, code, escape, moment, span
from bot.kit.times import GREENWICH

STOPS_NEED_A_LEADER = (
    "Positions stay open. Stops are watched only while this bot leads; "
    "if it dies, resting take-profits stay and stops do not."
)
_GAPS_SHOWN_MAX = 24
_BYTES_PER_UNIT = 1_000


def tag(number: int, banner: Banner) -> str:
    """The line under every reply: command number, whose money, which process."""
    return f"#{number} | {bold(banner.mode.upper())} | {escape(brief(banner.instance))}"


def stop_line(stop: StopReason | None, zone: ZoneInfo = GREENWICH) -> str:
    """The one line that answers "why is it not trading"."""
    if stop is None:
        return f"{bold('TRADING')}: entries are on"
    head = f"TRIPPED {stop.name}" if stop.kind is StopKind.TRIPPED else stop.kind.value.upper()
    since = f" since {moment(stop.since_us, zone)}" if stop.since_us is not None else ""
    return f"{bold(head)}{since}: {escape(stop.why)} -> {escape(stop.remedy)}"


def status(view: StatusView, banner: Banner, zone: ZoneInfo = GREENWICH) -> str:
    """Everything at once."""
    epoch = "none" if banner.epoch is None else str(banner.epoch)
    led = "" if banner.leading_since_us is None else f" for {_since(banner, view.now_us)}"
    lines = [
        stop_line(view.stop, zone),
        f"Role: {escape(banner.role.value)}{led}, epoch {epoch}",
        *_money_lines(view.account, view.pnl),
        f"Positions: {_of(view.open_positions, view.open_positions_max)}",
        f"Markets: {_count(view.markets_seen)} seen, {_count(view.markets_eligible)} eligible",
        f"WebSocket: {_feed(view.feed, view.now_us)}",
        f"API errors: {_api(view.api)}",
        f"Breakers: {_breakers_short(view.breakers)}",
        *_watches(view.watches),
        f"Halt: {_halt_short(view.halt)}",
        f"Loops: {loops_line(view.loops)}",
        f"Collect: {_collect(view.collect, view.now_us)}",
        f"Messages waiting: {_count(view.unsent_messages)}",
        *(
            f"Not arriving: {escape(one.channel)} to {escape(one.recipient)}"
            f" for {span(view.now_us - one.since_us)}: {escape(one.reason)}"
            for one in view.channels_failing
        ),
        f"Up {span(view.now_us - view.started_us)}, version {escape(banner.version)}",
    ]
    return "\n".join(lines)


def _watches(views: Iterable[WatchView]) -> list[str]:
    """What is not as it should be, each on a line of its own; the win rate always."""
    every = list(views)
    if not every:
        return []
    wrong = [one for one in every if not one.is_calm]
    head = "all calm" if not wrong else f"{len(wrong)} of {len(every)} not calm"
    named = [one for one in every if not one.is_calm or one.name == "win rate"]
    shown = [f"- {escape(one.name)}: {escape(one.text)}" for one in named]
    return [f"Watched for you: {head}", *shown]


def halted(view: HaltView, *, is_new: bool = True) -> str:
    """The answer to ``/halt``."""
    head = "HALTED" if is_new else "STILL HALTED"
    saved = "saved" if view.is_saved else "halted here, not yet saved"
    return "\n".join(
        (
            f"{bold(head)}, {saved}. No new entries; resting entries are cancelled.",
            f"Set by {escape(view.set_by)}: {escape(view.reason)}",
            STOPS_NEED_A_LEADER,
            "/unhalt ends it.",
        )
    )


def halted_unsaved(reason: str) -> str:
    """The first answer to ``/halt``, before anything is stored."""
    return f"{bold('HALTED HERE')}, not yet saved: {escape(reason)}"


def halt_question(view: HaltView, breakers: Iterable[BreakerView], now_us: int) -> str:
    """What ``/unhalt`` would change."""
    tripped = [breaker.name for breaker in breakers if breaker.is_tripped]
    lines = [
        f"{bold('End the halt?')}",
        f"Set by {escape(view.set_by)} {ago(view.changed_us, now_us)}: {escape(view.reason)}",
        "Entries start again after a reconciliation.",
    ]
    if tripped:
        lines.append(f"Still tripped, and not cleared by this: {escape(', '.join(tripped))}")
    return "\n".join(lines)


def breaker_question(breaker: BreakerView, *, force: bool) -> str:
    """What ``/reset_breaker`` would change."""
    lines = [
        f"{bold('Reset ' + breaker.name + '?')}",
        f"It stands at {escape(breaker.value)}, limit {escape(breaker.limit)}.",
        f"Tripped because: {escape(breaker.why)}",
    ]
    if breaker.blocked_by:
        lines.append(f"Its condition still holds: {escape(breaker.blocked_by)}")
    if force:
        lines.append(f"Forcing it grants: {escape(breaker.force_grants or 'nothing more')}")
    return "\n".join(lines)


def breakers(views: Iterable[BreakerView], now_us: int) -> str:
    """Every breaker, the tripped ones first."""
    ordered = sorted(views, key=lambda breaker: (not breaker.is_tripped, breaker.name))
    if not ordered:
        return "No breakers are set up."
    return "\n".join(_breaker_line(breaker, now_us) for breaker in ordered)


def positions(views: Iterable[PositionView]) -> str:
    """Every held market, three lines each."""
    blocks = [_position_block(position) for position in views]
    if not blocks:
        return "No open positions."
    return "\n".join((f"{bold('Open positions')}: {len(blocks)}", *blocks))


def pnl(view: PnlView) -> str:
    """One day's result."""
    total = Money(view.realized + view.unrealized - view.fees)
    part = share(total, view.baseline)
    return "\n".join(
        (
            f"{bold('Day ' + view.trading_day)}: {signed_dollars(total)}"
            + (f" ({part} of {dollars(view.baseline)})" if part else ""),
            (
                f"Realised {signed_dollars(view.realized)}, "
                f"open {signed_dollars(view.unrealized)}, fees {dollars(view.fees)}"
            ),
            f"Trades {view.trades}: {view.wins} won, {view.losses} lost; win rate: {view.win_rate}",
        )
    )


def balance(view: AccountView, now_us: int) -> str:
    """Cash, equity, exposure; cash by shard where it lies on several."""
    part = share(view.exposure, view.equity)
    exposed = f" ({part} of equity)" if part else ""
    lines = [
        f"{bold('Equity')} {dollars(view.equity)}, cash {dollars(view.cash)}",
        f"Exposure {dollars(view.exposure)}{exposed}",
        f"Start of day {dollars(view.baseline)}; read {ago(view.as_of_us, now_us)}",
    ]
    if len(view.by_shard) > 1:
        told = ", ".join(f"{shard}: {dollars(cash)}" for shard, cash in view.by_shard)
        lines.append(f"Cash by shard {told}; a market takes its own shard's only")
    return "\n".join(lines)


def instances(views: Iterable[InstanceView], now_us: int, zone: ZoneInfo = GREENWICH) -> str:
    """Who is registered, and who leads."""
    lines = [_instance_line(instance, now_us, zone) for instance in views]
    return "\n".join(lines) if lines else "No instance is registered."


def gaps(view: GapsView) -> str:
    """Which hours are missing."""
    if view.first_hour is None or view.last_hour is None:
        return "Nothing has been collected yet."
    head = (
        f"{len(view.missing)} of {counted(view.hours_expected, 'hour')} missing "
        f"between {escape(view.first_hour)} and {escape(view.last_hour)}"
    )
    rest = _gap_details(view)
    if not view.missing:
        return "\n".join((f"{bold('No gaps')}: {head}", *rest))
    shown = [code(hour) for hour in view.missing[-_GAPS_SHOWN_MAX:]]
    hidden = len(view.missing) - len(shown)
    more = [f"and {hidden} earlier ones"] if hidden else []
    why = [f"{hours} h: {escape(reason)}" for reason, hours in view.reasons]
    return "\n".join((f"{bold('Gaps')}: {head}", *why, *shown, *more, *rest))


def _gap_details(view: GapsView) -> list[str]:
    days = view.detail_hours // 24
    lines = []
    if view.markets_missing:
        snapshots = counted(view.markets_missing, "snapshot")
        lines.append(f"{snapshots} of single markets missing in {days} days")
    if view.stream_gaps:
        lines.append(f"{counted(view.stream_gaps, 'gap')} of the live stream in {days} days")
    return lines


def why(view: WhyView, now_us: int, zone: ZoneInfo = GREENWICH) -> str:
    """Why there was or was not a trade."""
    lines = [stop_line(view.stop, zone)]
    if view.funnel:
        lines.append(
            "Last look: "
            + " -> ".join(f"{escape(stage.name)} {stage.left}" for stage in view.funnel)
        )
    lines += [
        f"{ago(decision.at_us, now_us)} {code(decision.ticker)} "
        f"{escape(decision.verdict)}: {escape(why_of(decision))}"
        for decision in view.decisions
    ]
    if not view.decisions:
        where = f" in {escape(view.ticker)}" if view.ticker else ""
        lines.append(f"No signal has been decided on{where}.")
    return "\n".join(lines)


def backup(file: BackupFile, zone: ZoneInfo = GREENWICH) -> str:
    """What was backed up and whether it will last."""
    durable = (
        "" if file.is_durable else f"\n{bold('Not durable')}: this disk does not survive a deploy."
    )
    return (
        f"{bold('Backup')} {code(file.path)}\n"
        f"{size(file.size_bytes)}, made {moment(file.made_us, zone)}\n"
        f"SHA-256 {code(file.sha256)}{durable}"
    )


def version(view: VersionView) -> str:
    """What is running."""
    return (
        f"Version {escape(view.version)}, schema {escape(view.schema)}\n"
        f"Deployment {escape(view.deployment)}, Python {escape(view.python)}"
    )


def size(size_bytes: int) -> str:
    """``512 B``, ``12.3 MB``, ``2.3 GB``."""
    if size_bytes < _BYTES_PER_UNIT:
        return f"{size_bytes} B"
    tenths, unit = size_bytes * 10 // _BYTES_PER_UNIT, "kB"
    for larger in ("MB", "GB"):
        if tenths >= _BYTES_PER_UNIT * 10:
            tenths, unit = tenths // _BYTES_PER_UNIT, larger
    return f"{tenths // 10}.{tenths % 10} {unit}"


def _since(banner: Banner, now_us: int) -> str:
    return span(now_us - (banner.leading_since_us or now_us))


def _money_lines(account: AccountView | None, day: PnlView | None) -> list[str]:
    lines: list[str] = []
    if day is None:
        lines.append("Day: unknown")
    else:
        total = Money(day.realized + day.unrealized - day.fees)
        part = _in_brackets(share(total, day.baseline))
        lines.append(
            f"Day {escape(day.trading_day)}: {signed_dollars(total)} {part}".rstrip()
            + f"; {day.wins} won, {day.losses} lost"
        )
    if account is None:
        lines.append("Equity: unknown")
        return lines
    lines.append(
        f"Equity {dollars(account.equity)}, cash {dollars(account.cash)}, "
        f"exposure {dollars(account.exposure)}"
    )
    return lines


def _of(part: int | None, whole: int | None) -> str:
    return _count(part) if whole is None else f"{_count(part)} of {whole}"


def _count(value: int | None) -> str:
    return "unknown" if value is None else str(value)


def _in_brackets(text: str) -> str:
    return f"({text})" if text else ""


def _feed(feed: FeedView | None, now_us: int) -> str:
    if feed is None:
        return "unknown"
    if not feed.is_connected:
        return f"down, last up {ago(feed.changed_us, now_us)}"
    return f"up, last frame {ago(feed.last_frame_us, now_us)}"


def _api(api: ApiView | None) -> str:
    if api is None:
        return "unknown"
    if not api.calls:
        return "no calls"
    tenths = api.failed * 1_000 // api.calls
    return f"{api.failed} of {api.calls} ({tenths // 10}.{tenths % 10} %)"


def _breakers_short(views: Iterable[BreakerView]) -> str:
    tripped = sorted(breaker.name for breaker in views if breaker.is_tripped)
    return f"tripped: {escape(', '.join(tripped))}" if tripped else "none tripped"


def _halt_short(halt: HaltView | None) -> str:
    if halt is None:
        return "unknown"
    if not halt.is_halted:
        return "no"
    unsaved = "" if halt.is_saved else ", not yet saved"
    return f"yes, by {escape(halt.set_by)}{unsaved}"


def _collect(collect: CollectView | None, now_us: int) -> str:
    if collect is None:
        return "unknown"
    failed = (
        f", last error {ago(collect.last_error_us, now_us)}"
        if collect.last_error_us is not None
        else ""
    )
    missing = f", {counted(collect.missing_hours, 'hour')} missing" if collect.missing_hours else ""
    return f"last success {ago(collect.last_success_us, now_us)}{failed}{missing}"


def loops_line(loops: Iterable[LoopView]) -> str:
    """How the loops that ask the exchange fare."""
    return "; ".join(f"{escape(loop.name)} {_loop(loop)}" for loop in loops) or "unknown"


def _loop(loop: LoopView) -> str:
    if not loop.failures:
        return "ok"
    if loop.state == "closed":
        return f"{loop.failures} failed in a row"
    then = f"rests {span(loop.rest_us)}" if loop.rest_us else "tries again now"
    return f"{loop.failures} failed in a row, {then}"


def _breaker_line(breaker: BreakerView, now_us: int) -> str:
    name = code(breaker.name)
    standing = f"{escape(breaker.value)}, limit {escape(breaker.limit)}"
    if not breaker.is_tripped:
        return f"{name} ok: {standing}"
    return (
        f"{name} {bold('TRIPPED')} {ago(breaker.changed_us, now_us)}: {escape(breaker.why)} "
        f"({standing}). Re-arms: {escape(breaker.rearms)}"
    )


def _position_block(position: PositionView) -> str:
    side = BookSide.BID if position.quantity > 0 else BookSide.ASK
    foreign = "" if position.is_ours else " (not this bot's)"
    watched = "" if position.is_stop_watched else f" {bold('STOP NOT WATCHED')}"
    mark = None if position.mark is None else own_price(side, position.mark)
    stop, target = (
        "none" if yes_price is None else price(own_price(side, yes_price))
        for yes_price in (position.stop_price, position.target_price)
    )
    count = contracts(position.quantity).removeprefix("-")
    held = (
        f"  {count} {'YES' if side is BookSide.BID else 'NO'}, cost {dollars(position.cost)}, "
        f"mark {price(mark)}, open {signed_dollars(position.unrealized)}"
    )
    return "\n".join(
        (
            f"{code(position.ticker)} {escape(position.title)}{foreign}",
            held,
            f"  stop {stop}, target {target}{watched}",
        )
    )


def _instance_line(instance: InstanceView, now_us: int, zone: ZoneInfo) -> str:
    marks = [
        word
        for word, holds in (
            (f"LEADS since {moment(instance.leads_since_us or 0, zone)}", instance.leads_since_us),
            ("wanted", instance.is_wanted),
            ("not alive", not instance.is_alive),
            ("this one", instance.is_me),
        )
        if holds
    ]
    shown = f" ({', '.join(marks)})" if marks else ""
    epoch = "" if instance.epoch is None else f", epoch {instance.epoch}"
    return (
        f"{code(instance.instance)} {escape(instance.state)}{shown}\n"
        f"  deployment {escape(instance.deployment)}, generation {instance.generation}{epoch}, "
        f"{escape(instance.host)}, version {escape(instance.version)}, "
        f"heartbeat {ago(instance.heartbeat_us, now_us)}"
    )
