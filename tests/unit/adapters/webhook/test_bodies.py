"""Bodies for others' chats, and what must not be in any body."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.webhook.bodies import body_of, signed_headers
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


PAGE = (Path(__file__).resolve().parents[4] / "docs" / "alerts.md").read_text(encoding="utf-8")


def documented(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_documented_check_tells_our_bodies_from_others() -> None:
    recipe: dict[str, Any] = {}
    exec(documented("python"), recipe)
    check, key, sent_s = recipe["is_from_the_bot"], "a-key-that-is-long-enough", 1_795_245_300
    headers = signed_headers(key.encode(), "paper:main:0:7", sent_s, b"{}")
    assert check(headers, b"{}", key, sent_s)
    assert not check(headers, b"{ }", key, sent_s)
    assert not check(headers, b"{}", "another-key-of-some-length", sent_s)
    assert not check(headers, b"{}", key, sent_s + 301)
    assert not check(headers | {"webhook-id": "paper:main:0:8"}, b"{}", key, sent_s)
    assert not check(headers | {"webhook-timestamp": str(sent_s + 1)}, b"{}", key, sent_s)


def test_the_documented_body_has_the_fields_of_a_real_one() -> None:
    shown = json.loads(documented("json"))
    made = body("x", BodyFormat.JSON)
    assert {key: type(value) for key, value in shown.items()} == {
        key: type(value) for key, value in made.items()
    }
