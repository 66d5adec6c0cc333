"""Bodies for others' chats, and what must not be in any body."""

import json

import pytest

from bot.adapters.webhook.bodies import body_of
from bot.adapters.webhook.settings import BodyFormat, WebhookSettings
from bot.ports.messages import Channel
from tests.support.parcels import SCOPE, banner, parcel, waiting


def body(text: str, chosen: BodyFormat, **changes):
    settings = WebhookSettings(
        url="https://hooks.example.com", key="a-key-that-is-long-enough", format=chosen, **changes
    )
    message = waiting(text=text, channel=Channel.WEBHOOK)
    return json.loads(body_of(parcel(message), settings, SCOPE, banner()))


def test_slack_gets_plain_text_that_calls_nobody():
    assert body("<b>Halted</b> &lt;!channel&gt;", BodyFormat.SLACK) == {
        "text": "Halted &lt;!channel&gt;"
    }


def test_discord_gets_plain_text_that_calls_nobody():
    assert body("<b>Halted</b> @everyone", BodyFormat.DISCORD) == {
        "embeds": [{"description": "Halted @everyone", "color": 0xC62828}],
        "allowed_mentions": {"parse": []},
    }


def test_discord_takes_no_more_than_it_can():
    shown = body("x" * 5_000, BodyFormat.DISCORD)["embeds"][0]["description"]
    assert (len(shown), shown[-1]) == (4_096, "\N{HORIZONTAL ELLIPSIS}")


@pytest.mark.parametrize("chosen", BodyFormat)
def test_no_secret_leaves_in_a_body(chosen):
    told = body("the key is daily_loss", chosen, secrets=("daily_loss",))
    assert "daily_loss" not in json.dumps(told)
