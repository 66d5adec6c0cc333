"""Judge: the calls and frames recorded on the exchange's demo in June 2026 come out the same.

Every recorded call is made again, in its order and at its moment, against a
market with the recorded book. Statuses, error bodies and the form of every
field must agree, but for what the exchange has changed since, listed below.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.ids import MarketTicker, OrderId
from bot.domain.money import Money, Quantity, complement, parse_price, parse_quantity
from bot.domain.orders import BookSide
from bot.simulator.server import API, SimulatedExchange
from bot.simulator.settings import AuthSettings, RateLimits, SimulatorSettings
from bot.venue.orders import OrderReceipt, OrderRequest
from conformance.clients import Witness, first_user
from conformance.stage import HOUSE, list_market, open_house, quote
from conformance.verdicts import Unavailable, Verdict, judged

_TICKER = "KXWTACHALLENGERMATCH-26JUN11JIMLEP-LEP"
_FIRST_MS = 1_781_159_348_000
_ORDERS = "/portfolio/events/orders"
_UNKNOWN_KEY = "00000000-0000-4000-8000-000000000000"
_ALREADY_HELD = 2
_SUCCESS = range(200, 300)
_SKEWS_S = {"minus5s": -5, "plus5s": 5, "minus30s": -30, "minus5min": -300, "plus5min": 300}

GONE = {
    "service": "left the error bodies on 2026-08-06",
    "resting_orders_count": "removed 2026-07-09",
    "fractional_trading_enabled": "removed 2026-07-09",
    "response_price_units": "removed 2026-07-09",
}
"""Fields that were recorded and are not sent any more."""
OF_THE_MARKET = {
    "early_close_condition": "only where a market has one",
    "occurrence_datetime": "only where an event has one",
    "primary_participant_key": "only where a market has one",
    "floor_strike": "only where a market has one",
    "cap_strike": "only where a market has one",
    "custom_strike": "only where a market has one, and its keys are the market's own",
    "strike_type": "only where a market has one",
    "mve_collection_ticker": "combos are not simulated",
    "mve_selected_legs": "combos are not simulated",
    "is_provisional": "combos are not simulated",
    "rulebook_variant": "only where a market has one",
    "expiration_value": "whatever the market was decided by, in its own words",
    "settlement_value_dollars": "only after a determination",
    "settlement_ts": "only after a settlement",
    "exchange_index": "everything carries its shard since 2026-08-28",
    "settlement_bounds_type": "since 2026-09-29",
    "updated_time": "not on every market",
    "exchange_index_statuses": "since the exchange was sharded",
    "intra_exchange_transfers_active": "since the exchange was sharded",
    "settlement_status": "since 2026-09-30",
    "clock": "on book messages since September 2026",
}
"""Fields that may be there or not, on either side."""
CHANGED = {
    "orders__legacy_create": (410, "the V1 writes were closed in June 2026"),
    "orders__legacy_cancel": (410, "the V1 writes were closed in June 2026"),
}
"""Cases whose status is another one today."""
_CONTENT = frozenset({"account__endpoint_costs"})
"""Cases whose rows are the exchange's own list of paths, which has changed since."""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded call."""

    name: str
    meta: Mapping[str, Any]
    body: Any


@dataclass(slots=True)
class _Run:
    """The calls so far: what was found, and which of our orders stands for which recorded one."""

    sim: SimulatedExchange
    witness: Witness
    ids: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


async def judge_recorded(recordings: Path) -> list[Verdict]:
    """Raises ``Unavailable`` without the recordings."""
    folder = recordings / "wire_samples_2026-06"
    if not folder.is_dir():
        raise Unavailable(f"no recordings at {folder}; set KALSHI_RECORDINGS to their folder")
    cases = read_cases(folder)
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(SimulatedExchange(_settings()))
        witness = await stack.enter_async_context(first_user(sim))
        await _set_up(sim, witness)
        run = _Run(sim, witness)
        for case in cases:
            await _repeat(run, case)
    frames = await _frame_findings(folder)
    return [
        judged("recorded calls (2026-06)", f"{len(cases)} calls", run.findings),
        judged("recorded frames (2026-06)", "2 sessions, both price legs", frames),
    ]


def read_cases(folder: Path) -> list[Case]:
    """Every recorded call with its answer, in the order they were made."""
    cases = []
    for path in folder.glob("*.meta.json"):
        meta = json.loads(path.read_text())
        body = path.with_name(path.name.replace(".meta.json", ".json"))
        if meta.get("method") and meta.get("recorded_at_epoch_ms") and body.is_file():
            cases.append(
                Case(path.name.removesuffix(".meta.json"), meta, json.loads(body.read_text()))
            )
    return sorted(cases, key=lambda case: int(case.meta["recorded_at_epoch_ms"]))


def _settings() -> SimulatorSettings:
    return SimulatorSettings(
        speed=0,
        world="empty",
        start_us=_FIRST_MS * 1_000 - 3_600_000_000,
        cash={0: Money(100_000_000)},
        limits=RateLimits(is_on=False),
        read_lag_us=400_000,
        auth=AuthSettings(),
    )


async def _set_up(sim: SimulatedExchange, witness: Witness) -> None:
    """The recorded market, the recorded position of two contracts, the recorded book."""
    open_house(sim)
    list_market(sim, _TICKER)
    for name in "ABCDEFGHIJKL":
        list_market(
            sim, f"KXJUDGED-26JUN11-{name}", life_us=3_000_000_000 if name < "D" else 10**12
        )
    for _ in range(_ALREADY_HELD):
        quote(sim, _TICKER, [(BookSide.ASK, 9_900, 1)])
        order = _order("0.9900", "immediate_or_cancel")
        answer = await witness.call("POST", _ORDERS, order)
        if answer.body.get("fill_count") != "1.00":
            raise AssertionError(f"could not buy at the start: {answer.body}")
    quote(sim, _TICKER, [(BookSide.BID, 4_700, 3), (BookSide.ASK, 5_200, 3)])


def _order(price: str, time_in_force: str) -> dict[str, str]:
    return {
        "ticker": _TICKER,
        "side": "bid",
        "count": "1.00",
        "price": price,
        "time_in_force": time_in_force,
        "self_trade_prevention_type": "taker_at_cross",
    }


async def _repeat(run: _Run, case: Case) -> None:
    meta = case.meta
    behind_us = int(meta["recorded_at_epoch_ms"]) * 1_000 - run.sim.exchange.now_us()
    run.sim.exchange.clock.advance(max(0, behind_us))
    path = str(meta["path"]).removeprefix(API)
    for theirs, ours in run.ids.items():
        path = path.replace(theirs, ours)
    headers = _headers(run.witness, case, path)
    answer = await run.witness.call(meta["method"], path, meta.get("request_body"), headers=headers)
    if isinstance(answer.body, dict) and "order_id" in answer.body and "order_id" in case.body:
        run.ids[case.body["order_id"]] = answer.body["order_id"]
    run.findings += [f"{case.name}: {one}" for one in _compare(case, answer.status, answer.body)]


def _headers(witness: Witness, case: Case, path: str) -> dict[str, str]:
    """The headers that the recorded call carried, good or bad."""
    method, full = case.meta["method"], API + path.partition("?")[0]
    how = str(case.meta["auth"]).partition(" ")[0]
    skew_s = _SKEWS_S[case.name.rpartition("_")[2]] if how == "signed-skewed" else 0
    signed = dict(witness.headers(method, full, skew_ms=skew_s * 1_000))
    match how:
        case "unauthenticated" | "NONE":
            signed = {}
        case "bad-signature":
            signed = dict(witness.headers(method, full + "/elsewhere"))
        case "unknown-key-id":
            signed["KALSHI-ACCESS-KEY"] = _UNKNOWN_KEY
        case "missing-signature-header":
            del signed["KALSHI-ACCESS-SIGNATURE"]
        case _:
            pass
    return signed


def _compare(case: Case, status: int, body: Any) -> Iterator[str]:
    expected = CHANGED.get(case.name, (int(case.meta["status"]), ""))[0]
    if status != expected:
        yield f"status {status}, recorded {expected}: {body}"
    elif case.name in CHANGED or case.name in _CONTENT:
        return
    elif status in _SUCCESS:
        yield from differences(form(case.body), form(body))
    elif without_gone(case.body) != body:
        yield f"body {body}, recorded {without_gone(case.body)}"


def without_gone(value: Any) -> Any:
    """A body without the fields that are not sent any more."""
    if isinstance(value, dict):
        return {key: without_gone(one) for key, one in value.items() if key not in GONE}
    return value


# The form of a value

_FORMS = (
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("timestamp", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")),
)


def form(value: Any) -> Any:
    """What kind of value it is: keys and formats, without the values."""
    match value:
        case dict():
            return {key: form(one) for key, one in value.items()}
        case list():
            return [form(value[0])] if value else []
        case str():
            return _form_of_text(value)
        case _:
            return type(value).__name__


def _form_of_text(text: str) -> str:
    fixed = re.fullmatch(r"-?\d+\.(\d+)", text)
    if fixed:
        return f"decimal with {len(fixed[1])} places"
    return next((name for name, pattern in _FORMS if pattern.fullmatch(text)), "text")


def differences(theirs: Any, ours: Any, place: str = "") -> Iterator[str]:
    """Where two forms differ. An empty list tells nothing about its rows."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        listed = GONE.keys() | OF_THE_MARKET.keys()
        for key in sorted((theirs.keys() ^ ours.keys()) - listed):
            yield f"{place}/{key} is only in {'the recording' if key in theirs else 'ours'}"
        for key in sorted((theirs.keys() & ours.keys()) - listed):
            yield from differences(theirs[key], ours[key], f"{place}/{key}")
    elif isinstance(theirs, list) and isinstance(ours, list):
        for their, our in zip(theirs[:1], ours[:1], strict=False):
            yield from differences(their, our, f"{place}[]")
    elif theirs != ours and "" not in (theirs, ours):
        yield f"{place}: {ours}, recorded {theirs}"


# Frames


async def _frame_findings(folder: Path) -> list[str]:
    findings: list[str] = []
    for name in ("ws__orderbook_trade_noleg", "ws__orderbook_trade_yes"):
        meta = json.loads((folder / f"{name}.meta.json").read_text())
        lines = (folder / f"{name}.jsonl").read_text().splitlines()
        recorded = [json.loads(line) for line in lines if line.strip()]
        ours = await _act_out(meta["subscribe_cmd"], recorded)
        findings += [f"{name}: {one}" for one in compare_frames(recorded, ours)]
    return findings


async def _act_out(
    command: Mapping[str, Any], recorded: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Subscribe as the recorder did, then make the book do what it did."""
    is_yes_leg = bool(command["params"]["use_yes_price"])
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(SimulatedExchange(_settings()))
        witness = await stack.enter_async_context(first_user(sim))
        open_house(sim)
        list_market(sim, _TICKER)
        book = _HouseBook(sim, is_yes_leg=is_yes_leg)
        snapshot = next(one["msg"] for one in recorded if one["type"] == "orderbook_snapshot")
        for leg in ("yes", "no"):
            for price, count in snapshot.get(f"{leg}_dollars_fp", ()):
                book.change(leg, price, count)
        listener = await witness.listen()
        await listener.command(command["cmd"], command["params"])
        for one in recorded:
            if one["type"] == "orderbook_delta":
                msg = one["msg"]
                book.change(msg["side"], msg["price_dollars"], msg["delta_fp"])
        await listener.read()
        texts = listener.texts
        await listener.close()
    if not all(text.endswith("\n") for text in texts):
        raise AssertionError("a frame does not end with a line feed")
    return [json.loads(text) for text in texts]


class _HouseBook:
    """Levels of one order each, changed as a recording says."""

    def __init__(self, sim: SimulatedExchange, *, is_yes_leg: bool) -> None:
        self._sim = sim
        self._is_yes_leg = is_yes_leg
        self._resting: dict[tuple[str, str], OrderId] = {}

    def change(self, leg: str, text: str, change: str) -> None:
        """Add to a level, or take away from it."""
        exchange, place = self._sim.exchange, (leg, text)
        quantity = parse_quantity(change)
        if quantity < 0:
            outcome = exchange.venue.decrease_order(
                HOUSE, self._resting[place], exchange.now_us(), reduce_by=Quantity(-quantity)
            )
            exchange.apply(outcome)
            return
        price = parse_price(text)
        is_bid = leg == "yes"
        request = OrderRequest(
            ticker=MarketTicker(_TICKER),
            side=BookSide.BID if is_bid else BookSide.ASK,
            price=price if is_bid or self._is_yes_leg else complement(price),
            quantity=quantity,
        )
        made = exchange.apply(exchange.venue.create_order(HOUSE, request, exchange.now_us()))
        if not isinstance(made, OrderReceipt):
            raise TypeError(f"the recorded level {place} was refused: {made}")
        self._resting[place] = made.order_id


def compare_frames(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Iterator[str]:
    """Types, numbers and changes one by one; identifiers and times only by their form."""
    if len(theirs) != len(ours):
        yield f"{len(ours)} frames, recorded {len(theirs)}"
    for number, (their, our) in enumerate(zip(theirs, ours, strict=False), start=1):
        yield from (f"frame {number} {one}" for one in differences(form(their), form(our)))
        if _said(their) != _said(our):
            yield f"frame {number}: {_said(our)}, recorded {_said(their)}"


def _said(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What a frame says apart from who, when and the clock."""
    listed = {"market_id", "ts", "ts_ms", "clock"}
    msg = {key: value for key, value in frame["msg"].items() if key not in listed}
    return {**frame, "msg": msg}
