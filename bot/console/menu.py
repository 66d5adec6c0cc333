"""``/menu``: what can be looked at and done, as buttons in groups. Only what a person may use."""

from bot.console.arguments import ArgumentSpec, Shape
from bot.console.buttons import again_button, go, in_rows
from bot.console.commands import Answer, Invocation
from bot.kit.markup import bold

_GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "money": (
        ("Positions", "/positions"),
        ("Orders", "/orders"),
        ("Today", "/pnl"),
        ("30 days", "/pnl month"),
        ("Trades", "/trades"),
        ("Balance", "/balance"),
        ("Exposure", "/exposure"),
        ("Limits", "/risk"),
    ),
    "markets": (
        ("Why no trade", "/why"),
        ("Watched", "/markets"),
        ("Signals", "/signals"),
        ("One market", "/market"),
    ),
    "pictures": (
        ("P&L", "/chart pnl"),
        ("Drawdown", "/chart drawdown"),
        ("Funnel", "/chart funnel"),
        ("Calibration", "/chart calibration"),
    ),
    "bot": (
        ("Health", "/health"),
        ("Breakers", "/breakers"),
        ("Instances", "/instances"),
        ("Collection", "/collect"),
        ("Gaps", "/gaps"),
        ("Log", "/logs"),
        ("Acts", "/audit"),
        ("Version", "/version"),
    ),
    "alerts": (
        ("Last alerts", "/alerts"),
        ("Send what is held back", "/digest"),
        ("Mute for 2 h", "/mute 2h"),
        ("End the mute", "/unmute"),
        ("Quiet hours", "/quiet"),
        ("Verbosity", "/verbosity"),
    ),
    "act": (
        ("Halt", "/halt"),
        ("End the halt", "/unhalt"),
        ("Cancel entries", "/cancel"),
        ("Reconcile", "/reconcile"),
        ("Reset a breaker", "/reset_breaker"),
        ("Back up", "/backup"),
        ("Panic", "/panic"),
    ),
}
"""Label and line. A line whose command a person may not use is left out."""


async def menu(call: Invocation) -> Answer:
    """The groups, or one of them."""
    name = call.arguments.get("group", "").lower()
    if name:
        buttons = [go(label, line) for label, line in _allowed(call, name)]
        back = ((again_button("Back", "/menu"),),)
        return Answer(
            text=bold(name.capitalize()), outcome="shown", buttons=(*in_rows(buttons), *back)
        )
    groups = [
        again_button(one.capitalize(), f"/menu {one}") for one in _GROUPS if _allowed(call, one)
    ]
    return Answer(
        text=f"{bold('Menu')}: what shall I show?",
        outcome="shown",
        buttons=((go("Status", "/status"),), *in_rows(groups)),
    )


GROUP = ArgumentSpec(
    name="group", shape=Shape.WORD, pattern=rf"(?i:{'|'.join(_GROUPS)})", example="money"
)


def _allowed(call: Invocation, name: str) -> list[tuple[str, str]]:
    found = []
    for label, line in _GROUPS[name]:
        spec = call.table.find(line.split()[0].removeprefix("/"))
        if spec is not None and spec.level <= call.level:
            found.append((label, line))
    return found
