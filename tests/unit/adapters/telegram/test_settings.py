"""A wrong setting is named with its fix, and the token never shows."""

import pytest

from bot.adapters.telegram.settings import TelegramSettings
from tests.fakes.telegram_server import TOKEN


def test_the_bot_s_id_is_in_its_token():
    assert TelegramSettings(token=TOKEN).bot_id == 123456789


def test_a_conflict_is_retried_as_slowly_as_telegram_answers_and_told_when_it_lasts():
    settings = TelegramSettings(token=TOKEN)
    assert (settings.conflict_retry_s, settings.conflict_alert_s) == (3, 30)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"token": "not a token"}, "token"),
        ({"api_url": "ftp://x"}, "api_url"),
        ({"poll_s": 0}, "poll_s"),
        ({"store_s": -1}, "store_s"),
    ],
)
def test_what_cannot_work_is_refused(wrong, field):
    with pytest.raises(ValueError, match=f"^{field}: ") as caught:
        TelegramSettings(**{"token": TOKEN} | wrong)
    assert TOKEN not in str(caught.value)


def test_a_token_is_not_shown():
    assert TOKEN not in repr(TelegramSettings(token=TOKEN))
