"""Commands about alerts: what came, what is held back, and how they may interrupt."""

import difflib
from functools import partial

from bot.alerts.catalogue import text_of
from bot.alerts.policy import muted_until_us
from bot.console.arguments import ArgumentSpec, Shape
from bot.console.buttons import RUN_PREFIX
from bot.console.commands import Answer, CommandSpec, Invocation
from bot.domain.alert_preferences import (
    NOT_QUIET,
    Mute,
    PreferenceChange,
    Preferences,
    SetQuiet,
    SetVerbosity,
    Unmute,
    Verbosity,
    quiet_hours,
)
from bot.domain.alerts import AlertKind
from bot.domain.operations import AccessLevel, Severity
from bot.kit.markup import bold, code, escape, moment
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from bot.ports.alert_control import AlertsView, ToldAlert
from bot.ports.messages import HeldBack, MessageButton

_GROUP = "Alerts"
_UNITS_US = {"m": MINUTE_US, "h": HOUR_US, "d": DAY_US}
_MUTE_MAX_US = 7 * DAY_US
_SHOWN = 10
_SHOWN_MAX = 50
_ALL = "all"
_MUTABLE = {kind.value: kind for kind in AlertKind if not text_of(kind).is_vital}
_NEVER_MUTED = "Breakers, halts, panic and a leader's death always come through."

SPAN = ArgumentSpec(
    name="span", shape=Shape.WORD, pattern=r"[0-9]{1,4}[mhdMHD]", example="30m, 2h or 1d"
)
KIND = ArgumentSpec(
    name="kind", shape=Shape.WORD, pattern=r"[A-Za-z_]{1,40}", example="collect_failed"
)
HOURS = ArgumentSpec(
    name="hours", shape=Shape.WORD, pattern=r"[0-9:]{1,5}-[0-9:]{1,5}|[Oo][Ff][Ff]", example="23-07"
)
LEVEL = ArgumentSpec(
    name="level",
    shape=Shape.WORD,
    pattern=r"[Oo][Nn]|[Oo][Ff][Ff]|[Ss][Ii][Ll][Ee][Nn][Tt]",
    example="on, silent or off",
)
COUNT = ArgumentSpec(name="count", shape=Shape.WORD, pattern=r"[0-9]{1,3}", example="20")


def alert_rows() -> tuple[CommandSpec, ...]:
    """The rows of the command table."""
    row = partial(CommandSpec, group=_GROUP)
    return (
        row(
            name="alerts",
            handler=_alerts,
            level=AccessLevel.VIEWER,
            arguments=(COUNT,),
            help="The last alerts, and what is muted, quiet or held back",
        ),
        row(
            name="digest",
            handler=_digest,
            level=AccessLevel.TRADER,
            help="Send now what is held back",
        ),
        row(
            name="mute",
            handler=_mute,
            level=AccessLevel.TRADER,
            arguments=(SPAN, KIND),
            help="Hold alerts back for a while; never breakers, halts and what is critical",
        ),
        row(
            name="unmute",
            handler=_unmute,
            level=AccessLevel.TRADER,
            arguments=(KIND,),
            help="End the mute; what was held back follows",
        ),
        row(
            name="quiet",
            handler=_quiet,
            level=AccessLevel.TRADER,
            arguments=(HOURS,),
            help="Hours of your day in which notices wait and warnings make no sound",
        ),
        row(
            name="verbosity",
            handler=_verbosity,
            level=AccessLevel.TRADER,
            arguments=(KIND, LEVEL),
            help="How each kind of alert arrives: on, silent or off",
        ),
    )


async def _alerts(call: Invocation) -> Answer:
    count = min(int(call.arguments.get(COUNT.name, _SHOWN)), _SHOWN_MAX)
    view = await call.operator.alerts.view(count)
    lines = [bold("Last alerts"), *(_line(one, call) for one in view.latest)]
    if not view.latest:
        lines = ["There was no alert yet."]
    may_release = bool(view.held) and call.level >= AccessLevel.TRADER
    button = MessageButton(label="Send what is held back", data=f"{RUN_PREFIX}/digest")
    return Answer(
        text="\n".join([*lines, "", *_standing(view, call)]),
        outcome="shown",
        buttons=((button,),) if may_release else (),
    )


async def _digest(call: Invocation) -> Answer:
    view = await call.operator.alerts.view(0)
    if not view.held:
        return Answer(text="Nothing is held back.", outcome="nothing held back")
    count = await call.operator.alerts.release()
    return Answer(
        text=f"{bold('Done')}: {count} that were held back follow: {_counts(view.held)}.",
        outcome=f"done: {count} released",
    )


async def _mute(call: Invocation) -> Answer:
    typed = call.arguments.get(SPAN.name, "").lower()
    if not typed:
        return await _ask_span(call)
    span_us = int(typed[:-1]) * _UNITS_US[typed[-1]]
    if not 0 < span_us <= _MUTE_MAX_US:
        return Answer(text="Mute for up to seven days, for example 2h.", outcome="bad arguments")
    name = call.arguments.get(KIND.name, _ALL).lower()
    kind = _MUTABLE.get(name)
    if kind is None and name != _ALL:
        return _no_kind(name)
    until_us = call.now_us + span_us
    await _change(call, f"/mute {typed} {name}", Mute(kind=kind, until_us=until_us))
    what = "everything that is not critical" if kind is None else code(name)
    return Answer(
        text=f"{bold('Muted')} until {moment(until_us, call.zone)}: {what}. What comes until then "
        f"follows afterwards, or with /digest; /unmute ends it. {_NEVER_MUTED}",
        outcome=f"done: muted {name} until {until_us}",
    )


async def _ask_span(call: Invocation) -> Answer:
    view = await call.operator.alerts.view(0)
    spans = (("1 hour", "1h"), ("8 hours", "8h"), ("a day", "1d"))
    buttons = tuple(
        MessageButton(label=label, data=f"{RUN_PREFIX}/mute {span}") for label, span in spans
    )
    return Answer(
        text="\n".join([*_standing(view, call), "For how long? One kind: /mute 2h collect_failed"]),
        outcome="asked how long",
        buttons=(buttons,),
    )


async def _unmute(call: Invocation) -> Answer:
    name = call.arguments.get(KIND.name, _ALL).lower()
    kind = _MUTABLE.get(name)
    if kind is None and name != _ALL:
        return _no_kind(name)
    holds = await _change(call, f"/unmute {name}", Unmute(kind=kind))
    left = "\n".join(_mutes(holds, call))
    what = "Nothing is muted" if not left else f"Not muted any more: {code(name)}\n{left}"
    return Answer(
        text=f"{what}. What was held back follows, unless quiet hours hold it.",
        outcome=f"done: unmuted {name}",
    )


async def _quiet(call: Invocation) -> Answer:
    typed = call.arguments.get(HOURS.name, "")
    if not typed:
        view = await call.operator.alerts.view(0)
        lines = [*_standing(view, call), f"Set them: {code('/quiet 23-07')}, {code('/quiet off')}"]
        return Answer(text="\n".join(lines), outcome="shown")
    try:
        hours = quiet_hours(typed)
    except ValueError as fault:
        return Answer(text=escape(str(fault)), outcome="bad arguments")
    await _change(call, f"/quiet {hours.shown}", SetQuiet(hours=hours))
    if hours == NOT_QUIET:
        text = "Quiet hours are off. What they held back follows."
    else:
        text = (
            f"{bold('Quiet')} from {hours.shown.replace('-', ' to ')} on the clock of "
            f"{escape(call.zone.key)}: notices wait for the morning, warnings make no sound. "
            f"What is critical always does. {_NEVER_MUTED}"
        )
    return Answer(text=text, outcome=f"done: quiet {hours.shown}")


async def _verbosity(call: Invocation) -> Answer:
    name = call.arguments.get(KIND.name, "").lower()
    if not name:
        return await _levels(call)
    kind = _MUTABLE.get(name)
    if kind is None:
        return _no_kind(name)
    typed = call.arguments.get(LEVEL.name, "").lower()
    if not typed:
        buttons = tuple(
            MessageButton(label=one.value, data=f"{RUN_PREFIX}/verbosity {name} {one.value}")
            for one in Verbosity
        )
        title = escape(text_of(kind).title)
        return Answer(
            text=f"How shall {code(name)} ({title}) arrive?",
            outcome="asked how",
            buttons=(buttons,),
        )
    level = Verbosity(typed)
    await _change(call, f"/verbosity {name} {typed}", SetVerbosity(kind=kind, verbosity=level))
    how = {
        Verbosity.ON: "arrives with a sound",
        Verbosity.SILENT: "arrives without a sound",
        Verbosity.OFF: "is told on the page, in /alerts and in the log only",
    }
    return Answer(
        text=f"{code(name)} {how[level]} from now on.", outcome=f"done: {name} is {typed}"
    )


async def _levels(call: Invocation) -> Answer:
    holds = (await call.operator.alerts.view(0)).preferences
    by_level: dict[Verbosity, list[str]] = {level: [] for level in Verbosity}
    for name, kind in _MUTABLE.items():
        by_level[holds.verbosity.get(kind, Verbosity.ON)].append(code(name))
    lines = [f"{bold(level.value)}: {', '.join(names) or '-'}" for level, names in by_level.items()]
    lines.append(f"Change one: {code('/verbosity collect_failed silent')}. {_NEVER_MUTED}")
    return Answer(text="\n".join(lines), outcome="shown")


async def _change(call: Invocation, line: str, change: PreferenceChange) -> Preferences:
    return await call.operator.alerts.change(call.authority, line, change)


def _no_kind(name: str) -> Answer:
    if name in {kind.value for kind in AlertKind}:
        return Answer(text=f"{code(name)} always comes through.", outcome="refused: vital")
    close = difflib.get_close_matches(name, _MUTABLE, n=1)
    hint = f" Did you mean {code(close[0])}?" if close else ""
    return Answer(
        text=f"There is no kind {code(name)}.{hint} /verbosity lists them.", outcome="unknown kind"
    )


def _line(alert: ToldAlert, call: Invocation) -> str:
    mark = "" if alert.severity is Severity.INFO else f"{alert.severity.value.upper()} "
    first = alert.text.partition("\n")[0]
    return f"{moment(alert.at_us, call.zone)} {mark}{first} #{escape(alert.name)}"


def _standing(view: AlertsView, call: Invocation) -> list[str]:
    """What is muted, quiet, not on, or held back."""
    holds = view.preferences
    quiet = holds.quiet or NOT_QUIET
    ends_us = quiet.ends_us(call.now_us, call.zone)
    now = "" if ends_us is None else f", now until {moment(ends_us, call.zone)}"
    lines = [*_mutes(holds, call), f"Quiet hours: {quiet.shown}{now}"]
    for level in (Verbosity.SILENT, Verbosity.OFF):
        names = [code(kind.value) for kind, one in holds.verbosity.items() if one is level]
        if names:
            lines.append(f"{level.value.capitalize()}: {', '.join(names)}")
    if view.held:
        last_us = max(one.until_us for one in view.held)
        lines.append(
            f"Held back: {_counts(view.held)}; the last until {moment(last_us, call.zone)}"
        )
    return lines


def _mutes(holds: Preferences, call: Invocation) -> list[str]:
    lines = []
    if holds.all_muted_until_us > call.now_us:
        until = moment(holds.all_muted_until_us, call.zone)
        lines.append(f"Muted until {until}: everything that is not critical")
    for kind, by_name_us in holds.muted_until_us.items():
        until_us = muted_until_us(kind, holds)
        if by_name_us > call.now_us:
            lines.append(f"Muted until {moment(until_us, call.zone)}: {code(kind.value)}")
    return lines


def _counts(held: tuple[HeldBack, ...]) -> str:
    return ", ".join(f"{one.count} x {code(one.kind)}" for one in held)
