"""The small numbers of markets, as one writer knows them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bot.adapters.storage.stream_rows import EVERY_MARKET
from bot.ports.stream import StreamBatch, StreamGap


class MarketNumbers(dict[str, int]):
    """Number by ticker. What is known never changes, so it is never asked again."""

    def learn(self, pairs: Iterable[Sequence[Any]]) -> None:
        """Take rows of ticker and number."""
        self.update((ticker, number) for ticker, number in pairs)

    def unknown(self, batch: StreamBatch) -> list[str]:
        """The tickers of a batch that have to be looked up, each once, in order."""
        return sorted({ticker for ticker in _tickers(batch) if ticker not in self})

    def of_gap(self, gap: StreamGap) -> int:
        """The number a gap is written under."""
        return EVERY_MARKET if gap.ticker is None else self[gap.ticker]


def _tickers(batch: StreamBatch) -> Iterator[str]:
    for kind in (batch.ticks, batch.changes, batch.starts, batch.lifecycle):
        yield from (record.ticker for record in kind)
    yield from (gap.ticker for gap in batch.gaps if gap.ticker is not None)
