"""The lists of a world: labels, ladders, calendars."""

from itertools import islice

import pytest

from bot.kit.times import HOUR_US, parse_rfc3339
from bot.simulator.templates import (
    Template,
    close_times,
    event_label,
    far_template,
    macro_templates,
    other_templates,
    quiet_template,
)

START_US = parse_rfc3339("2026-11-21T13:07:00Z")
ALL = [*macro_templates(), *other_templates(), quiet_template(3)]


def test_the_macro_series_of_the_bot_are_there() -> None:
    tickers = {template.series.ticker for template in macro_templates()}
    assert {"KXFED", "KXFEDDECISION", "KXCPI", "KXCPIYOY", "KXPAYROLLS", "KXU3"} <= tickers


@pytest.mark.parametrize("template", ALL, ids=lambda t: t.series.ticker)
def test_labels_never_repeat(template: Template) -> None:
    closes = list(islice(close_times(template, START_US), 25))
    assert closes == sorted(set(closes))
    assert closes[0] > START_US
    labels = [event_label(template, i, START_US, at) for i, at in enumerate(closes)]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("template", ALL, ids=lambda t: t.series.ticker)
def test_exclusive_events_have_exactly_one_winner(template: Template) -> None:
    questions = template.questions(template.uncertainty)
    assert len({question.suffix for question in questions}) == len(questions)
    if template.is_exclusive:
        for value in (-100.0, -12.5, 0.0, 0.1, 12.5, 49.9, 50.0, 100.0):
            assert sum(question.claim.holds(value) for question in questions) == 1


def test_hourly_closes_fall_on_the_hour() -> None:
    hourly = next(t for t in other_templates() if t.series.ticker == "KXBTCD")
    closes = list(islice(close_times(hourly, START_US), 2))
    assert [at % HOUR_US for at in closes] == [0, 0]


def test_months_follow_each_other_in_labels() -> None:
    template = macro_templates()[0]
    assert [event_label(template, i, START_US, 0) for i in (0, 1, 2, 10)] == [
        "26NOV", "26DEC", "27JAN", "26NOVR1",
    ]  # fmt: skip


def test_a_far_event_closes_weeks_later() -> None:
    near = macro_templates()[0]
    assert far_template(near).first_us - near.first_us == 30 * 24 * HOUR_US
