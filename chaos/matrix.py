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


async def run_matrix(
    rows: Sequence[Row], progress: Progress, *, is_short: bool, runs_max: int | None = None
) -> list[Outcome]:
    """Run every row; a run that goes wrong is a fact of its row, and the next one begins."""
    counts = {row.key: row.short_runs if is_short else row.runs for row in rows}
    if runs_max is not None:
        counts = {key: min(count, runs_max) for key, count in counts.items()}
    outcomes = {row.key: Outcome(row) for row in rows if counts[row.key]}
    jobs = [row for row in rows for _ in range(counts[row.key])]
    done = 0
    turn = asyncio.Semaphore(_AT_A_TIME if is_short else 1)

    async def run(server: Server, row: Row) -> None:
        nonlocal done
        async with turn:
            progress.show(f"{done} of {len(jobs)} runs done; {row.fault}")
            outcomes[row.key].seen.append(await _tried(server, row, is_short=is_short))
            done += 1

    with running_server() as server:
        await prepare(server)
        try:
            async with asyncio.TaskGroup() as group:
                for row in jobs:
                    group.create_task(run(server, row))
        finally:
            progress.clear()
    return list(outcomes.values())


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
