"""The soak's judge finds what is wrong: on an exchange and a database made for it."""

from typing import Any

import pytest

from soak import judge
from soak.person import Halt

SECOND = 1_000_000
T = "KXFED-26DEC-T1"


def moment(second: int) -> str:
    return f"2026-11-29T12:00:{second:02d}Z"


def noon(second: int) -> int:
    return (1_795_953_600 + second) * SECOND


class Scene:
    """Answers as ``Plant`` does: one entry bought 5 contracts, 5 are for sale, all is equal."""

    def __init__(self) -> None:
        self.tables: dict[str, list[tuple[Any, ...]]] = {
            "order_intents": [
                ("in", "s1", "entry", "executed", 500, noon(1)),
                ("out", None, "take_profit", "resting", 0, noon(2)),
            ],
            "open_intents": [],
            "positions": [(T, 500)],
            "fills": [("f1", "v1", T, "bid", 9_000, 500)],
            "order_groups": [("g1", 1, 0), ("g2", 2, 0)],
            "brackets": [(T, "tp_working", 8_000)],
        }
        self.orders = [
            self.order("in", "v1", "executed", filled="5.00", at=1),
            self.order("out", "v2", "resting", left="5.00", at=2),
        ]
        self.fills = [self.fill("f1", "v1", "bid", 3)]
        self.held = "5.00"
        self.there = {"yes_dollars": [["0.8900", "1.00"], ["0.9000", "2.00"]], "no_dollars": []}
        self.kept = {"is_trusted": True, "bids": [["0.9000", "2.00"], ["0.8900", "1.00"]]}

    def order(
        self, mine: str, order_id: str, status: str, *, at: int, filled: str = "0.00", **more: str
    ) -> dict[str, Any]:
        return {
            "client_order_id": mine,
            "order_id": order_id,
            "ticker": T,
            "status": status,
            "fill_count_fp": filled,
            "remaining_count_fp": more.get("left", "0.00"),
            "order_group_id": more.get("group", "g1"),
            "created_time": moment(at),
        }

    def fill(self, fill_id: str, order_id: str, side: str, at: int) -> dict[str, Any]:
        return {
            "fill_id": fill_id,
            "order_id": order_id,
            "ticker": T,
            "book_side": side,
            "yes_price_dollars": "0.9000",
            "count_fp": "5.00",
            "created_time": moment(at),
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        table = query.split(" FROM ")[1].split(maxsplit=1)[0]
        return self.tables["open_intents" if "status IN" in query else table]

    async def read_all(self, path: str, name: str) -> list[dict[str, Any]]:
        held = [{"ticker": T, "position_fp": self.held}]
        return list({"orders": self.orders, "fills": self.fills, "market_positions": held}[name])

    async def read(self, path: str, query: str = "") -> Any:
        return {"orderbooks": [{"ticker": T, "orderbook_fp": self.there}]}

    async def page(self, path: str) -> Any:
        return {T: {"asks": [], **self.kept}}


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def verdict(scene: Scene, *halts: Halt) -> str:
    found = [
        *await judge.differences(scene),
        *await judge.unprotected(scene),
        *await judge.violations(scene, halts),
    ]
    return "\n".join(found)


async def test_nothing_is_wrong_where_all_is_equal(scene: Scene) -> None:
    assert await verdict(scene) == ""


async def test_an_order_that_is_filled_in_part_rests(scene: Scene) -> None:
    scene.tables["order_intents"][1] = (
        "out",
        None,
        "take_profit",
        "partially_filled",
        100,
        noon(2),
    )
    scene.orders[1]["fill_count_fp"] = "1.00"
    assert await verdict(scene) == ""
    scene.orders[1]["status"] = "canceled"
    assert "out rests here and not there" in await verdict(scene)


async def test_what_the_bot_believes_is_compared_with_what_is(scene: Scene) -> None:
    scene.held = "4.00"
    scene.tables["fills"] = []
    scene.tables["order_intents"][1] = ("out", None, "take_profit", "canceled", 0, noon(2))
    scene.kept = {"is_trusted": True, "bids": [["0.9000", "2.00"]]}
    scene.tables["open_intents"] = [("x",)]
    said = await verdict(scene)
    assert f"{T} is 500 here and 400 there" in said
    assert "f1 is None here" in said
    assert "out rests there and is canceled here" in said
    assert f"{T} is not equal" in said
    assert "outcome not known: x" in said


async def test_a_book_that_is_not_trusted_is_a_difference(scene: Scene) -> None:
    scene.kept = {"is_trusted": False, "bids": []}
    assert f"{T} is not trusted" in await verdict(scene)


async def test_a_second_order_of_a_signal_and_an_order_without_intent(scene: Scene) -> None:
    scene.tables["order_intents"].append(("again", "s1", "entry", "canceled", 0, noon(5)))
    scene.orders.append(scene.order("again", "v3", "canceled", at=5))
    scene.orders.append(scene.order("stray", "v4", "canceled", at=6))
    said = await verdict(scene)
    assert "two orders for one signal: s1 has 2" in said
    assert "an order without an intent: v4" in said


async def test_an_entry_within_a_halt_or_of_an_older_group_after_a_newer(scene: Scene) -> None:
    scene.tables["order_intents"] += [
        ("b", "s2", "entry", "canceled", 0, noon(5)),
        ("c", "s3", "entry", "canceled", 0, noon(6)),
    ]
    scene.orders.append(scene.order("b", "v3", "canceled", at=5, group="g2"))
    scene.orders.append(scene.order("c", "v4", "canceled", at=6, group="g1"))
    said = await verdict(scene, Halt(noon(4), noon(6)))
    assert "an entry after a halt was saved: v3" in said
    assert "v4" not in said.partition("an entry after a halt")[2].partition("\n")[0]
    assert "an order of an old epoch after a take-over: v4" in said


async def test_an_entry_that_was_on_its_way_when_the_halt_was_saved_is_no_fault(
    scene: Scene,
) -> None:
    scene.tables["order_intents"].append(("b", "s2", "entry", "executed", 0, noon(3)))
    scene.orders.append(scene.order("b", "v3", "canceled", at=9))
    assert "after a halt" not in await verdict(scene, Halt(noon(4), noon(50)))
    scene.orders[-1]["created_time"] = moment(40)
    assert "an entry after a halt was saved: v3" in await verdict(scene, Halt(noon(4), noon(50)))


async def test_an_entry_decided_after_a_halt_ended_did_not_leave_within_it(scene: Scene) -> None:
    scene.tables["order_intents"].append(("b", "s2", "entry", "executed", 0, noon(30)))
    scene.orders.append(scene.order("b", "v3", "canceled", at=45))
    assert "after a halt" not in await verdict(scene, Halt(noon(4), noon(20)))


async def test_an_exit_that_turns_a_position_round(scene: Scene) -> None:
    scene.fills += [scene.fill("f2", "v2", "ask", 4), scene.fill("f3", "v2", "ask", 5)]
    said = await verdict(scene)
    assert f"f3 took {T} from 0 to -500" in said
    assert "f2 took" not in said


async def test_a_position_without_a_way_out_or_with_too_much_for_sale(scene: Scene) -> None:
    scene.tables["brackets"] = []
    assert "not protected" not in await verdict(scene)
    scene.orders[1]["remaining_count_fp"] = "6.00"
    assert f"{T} sells 600 of 500" in await verdict(scene)
    del scene.orders[1]
    assert f"{T} holds 500 and is without a bracket" in await verdict(scene)
