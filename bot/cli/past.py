"""Commands that read the exchange's past: discover, backfill."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bot.app import past_commands
from bot.app.past_commands import ALL_KINDS, Answer, Wanted
from bot.app.progress import OnAdvance
from bot.app.settings import BotSettings
from bot.cli.errors import ExitCode
from bot.cli.options import json_option, progress_bar, show, with_settings

_PERIODS = ("1", "60", "1440")


def _listed(
    allowed: tuple[str, ...],
) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...]]:
    """A callback for values separated by commas, each of ``allowed``; none given is none."""

    def read(
        _context: click.Context, _parameter: click.Parameter, text: str | None
    ) -> tuple[str, ...]:
        if text is None:
            return ()
        given = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        unknown = [one for one in given if one not in allowed]
        if unknown or not given:
            known = ", ".join(allowed)
            raise click.BadParameter(f"{text!r}: name one or more of {known}, separated by commas.")
        return given

    return read


@click.command()
@click.option("--series", multiple=True, metavar="TICKER", help="Only this one; may be repeated.")
@click.option("--full", "is_full", is_flag=True, help="List everything, not only what changed.")
@json_option
@with_settings
def discover(
    settings: BotSettings, *, series: tuple[str, ...], is_full: bool, as_json: bool
) -> int:
    """List events and markets of the series now. The bot does it every half hour by itself."""
    with _told_when_interrupted("discovery") as bar:
        answer = asyncio.run(
            past_commands.discover(settings, series=series, is_full=is_full, bar=bar)
        )
    return _tell(answer, as_json=as_json)


@click.command()
@click.option("--series", multiple=True, metavar="TICKER", help="Its markets; may be repeated.")
@click.option("--market", multiple=True, metavar="TICKER", help="One market; may be repeated.")
@click.option("--from", "begin", metavar="TIME", help="Begin here, e.g. 2026-11-01 [their opening]")
@click.option("--to", "end", metavar="TIME", help="End here [now]")
@click.option(
    "--kind",
    "kinds",
    callback=_listed(ALL_KINDS),
    default=",".join(ALL_KINDS),
    show_default=True,
    metavar="LIST",
)
@click.option(
    "--minutes",
    callback=_listed(_PERIODS),
    metavar="LIST",
    help="Candle lengths, of 1,60,1440 [as the event's period asks]",
)
@json_option
@with_settings
def backfill(
    settings: BotSettings,
    *,
    series: tuple[str, ...],
    market: tuple[str, ...],
    begin: str | None,
    end: str | None,
    kinds: tuple[str, ...],
    minutes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Read candles, trades and results of the past, live and archived. The bot may run.

    Interrupt it when you like: the same command goes on where it was. Exits 1 if something
    could not be read.
    """
    if series and market:
        raise click.UsageError("--series and --market exclude each other.")
    wanted = Wanted(
        series=series,
        markets=market,
        begin=begin,
        end=end,
        kinds=kinds,
        minutes=tuple(int(one) for one in minutes),
    )
    with _told_when_interrupted("backfill") as bar:
        answer = asyncio.run(past_commands.backfill(settings, wanted, bar))
    return _tell(answer, as_json=as_json)


def _tell(answer: Answer, *, as_json: bool) -> int:
    show(answer.facts, as_json=as_json)
    return ExitCode.DONE if answer.is_complete else ExitCode.FAILED


@contextmanager
def _told_when_interrupted(what: str) -> Iterator[OnAdvance]:
    """A bar that says where it stood when somebody interrupts."""
    stood = ["nothing was read yet"]

    with progress_bar(what) as bar:

        def advance(done: int, total: int | None, text: str) -> None:
            stood[0] = f"{done} of {total} read ({text})"
            bar(done, total, text)

        try:
            yield advance
        except KeyboardInterrupt:
            click.echo(f"{what}: {stood[0]}; the same command goes on from there", err=True)
            raise
