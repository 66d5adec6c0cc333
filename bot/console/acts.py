"""What a person does to orders and positions: cancel, close, get out, accept what is not ours."""

from dataclasses import replace
from typing import assert_never

from bot.console.amounts import held
from bot.console.commands import (
    CONTRACTS,
    ENTRY_OR_ALL,
    EVERYTHING,
    MARKET_OR_ALL,
    PROPOSAL,
    Answer,
    Asked,
    Invocation,
)
from bot.domain.ids import MarketTicker
from bot.domain.operations import Done, Outcome, Refused
from bot.kit.markup import bold, code, escape

_ALL = "ALL"


def panic_reason(_typed: str) -> str:
    """The reason to store for the halt of a panic."""
    return "panic"


async def ask_panic(call: Invocation) -> Asked | Answer:
    """Halt, whatever the answer will be; ask before selling."""
    # Under a number of its own: an act is done once for each, and the panic is still to come.
    first = replace(call.authority, number=-abs(call.authority.number))
    call.operator.halt_now(first, panic_reason(""))
    views = await call.operator.positions()
    ours = ", ".join(f"{view.ticker} {held(view.quantity)}" for view in views if view.is_ours)
    others = ", ".join(f"{view.ticker} {held(view.quantity)}" for view in views if not view.is_ours)
    is_everything = EVERYTHING.name in call.arguments
    rest = (
        f"EVERY order of the account is cancelled, and not ours is sold too: {others or 'nothing'}"
        if is_everything
        else f"Not ours, left alone: {others or 'nothing'}"
    )
    return Asked(
        text=f"{bold('Halted')}. Sell everything at the market as well?\n"
        f"The bot's: {escape(ours or 'nothing')}\n{escape(rest)}\n"
        "In thin markets this costs money; every round goes a little below the best bid.",
        fingerprint=f"panic:{is_everything}",
        confirm_label="Sell everything" if is_everything else "Sell all that is the bot's",
    )


async def check_restore(call: Invocation) -> Answer:
    """Try the newest backup."""
    return told(await call.operator.check_restore(call.authority))


async def reconcile(call: Invocation) -> Answer:
    """Compare with the exchange now."""
    return told(await call.operator.reconcile(call.authority))


async def approve(call: Invocation) -> Answer:
    """Let a proposed entry be sent."""
    return await _judge(call, is_approved=True)


async def skip(call: Invocation) -> Answer:
    """Let a proposed entry go."""
    return await _judge(call, is_approved=False)


async def _judge(call: Invocation, *, is_approved: bool) -> Answer:
    many = call.arguments.get(CONTRACTS.name)
    contracts = None if many is None else int(many)
    return told(
        await call.operator.judge_entry(
            call.authority,
            call.arguments[PROPOSAL.name],
            is_approved=is_approved,
            contracts=contracts,
        )
    )


async def panic(call: Invocation) -> Answer:
    """Halt, cancel, sell, and wait a little for the proof."""
    is_everything = EVERYTHING.name in call.arguments
    return told(await call.operator.panic(call.authority, everything=is_everything))


async def ask_close(call: Invocation) -> Asked | Answer:
    """Ask before selling."""
    typed = call.arguments[MARKET_OR_ALL.name].upper()
    chosen = [
        view
        for view in await call.operator.positions()
        if view.is_ours and typed in (_ALL, view.ticker)
    ]
    sold = ", ".join(f"{view.ticker} {held(view.quantity)}" for view in chosen)
    what = "everything we hold" if typed == _ALL else code(typed)
    return Asked(
        text=f"Close {what} at the market?\nThe bot holds: {escape(sold or 'nothing there')}\n"
        "Resting entries there are cancelled as well. What is not ours stays.",
        fingerprint=f"close:{sold}",
        confirm_label="Close all" if typed == _ALL else "Close it",
    )


async def close(call: Invocation) -> Answer:
    """Sell what the bot holds in one market, or everywhere."""
    typed = call.arguments[MARKET_OR_ALL.name].upper()
    ticker = None if typed == _ALL else MarketTicker(typed)
    return told(await call.operator.close(call.authority, ticker))


async def cancel(call: Invocation) -> Answer:
    """Cancel resting entries: all, or one by its order id or ticker."""
    typed = call.arguments[ENTRY_OR_ALL.name]
    if typed.upper() == _ALL:
        return told(await call.operator.cancel_entries(call.authority))
    resting = await call.operator.entries()
    is_id = any(one.order_id == typed for one in resting)
    # Tickers may be typed small; the exchange's ids are what they are.
    chosen = typed if is_id else typed.upper()
    return told(await call.operator.cancel_entries(call.authority, chosen))


async def ask_acknowledge(call: Invocation) -> Asked | Answer:
    """Ask before what is not ours is accepted."""
    typed = call.arguments["ticker"].upper()
    return Asked(
        text=f"Accept what is not ours in {code(typed)}?\n"
        "Entries may go on there, and an orphan there is left to you.",
        fingerprint=f"acknowledge:{typed}",
        confirm_label="Accept it",
    )


async def acknowledge(call: Invocation) -> Answer:
    """Accept what is not ours in one market."""
    ticker = MarketTicker(call.arguments["ticker"].upper())
    return told(await call.operator.acknowledge(call.authority, ticker))


def told(outcome: Outcome) -> Answer:
    """What came of an act, in words."""
    match outcome:
        case Done(text=text):
            return Answer(text=bold("Done") + f": {escape(text)}", outcome=f"done: {text}")
        case Refused(why=why, remedy=remedy):
            return Answer(
                text=f"{bold('Refused')}: {escape(why)} -> {escape(remedy)}",
                outcome=f"refused: {why}",
            )
        case _:
            assert_never(outcome)
