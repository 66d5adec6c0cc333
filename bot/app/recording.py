"""Keeps what the engine goes by: the stream's frames, and the listings it was told."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot import __version__
from bot.adapters.recording.recorder import FrameRecorder
from bot.adapters.recording.shelf import Shelf, ShelfSettings
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault
from bot.domain.events import MarketsListed
from bot.domain.ids import InstanceId, MarketTicker
from bot.domain.listing import Listing
from bot.kit.clock import Clock
from bot.kit.frames import Told, note
from bot.kit.times import DAY_US
from bot.kit.values import to_plain
from bot.ports.recording import Tape, TapeMaker

LISTING = "listing"
"""The note that holds a market's terms, as the engine was told them."""
STRATEGIES = "strategies"
"""In the first note of such a file: which strategies looked at them, with what parameters."""
_ID_DIGITS = 8
_MEBIBYTE = 1 << 20


def shelf_of(settings: BotSettings) -> Shelf:
    """Where recordings go.

    Raises:
        ConfigurationFault: the limits contradict each other.
    """
    section = settings.recorder
    try:
        return Shelf(
            ShelfSettings(
                dir=section.dir,
                scope=settings.scope,
                budget=section.budget_mb * _MEBIBYTE,
                free_min=section.min_free_mb * _MEBIBYTE,
                keep_us=round(section.keep_days * DAY_US),
            )
        )
    except ValueError as error:
        raise ConfigurationFault([f"recorder: {error}"]) from None


def recorder_of(
    settings: BotSettings,
    clock: Clock,
    instance_id: InstanceId,
    post: Callable[[AlertKind, dict[str, str | int]], object],
) -> FrameRecorder | None:
    """The recorder of one leadership, unless it is switched off."""
    if not settings.is_recording:
        return None

    def told(reason: str | None) -> None:
        if reason is None:
            post(AlertKind.RECORDING_RESUMED, {})
        else:
            post(AlertKind.RECORDING_STOPPED, {"reason": reason})

    # The last digits: ids that are sorted by time begin alike.
    instance = instance_id.replace("-", "")[-_ID_DIGITS:]
    return FrameRecorder(shelf_of(settings), clock, instance, told)


def listing_tape(settings: BotSettings, tapes: TapeMaker, clock: Clock) -> "ListingTape":
    """Keeps the listings, and what looks at them."""
    facts = {STRATEGIES: settings.trading.strategies, "version": __version__}
    return ListingTape(tapes, clock, facts)


class ListingTape:
    """Keeps the listings among the engine's events: a strategy sees them beside the book."""

    def __init__(self, tapes: TapeMaker, clock: Clock, facts: Mapping[str, object]) -> None:
        """``facts`` are plain values that hold for all of a file."""
        self._tape: Tape = tapes.tape()
        self._clock = clock
        self._facts = facts
        self._kept: dict[MarketTicker, Listing] = {}

    def hear(self, event: MarketsListed) -> None:
        """Keep what it says of markets. Their wording is left to the writer's thread."""
        now_us = self._clock.now_us()
        is_new_file = self._tape.wants_turn(now_us)
        if is_new_file:
            self._tape.turn(now_us, self._facts)
        news = self._news(event.listings, event.received_us, is_new_file=is_new_file)
        self._tape.keep(lambda: news)

    def _news(
        self, listings: Sequence[Listing], at_us: int, *, is_new_file: bool
    ) -> Iterator[Told]:
        """Runs in the writer's thread, one batch after the other. Unchanged ones are left out."""
        known = self._kept
        told = dict(known) if is_new_file else {}
        for listing in listings:
            ticker = listing.market.ticker
            if is_new_file or known.get(ticker) != listing:
                told[ticker] = known[ticker] = listing
        for listing in told.values():
            yield note(at_us, LISTING, listing=to_plain(listing))
