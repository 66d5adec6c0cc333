"""Every command played through at the fixture's bot, as text: what is typed, said and done.

A new row of the command table is played by itself, without arguments and with the
examples of its arguments; lines that show more of it are added to ``MORE_LINES``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from bot.console.arguments import Shape
from bot.console.commands import CommandSpec
from bot.console.dispatch import NO_PREFIX, YES_PREFIX, Reply
from bot.domain.handles import EntryView, ProposalView
from bot.domain.ids import MarketTicker
from bot.domain.money import Money
from bot.domain.operations import (
    AccessLevel,
    BreakerView,
    GapsView,
    InstanceView,
    PnlView,
    PositionView,
    QualityView,
    Refused,
    StatusView,
    WhyView,
)
from tests.fakes.adjusting import FakeAdjusting
from tests.fakes.cockpit import FakeCockpit
from tests.fakes.operator import HALTED, NOTHING_KNOWN, PNL, FakeAlerts, FakeOperator
from tests.support.console import ADMIN, VIEWER, Talk

MORE_LINES: dict[str, tuple[str, ...]] = {
    "halt": ("/halt lunch <now>",),
    "help": ("/help nothing", "/help unhalt"),
    "reset_breaker": ("/reset_breaker loss_streak", "/reset_breaker loss_streak force"),
    "close": ("/close all",),
    "handover": ("/handover inst-5d",),
    "bracket": ("/bracket KXFED-26DEC-T4.25 sl=0.82 tp=.95", "/bracket KXFED-26DEC-T4.25 sl=82"),
    "limit": ("/limit order_cost_max 25", "/limit max_concurrent 12", "/limit nothing 3"),
    "strategy": ("/strategy on", "/strategy on wide_spread"),
    "cancel": ("/cancel all", "/cancel order-1"),
    "unpair": ("/unpair 55", "/unpair 11"),
    "mute": ("/mute 2h", "/mute 2h collect_failed", "/mute 2h breaker_tripped", "/mute never"),
    "quiet": ("/quiet off", "/quiet 7"),
    "verbosity": (
        "/verbosity collect_failed silent",
        "/verbosity breaker_tripped off",
        "/verbosity nothing off",
    ),
    "version": ("/version please",),
    "chart": ("/chart", "/chart kxfed-26dec-t4.25", "/chart nothing"),
    "config": ("/config nothing",),
    "logs": ("/logs critical", "/logs none", "/logs 0"),
    "market": ("/market nothing",),
    "markets": ("/markets fed rate",),
    "menu": ("/menu act", "/menu nothing"),
    "pnl": ("/pnl day", "/pnl all", "/pnl year"),
    "position": ("/position nothing",),
    "trades": ("/trades 500", "/trades 0", "/trades many"),
}
"""What shows more of a command than its bare word and the examples of its arguments."""


@dataclass
class EmptyOperator(FakeOperator):
    """A bot on its first minute: nothing is held, stored, known or set up."""

    view: StatusView = NOTHING_KNOWN
    breaker_views: tuple[BreakerView, ...] = ()
    missing_hours: tuple[str, ...] = ()
    instance_views: tuple[InstanceView, ...] = ()
    entry_views: tuple[EntryView, ...] = ()
    adjusting: FakeAdjusting = field(
        default_factory=lambda: FakeAdjusting(held=(), known=(), ours=())
    )
    proposal_views: tuple[ProposalView, ...] = ()
    alerts: FakeAlerts = field(default_factory=lambda: FakeAlerts(held=(), latest=()))

    @property
    def cockpit(self) -> FakeCockpit:
        return FakeCockpit(is_empty=True)

    async def positions(self) -> tuple[PositionView, ...]:
        return ()

    async def pnl(self) -> PnlView:
        nothing = Money(0)
        return replace(
            PNL,
            realized=nothing,
            unrealized=nothing,
            fees=nothing,
            baseline=None,
            trades=0,
            wins=0,
            losses=0,
        )

    async def gaps(self) -> GapsView:
        return replace(await super().gaps(), hours_expected=0)

    async def quality(self) -> QualityView:
        return replace(await super().quality(), hour=None, findings=(), wrong=0)

    async def why(self, ticker: MarketTicker | None) -> WhyView:
        return WhyView(ticker=ticker, stop=None, funnel=(), decisions=())


STATES: dict[str, Callable[[], FakeOperator]] = {
    "normal": FakeOperator,
    "empty": EmptyOperator,
    "refused": lambda: FakeOperator(
        halt_view=HALTED,
        refusal=Refused(why="the account is not <reconciled>", remedy="/reconcile, then again"),
    ),
    "database away": lambda: FakeOperator(halt_view=HALTED, is_store_away=True),
}


def lines_of(spec: CommandSpec) -> tuple[str, ...]:
    """What is typed to show a command."""
    lines = [f"/{spec.name}"]
    for argument in spec.arguments:
        word = argument.name if argument.shape is Shape.FLAG else argument.example
        if not word or " " in word:
            break
        lines.append(f"{lines[-1]} {word}")
    return (*lines, *MORE_LINES.get(spec.name, ()))


async def played(spec: CommandSpec) -> str:
    """The whole text of a command."""
    lines = lines_of(spec)
    scenes = [
        await _scene(f"{state}, admin", make(), lines, ADMIN) for state, make in STATES.items()
    ]
    if spec.level > AccessLevel.VIEWER:
        scenes.append(await _scene("normal, viewer", FakeOperator(), lines[:1], VIEWER))
    return "\n\n".join(scenes)


async def _scene(title: str, operator: FakeOperator, lines: Iterable[str], user: int) -> str:
    parts = [f"=== {title} ==="]
    for line in lines:
        talk = Talk(operator=_fresh(operator))
        reply = await talk.says(user, line)
        parts += [f"> {line}", _shown(reply)]
        label = _confirm_label(reply)
        if label is not None:
            reply = await talk.presses(user, reply, label)
            parts += [f"> [{label}]", _shown(reply)]
        parts += _effects(talk.operator)
    return "\n".join(parts)


def _shown(reply: Reply) -> str:
    lines = [reply.text]
    lines += [f"[{' | '.join(_button(b.label, b.data) for b in row)}]" for row in reply.buttons]
    if reply.attachment is not None:
        lines.append(f"attached: {reply.attachment}")
    return "\n".join((*lines, f"audit: {reply.command} -> {reply.outcome}"))


def _button(label: str, data: str) -> str:
    is_answer = data.startswith((YES_PREFIX, NO_PREFIX))
    return label if is_answer else f"{label} = {data}"


def _confirm_label(reply: Reply) -> str | None:
    found = [b.label for row in reply.buttons for b in row if b.data.startswith(YES_PREFIX)]
    return found[0] if found else None


def _fresh(operator: FakeOperator) -> FakeOperator:
    """The same bot, before anything was done to it."""
    return replace(
        operator,
        acts=[],
        halts_now=[],
        people=replace(operator.people, invited=[], removed=[]),
        alerts=replace(operator.alerts, changes=[]),
    )


def _effects(operator: FakeOperator) -> list[str]:
    now = [f"effect at once: halt, {reason}" for _, reason in operator.halts_now]
    people = [
        *(
            (f"a code for one {level.name.lower()}", number)
            for level, number in operator.people.invited
        ),
        *((f"{user} is taken out", number) for user, number in operator.people.removed),
    ]
    chosen = [(f"alerts, {change}", number) for change, _, number in operator.alerts.changes]
    return now + [
        f"effect: {what} under #{number}" for what, number in (*operator.acts, *people, *chosen)
    ]
