"""Has a person approve the first live orders, and what costs more than they want spent unasked."""

from bot.domain.events import EntryJudged, Role
from bot.domain.market import Market
from bot.domain.money import Money, Quantity, cost, format_dollars, format_price, format_quantity
from bot.domain.records import ApprovalRecord, ApprovalStep
from bot.engine.draft import Draft
from bot.engine.effects import NoticeKind
from bot.engine.world import World
from bot.execution import ramp
from bot.execution.ramp import Proposal, Wish
from bot.kit.times import SECOND_US
from bot.risk.checks import Denial
from bot.risk.decision import APPROVAL

_SPEAKING = (Role.ACTIVATING, Role.LEADING)
"""Whoever has let the lead go writes nothing any more: the successor calls it void."""


def missing(world: World) -> int:
    """How many entries still need a person's yes because they are the first ones."""
    return max(0, world.settings.approvals_first - world.ramp.sent)


def is_needed(world: World, wish: Wish) -> bool:
    """Whether this entry waits for a person.

    Where they were asked about its market, their answer is waited for and heeded, also if
    the entry has become smaller meanwhile.
    """
    if missing(world) or _is_above(world, wish):
        return True
    here = world.ramp
    if not (here.proposals or here.muted):
        return False
    here = ramp.at(here, world.now_us)
    return here.of_market(wish.ticker) is not None or here.is_muted(wish.ticker)


def judge(world: World, wish: Wish, market: Market, draft: Draft) -> Quantity | Denial:
    """How many contracts of this wish may leave now; a denial asks a person, once."""
    expire(world, draft)
    known = world.ramp.of_market(wish.ticker)
    if known is not None:
        if allowed := known.covers(wish):
            return allowed
        return Denial(APPROVAL, _waiting(known))
    if world.ramp.is_muted(wish.ticker):
        return Denial(APPROVAL, "a person skipped it")
    if len(world.ramp.proposals) >= world.settings.proposals_max:
        return Denial(APPROVAL, "other proposals wait for a person")
    expires_us = world.now_us + world.settings.approval_valid_us
    world.ramp, made = ramp.proposed(world.ramp, world.stance.epoch, wish, expires_us)
    why = _why(world, wish)
    _note(world, made, ApprovalStep.ASKED, draft, note=why)
    draft.tell(
        NoticeKind.APPROVAL_WANTED,
        id=made.name,
        ticker=wish.ticker,
        title=market.title,
        side="YES" if wish.side.value == "bid" else "NO",
        contracts=format_quantity(wish.quantity),
        price=f"${format_price(wish.own_price)}",
        cost=format_dollars(cost(wish.own_price, wish.quantity)),
        with_fee=format_dollars(wish.worst_cost),
        seconds=world.settings.approval_valid_us // SECOND_US,
        why=why,
    )
    return Denial(APPROVAL, _waiting(made))


def sent(world: World, wish: Wish, quantity: Quantity, draft: Draft) -> None:
    """An approved entry is on its way: one fewer to ask about."""
    proposal = world.ramp.of_market(wish.ticker)
    world.ramp = ramp.sent(world.ramp, wish.ticker)
    draft.record(ramp.to_record(world.ramp, world.now_us))
    if proposal is not None:
        _note(world, proposal, ApprovalStep.SENT, draft, quantity=quantity)


def answer(world: World, event: EntryJudged, draft: Draft) -> str:
    """Take a person's word; the caller lets the market be considered again."""
    expire(world, draft)
    proposal = world.ramp.named(event.proposal)
    if proposal is None:
        return f"refused: no proposal {event.proposal} waits; it expired, or a new leader asks anew"
    if not event.is_approved:
        until_us = world.now_us + world.settings.skipped_for_us
        world.ramp = ramp.skipped(world.ramp, proposal, until_us)
        _note(world, proposal, ApprovalStep.SKIPPED, draft, actor=event.actor)
        return f"{proposal.name} skipped; {proposal.wish.ticker} is left alone for a while"
    if why := ramp.refusal_of(proposal, event.contracts):
        return f"refused: {why}"
    world.ramp = ramp.approved(world.ramp, proposal, event.contracts)
    allowed = world.ramp.named(proposal.name)
    assert allowed is not None  # it has just been made
    quantity = allowed.allowed
    _note(world, proposal, ApprovalStep.APPROVED, draft, actor=event.actor, quantity=quantity)
    return ""


def expire(world: World, draft: Draft) -> None:
    """What nobody answered in time is over, and nothing was bought."""
    over = ramp.expired(world.ramp, world.now_us)
    world.ramp = ramp.at(world.ramp, world.now_us)
    if world.stance.role not in _SPEAKING:
        return
    for proposal in over:
        why = "approved, and not possible in time" if proposal.is_approved else "nobody answered"
        _end(world, proposal, ApprovalStep.EXPIRED, why, draft)


def void(world: World, left: tuple[Proposal, ...], draft: Draft) -> None:
    """What the leader before us asked is answered by nobody: it is asked anew if still wanted."""
    for proposal in left:
        _end(world, proposal, ApprovalStep.VOID, "another leader took over; it asks anew", draft)


def _is_above(world: World, wish: Wish) -> bool:
    limit_e6 = world.settings.approve_above_e6
    return bool(limit_e6) and wish.worst_cost > limit_e6


def _why(world: World, wish: Wish) -> str:
    if left := missing(world):
        return f"The first orders need a yes: {left} are left"
    limit = format_dollars(Money(world.settings.approve_above_e6))
    return f"Above {limit} ({format_dollars(wish.worst_cost)} with its fee)"


def _waiting(proposal: Proposal) -> str:
    if not proposal.is_approved:
        return f"waits for /approve {proposal.name}"
    return f"approved up to ${format_price(proposal.wish.own_price)} only"


def _end(world: World, proposal: Proposal, step: ApprovalStep, why: str, draft: Draft) -> None:
    _note(world, proposal, step, draft, note=why)
    facts = {"id": proposal.name, "ticker": proposal.wish.ticker, "why": why}
    draft.tell(NoticeKind.APPROVAL_ENDED, **facts)


def _note(
    world: World,
    proposal: Proposal,
    step: ApprovalStep,
    draft: Draft,
    *,
    actor: str = "",
    note: str = "",
    quantity: Quantity | None = None,
) -> None:
    """Put a step on record, with what a successor has to know of the rest."""
    wish = proposal.wish
    many = wish.quantity if quantity is None else quantity
    # Fees are estimated by the contract, so a part costs its share.
    worst = Money(-(-wish.worst_cost * many // wish.quantity))
    draft.record(ramp.to_record(world.ramp, world.now_us))
    draft.record(
        ApprovalRecord(
            proposal=proposal.name,
            step=step,
            ticker=wish.ticker,
            side=wish.side,
            own_price=wish.own_price,
            quantity=many,
            cost=worst,
            actor=actor,
            note=note,
            at_us=world.now_us,
        )
    )
