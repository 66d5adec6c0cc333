"""What a bot decided, lived through again from its recordings: equal unless it was changed."""

import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.kit.frames import (
    HEARD,
    FrameFile,
    Record,
    Told,
    frame_files,
    read_records,
    read_summary,
    summary_path,
)
from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bot import Home, home_of
from tests.e2e.support.market import Market

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

ENTRIES = "SELECT client_order_id, status FROM order_intents WHERE purpose = 'entry'"


@pytest.fixture
async def home(
    exchange: SimulatedExchange, market: Market, database_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange) as made:
        made.settings |= {
            "BOT_MODE": "trade",
            "BOT_TRADING__STARTS_UNHALTED": "true",
            "BOT_TRADING__ALWAYS_WATCH": '["KXFED"]',
            "BOT_TRADING__REFRESH_S": "1",
        }
        yield made


async def trades(home: Home, market: Market) -> None:
    """One entry taken, with tops that changed before and after it; then an orderly end."""
    market.quote(8_000, 8_100)
    bot = home.bot(RAILWAY_DEPLOYMENT_ID="d1")
    await bot.reach("leading")
    for bid in (8_100, 8_300, 8_200, 9_400):
        market.quote(bid, bid + 100)
    await home.until_rows(ENTRIES, lambda rows: [row[1] for row in rows] == ["resting"])
    market.quote(9_300, 9_400)
    assert (await bot.told(signal.SIGTERM)).code == 0


async def replayed(home: Home, *words: str) -> tuple[int, list[dict[str, Any]]]:
    told = await home.command("decisions", "--replay", "--json", *words)
    assert "Traceback" not in told.said
    return told.code, json.loads(told.out)["decisions"]


def rewrite(path: Path, change: Callable[[Record], Record]) -> None:
    """The same file with other frames: as whole as before."""
    records = [change(record) for record in read_records(path)]
    summary = read_summary(path)
    path.unlink()
    summary_path(path).unlink()
    file = FrameFile(path, summary.connection, summary.began_us)
    file.write([Told(*record) for record in records])
    file.close()


def cheaper(record: Record) -> Record:
    """One cent off the price that was acted on."""
    if record.kind != HEARD:
        return record
    return record._replace(data=record.data.replace(b'"0.9400"', b'"0.9300"'))


async def test_every_decision_comes_out_equal_and_a_changed_frame_is_noticed(
    home: Home, market: Market
) -> None:
    await trades(home, market)
    code, decisions = await replayed(home)
    assert code == 0, decisions
    assert "taken" in {one["verdict"] for one in decisions}
    assert {one["replayed"] for one in decisions} == {"equal"}
    await is_listed(home)
    talk = max(frame_files(home.root), key=lambda path: read_summary(path).frames)
    kept = talk.read_bytes()
    rewrite(talk, cheaper)
    code, decisions = await replayed(home)
    assert code == 1
    assert any("9300" in one["replay_detail"] for one in decisions), decisions
    talk.write_bytes(damaged(kept))
    code, decisions = await replayed(home)
    assert code == 1
    assert all(one["replayed"] != "equal" for one in decisions if one["verdict"] == "taken")


async def is_listed(home: Home) -> None:
    """The files are whole; elsewhere there is nothing to replay from, which is no difference."""
    listed = await home.command("recordings", "--json")
    assert listed.code == 0, listed.said
    files = json.loads(listed.out)["files"]
    assert {one["state"] for one in files} == {"whole"}
    assert sum(one["frames"] for one in files) > 10
    away = home.root / "elsewhere"
    away.mkdir()
    code, decisions = await replayed(home, "--recordings", str(away))
    assert (code, {one["replayed"] for one in decisions}) == (0, {"not recorded"})
    gone = await home.command("decisions", "--replay", "--recordings", "nowhere")
    assert (gone.code, "there are no recordings" in gone.said) == (2, True)


def damaged(whole: bytes) -> bytes:
    place = len(whole) // 3
    return whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
