"""What a mail says, and what it never does."""

import pytest

from bot.adapters.email.letters import letter_of, message_id
from bot.adapters.email.settings import EmailSettings
from bot.domain.ids import Scope
from bot.domain.operations import Severity
from tests.support.parcels import SCOPE, banner, parcel, waiting


def settings(**changes) -> EmailSettings:
    given = {
        "host": "smtp.example.com",
        "sender": "bot@example.com",
        "recipients": ("ada@example.com",),
        "secrets": ("s3cret-key",),
    }
    return EmailSettings(**(given | changes))


def letter(*messages, **changes):
    return letter_of(parcel(*messages), settings(**changes), SCOPE, banner())


def test_the_worst_message_gives_the_subject():
    harmless = waiting(1, "<b>Backup done</b>: x", severity=Severity.INFO)
    worse = waiting(2, "<b>Gap</b>: 3 hours", severity=Severity.WARNING)
    assert letter(harmless)["Subject"] == "INFO PAPER bot-1: Backup done: x"
    assert letter(harmless, worse)["Subject"] == "WARNING PAPER bot-1: 2 messages, Gap: 3 hours"
    assert letter(harmless)["Importance"] is None


@pytest.mark.parametrize("text", ["x\r\nBcc: eve@example.com", "x" * 500, "\u2028\x00x", "\ud83d"])
def test_no_text_breaks_out_of_the_subject(text):
    made = letter(waiting(text=text))
    assert len(made["Subject"]) <= 120
    assert made["Bcc"] is None
    assert "\n" not in made["Subject"]


def test_a_secret_leaves_in_no_part():
    made = letter(waiting(text="<b>Error</b>: s3cret-key in the URL"))
    assert "s3cret-key" not in made.as_string()
    assert "[redacted]" in made.as_string()


def test_the_message_id_is_that_of_the_messages_the_recipient_and_the_account():
    def identity(*messages, scope=SCOPE):
        return message_id(parcel(*messages), settings(), scope)

    one = identity(waiting(7))
    assert one == identity(waiting(7, "another attempt", attempts=5))
    assert one.endswith("@example.com>")
    others = {
        one,
        identity(waiting(8)),
        identity(waiting(7), waiting(8)),
        identity(waiting(7), waiting(8), waiting(9)),
        identity(waiting(7, recipient="bob@example.com")),
        identity(waiting(7), scope=Scope("live:main:0")),
    }
    assert len(others) == 6
    assert "ada" not in one


def test_a_file_that_cannot_go_along_is_named_instead(tmp_path):
    gone = letter(waiting(attachment=tmp_path / "gone.sqlite"))
    assert "The file is not on this machine any more" in gone.get_body(("plain",)).get_content()
    big = tmp_path / "big.sqlite"
    big.write_bytes(bytes(2_000))
    made = letter(waiting(attachment=big), attachment_bytes_max=1_000)
    assert "Too large for a mail (2,000 bytes)" in made.get_body(("html",)).get_content()
    assert list(made.iter_attachments()) == []
