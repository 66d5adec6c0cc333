"""Every defence of the account removed, alone and where it is the last one, and a seed that notices."""

from dataclasses import dataclass

from tests.sim.trading.defences import Defence, Removed


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is removed, one of the findings it must lead to, and where it does."""

    removed: Removed
    breaks: frozenset[str]
    seed: int = 0
    survives: str = ""
    """Why no seed notices."""

    def __str__(self) -> str:
        return " + ".join(sorted(one.name for one in self.removed))


def _caught(seed: int, breaks: str, *removed: Defence) -> Mutant:
    return Mutant(frozenset(removed), frozenset(breaks.split()), seed)


def _survives(why: str, *removed: Defence) -> Mutant:
    return Mutant(frozenset(removed), frozenset(), survives=why)


CAUGHT: tuple[Mutant, ...] = (
    # Never two orders for one signal, nor two bids where one answer was lost.
    _caught(0, "I5", Defence.SENT_ONCE),
    _caught(0, "twice sign", Defence.UNKNOWN_IS_A_STATE),
    _caught(0, "I9", Defence.LOOKED_UP),
    _caught(1, "twice sign", Defence.PATIENT),
    _caught(0, "I6", Defence.COMMIT_FIRST),
    # No entry after a halt, none of an old leader.
    _caught(
        0,
        "I10",
        Defence.HALT_HEEDED,
        Defence.HALT_IN_SENDER,
        Defence.HALT_IN_DATABASE,
    ),
    _caught(0, "I4", Defence.VENUE_FENCE),
    _caught(0, "I4 I9 I15 orders groups", Defence.DATABASE_FENCE),
    # Never an unprotected position beyond the stated windows, never more for sale than is held.
    _caught(0, "protection", Defence.BRACKETS_LOADED),
    _caught(0, "protection", Defence.TAKE_PROFIT),
    _caught(0, "protection", Defence.STOP_WATCHED),
    _caught(0, "sign", Defence.CANCEL_AWAITED),
    # Nothing large without a person's yes, nor more than that.
    _caught(0, "unapproved", Defence.APPROVED_FIRST),
    _caught(0, "unapproved", Defence.APPROVED_SIZE),
    # Fills = position = exchange.
    _caught(0, "I15", Defence.FILLS_ONCE),
    _caught(1, "I15 protection", Defence.COMPARED),
)

SURVIVORS: tuple[Mutant, ...] = (
    _survives("the sender stops, and the database refuses", Defence.HALT_HEEDED),
    _survives("the engine decides none, and the database refuses", Defence.HALT_IN_SENDER),
    _survives("the engine decides none, and the sender stops", Defence.HALT_IN_DATABASE),
    _survives(
        "an exit is sized from what is held, and sent when nothing else of it rests",
        Defence.REDUCE_ONLY,
    ),
)

MUTANTS = (*CAUGHT, *SURVIVORS)
