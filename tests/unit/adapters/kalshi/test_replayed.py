"""A session that is told what was said hears what the live one heard."""

import asyncio
import json
from pathlib import Path
from random import Random

import pytest

from bot.adapters.kalshi.replayed import ReplayedSession
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings
from bot.adapters.kalshi.signing import load_signer
from bot.adapters.kalshi.socket import StreamSocket
from bot.adapters.paper.values import AsValues
from bot.domain.quotes import BookSnapshot
from bot.kit.clock import SystemClock
from bot.kit.frames import SAID, Told
from bot.kit.times import SECOND_US
from bot.ports.exchange import FeedAlive, FeedEvent, FeedGap, FeedUp
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import SimulatorSettings, WorldSettings
from tests.fakes.tapes import MemoryTape, MemoryTapes
from tests.support.house import until

# However busy the machine is, one connection lasts.
PATIENT = StreamSettings(
    tick_s=0.1,
    silence_max_s=60,
    connect_timeout_s=60,
    session=SessionSettings(
        markets_per_subscription=7,
        command_timeout_us=60 * SECOND_US,
        snapshot_timeout_us=60 * SECOND_US,
    ),
)


def books(heard: list[FeedEvent]) -> list[BookSnapshot]:
    return [one for one in heard if isinstance(one, BookSnapshot)]


def actions(tapes: MemoryTapes) -> set[str]:
    said = [json.loads(one.data) for one in tapes.made[0].told if one.kind == SAID]
    return {one["params"].get("action", one["cmd"]) for one in said}


def lived_again(tape: MemoryTape) -> list[FeedEvent]:
    told: list[FeedEvent] = []
    session, now_us = ReplayedSession(tape.turns[0]), 0
    session.began(AsValues(told.append), now_us)
    for one in tape.kept:
        if isinstance(one, int):
            now_us = one
        elif isinstance(one, bytes):
            session.receive(one, now_us)
        elif isinstance(one, Told) and one.kind == SAID:
            session.said(one.data, one.at_us)
    assert session.frames_to_send() == []
    return told


@pytest.mark.looptime(False)
async def test_what_was_heard_live_is_heard_again(tmp_path: Path) -> None:
    heard: list[FeedEvent] = []
    tapes = MemoryTapes()
    async with SimulatedExchange(SimulatorSettings(worlds=WorldSettings(pace_us=400_000))) as sim:
        feed = StreamSocket(
            sim.ws_url,
            PATIENT,
            signer=load_signer(sim.keys.key_id, sim.keys.private_pem.decode()),
            clock=SystemClock(),
            random=Random(1),
            tapes=tapes,
        )
        markets = list(sim.exchange.catalog.markets)
        await feed.watch(markets[:20])
        running = asyncio.get_running_loop().create_task(feed.run(AsValues(heard.append)))
        await until(lambda: len(books(heard)) >= 20, 60)
        await feed.watch(markets[5:30])
        await until(lambda: len({one.ticker for one in books(heard)}) >= 30, 60)
        tapes.made[0].is_hour_over = True  # the books are asked for once more
        await until(lambda: len(books(heard)) >= 55 and "delete_markets" in actions(tapes), 60)
        running.cancel()
        await asyncio.wait({running})
    (tape,) = tapes.made
    again = lived_again(tape)
    assert {"subscribe", "add_markets", "delete_markets", "get_snapshot"} <= actions(tapes)
    kinds = (FeedAlive, FeedUp)
    assert [one for one in again if not isinstance(one, kinds)] == [
        one for one in heard if not isinstance(one, kinds)
    ]
    assert len(again) > 55
    assert not any(isinstance(one, FeedGap) for one in again)


def test_a_conversation_joined_in_the_middle_goes_on_from_its_numbers() -> None:
    told: list[FeedEvent] = []
    held = {"channel": "orderbook_delta", "sid": 4, "last_seq": 9, "tickers": ["A"]}
    session = ReplayedSession({"uses_yes_price": True, "subscriptions": [held]})
    session.began(AsValues(told.append), 1)
    msg = {"market_ticker": "A", "price_dollars": "0.4600", "delta_fp": "1.00", "side": "yes"}
    session.receive(json.dumps({"type": "orderbook_delta", "sid": 4, "seq": 10, "msg": msg}), 2)
    assert [type(one) for one in told] == [FeedUp], "no book is known yet, and none is lost"
    session.receive(json.dumps({"type": "orderbook_delta", "sid": 4, "seq": 12, "msg": msg}), 3)
    assert isinstance(told[-1], FeedGap)


@pytest.mark.parametrize(
    "frame",
    [b"no json", b"[]", b'{"id":1}', b'{"id":1,"cmd":"unsubscribe","params":{"sids":[77]}}'],
)
def test_what_is_no_command_is_refused(frame: bytes) -> None:
    session = ReplayedSession({})
    session.began(AsValues([].append), 1)
    with pytest.raises(ValueError, match="no command"):
        session.said(frame, 1)
