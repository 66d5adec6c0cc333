"""Every defence removed, alone and where it is the last one, and a seed that notices."""

from dataclasses import dataclass

from tests.sim.defences import Defence, Removed

TWO_TRADERS = frozenset({"I4", "I5", "I8", "I18"})
"""The harm itself, as opposed to a rule that was meant to prevent it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is removed, which of these invariants must break, and where it does."""

    removed: Removed
    breaks: frozenset[str]
    seed: int | None = None
    survives: str = ""
    """Why no seed notices."""

    def __str__(self) -> str:
        return " + ".join(sorted(one.name for one in self.removed))


def _caught(seed: int, breaks: str | frozenset[str], *removed: Defence) -> Mutant:
    names = frozenset(breaks.split()) if isinstance(breaks, str) else breaks
    return Mutant(frozenset(removed), names, seed)


def _survives(why: str, *removed: Defence) -> Mutant:
    return Mutant(frozenset(removed), TWO_TRADERS, survives=why)


CAUGHT: tuple[Mutant, ...] = (
    # Alone.
    _caught(0, "I7 I8", Defence.GATE_DEADLINE),
    _caught(0, "I7 I8", Defence.GATE_AT_SEND),
    _caught(43, "I7 I18", Defence.GATE_CLOCKS),
    _caught(20, "I7", Defence.SENT_TIME),
    _caught(26, "I18", Defence.DRAIN_FIRST),
    _caught(0, "I3", Defence.DATABASE_FENCE),
    _caught(69, TWO_TRADERS, Defence.OWN_OBSERVATION),
    _caught(121, "I4", Defence.VENUE_FENCE),
    _caught(158, "I16", Defence.OWN_EXITS),
    _caught(1, "I13", Defence.GENERATIONS),
    _caught(12, "I2", Defence.EPOCH_BY_TIME),
    _caught(24, "I10", Defence.RESTORED_SAFE),
    _caught(0, "I6", Defence.UNKNOWN_IS_A_STATE),
    _caught(0, "I6", Defence.COMMIT_FIRST),
    _caught(20, "I10", Defence.HALT_IN_DATABASE),
    _caught(0, "I9 I15", Defence.RECONCILED),
    # Together: the order reaches the exchange out of turn.
    _caught(1, "I4", Defence.VENUE_FENCE, Defence.OWN_OBSERVATION),
    _caught(
        0,
        "I8 I18",
        Defence.GATE_DEADLINE,
        Defence.STOP,
        Defence.WATCHDOG,
        Defence.DATABASE_FENCE,
    ),
)

SURVIVORS: tuple[Mutant, ...] = (
    _survives("the gate is shut by then, and the watchdog ends the process", Defence.STOP),
    _survives(
        "the gate is asked in the step that sends, so a stuck loop sends nothing", Defence.WATCHDOG
    ),
    _survives("a renewal is never waited for beyond stop_s", Defence.STATEMENT_LIMIT),
    _survives("an order without an answer is looked up after 10 s", Defence.ORDER_LIMIT),
    _survives("only the wanted instance acquires, and only one is wanted", Defence.SEEN_ROW),
)

MUTANTS = (*CAUGHT, *SURVIVORS)
