"""What the chat and the page ask about collected data: gaps, their repair, quality."""

import asyncio

from bot.adapters.storage.quality import SqlQualityReads
from bot.app.gaps import GapAnswer, GapQuestion, answer
from bot.app.repair import missing_of, repairer_of
from bot.app.running import Running
from bot.collect.gaps import hours_between
from bot.collect.quality_report import judge_quality
from bot.domain.operations import GapsView, QualityFinding, QualityView

_DETAIL_HOURS = 7 * 24
_REPAIR_WITHIN_S = 60.0


class DataDesk:
    """Reads and repairs for one process."""

    def __init__(self, running: Running) -> None:
        self._running = running

    async def gaps(self) -> GapsView:
        """See ``Operator.gaps``."""
        found = await self._found()
        hours = found.hours
        reasons: dict[str, int] = {}
        for gap in hours.gaps:
            reasons[gap.reason.value] = reasons.get(gap.reason.value, 0) + gap.hours
        return GapsView(
            first_hour=hours.first_hour,
            last_hour=hours.last_hour,
            hours_expected=hours.expected,
            missing=tuple(
                hour for gap in hours.gaps for hour in hours_between(gap.first_hour, gap.last_hour)
            ),
            reasons=tuple(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
            markets_missing=found.markets.missing,
            stream_gaps=found.ticks.total,
            detail_hours=_DETAIL_HOURS,
        )

    async def repair(self) -> tuple[bool, str]:
        """Whether nothing is left to try, and what came of it in words."""
        parts = self._running.parts
        found = await self._found()
        missing = await missing_of(found, parts.database)
        settings = self._running.settings
        repairer = repairer_of(settings, parts.means, parts.database, parts.exchange)
        try:
            async with asyncio.timeout(_REPAIR_WITHIN_S):
                report = await repairer.run(missing)
        except TimeoutError:
            return False, f"not finished within {_REPAIR_WITHIN_S:g} s; what was fetched is kept"
        return not report.failed, "\n".join(report.lines)

    async def quality(self) -> QualityView:
        """See ``Operator.quality``."""
        report = await judge_quality(SqlQualityReads(self._running.parts.database))
        return QualityView(
            hour=report.hour,
            snapshots=report.snapshots,
            ticks=report.ticks,
            wrong=report.wrong,
            findings=tuple(
                QualityFinding(
                    is_wrong=one.severity.value == "wrong",
                    what=f"{one.source.value} {one.rule.value}",
                    count=one.count,
                    worst=f"{one.worst[0].subject}: {one.worst[0].detail}",
                )
                for one in report.rules
            ),
        )

    async def _found(self) -> GapAnswer:
        question = GapQuestion(detail_hours=_DETAIL_HOURS)
        running = self._running
        return await answer(
            running.settings, running.parts.database, question, running.clock.now_us()
        )
