"""What was decided about entries, each judged again from what was written down with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.adapters.storage.queries import SqlQueries
from bot.app.basics import open_existing_database
from bot.app.progress import OnAdvance
from bot.app.recordings import recordings_dir
from bot.app.replay import Outcome, Replayed, replay
from bot.app.settings import BotSettings
from bot.app.trading_settings import strategies
from bot.domain.ids import MarketTicker
from bot.domain.money import Quantity, format_quantity
from bot.domain.operations import Decision
from bot.domain.signals import Verdict
from bot.kit.times import format_seconds
from bot.risk.decision import StoredDecision, disagreement

NOT_SIZED = "not sized"
EQUAL = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedDecision:
    """A decision and what its own case leads to now."""

    decision: Decision
    again: str
    """``equal``, ``not sized``, or what differs."""
    replayed: Replayed | None = None
    """What living through it again from raw frames gave, where that was asked for."""

    @property
    def differs(self) -> bool:
        """Whether today's rules, or this record, say something else."""
        is_other = self.replayed is not None and self.replayed.outcome is Outcome.DIFFERENT
        return is_other or self.again not in (EQUAL, NOT_SIZED)

    @property
    def line(self) -> str:
        """For people."""
        one = self.decision
        return (
            f"{format_seconds(one.at_us)}  {one.ticker}  {one.verdict}"
            f"  {format_quantity(one.quantity or Quantity(0))}  {one.reason}  [{self.again}]"
            + (f"  [replay {self.replayed.text}]" if self.replayed is not None else "")
        )

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``."""
        one = self.decision
        return {
            "decided_us": one.at_us,
            "ticker": one.ticker,
            "verdict": one.verdict,
            "quantity_e2": one.quantity,
            "reason": one.reason,
            "judged_again": self.again,
            "replayed": None if self.replayed is None else self.replayed.outcome.value,
            "replay_detail": "" if self.replayed is None else self.replayed.detail,
            "case": dict(one.case),
        }


async def read_decisions(
    settings: BotSettings, *, last: int, ticker: str | None
) -> list[JudgedDecision]:
    """The newest decisions, newest first, each judged again."""
    market = MarketTicker(ticker) if ticker else None
    async with open_existing_database(settings) as database:
        found = await SqlQueries(database, settings.scope).decisions(last, market)
    return [JudgedDecision(decision=one, again=_again(one)) for one in found]


def replayed(
    settings: BotSettings, judged: Sequence[JudgedDecision], given: Path | None, bar: OnAdvance
) -> list[JudgedDecision]:
    """The same decisions, each lived through again from the recordings in a folder.

    Raises:
        ConfigurationFault: there are none.
        RecordingDamaged: one of them cannot be read.
    """
    root = recordings_dir(settings, given)
    told = replay([one.decision for one in judged], root, strategies(settings), bar)
    return [replace(one, replayed=again) for one, again in zip(judged, told, strict=True)]


def _again(decision: Decision) -> str:
    if not decision.case:
        return NOT_SIZED
    stored = StoredDecision(
        quantity=decision.quantity or Quantity(0),
        is_taken=decision.verdict == Verdict.TAKEN,
        reason=decision.reason,
        case=decision.case,
    )
    try:
        return disagreement(stored) or EQUAL
    except ValueError as fault:
        return f"written by another version: {fault}"
