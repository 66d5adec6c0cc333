"""A test by hand sends for real, times it, and says in one line what is wrong."""

import pytest
from pydantic import SecretStr

from bot.app import channel_trials
from bot.app.sections import EmailSection, Secrets, TelegramSection
from bot.app.settings import BotSettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import ConfigurationFault
from tests.fakes.mail_server import PASSWORD, USER, mail_server
from tests.fakes.scripted_http import answer, scripted_server
from tests.fakes.telegram_server import TOKEN, FakeTelegram
from tests.support.certificates import certified

pytestmark = pytest.mark.looptime(False)


async def test_every_recipient_of_every_channel_gets_a_message(tmp_path):
    shown = certified(tmp_path)
    async with (
        mail_server(shown.context) as mail,
        scripted_server() as web,
        FakeTelegram() as telegram,
    ):
        web.answers(answer())
        telegram.blocked.add(12)
        settings = BotSettings(
            telegram=TelegramSection(alert_chat_ids=(11, 12), api_url=telegram.url),
            email=EmailSection(
                host="localhost",
                port=mail.port,
                recipients=("ada@example.com", "bob@example.com"),
                ca_file=shown.ca_file,
            ),
            secrets=Secrets(
                telegram_bot_token=SecretStr(TOKEN),
                smtp_user=USER,
                smtp_password=SecretStr(PASSWORD),
                webhook_url=SecretStr(f"{web.base_url}/hook"),
                webhook_secret=SecretStr("a-key-that-is-long-enough"),
                ping_url=SecretStr(f"{web.base_url}/ping"),
            ),
        )
        trials = await channel_trials.try_channels(settings, None)
        assert [seen.method for seen in web.seen] == ["POST"], "the ping is only asked by name"
        (pinged,) = await channel_trials.try_channels(settings, "ping")
    told = {(one.channel, one.recipient): one.receipt.reason for one in trials}
    assert list(told) == [
        ("telegram", "11"),
        ("telegram", "12"),
        ("email", "ada@example.com"),
        ("email", "bob@example.com"),
        ("webhook", web.base_url.partition("//")[2].partition("/")[0]),
    ]
    assert [one.is_good for one in trials] == [True, False, True, True, True]
    assert told["telegram", "12"] == "Forbidden: bot was blocked by the user"
    assert "Test: alerts of this bot arrive here" in telegram.texts(11)[0]
    assert sorted(one.recipients[0] for one in mail.inbox) == ["ada@example.com", "bob@example.com"]
    assert len({one.message_id for one in mail.inbox}) == 2
    assert pinged.is_good


async def test_one_channel_may_be_tried_alone_and_none_is_said():
    assert await channel_trials.try_channels(BotSettings(), None) == ()
    async with FakeTelegram() as telegram:
        settings = BotSettings(
            telegram=TelegramSection(admin_ids=(11,), api_url=telegram.url),
            secrets=Secrets(telegram_bot_token=SecretStr(TOKEN)),
        )
        assert await channel_trials.try_channels(settings, "email") == ()
        (trial,) = await channel_trials.try_channels(settings, "telegram")
    assert (trial.channel, trial.recipient, trial.is_good) == ("telegram", "11", True)
    assert trial.took_ms >= 0


async def test_half_a_configuration_is_refused_before_anything_is_sent():
    settings = BotSettings(secrets=Secrets(smtp_password=SecretStr("x" * 12)))
    with pytest.raises(ConfigurationFault, match="SMTP_PASSWORD is set and SMTP_HOST is not"):
        await channel_trials.try_channels(settings, None)
    with pytest.raises(ConfigurationFault):
        await channel_trials.routes(settings)


async def test_the_list_says_how_much_each_one_hears():
    settings = BotSettings(
        email=EmailSection(host="smtp.example.com", recipients=("a@b.c",), sender="x@b.c")
    )
    page, mail = await channel_trials.routes(settings)
    assert page["kinds"] == len(AlertKind)
    assert (mail["at_least"], mail["also"]) == ("warning", ["daily_summary"])
    assert 0 < int(str(mail["kinds"])) < len(AlertKind)
