"""The process, its collection, its log, its settings as text. Pure, as ``views``."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from bot.console.amounts import counted
from bot.console.views import loops_line, size
from bot.domain.cockpit import (
    CycleView,
    HealthView,
    LastBackup,
    LogLine,
    PingView,
    SettingLine,
    WebAddress,
)
from bot.domain.operations import FeedView
from bot.kit.markup import ago, bold, code, escape, moment, span
from bot.kit.times import DAY_US, SECOND_US
from bot.ports.messages import AuditEntry

_MESSAGE_SHOWN_MAX = 300
_BACKUP_OLD_US = 2 * DAY_US
_MILLISECOND_US = 1_000


def health(view: HealthView, zone: ZoneInfo) -> str:
    """What the bot stands on."""
    events = "" if view.events_waiting is None else f", engine events {view.events_waiting}"
    return "\n".join(
        (
            f"{bold('Up')} {span(view.now_us - view.started_us)}",
            f"Database: {escape(view.database)}, a read takes {milliseconds(view.database_us)}",
            f"Event loop: at most {milliseconds(view.loop_lag_us)} late",
            f"WebSocket: {_feed(view.feed, view.now_us)}",
            f"Loops: {loops_line(view.loops)}",
            (
                f"Waiting: commands {view.commands_waiting}, messages {view.messages_waiting}"
                f"{events}"
            ),
            f"Memory {_bytes(view.memory_bytes)}, disk {_bytes(view.disk_free_bytes)} free",
            f"Last backup: {_backup(view.backup, view.now_us, zone)}",
        )
    )


def ping(view: PingView, *, sent_us: int, received_us: int, now_us: int) -> str:
    """How long each part took. The channel's own stamp is of whole seconds on Telegram."""
    exchange = "no answer" if view.exchange_us is None else milliseconds(view.exchange_us)
    under_way_us = max(0, received_us - sent_us)
    under_way = "under a second" if under_way_us < SECOND_US else span(under_way_us)
    return "\n".join(
        (
            f"{bold('Here')}. Your message was {under_way} under way.",
            f"Then it waited {milliseconds(now_us - received_us)} for its turn.",
            f"Database {milliseconds(view.database_us)}, exchange {exchange}",
        )
    )


def collect(cycles: Sequence[CycleView], now_us: int) -> str:
    """The newest cycles."""
    if not cycles:
        return "Nothing has been collected yet."
    return "\n".join(
        (
            f"{bold('Newest cycles')} (hours are UTC)",
            *(_cycle(one, now_us) for one in cycles),
            "/gaps lists missing hours.",
        )
    )


def logs(lines: Sequence[LogLine], level: str, zone: ZoneInfo) -> str:
    """The newest kept lines, newest first."""
    if not lines:
        return f"No line of level {escape(level.lower())} or worse is kept."
    return "\n".join(_log(one, zone) for one in lines)


def settings(lines: Iterable[SettingLine], section: str) -> str:
    """Settings that are no default, or all of a section."""
    every = list(lines)
    if section:
        shown = [one for one in every if one.name.partition(".")[0] == section]
        if not shown:
            known = ", ".join(dict.fromkeys(one.name.partition(".")[0] for one in every))
            return f"There is no section {code(section)}. There are: {escape(known)}"
        head = bold(f"Settings of {section}")
    else:
        shown = [one for one in every if one.origin != "default" and one.value != "not set"]
        head = f"{bold('Settings that are no default')}: {len(shown)} of {len(every)}"
    body = [f"{escape(one.name)} = {code(one.value)} ({escape(one.origin)})" for one in shown]
    more = [] if section else [f"{code('/config SECTION')} shows a section whole."]
    return "\n".join((head, *body, *more))


def audit(entries: Sequence[AuditEntry], zone: ZoneInfo) -> str:
    """What people did, newest first."""
    if not entries:
        return "Nobody has done anything yet that changes something."
    return "\n".join(
        (
            bold("Newest acts"),
            *(
                f"{moment(one.at_us, zone)}{_number(one.number)} {escape(one.actor)}\n"
                f"  {code(one.command)} -> {escape(one.outcome[:_MESSAGE_SHOWN_MAX])}"
                for one in entries
            ),
        )
    )


def _number(number: int) -> str:
    # What was no command of the inbox, as a pairing, has a negative one that nobody was shown.
    return f" #{number}" if number > 0 else ""


def web(address: WebAddress) -> str:
    """Where the page is."""
    if address.is_public:
        return f"The page: {escape(address.url)}"
    return (
        f"The page: {code(address.url)}, on the bot's own machine only. "
        f"{code('WEB_PUBLIC_URL')} names another address, if it has one."
    )


def milliseconds(duration_us: int) -> str:
    """``0.4 ms``, ``12 ms``, ``1.2 s``."""
    if duration_us >= SECOND_US:
        return f"{duration_us // 100_000 / 10:.1f} s"
    if duration_us < 10 * _MILLISECOND_US:
        return f"{max(0, duration_us) / _MILLISECOND_US:.1f} ms"
    return f"{duration_us // _MILLISECOND_US} ms"


def _feed(feed: FeedView | None, now_us: int) -> str:
    if feed is None:
        return "not used in this mode"
    if not feed.is_connected:
        return f"down, last up {ago(feed.changed_us, now_us)}"
    return f"up, last frame {ago(feed.last_frame_us, now_us)}"


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else size(count)


def _backup(last: LastBackup | None, now_us: int, zone: ZoneInfo) -> str:
    if last is None:
        return f"{bold('none found')}; /backup makes one"
    old = f" {bold('OLD')}" if now_us - last.made_us > _BACKUP_OLD_US else ""
    durable = "" if last.is_durable else f", {bold('not durable')}"
    made = f"{ago(last.made_us, now_us)}{old} ({moment(last.made_us, zone)})"
    return f"{made}, {size(last.size_bytes)}{durable}"


def _cycle(view: CycleView, now_us: int) -> str:
    took = (
        f"took {span(view.finished_us - view.started_us)}"
        if view.finished_us is not None
        else f"began {ago(view.started_us, now_us)}"
    )
    wrong = f", {bold(counted(view.errors, 'error'))}" if view.errors else ""
    why = f"\n  {escape(view.error[:_MESSAGE_SHOWN_MAX])}" if view.error else ""
    hour = view.hour.removesuffix(":00:00Z").replace("T", " ")
    return (
        f"{hour} h {escape(view.outcome)}: {view.scanned:,} read, {view.inserted:,} stored, "
        f"{took}{wrong}{why}"
    )


def _log(line: LogLine, zone: ZoneInfo) -> str:
    facts = " ".join(f"{key}={value}" for key, value in line.facts)
    name = line.logger.removeprefix("bot.")
    told = f"{line.message} {facts}".strip()[:_MESSAGE_SHOWN_MAX]
    return f"{moment(line.at_us, zone)} {bold(line.level)} {escape(name)}\n  {escape(told)}"
