"""What was stored of one market, with its payload as received."""

import json
from dataclasses import dataclass

from bot.adapters.storage.collection import SqlCollectionStore
from bot.app.basics import open_existing_database
from bot.app.settings import BotSettings
from bot.domain.ids import MarketTicker
from bot.domain.money import format_price, format_quantity
from bot.ports.collection import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """One hour of a market for people and for machines."""

    snapshot: Snapshot

    @property
    def facts(self) -> dict[str, object]:
        """For ``--json``: the payload as an object, or as its text where it is no JSON."""
        one = self.snapshot
        return {
            "market_id": one.market_id,
            "snapshot_hour_utc": one.snapshot_hour_utc,
            "created_at_utc": one.created_at_utc,
            "event_ticker": one.event_ticker,
            "series_ticker": one.series_ticker,
            "macro_event_type": one.macro_event_type,
            "probability_bucket": one.probability_bucket,
            "yes_bid": one.yes_bid and format_price(one.yes_bid),
            "yes_ask": one.yes_ask and format_price(one.yes_ask),
            "volume_24h": format_quantity(one.volume_24h),
            "open_interest": format_quantity(one.open_interest),
            "payload": _parsed(one.payload_json),
        }

    @property
    def line(self) -> str:
        """The hour in one line, without the payload."""
        told = self.facts
        return (
            f"{told['snapshot_hour_utc']}"
            f"  bid {told['yes_bid'] or '-'}  ask {told['yes_ask'] or '-'}"
            f"  bucket {told['probability_bucket'] or '-'}  volume 24h {told['volume_24h']}"
            f"  open interest {told['open_interest']}  {told['macro_event_type']}"
        )


async def read_stored_snapshots(
    settings: BotSettings, market: str, *, hour: str | None, last: int
) -> list[StoredSnapshot]:
    """The stored hours of a market, newest first; of one hour where it is given."""
    async with open_existing_database(settings) as database:
        store = SqlCollectionStore(database)
        found = await store.read_snapshots(MarketTicker(market), hour, last)
    return [StoredSnapshot(snapshot=one) for one in found]


def _parsed(payload: str) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
