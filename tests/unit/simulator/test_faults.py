"""Armed rules: what they match, how often, with what chance."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from bot.kit.clock import SystemClock
from bot.simulator.faults import FaultRule, Faults, in_order, load_script
from bot.simulator.subscriptions import FrameFault

MARKETS = "/trade-api/v2/markets"


def armed(*rules: FaultRule, seed: int = 1) -> Faults:
    faults = Faults(SystemClock(), Random(seed))
    for rule in rules:
        faults.arm(rule)
    return faults


def test_a_rule_fires_for_its_method_and_path_as_often_as_told() -> None:
    faults = armed(FaultRule(kind="503", method="get", path=MARKETS, count=2))
    assert faults.on_call("POST", MARKETS) is None
    assert faults.on_call("GET", "/trade-api/v2/series") is None
    fired = [faults.on_call("GET", f"{MARKETS}/A") for _ in range(3)]
    assert [rule is not None for rule in fired] == [True, True, False]


def test_the_first_calls_may_pass() -> None:
    faults = armed(FaultRule(kind="500", after=2))
    assert [faults.on_call("GET", "/x") is not None for _ in range(4)] == [
        False, False, True, False,
    ]  # fmt: skip


def test_a_frame_rule_minds_its_channel_and_call_rules_mind_no_frames() -> None:
    faults = armed(FaultRule(kind="drop_frame", channel="trade"), FaultRule(kind="500"))
    assert faults.on_frame("ticker", "ticker") is None
    assert faults.on_frame("trade", "trade") is FrameFault.DROP
    assert faults.on_frame("trade", "trade") is None


def test_chance_is_seeded_and_near_its_probability() -> None:
    def outcomes() -> list[bool]:
        faults = armed(FaultRule(kind="500", count=0, probability=0.3), seed=5)
        return [faults.on_call("GET", "/x") is not None for _ in range(2_000)]

    assert outcomes() == outcomes()
    assert 500 < sum(outcomes()) < 700


def test_rules_are_listed_and_disarmed() -> None:
    faults = armed(FaultRule(kind="500"), FaultRule(kind="silent", duration_ms=70))
    assert [entry["id"] for entry in faults.listing()] == [1, 2]
    faults.disarm(1)
    assert faults.on_call("GET", "/x") is None
    assert faults.on_frame("trade", "trade") is FrameFault.SILENCE
    assert faults.silence_ms() == 70
    faults.disarm()
    assert faults.listing() == []
    assert faults.silence_ms() == 10_000


def test_a_delay_stays_within_its_jitter() -> None:
    faults = armed()
    rule = FaultRule(kind="latency", delay_ms=100, jitter_ms=50)
    assert all(0.1 <= faults.delay_s(rule) <= 0.15 for _ in range(100))


@pytest.mark.parametrize(
    "text",
    [
        '[{"kind":"meteor"}]',
        '[{"kind":"500","probability":2}]',
        '[{"kind":"500","count":-1}]',
        '[{"kind":"500","colour":"red"}]',
        "not json",
    ],
)
def test_a_bad_script_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"faults\.json"):
        load_script(path)


def test_a_script_runs_in_the_order_of_its_times(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    rules = [FaultRule(kind="500", at_ms=20), FaultRule(kind="503", at_ms=10)]
    path.write_bytes(msgspec.json.encode(rules))
    assert [rule.kind for rule in in_order(load_script(path))] == ["503", "500"]


def test_a_wrong_snapshot_waits_for_a_snapshot() -> None:
    faults = armed(FaultRule(kind="wrong_snapshot"))
    assert faults.on_frame("orderbook_delta", "orderbook_delta") is None
    assert faults.on_frame("orderbook_delta", "orderbook_snapshot") is FrameFault.WRONG_SNAPSHOT
