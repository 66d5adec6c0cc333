"""What the trading page says is there is there, and its example trades."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bot.app.sections import TradingSection
from bot.execution.rules import BracketRules
from bot.risk.breakers import BREAKERS
from bot.risk.checks import CHECKS
from bot.risk.limits import RiskLimits
from tests.support.trading import Desk

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "trading.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_0-9]+)", PAGE))


@pytest.fixture
def example() -> Iterator[ModuleType]:
    """The page's own strategy, as a module."""
    [source] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module = ModuleType("example_of_the_page")
    sys.modules[module.__name__] = module
    exec(compile(source, "docs/trading.md", "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


def test_every_check_and_every_breaker_is_named_in_the_order_it_is_asked() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ", PAGE, re.MULTILINE)
    assert rows == [name for name, _ in CHECKS]
    assert [one.name for one in BREAKERS if one.name not in NAMED] == []


def test_every_setting_the_page_names_exists() -> None:
    written = re.findall(r"`([a-z_0-9]+)(?:: [^`]*)?`(?: \d|,| \||\)| \(|-)", PAGE)
    table = [line for line in PAGE.splitlines() if line.startswith("|")]
    in_tables = {
        name
        for line in table
        for name in re.findall(r"`([a-z_0-9]+)", line.rstrip("|").rpartition("|")[2])
    }
    fields = set(TradingSection.model_fields)
    assert in_tables - fields == set()
    assert {"trail_stop_by", "live_total_cost_max", "max_concurrent"} <= in_tables
    assert written


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    defaults = TradingSection()
    told = dict(re.findall(r"`([a-z_]+)` (\d+(?:\.\d+)?)", PAGE))
    for name, value in told.items():
        if name in TradingSection.model_fields:
            assert float(getattr(defaults, name)) == float(value), name
    assert RiskLimits().reentry_pause_us == 3_600_000_000
    assert RiskLimits().cash_reserve_bp == 500
    assert RiskLimits().depth_share_max_bp == 2_500
    rules = BracketRules()
    assert (rules.stop_confirm_quotes, rules.stop_confirm_us) == (2, 2_000_000)
    assert (rules.catastrophe_below_e4, rules.stop_spread_max_e4) == (1_000, 500)
    assert (rules.exit_step_e4, rules.exit_slack_max_e4) == (100, 1_000)


def test_the_example_is_chosen_by_name_checked_and_bids_as_a_maker(example: ModuleType) -> None:
    desk = Desk(strategies=(example.build({"bid_min_e4": 7_000}),))
    desk.lead()
    desk.quote(6_900)
    assert desk.outgoing == []
    assert desk.engine.world.opinions.popitem()[1] == "no tight favourite"
    desk.quote(7_100)
    [intent] = desk.outgoing
    assert (intent.strategy_id, intent.price, intent.post_only) == ("tight_favourite", 7_100, True)
    with pytest.raises(ValueError, match="unknown parameter bid_mim_e4"):
        example.build({"bid_mim_e4": 1})
    with pytest.raises(ValueError, match="bid_min_e4 must lie inside"):
        example.build({"bid_min_e4": 0})
