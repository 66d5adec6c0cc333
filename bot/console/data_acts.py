"""Commands about collected data: what is missing, fetching it again, whether it makes sense."""

from bot.console import acts, views
from bot.console.commands import Answer, Asked, Invocation
from bot.domain.operations import AccessLevel, GapsView, QualityView
from bot.kit.markup import bold, code, escape
from bot.ports.messages import MessageButton


async def gaps(call: Invocation, run_prefix: str) -> Answer:
    """Show what is missing; who may have it repaired gets a button."""
    view = await call.operator.gaps()
    button = MessageButton(label="Fetch what can be fetched", data=f"{run_prefix}/repair")
    may_repair = call.level >= AccessLevel.TRADER and _is_missing(view)
    return Answer(
        text=views.gaps(view), outcome="shown", buttons=((button,),) if may_repair else ()
    )


async def ask_repair(call: Invocation) -> Asked | Answer:
    """Say what a repair can do, and ask."""
    view = await call.operator.gaps()
    if not _is_missing(view):
        return Answer(text="Nothing is missing.", outcome="nothing missing")
    return Asked(
        text=f"{bold('Fetch again what the exchange still has?')}\n"
        f"{len(view.missing)} hours, {view.markets_missing} single snapshots and "
        f"{view.stream_gaps} gaps of the stream: candles, public trades and settlements of those "
        "times, and the running hour if it was not collected. Past order books exist nowhere; "
        "missed snapshots stay missed. Nothing is traded.",
        fingerprint="repair",
        confirm_label="Fetch it",
    )


async def repair(call: Invocation) -> Answer:
    """Fetch it, for up to a minute."""
    return acts.told(await call.operator.repair(call.authority))


async def quality(call: Invocation) -> Answer:
    """Judge the newest hour."""
    return Answer(text=quality_text(await call.operator.quality()), outcome="shown")


def quality_text(view: QualityView) -> str:
    """The report in a few lines."""
    if view.hour is None:
        return "Nothing has been collected yet."
    head = f"{bold('Wrong')}: {view.wrong} findings" if view.wrong else bold("Nothing is wrong")
    looked_at = f"{view.snapshots} snapshots of {escape(view.hour)}"
    lines = [f"{head} in {looked_at} and the last ticks of {view.ticks} markets"]
    for one in view.findings:
        mark = "wrong" if one.is_wrong else "odd"
        lines.append(f"{mark}, {escape(one.what)}: {one.count}, e.g. {code(one.worst)}")
    return "\n".join(lines)


def _is_missing(view: GapsView) -> bool:
    return bool(view.missing or view.markets_missing or view.stream_gaps)
