"""The three ways to tell Railway how to run the bot say the same."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def graph() -> dict[str, Any]:
    """What the platform's own package makes of ``.railway/railway.py``."""
    pytest.importorskip("railway_sdk", reason="railway-sdk is in requirements-dev.txt")
    spec = importlib.util.spec_from_file_location("railway_file", ROOT / ".railway/railway.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: dict[str, Any] = module.main().to_graph()
    return made


def resource(graph: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in graph["resources"] if one["name"] == name)


def test_the_service_is_deployed_as_the_older_file_says(graph: dict[str, Any]) -> None:
    older = json.loads((ROOT / "railway.json").read_text())["deploy"]
    assert resource(graph, "bot")["deploy"] == older


def test_all_start_by_the_same_line_that_a_signal_reaches(graph: dict[str, Any]) -> None:
    line = (ROOT / "Procfile").read_text().strip().removeprefix("web: ")
    assert line.startswith("exec ")
    assert resource(graph, "bot")["deploy"]["startCommand"] == line


def test_drain_overlap_and_health_are_variables_too(graph: dict[str, Any]) -> None:
    bot = resource(graph, "bot")
    values = {name: one.get("value") for name, one in bot["variables"].items()}
    assert values["RAILWAY_DEPLOYMENT_DRAINING_SECONDS"] == str(bot["deploy"]["drainingSeconds"])
    assert values["RAILWAY_DEPLOYMENT_OVERLAP_SECONDS"] == str(bot["deploy"]["overlapSeconds"])
    assert values["RAILWAY_HEALTHCHECK_TIMEOUT_SEC"] == str(bot["deploy"]["healthcheckTimeout"])


def test_the_database_is_referred_to_and_no_secret_is_written_down(graph: dict[str, Any]) -> None:
    variables = resource(graph, "bot")["variables"]
    assert resource(graph, "Postgres")["engine"] == "postgres"
    assert variables["DATABASE_URL"]["type"] == "reference"
    kept = {name for name, one in variables.items() if one["type"] == "preserve"}
    assert {"KALSHI_PRIVATE_KEY", "TELEGRAM_BOT_TOKEN"} <= kept
    literal = {name for name, one in variables.items() if one["type"] == "literal"}
    assert all(name.startswith("RAILWAY_") for name in literal)


def test_the_older_file_never_restarts_what_ended_in_order() -> None:
    deploy = json.loads((ROOT / "railway.json").read_text())["deploy"]
    assert deploy["restartPolicyType"] == "ON_FAILURE"
    assert all(type(deploy[name]) is int for name in ("drainingSeconds", "overlapSeconds"))
