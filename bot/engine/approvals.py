"""Has the first live orders approved by a person."""

from bot.domain.events import EntryJudged
from bot.domain.market import Market
from bot.domain.money import Quantity, cost, format_dollars, format_price, format_quantity
from bot.engine.draft import Draft
from bot.engine.effects import NoticeKind
from bot.engine.world import World
from bot.execution import ramp
from bot.execution.ramp import Wish
from bot.kit.times import SECOND_US
from bot.risk.checks import Denial
from bot.risk.decision import APPROVAL


def missing(world: World) -> int:
    """How many entries still need a person's yes."""
    return max(0, world.settings.approvals_first - world.ramp.sent)


def judge(world: World, wish: Wish, market: Market, draft: Draft) -> Quantity | Denial:
    """How many contracts of this wish may leave now; a denial asks a person, once."""
    world.ramp = ramp.at(world.ramp, world.now_us)
    known = world.ramp.of_market(wish.ticker)
    if known is not None and known.covers(wish):
        return Quantity(min(wish.quantity, known.wish.quantity))
    if known is not None:
        approved = f"approved up to ${format_price(known.wish.own_price)} only"
        return Denial(
            APPROVAL, approved if known.is_approved else f"waits for /approve {known.name}"
        )
    if world.ramp.is_muted(wish.ticker):
        return Denial(APPROVAL, "a person skipped it")
    if len(world.ramp.proposals) >= world.settings.proposals_max:
        return Denial(APPROVAL, "other proposals wait for a person")
    expires_us = world.now_us + world.settings.approval_valid_us
    world.ramp, made = ramp.proposed(world.ramp, world.stance.epoch, wish, expires_us)
    draft.tell(
        NoticeKind.APPROVAL_WANTED,
        id=made.name,
        ticker=wish.ticker,
        title=market.title,
        side="YES" if wish.side.value == "bid" else "NO",
        contracts=format_quantity(wish.quantity),
        price=f"${format_price(wish.own_price)}",
        cost=format_dollars(cost(wish.own_price, wish.quantity)),
        seconds=world.settings.approval_valid_us // SECOND_US,
        left=missing(world),
    )
    return Denial(APPROVAL, f"waits for /approve {made.name}")


def sent(world: World, wish: Wish, draft: Draft) -> None:
    """An approved entry is on its way: one fewer to ask about."""
    world.ramp = ramp.sent(world.ramp, wish.ticker)
    draft.record(ramp.to_record(world.ramp, world.now_us))


def answer(world: World, event: EntryJudged) -> str:
    """Take a person's word; the caller lets the market be considered again."""
    world.ramp = ramp.at(world.ramp, world.now_us)
    proposal = world.ramp.named(event.proposal)
    if proposal is None:
        return f"refused: no proposal {event.proposal} waits; it expired, or a new leader asks anew"
    if not event.is_approved:
        until_us = world.now_us + world.settings.skipped_for_us
        world.ramp = ramp.skipped(world.ramp, proposal, until_us)
        return f"{proposal.name} skipped; {proposal.wish.ticker} is left alone for a while"
    world.ramp = ramp.approved(world.ramp, proposal)
    return ""
