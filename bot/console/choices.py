"""What can be offered on buttons for an argument that was left out."""

from bot.console.amounts import contracts, held, price
from bot.console.arguments import Choice
from bot.ports.operator import Operator

_ALL = Choice(value="all", label="All of them")


async def tripped_breakers(operator: Operator) -> tuple[Choice, ...]:
    """Breakers that stand open."""
    names = sorted(one.name for one in await operator.breakers() if one.is_tripped)
    return tuple(Choice(value=name, label=name) for name in names)


async def our_positions(operator: Operator) -> tuple[Choice, ...]:
    """Markets in which the bot holds something."""
    return tuple(
        Choice(value=one.ticker, label=f"{one.ticker}, {held(one.quantity)}")
        for one in await operator.positions()
        if one.is_ours
    )


async def our_positions_or_all(operator: Operator) -> tuple[Choice, ...]:
    """The same, and all at once where there are several."""
    found = await our_positions(operator)
    return (*found, _ALL) if len(found) > 1 else found


async def foreign_positions(operator: Operator) -> tuple[Choice, ...]:
    """Markets in which something is held that is not the bot's."""
    return tuple(
        Choice(value=one.ticker, label=f"{one.ticker}, {held(one.quantity)}")
        for one in await operator.positions()
        if not one.is_ours
    )


async def entries_or_all(operator: Operator) -> tuple[Choice, ...]:
    """Resting entries, and all at once."""
    found = tuple(
        Choice(
            value=one.order_id,
            label=f"{one.ticker} {'YES' if one.is_yes else 'NO'} "
            f"{contracts(one.left)} at {price(one.own_price)}",
        )
        for one in await operator.entries()
    )
    return (*found, _ALL) if found else ()


async def proposals(operator: Operator) -> tuple[Choice, ...]:
    """Entries that wait for a person's yes."""
    return tuple(
        Choice(
            value=one.name,
            label=f"{one.ticker} {contracts(one.quantity)} at {price(one.own_price)}",
        )
        for one in await operator.proposals()
    )
