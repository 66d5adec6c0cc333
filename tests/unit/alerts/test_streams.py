"""Every alert belongs to one stream, and goes to that stream's topic."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.adapters.telegram.places import Place, place_of
from bot.alerts.streams import KINDS, Stream
from bot.app.channel_settings import recipients
from bot.app.sections import Secrets, TelegramSection
from bot.domain.alerts import AlertKind
from bot.ports.messages import Channel
from tests.fakes.telegram_server import TOKEN
from tests.unit.app.support import settings_at

GROUP = -1001234567890


def test_every_alert_is_in_exactly_one_stream():
    assert sum(len(kinds) for kinds in KINDS.values()) == len(AlertKind)
    assert frozenset().union(*KINDS.values()) == frozenset(AlertKind)


@pytest.mark.parametrize(
    ("topics", "heard"),
    [
        ({}, {str(GROUP): True, "11": True}),
        (
            {Stream.FILLS: 12, Stream.RISK: 14, Stream.SYSTEM: 16},
            {f"{GROUP}/12": False, f"{GROUP}/14": True, f"{GROUP}/16": False, "11": True},
        ),
        ({Stream.FILLS: 12}, {str(GROUP): True, f"{GROUP}/12": False, "11": True}),
        (
            {Stream.FILLS: 12, Stream.RISK: 12},
            {str(GROUP): False, f"{GROUP}/12": True, "11": True},
        ),
    ],
)
def test_a_tripped_breaker_goes_to_the_topic_of_its_stream_and_to_people_as_ever(
    tmp_path: Path, topics: dict[Stream, int], heard: dict[str, bool]
):
    settings = settings_at("sqlite:///x", tmp_path).model_copy(
        update={
            "secrets": Secrets(telegram_bot_token=SecretStr(TOKEN)),
            "telegram": TelegramSection(alert_chat_ids=(GROUP, 11), alert_topics=topics),
        }
    )
    found = [one for one in recipients(settings) if one.channel is Channel.TELEGRAM]
    assert {one.address: one.hears(AlertKind.BREAKER_TRIPPED, {}) for one in found} == heard
    for kind in AlertKind:
        of_group = [one for one in found if one.address.startswith("-") and one.hears(kind, {})]
        assert len(of_group) == (0 if kind is AlertKind.CHANNEL_FAILED and not of_group else 1)


def test_a_recipient_is_a_chat_or_a_topic_of_it():
    assert place_of("-100123/45") == Place("-100123", 45)
    assert place_of("-100123") == Place("-100123", None)
    assert place_of("11") == Place("11", None)
