"""Metric lines have the documented form in text and JSON."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bot.kit.logs import JsonFormatter, LogSettings, TextFormatter
from bot.kit.metrics import Metric, emit, logger


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter(LogSettings(service="rest")))
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield stream
    logger.setLevel(before)
    logger.removeHandler(handler)


def test_a_line_has_the_documented_form(output: io.StringIO) -> None:
    emit(Metric.DISCOVERY, duration_s=1.20449, events=12, markets=340, errors_total=0)
    line = output.getvalue()
    assert line.endswith(
        " rest kit.metrics: metric=rest.discovery duration_s=1.204 events=12 markets=340"
        " errors_total=0\n"
    )


def test_yes_and_no_are_digits_and_the_unknown_is_left_out(output: io.StringIO) -> None:
    emit(Metric.BACKFILL, level=logging.WARNING, success=False, markets=None, why="no answer")
    assert 'WARNING rest kit.metrics: metric=rest.backfill success=0 why="no answer"\n' in (
        output.getvalue()
    )


def test_a_json_line_carries_each_fact_as_a_field(output: io.StringIO) -> None:
    logger.handlers[-1].setFormatter(JsonFormatter(LogSettings(service="ws")))
    emit(Metric.WS_RECONNECT, errors_total=3, consecutive_failures=2, backoff_s=0.25)
    line: dict[str, Any] = json.loads(output.getvalue())
    assert line["message"] == "metric=ws.reconnect"
    assert (line["errors_total"], line["consecutive_failures"], line["backoff_s"]) == (3, 2, 0.25)


def test_names_are_those_that_log_searches_know() -> None:
    documented = {
        "rest.discovery",
        "rest.backfill",
        "rest.closed_cleanup",
        "ws.connected",
        "ws.reconnect",
        "ws.heartbeat",
        "ws.tick_drop",
        "ws.queue_drop",
        "discovery.item_error",
        "backfill.item_error",
        "kalshi.retry",
    }
    assert documented <= {metric.value for metric in Metric}
