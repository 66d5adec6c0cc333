"""Commands about other bots: giving the lead to one of ours, taking over from one that is not."""

import difflib

from bot.console.acts import told
from bot.console.commands import INSTANCE, Answer, Asked, Invocation
from bot.domain.ids import InstanceId
from bot.domain.operations import InstanceView
from bot.kit.markup import ago, code, escape
from bot.ports.messages import MessageButton

_BUTTON_BYTES_MAX = 64
_SIMILARITY_MIN = 0.6
_NOBODY = (
    "There is no other living instance. A start of a newer deployment takes the lead by itself; "
    "an older one stays alive only until its successor leads."
)


async def ask_handover(call: Invocation, run_prefix: str) -> Asked | Answer:
    """Name the successor and ask, or say why there is none."""
    views = await call.operator.instances()
    others = [view for view in views if view.is_alive and not view.is_me]
    typed = call.arguments.get("id", "")
    if any(view.is_me and view.instance == typed for view in views):
        return Answer(text="This instance has the lead already.", outcome="refused: leads already")
    chosen = next((view for view in others if view.instance == typed), None)
    if not typed and len(others) == 1:
        chosen = others[0]
    if chosen is not None:
        return _question(chosen, call.now_us)
    if not others:
        return Answer(text=_NOBODY, outcome="refused: no other living instance")
    return _pick(typed, views, others, run_prefix)


async def ask_adopt(call: Invocation) -> Asked | Answer:
    """Show the halt that another bot caused, and ask."""
    halt = await call.operator.halt_state()
    return Asked(
        text="Shut the order groups of another bot, which cancels their orders?\n"
        f"Halted: {escape(halt.reason) if halt.is_halted else 'no'}\n"
        "Right only if that bot has ended, or was this one before its database was lost.",
        fingerprint=f"adopt:{halt.changed_us}",
        confirm_label="Take over",
    )


async def adopt(call: Invocation) -> Answer:
    """Take over from another bot."""
    return told(await call.operator.adopt(call.authority))


async def hand_over(call: Invocation) -> Answer:
    """Give the lead away."""
    # Without an id the question was about the only one there is.
    others = [one for one in await call.operator.instances() if one.is_alive and not one.is_me]
    typed = call.arguments.get(INSTANCE.name) or (others[0].instance if len(others) == 1 else "")
    if not typed:
        return Answer(text=_NOBODY, outcome="refused: no other living instance")
    return told(await call.operator.hand_over(call.authority, InstanceId(typed)))


def _question(chosen: InstanceView, now_us: int) -> Asked:
    return Asked(
        text=f"Hand the lead to {code(chosen.instance)}?\n"
        f"{escape(chosen.state)}, {escape(chosen.host)}, version {escape(chosen.version)}, "
        f"heartbeat {ago(chosen.heartbeat_us, now_us)}\n"
        "Entries stop and stops are not watched until it leads; take-profits stay. "
        "It keeps the lead until the next deployment.",
        fingerprint=f"handover:{chosen.instance}",
        confirm_label="Hand over",
    )


def _pick(
    typed: str, views: tuple[InstanceView, ...], others: list[InstanceView], run_prefix: str
) -> Answer:
    names = [view.instance for view in others]
    near = difflib.get_close_matches(typed, names, n=1, cutoff=_SIMILARITY_MIN) or names
    if not typed:
        head = "Which instance shall lead?"
    elif any(view.instance == typed for view in views):
        head = f"Not handed over: {code(typed)} is not alive. Alive are:"
    else:
        head = f"Not handed over: there is no instance {code(typed)}. Did you mean:"
    buttons = tuple(
        (MessageButton(label=name, data=data),)
        for name in near
        if len((data := f"{run_prefix}/handover {name}").encode()) <= _BUTTON_BYTES_MAX
    )
    lines = [head, *(f"{code(view.instance)} on {escape(view.host)}" for view in others)]
    outcome = "refused: not alive or unknown" if typed else "asked which"
    return Answer(text="\n".join(lines), outcome=outcome, buttons=buttons)
