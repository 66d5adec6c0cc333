"""Moments as people type them."""

from datetime import UTC, date, datetime

import click
from typing_extensions import override

from bot.kit.times import to_us


class Day(click.ParamType[date]):
    """``2026-11-21``."""

    name = "day"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError:
            self.fail(f"{value!r} is no day; write 2026-11-21", param, ctx)


class Moment(click.ParamType[int]):
    """``2026-11-21``, ``2026-11-21T07:00`` or with a zone; without one it is UTC. Microseconds."""

    name = "moment"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no day or time; write 2026-11-21 or 2026-11-21T07:00Z", param, ctx
            )
        return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
