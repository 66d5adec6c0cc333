"""Which channels are configured, what is wrong with the others, and who hears what."""

from pathlib import Path
from typing import Any

import pytest

from bot.adapters.email.settings import Security
from bot.app.channel_settings import (
    check_channels,
    email_settings,
    ping_settings,
    recipients,
    webhook_settings,
)
from bot.app.settings import DOCUMENTED_NAMES, BotSettings, load_settings
from bot.domain.errors import ConfigurationFault
from bot.domain.operations import Severity

MAIL = {
    "SMTP_HOST": "smtp.example.com",
    "SMTP_USER": "bot@example.com",
    "SMTP_PASSWORD": "s3cret-password",
    "ALERT_EMAIL": "ada@example.com, bob@example.com",
}
HOOK = {
    "ALERT_WEBHOOK_URL": "https://hooks.example.com/s3cret",
    "ALERT_WEBHOOK_SECRET": "s3cret-and-long-enough",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, _ in DOCUMENTED_NAMES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch):
    def load(overrides: dict[str, object] | None = None, **variables: str) -> BotSettings:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings(None, overrides)

    return load


def faults(settings: BotSettings) -> list[str]:
    with pytest.raises(ConfigurationFault) as caught:
        check_channels(settings)
    return caught.value.faults


def test_without_anything_the_page_alone_is_told(loaded):
    settings = loaded()
    check_channels(settings)
    assert [one.address for one in recipients(settings)] == ["page"]
    assert email_settings(settings) is webhook_settings(settings) is ping_settings(settings) is None


def test_the_documented_variables_make_the_channels(loaded):
    settings = loaded(**MAIL, **HOOK, ALERT_PING_URL="https://hc-ping.com/s3cret")
    check_channels(settings)
    told = [(one.channel.value, one.address, one.at_least) for one in recipients(settings)]
    assert told == [
        ("portal", "page", Severity.INFO),
        ("email", "ada@example.com", Severity.WARNING),
        ("email", "bob@example.com", Severity.WARNING),
        ("webhook", "hooks.example.com", Severity.INFO),
    ]
    mail = email_settings(settings)
    assert mail is not None
    assert (mail.port, mail.security, mail.sender) == (587, Security.STARTTLS, "bot@example.com")
    assert ping_settings(settings) is not None


def test_the_port_says_how_the_connection_is_protected_unless_told(loaded):
    tls = email_settings(loaded(**MAIL, SMTP_PORT="465"))
    assert tls is not None
    assert tls.security is Security.TLS
    told = email_settings(loaded(SMTP_SECURITY="starttls"))
    assert told is not None
    assert told.security is Security.STARTTLS


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SMTP_HOST": ""}, "email: ALERT_EMAIL is set and SMTP_HOST is not; set both"),
        ({"ALERT_EMAIL": ""}, "email: ALERT_EMAIL: nobody to write to"),
        ({"SMTP_PASSWORD": ""}, "email: SMTP_PASSWORD: missing; a login needs"),
        ({"SMTP_USER": ""}, "email: SMTP_FROM is missing"),
        ({"SMTP_USER": "", "SMTP_FROM": "a@b.c"}, "email: SMTP_USER: missing; a login needs"),
        ({"SMTP_HOST": "https://smtp.example.com"}, "email: SMTP_HOST: 'https://smtp"),
        ({"ALERT_EMAIL": "ada"}, "email: ALERT_EMAIL: 'ada' is no address like"),
        ({"ALERT_EMAIL": "a@b.c a@b.c"}, "email: ALERT_EMAIL: the same address is listed twice"),
        ({"SMTP_FROM": "Bot <a@b.c>"}, "email: SMTP_FROM: 'Bot <a@b.c>' is no address like"),
        ({"SMTP_SECURITY": "none"}, "email: security: none would send alerts and password"),
        ({"BOT_EMAIL__CA_FILE": "none.pem"}, "email: ca_file: none.pem holds no PEM"),
        ({"ALERT_WEBHOOK_SECRET": ""}, "webhook: ALERT_WEBHOOK_SECRET: missing"),
        ({"ALERT_WEBHOOK_URL": ""}, "webhook: ALERT_WEBHOOK_SECRET is set and ALERT_WEBHOOK_URL"),
        ({"ALERT_WEBHOOK_URL": "http://x.y/s3cret"}, "webhook: ALERT_WEBHOOK_URL: must begin with"),
        ({"ALERT_PING_URL": "s3cret"}, "ping: ALERT_PING_URL: must begin with https://"),
    ],
)
def test_a_wrong_channel_is_told_in_one_line_without_secrets(loaded, variables, words):
    settings = loaded(**{**MAIL, **HOOK, **variables})
    (fault,) = faults(settings)
    assert fault.startswith(words)
    assert "s3cret" not in fault
    assert recipients(settings), "a panic goes on without it"


def test_every_wrong_channel_is_told_at_once(loaded):
    told = faults(
        loaded(SMTP_PASSWORD="s3cret-password", ALERT_PING_URL="x", TELEGRAM_BOT_TOKEN="y")
    )
    assert [fault.partition(":")[0] for fault in told] == ["telegram", "email", "ping"]


def test_a_relay_on_this_machine_needs_no_protection(loaded):
    mail = email_settings(
        loaded(
            SMTP_HOST="localhost",
            SMTP_PORT="25",
            SMTP_SECURITY="none",
            SMTP_FROM="bot@example.com",
            ALERT_EMAIL="ada@example.com",
        )
    )
    assert mail is not None
    assert (mail.user, mail.security) == (None, Security.NONE)


def test_what_is_mailed_may_be_chosen(loaded):
    changes: dict[str, Any] = {"email.min_severity": "critical", "email.also": ["fill_seen"]}
    mail = recipients(loaded(changes, **MAIL))[1]
    assert mail.at_least is Severity.CRITICAL
    assert [kind.value for kind in mail.also] == ["fill_seen"]


def test_no_secret_is_in_what_is_printed_of_the_settings(loaded):
    settings = loaded(**MAIL, **HOOK, ALERT_PING_URL="https://hc-ping.com/s3cret")
    shown = repr(settings) + repr(email_settings(settings)) + repr(webhook_settings(settings))
    assert "s3cret" not in shown + repr(ping_settings(settings))
