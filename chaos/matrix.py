"""Runs rows: one after another for the figures, several at a time for the short form."""

import asyncio
import sys
from collections.abc import Sequence

from chaos import bot_rows, deploys, durable_rows, networks, stops
from chaos.arena import Arena, Wrong, prepare
from chaos.rows import Outcome, Row, Seen
from tests.support.postgres import Server, running_server

ROWS: tuple[Row, ...] = (
    *bot_rows.ROWS,
    *deploys.ROWS,
    *stops.ROWS,
    *networks.ROWS,
    *durable_rows.ROWS,
)
_AT_A_TIME = 3
_EXPECTED = (Wrong, AssertionError, OSError, ValueError)


class Progress:
    """One line that is written over, where somebody watches."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Say what is going on."""
        if self._is_shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Make room for the table."""
        self.show("")


def chosen(keys: Sequence[str]) -> tuple[Row, ...]:
    """The rows with these keys, or all.

    Raises:
        KeyError: there is no such row.
    """
    by_key = {row.key: row for row in ROWS}
    return tuple(by_key[key.strip()] for key in keys) if keys else ROWS


def outcomes_of(
    rows: Sequence[Row], *, is_short: bool, runs_max: int | None = None
) -> list[Outcome]:
    """What there will be: rows that take part, with how often each is tried."""
    return [
        Outcome(row, runs=runs if runs_max is None else min(runs, runs_max))
        for row in rows
        if (runs := row.short_runs if is_short else row.runs)
    ]


async def run_matrix(outcomes: Sequence[Outcome], progress: Progress, *, is_short: bool) -> None:
    """Fill the outcomes; a run that goes wrong is a fact of its row, and the next one begins."""
    jobs = [one for one in outcomes for _ in range(one.runs)]
    done = 0
    turn = asyncio.Semaphore(_AT_A_TIME if is_short else 1)

    async def run(server: Server, job: Outcome) -> None:
        nonlocal done
        async with turn:
            progress.show(f"{done} of {len(jobs)} runs done; {job.row.fault}")
            job.seen.append(await _tried(server, job.row, is_short=is_short))
            done += 1

    with running_server() as server:
        await prepare(server)
        try:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(run(server, job))
        finally:
            progress.clear()


async def _tried(server: Server, row: Row, *, is_short: bool) -> Seen:
    try:
        async with Arena.open(server, is_short=is_short) as arena:
            return await row.run(arena)
    except _EXPECTED as fault:
        return Seen(problem=_said(fault))
    except BaseExceptionGroup as faults:
        # The exchange of a run lives in a task group, which wraps whatever ends it.
        expected, others = faults.split(_EXPECTED)
        if expected is None or others is not None:
            raise
        return Seen(problem=_said(expected))


def _said(fault: BaseException) -> str:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return f"{type(fault).__name__}: {fault}"
