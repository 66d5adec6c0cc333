"""Addresses that would betray alerts are refused, and no refusal repeats the address."""

import pytest

from bot.adapters.webhook.settings import BodyFormat, PingSettings, WebhookSettings

KEY = "a-key-that-is-long-enough"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example.com/s3cret", "must begin with https://; http would send"),
        ("ftp://hooks.example.com/s3cret", "must begin with https:// and name a host"),
        ("https:///s3cret", "must begin with https:// and name a host"),
        ("https://hooks.example.com:s3cret/", "no web address"),
        ("s3cret", "must begin with https://"),
    ],
)
@pytest.mark.parametrize("make", [PingSettings, lambda **kw: WebhookSettings(key=KEY, **kw)])
def test_an_unsafe_address_is_refused_without_being_shown(make, url, words):
    with pytest.raises(ValueError, match=words) as refused:
        make(url=url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_may_be_spoken_to_in_the_clear(host):
    assert WebhookSettings(url=f"http://{host}:8000/hook", key=KEY).place.endswith(":8000")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "ALERT_WEBHOOK_SECRET: missing"),
        ("short", "too short to protect anything"),
        ("whsec_not base64", "what follows whsec_ must be base64"),
    ],
)
def test_json_is_never_sent_unsigned(key, words):
    with pytest.raises(ValueError, match=words):
        WebhookSettings(url="https://hooks.example.com", key=key)


def test_chats_of_others_need_no_key():
    for chosen in (BodyFormat.SLACK, BodyFormat.DISCORD):
        WebhookSettings(url="https://hooks.example.com/x", format=chosen)


def test_no_secret_is_in_what_is_printed_of_it():
    made = WebhookSettings(url="https://ada:s3cret@hooks.example.com/s3cret?t=s3cret", key=KEY)
    assert "s3cret" not in repr(made) + made.place
    assert KEY not in repr(made)
    assert "s3cret" not in repr(PingSettings(url="https://hc-ping.com/s3cret"))
