"""One turn of the collect benchmark in a process of its own, so that memory is its own.

``python benchmarks/collect_contestants.py {bot,bare} REST_URL WS_URL DIRECTORY PER_SECOND`` reads
every open market once, stores it into a new SQLite file and prints one line of JSON.

``bot`` is the collect cycle as it runs: the REST client, strict reading, price grid, unknown
fields, payloads stored once, progress and counts in one transaction with each page. ``bare`` is
what nobody could leave out: fetch, ``msgspec``, ``executemany`` of the same columns with the raw
JSON, a commit for each page, in a thread while the next page is fetched.
"""

# ruff: noqa: PLC0415 - a script of its own process, which loads what its turn needs

import asyncio
import json
import resource
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import msgspec
import psutil

_KIB = 1_024
_SERIES = "KXNONE"
_HOUR = "2026-11-21T07:00:00Z"
_COLUMNS = (
    "market_id TEXT NOT NULL, snapshot_hour_utc TEXT NOT NULL, payload_json TEXT NOT NULL,"
    " event_ticker TEXT NOT NULL, yes_bid_e4 INTEGER, yes_ask_e4 INTEGER, volume_24h_e2 INTEGER,"
    " open_interest_e2 INTEGER, close_time TEXT NOT NULL"
)


class _Market(msgspec.Struct):
    ticker: str
    event_ticker: str
    close_time: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    volume_24h_fp: str
    open_interest_fp: str


class _Page(msgspec.Struct):
    markets: list[msgspec.Raw]
    cursor: str


_PAGE, _MARKET = msgspec.json.Decoder(_Page), msgspec.json.Decoder(_Market)


async def bare(rest_url: str, directory: Path) -> dict[str, object]:
    """The floor."""
    database = sqlite3.connect(
        directory / "bare.sqlite", isolation_level=None, check_same_thread=False
    )
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(f"CREATE TABLE snapshots ({_COLUMNS}, UNIQUE (market_id, snapshot_hour_utc))")
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        measured = _Measured()
        cursor, markets, requests = "", 0, 0
        saving: asyncio.Task[None] | None = None
        while not requests or cursor:
            params = {"limit": "1000", "status": "open", "mve_filter": "exclude", "cursor": cursor}
            async with session.get(f"{rest_url}/markets", params=params) as answer:
                body = await answer.read()
            page = _PAGE.decode(body)
            if saving is not None:
                await saving
            saving = group.create_task(asyncio.to_thread(_save, database, page.markets))
            cursor, markets, requests = page.cursor, markets + len(page.markets), requests + 1
        assert saving is not None
        await saving
        return measured.told() | {"markets": markets, "requests": requests}


def _save(database: sqlite3.Connection, raws: list[msgspec.Raw]) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [_row(raw) for raw in raws],
    )
    database.execute("COMMIT")


def _row(raw: msgspec.Raw) -> tuple[object, ...]:
    one = _MARKET.decode(raw)
    return (
        one.ticker,
        _HOUR,
        str(raw, "utf-8"),
        one.event_ticker,
        _whole(one.yes_bid_dollars),
        _whole(one.yes_ask_dollars),
        _whole(one.volume_24h_fp),
        _whole(one.open_interest_fp),
        one.close_time,
    )


def _whole(text: str) -> int:
    return int(text.replace(".", ""))


async def bot(rest_url: str, ws_url: str, directory: Path, per_second: float) -> dict[str, object]:
    """The collect cycle of the bot."""
    from bot.adapters.storage.collection import SqlCollectionStore
    from bot.app.basics import open_database, real_means
    from bot.app.build import exchange_of
    from bot.app.settings import BotSettings
    from bot.collect.settings import CollectSettings
    from bot.collect.snapshots import Collector
    from bot.domain.ids import SeriesTicker

    told = {
        "database": {"url": f"sqlite:///{directory / 'bot.sqlite'}"},
        "exchange": {
            "environment": "demo",
            "rest_url": rest_url,
            "ws_url": ws_url,
            "requests_per_second": per_second,
        },
    }
    settings, means = BotSettings.model_validate(told), real_means()
    collect = CollectSettings(
        series=(SeriesTicker(_SERIES),),
        whole_exchange=True,
        reports_dir=directory / "reports",
        status_file=directory / "status.json",
    )
    async with (
        open_database(settings, migrated=True) as database,
        exchange_of(settings, means, None).open() as exchange,
    ):
        store = SqlCollectionStore(database)
        collector = Collector(collect, exchange, store, means.clock, means.ids)
        measured = _Measured()
        report = await collector.run()
        used = measured.told()
        calls = sum(exchange.counter.totals.values())
        stored = await store.snapshot_bytes()
    return used | {
        "outcome": report.cycle.outcome.value,
        "error": report.cycle.error,
        "markets": report.cycle.inserted,
        "requests": calls,
        "bytes": stored,
    }


class _Measured:
    """Time and memory from its making on."""

    def __init__(self) -> None:
        self._idle = psutil.Process().memory_info().rss
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, object]:
        """Seconds, processor seconds, and the highest memory above what was idle."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
        return {
            "seconds": round(time.perf_counter() - self._began, 3),
            "cpu_s": round(time.process_time() - self._cpu, 3),
            "idle_mb": round(self._idle / 1e6, 1),
            "peak_extra_mb": round(max(0, peak - self._idle) / 1e6, 1),
        }


def main() -> None:
    """Take a turn."""
    name, rest_url, ws_url, directory, per_second = sys.argv[1:]
    from bot.app.main import run_on_fast_loop

    place = Path(directory)
    turn = (
        bare(rest_url, place) if name == "bare" else bot(rest_url, ws_url, place, float(per_second))
    )
    print(json.dumps(run_on_fast_loop(turn)))


if __name__ == "__main__":
    main()
