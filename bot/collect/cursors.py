"""How far the past of a market has been read, as text in ``ingest_state``, and as values.

A cursor says what is *complete*. Candles are read forwards, so theirs is one
instant. Trades come newest first: while a window is being read its newest part
is stored and its oldest is missing, and the cursor says so, so that a reader
that was killed goes on below what it had and never jumps over the hole.
"""

from dataclasses import dataclass, replace

from bot.domain.ids import MarketTicker, SeriesTicker
from bot.kit.times import SECOND_US, format_rfc3339, format_seconds, parse_rfc3339

DISCOVERY = "last_discovery_ts"
DISCOVERY_HEARTBEAT = "last_discovery_heartbeat_ts"
MIN_CLOSE = "last_min_close_ts"
CLEANUP = "last_closed_cleanup_ts"


def discovery_key(series: SeriesTicker) -> str:
    """From when on the changes of a series are still to be asked for."""
    return f"discovery_ts:{series}"


def full_discovery_key(series: SeriesTicker) -> str:
    """When a series was last listed completely."""
    return f"discovery_full_ts:{series}"


def candle_key(ticker: MarketTicker, minutes: int, label: str = "") -> str:
    """Until when a market's candles are stored. ``label`` keeps a separate reading apart."""
    return f"backfill_last_ts:{ticker}:{minutes}{label and f':{label}'}"


def trade_key(ticker: MarketTicker, label: str = "") -> str:
    """How far a market's trades are stored."""
    return f"backfill_trades:{ticker}{label and f':{label}'}"


def read_instant(text: str) -> int | None:
    """A mark as microseconds, written as ISO time or as epoch seconds; ``None`` if neither."""
    text = text.strip()
    try:
        if text.replace(".", "", 1).isdigit():
            whole, _, fraction = text.partition(".")
            return int(whole) * SECOND_US + int(fraction[:6].ljust(6, "0") or "0")
        return parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None


def write_instant(at_us: int) -> str:
    """A mark of whole seconds."""
    return format_seconds(at_us)


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window being read, newest trade first: what is left of it lies up to ``reached_us``.

    The live tier is read before the archive: what moves from one to the other in
    between is then found in the archive.
    """

    until_us: int
    reached_us: int
    is_archive: bool


@dataclass(frozen=True, slots=True)
class TradeCursor:
    """Every trade up to ``done_us`` is stored, and the newest part of ``window`` if one is open."""

    done_us: int
    window: OpenWindow | None = None

    def opened(self, until_us: int) -> "TradeCursor":
        """The same with a window to ``until_us`` about to be read, unless one is open already."""
        if self.window is not None:
            return self
        return replace(self, window=OpenWindow(until_us, until_us, is_archive=False))

    def reached(self, oldest_us: int) -> "TradeCursor":
        """After a page whose oldest trade is of ``oldest_us``; that instant is read again."""
        window = self._window()
        return replace(self, window=replace(window, reached_us=min(window.reached_us, oldest_us)))

    def live_done(self, *, needs_archive: bool) -> "TradeCursor":
        """After the live tier's last page."""
        window = self._window()
        if not needs_archive:
            return TradeCursor(window.until_us)
        return replace(self, window=OpenWindow(window.until_us, window.until_us, is_archive=True))

    def archive_done(self) -> "TradeCursor":
        """After the archive's last page."""
        return TradeCursor(self._window().until_us)

    def text(self) -> str:
        """As it is stored."""
        if self.window is None:
            return format_rfc3339(self.done_us)
        tier = "archive" if self.window.is_archive else "live"
        times = (self.done_us, self.window.until_us, self.window.reached_us)
        return " ".join([*(format_rfc3339(at_us) for at_us in times), tier])

    def _window(self) -> OpenWindow:
        if self.window is None:
            raise ValueError("no window is open")
        return self.window


def read_trade_cursor(text: str) -> TradeCursor | None:
    """A stored cursor; ``None`` where it is none, so that reading starts anew."""
    parts = text.split()
    times = [read_instant(part) for part in parts[:3]]
    known = [at_us for at_us in times if at_us is not None]
    if len(parts) == 1 and len(known) == 1:
        return TradeCursor(known[0])
    if len(parts) == 4 and len(known) == 3 and parts[3] in ("live", "archive"):  # noqa: PLR2004 - the form
        return TradeCursor(known[0], OpenWindow(known[1], known[2], parts[3] == "archive"))
    return None
