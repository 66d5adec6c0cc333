"""The port over scripted answers: every page or an error, one write, the right question."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.adapters.kalshi.budget import Cost, Lane
from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.order_path import OrderPathKeeper
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.domain.errors import (
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    OrderRejected,
    OutcomeUnknown,
    RequestRefused,
)
from bot.domain.ids import (
    ClientOrderId,
    Epoch,
    MarketTicker,
    OrderGroupId,
    OrderId,
    SeriesTicker,
    StrategyId,
)
from bot.domain.market import FeeTerms
from bot.domain.money import Price, Quantity
from bot.domain.orders import BookSide, OrderIntent, OrderStatus, Purpose, TimeInForce
from bot.kit.clock import SystemClock
from bot.kit.times import DAY_US, HOUR_US
from bot.ports.exchange import Exchange, MarketQuery
from tests.fakes.clock import ManualClock
from tests.fakes.scripted_http import ScriptedServer, answer, scripted_server

pytestmark = pytest.mark.looptime(False)

SIGNER = load_signer(
    "key-id",
    Ed25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode(),
)
SETTINGS = RestSettings(requests_per_second=1_000, tries=1, subaccount=3)
INTENT = OrderIntent(
    client_order_id=ClientOrderId("c1"),
    epoch=Epoch(1),
    strategy_id=StrategyId("s"),
    signal_id=None,
    bracket_id=None,
    purpose=Purpose.ENTRY,
    ticker=MarketTicker("KXFOO-1"),
    exchange_index=0,
    side=BookSide.BID,
    price=Price(5600),
    quantity=Quantity(100),
    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
    post_only=False,
    reduce_only=False,
    expires_us=None,
    decided_us=0,
)
CREATED = {
    "order_id": "o1",
    "client_order_id": "c1",
    "fill_count": "0.00",
    "remaining_count": "1.00",
    "ts_ms": 1,
}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@asynccontextmanager
async def opened(
    server: ScriptedServer, settings: RestSettings = SETTINGS, **other: object
) -> AsyncIterator[KalshiExchange]:
    given = {"signer": SIGNER, "clock": SystemClock(), "random": Random(1)} | other
    exchange = KalshiExchange(hosts_of("demo", server.base_url), settings, **given)  # type: ignore[arg-type]
    _: Exchange = exchange
    async with exchange.open():
        yield exchange


def order(order_id: str, client_order_id: str = "", **change: object) -> dict[str, object]:
    return {
        "order_id": order_id,
        "client_order_id": client_order_id,
        "ticker": "KXFOO-1",
        "book_side": "bid",
        "status": "resting",
        "yes_price_dollars": "0.5600",
        "initial_count_fp": "1.00",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "1.00",
        "created_time": "2026-11-21T07:00:00Z",
    } | change


def fill(fill_id: str, created: str, order_id: str = "o1") -> dict[str, object]:
    return {
        "fill_id": fill_id,
        "order_id": order_id,
        "ticker": "KXFOO-1",
        "book_side": "bid",
        "count_fp": "1.00",
        "yes_price_dollars": "0.5600",
        "is_taker": True,
        "fee_cost": "0.017500",
        "created_time": created,
    }


def page(name: str, *rows: object, cursor: str = "") -> object:
    return answer(json.dumps({name: list(rows), "cursor": cursor}))


NOW = 1_795_245_300_000_000
CUTOFF = answer(
    b'{"trades_created_ts":"2026-11-01T00:00:00Z","orders_updated_ts":"2026-11-10T00:00:00Z"}'
)
RECENT = NOW - 60_000_000
LONG_AGO = NOW - 40 * 86_400 * 1_000_000


async def test_every_page_is_read_and_doubles_are_dropped(server: ScriptedServer) -> None:
    server.answers(
        page("orders", order("o2"), order("o1"), cursor="p2"),
        page("orders", cursor="p3"),
        page("orders", order("o1"), order("o3")),
    )  # type: ignore[arg-type]
    async with opened(server) as exchange:
        found = await exchange.orders(status=OrderStatus.RESTING, ticker=MarketTicker("KXFOO-1"))
    assert [one.order_id for one in found] == ["o1", "o2", "o3"]
    assert [seen.query.get("cursor") for seen in server.seen] == [None, "p2", "p3"]
    assert server.seen[0].query == {
        "subaccount": "3",
        "ticker": "KXFOO-1",
        "status": "resting",
        "limit": "1000",
    }


async def test_a_repeated_cursor_is_no_complete_listing(server: ScriptedServer) -> None:
    server.answers(page("orders", order("o1"), cursor="again"))  # type: ignore[arg-type]
    async with opened(server) as exchange:
        with pytest.raises(InvalidMessage, match="repeats"):
            await exchange.orders(status=OrderStatus.RESTING)
    assert len(server.seen) == 2


async def test_a_listing_without_end_is_cut(server: ScriptedServer) -> None:
    server.answers(*(page("market_positions", cursor=str(n)) for n in range(9)))  # type: ignore[arg-type]
    async with opened(server, replace(SETTINGS, pages_max=4)) as exchange:
        with pytest.raises(InvalidMessage, match="more than 4 pages"):
            await exchange.positions()
    assert len(server.seen) == 4


async def test_half_a_listing_is_no_listing(server: ScriptedServer) -> None:
    server.answers(
        page("fills", fill("f1", "2026-11-21T07:00:00Z"), cursor="p2"), answer(status=500)
    )  # type: ignore[arg-type]
    async with opened(server) as exchange:
        with pytest.raises(ExchangeUnavailable):
            await exchange.fills(since_us=RECENT)


async def test_fills_come_oldest_first(server: ScriptedServer) -> None:
    server.answers(
        page(
            "fills",
            fill("f2", "2026-11-21T07:00:02Z"),
            fill("f1", "2026-11-21T07:00:01Z"),
        )
    )  # type: ignore[arg-type]
    async with opened(server, clock=ManualClock(NOW)) as exchange:
        found = await exchange.fills(since_us=RECENT, order_id=OrderId("o1"))
    assert [one.fill_id for one in found] == ["f1", "f2"]
    assert server.seen[0].query["order_id"] == "o1"
    assert server.seen[0].query["min_ts"] == str(RECENT // 1_000_000)
    assert len(server.seen) == 1


async def test_an_old_question_is_asked_of_the_archive_too(server: ScriptedServer) -> None:
    server.answers(
        page("fills", fill("f2", "2026-11-20T00:00:00Z")),
        CUTOFF,
        page(
            "fills", fill("f1", "2026-10-20T00:00:00Z"), fill("f0", "2026-10-19T00:00:00Z", "other")
        ),
    )  # type: ignore[arg-type]
    async with opened(server, clock=ManualClock(NOW)) as exchange:
        found = await exchange.fills(since_us=LONG_AGO, order_id=OrderId("o1"))
    assert [one.fill_id for one in found] == ["f1", "f2"]
    assert [seen.path.removeprefix("/trade-api/v2") for seen in server.seen] == [
        "/portfolio/fills",
        "/historical/cutoff",
        "/historical/fills",
    ]


async def test_where_the_archive_begins_is_asked_once_and_again_after_an_hour(
    server: ScriptedServer,
) -> None:
    clock = ManualClock(NOW)
    since_us = NOW - 2 * DAY_US
    server.answers(page("fills"), CUTOFF, page("fills"), page("fills"), CUTOFF)  # type: ignore[arg-type]
    async with opened(server, clock=clock) as exchange:
        await exchange.fills(since_us=since_us)
        await exchange.fills(since_us=since_us)
        assert [one.path.rpartition("/")[2] for one in server.seen] == ["fills", "cutoff", "fills"]
        clock.advance(HOUR_US)
        await exchange.fills(since_us=since_us)
    assert server.seen[-1].path.endswith("/historical/cutoff")


async def test_an_account_without_an_archive_is_not_an_error(server: ScriptedServer) -> None:
    server.answers(page("orders", order("o2", status="canceled")), CUTOFF, answer(status=404))  # type: ignore[arg-type]
    async with opened(server, clock=ManualClock(NOW)) as exchange:
        found = await exchange.orders(min_created_us=LONG_AGO)
    assert [one.order_id for one in found] == ["o2"]


async def test_an_order_is_found_by_our_id_with_room_for_clock_differences(
    server: ScriptedServer,
) -> None:
    server.answers(
        page("orders", order("o1", "other"), cursor="p2"), page("orders", order("o2", "c1"))
    )  # type: ignore[arg-type]
    async with opened(server, clock=ManualClock(NOW)) as exchange:
        found = await exchange.find_order(ClientOrderId("c1"), MarketTicker("KXFOO-1"), RECENT)
        assert found is not None
        assert found.order_id == "o2"
        server.answers(page("orders", order("o1", "other")))  # type: ignore[arg-type]
        missing = await exchange.find_order(ClientOrderId("c1"), MarketTicker("KXFOO-1"), RECENT)
    assert missing is None
    assert int(server.seen[0].query["min_ts"]) == RECENT // 1_000_000 - 60


async def test_a_create_is_acknowledged(server: ScriptedServer) -> None:
    server.answers(answer(json.dumps(CREATED), 201))
    async with opened(server) as exchange:
        ack = await exchange.create_order(INTENT, order_group_id=OrderGroupId("g1"))
    assert (ack.order_id, ack.remaining) == ("o1", 100)
    body = json.loads(server.seen[0].body)
    assert (body["order_group_id"], body["subaccount"], body["price"]) == ("g1", 3, "0.5600")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", json.dumps(CREATED | {"client_order_id": "c2"}).encode(), b"{}"]
)
async def test_a_create_with_an_unreadable_answer_is_unknown(
    server: ScriptedServer, body: bytes
) -> None:
    server.answers(answer(body, 201))
    async with opened(server) as exchange:
        with pytest.raises(OutcomeUnknown):
            await exchange.create_order(INTENT, order_group_id=None)
    assert len(server.seen) == 1


async def test_a_cancel_is_routed_by_its_market(server: ScriptedServer) -> None:
    server.answers(answer(b'{"order_id":"o/1","reduced_by":"1.00","ts_ms":1}'))
    async with opened(server) as exchange:
        ack = await exchange.cancel_order(OrderId("o/1"), MarketTicker("KXFOO-1"))
        assert ack.reduced_by == 100
        server.answers(answer(b'{"error":{"code":"not_found","message":"not found"}}', 404))
        with pytest.raises(OrderRejected) as caught:
            await exchange.cancel_order(OrderId("o2"), MarketTicker("KXFOO-1"))
    assert caught.value.code == "not_found"
    assert server.seen[0].query == {"subaccount": "3", "market_ticker": "KXFOO-1"}


async def test_cancelling_everything_accepts_an_empty_answer(server: ScriptedServer) -> None:
    server.answers(answer(b"", 204))
    async with opened(server) as exchange:
        await exchange.cancel_all()
    assert (server.seen[0].method, server.seen[0].query) == ("DELETE", {"subaccount": "3"})


async def test_a_group_is_triggered_on_its_own_shard(server: ScriptedServer) -> None:
    server.answers(
        answer(b'{"order_group_id":"g1","subaccount":3}', 201),
        answer(),
        answer(b'{"order_groups":[{"id":"g7","exchange_index":2,"is_auto_cancel_enabled":false}]}'),
        answer(),
    )
    async with opened(server) as exchange:
        group = await exchange.create_order_group(Quantity(5_000), 1)
        await exchange.trigger_order_group(group)
        await exchange.trigger_order_group(OrderGroupId("g7"))
    create, own, listing, foreign = server.seen
    assert json.loads(create.body)["contracts_limit_fp"] == "50.00"
    assert (own.method, own.query["exchange_index"]) == ("PUT", "1")
    assert listing.path.endswith("/portfolio/order_groups")
    assert foreign.path.endswith("/portfolio/order_groups/g7/trigger")
    assert foreign.query["exchange_index"] == "2"


async def test_a_refused_group_call_is_not_an_order_fault(server: ScriptedServer) -> None:
    server.answers(answer(status=404))
    async with opened(server) as exchange:
        with pytest.raises(RequestRefused):
            await exchange.create_order_group(Quantity(100), 0)


async def test_an_outage_may_state_itself(server: ScriptedServer) -> None:
    async with opened(server) as exchange:
        server.answers(answer(b'{"exchange_active":false,"trading_active":false}', 503))
        status = await exchange.status()
        assert not status.is_exchange_active
        assert status.server_us is not None
        server.answers(answer(b"<html>", 503))
        with pytest.raises(ExchangeUnavailable):
            await exchange.status()
    assert exchange.counter.take() == (2, 2)


async def test_public_reads_work_without_a_key_and_private_ones_say_why(
    server: ScriptedServer,
) -> None:
    async with opened(server, signer=None) as exchange:
        server.answers(answer(b'{"markets":[],"cursor":"next"}'))
        query = MarketQuery(series_ticker=SeriesTicker("KXCPI"))
        assert (await exchange.market_page(query, "c", 7)).cursor == "next"
        server.answers(answer(b'{"orderbook_fp":{"yes_dollars":[],"no_dollars":[]}}'))
        assert (await exchange.order_book(MarketTicker("A/B"))).bids == ()
        server.answers(answer(b'{"series":{"fee_type":"quadratic","fee_multiplier":0.5}}'))
        assert (await exchange.fee_terms(SeriesTicker("KXCPI"))).multiplier_e6 == 500_000
        with pytest.raises(CredentialsRefused):
            await exchange.balance()
        assert await exchange.adopt_limits() is None
        assert await exchange.attested_until_us() is None
    assert server.seen[0].query["limit"] == "7"
    assert not any("KALSHI-ACCESS-KEY" in seen.headers for seen in server.seen)


async def test_event_fees_take_the_missing_half_from_their_series(server: ScriptedServer) -> None:
    plain = {"event_ticker": "E1", "mutually_exclusive": True, "fee_multiplier_override": None}
    half = {"event_ticker": "E2", "mutually_exclusive": False, "fee_multiplier_override": 0.5}
    whole = half | {"event_ticker": "E3", "fee_type_override": "flat"}
    async with opened(server, signer=None) as exchange:
        server.answers(
            page("events", plain, cursor="p2"),  # type: ignore[arg-type]
            page("events", half, whole),  # type: ignore[arg-type]
            answer(b'{"series":{"fee_type":"quadratic","fee_multiplier":1}}'),
        )
        first, second, third = await exchange.event_terms(SeriesTicker("KXCPI"))
    assert (first.is_exclusive, first.fees) == (True, None)
    assert second.fees == FeeTerms(fee_type="quadratic", multiplier_e6=500_000)
    assert third.fees == FeeTerms(fee_type="flat", multiplier_e6=500_000)
    assert server.seen[0].query == {"series_ticker": "KXCPI", "status": "open", "limit": "200"}
    assert len(server.seen) == 3


async def test_the_accounts_own_limits_are_adopted(server: ScriptedServer) -> None:
    bucket = {"refill_rate": 300, "bucket_capacity": 900}
    server.answers(answer(json.dumps({"read": bucket, "write": bucket})))
    async with opened(server) as exchange:
        granted = await exchange.adopt_limits()
    assert granted is not None
    assert granted.write_rate == 300


async def test_kept_signatures_leave_none_to_the_order(server: ScriptedServer) -> None:
    server.answers(answer(json.dumps(CREATED), 201))
    async with opened(server) as exchange, asyncio.TaskGroup() as group:
        keeper = group.create_task(OrderPathKeeper(exchange).run())
        await asyncio.sleep(0)
        await exchange.create_order(INTENT, order_group_id=None)
        keeper.cancel()
    assert exchange.signed_inline == 0


async def test_read_only_sends_no_write_of_any_kind(server: ScriptedServer) -> None:
    server.answers(page("orders"))  # type: ignore[arg-type]
    async with opened(server, replace(SETTINGS, is_read_only=True)) as exchange:
        assert await exchange.orders(status=OrderStatus.RESTING) == []
        for write in (
            lambda: exchange.create_order(INTENT, order_group_id=None),
            lambda: exchange.cancel_order(OrderId("o1"), INTENT.ticker),
            exchange.cancel_all,
            lambda: exchange.create_order_group(Quantity(100), 0),
        ):
            with pytest.raises(ExchangeUnavailable, match="read only"):
                await write()
    assert [seen.method for seen in server.seen] == ["GET"]


async def test_a_rehearsed_order_is_not_sent_and_uses_nothing_up(server: ScriptedServer) -> None:
    async with opened(server) as exchange:
        await exchange.warm()
        made = exchange.refresh_signatures()
        budget = exchange._rest.budget
        for _ in range(100):
            exchange.rehearse_order(INTENT, OrderGroupId("g1"))
        await asyncio.sleep(0.05)
        assert server.seen == []
        assert made == 4
        assert exchange.refresh_signatures() == 0, "every signature is still there"
        assert exchange.signed_inline == 0
        assert budget.take_now(Cost(lane=Lane.WRITE, tokens=10_000))
        assert exchange.counter.take() == (0, 0)


async def test_a_rehearsed_request_is_the_real_one_but_for_its_signature(
    server: ScriptedServer,
) -> None:
    server.answers(answer(json.dumps(CREATED), 201))
    async with opened(server) as exchange:
        exchange.rehearse_order(INTENT, None)
        assert exchange._rehearsal is not None
        rehearsed = exchange._rehearsal.made
        await exchange.create_order(INTENT, order_group_id=None)
    (sent,) = server.seen
    head, _, body = rehearsed.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    assert first == f"POST {sent.path} HTTP/1.1"
    assert body == sent.body
    signed = {name for name in headers if name.startswith("KALSHI")}
    assert {name: sent.headers[name] for name in headers if name not in signed} == {
        name: value for name, value in headers.items() if name not in signed
    }
    assert headers["KALSHI-ACCESS-SIGNATURE"] == "none"
    assert all(sent.headers[name] != headers[name] for name in signed)
