"""Mail against a real SMTP server with STARTTLS: what arrives, and what each failure means."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.email.carrier import EmailCarrier
from bot.adapters.email.settings import EmailSettings, Security
from bot.ports.carriers import Verdict
from tests.fakes.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.support.certificates import Certified, certified
from tests.support.parcels import SCOPE, banner, parcel, waiting

pytestmark = pytest.mark.looptime(False)


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Certified:
    return certified(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def server(shown) -> AsyncIterator[MailServer]:
    async with mail_server(shown.context) as running:
        yield running


def carrier(port: int, ca_file: Path | None, **changes: Any) -> EmailCarrier:
    settings: dict[str, Any] = {
        "host": "localhost",
        "port": port,
        "user": USER,
        "password": PASSWORD,
        "sender": USER,
        "recipients": ("ada@example.com", "bob@example.com"),
        "ca_file": ca_file,
        "command_s": 2.0,
        "carry_s": 5.0,
        "secrets": (PASSWORD,),
    }
    return EmailCarrier(EmailSettings(**(settings | changes)), SCOPE, banner)


async def test_a_mail_arrives_encrypted_in_html_and_plain_text(server, shown):
    receipt = await carrier(server.port, shown.ca_file).carry(parcel())
    assert receipt.verdict is Verdict.DELIVERED
    (mail,) = server.inbox
    assert (mail.sender, mail.recipients, mail.was_encrypted) == (USER, ("ada@example.com",), True)
    assert mail.subject == "CRITICAL PAPER bot-1: Breaker tripped: daily_loss < -5 %"
    assert mail.letter.get_content_type() == "multipart/alternative"
    assert "Breaker tripped: daily_loss < -5 %" in mail.part("plain")
    assert "<b>Breaker tripped</b>: daily_loss &lt; -5 %" in mail.part("html")
    assert mail.letter["Importance"] == "high"


async def test_tls_from_the_first_byte_works_too(shown):
    async with mail_server(shown.context, is_tls_at_once=True) as server:
        sender = carrier(server.port, shown.ca_file, security=Security.TLS)
        assert (await sender.carry(parcel())).verdict is Verdict.DELIVERED
    assert len(server.inbox) == 1


async def test_words_of_every_language_arrive(server, shown):
    text = "<b>H\N{LATIN SMALL LETTER U WITH DIAERESIS}rde</b>: \N{SNOWMAN} " + "x" * 2_000
    await carrier(server.port, shown.ca_file).carry(parcel(waiting(text=text)))
    (mail,) = server.inbox
    assert mail.letter.as_bytes().isascii()
    for kind in ("plain", "html"):
        assert "\N{SNOWMAN} " + "x" * 2_000 in mail.part(kind)
    assert "H\N{LATIN SMALL LETTER U WITH DIAERESIS}rde" in mail.subject


async def test_several_messages_leave_as_one_mail(server, shown):
    several = parcel(waiting(7, "<b>one</b>"), waiting(8, "<b>two</b>\nline"))
    await carrier(server.port, shown.ca_file).carry(several)
    (mail,) = server.inbox
    assert mail.subject == "CRITICAL PAPER bot-1: 2 messages, one"
    assert mail.part("plain").splitlines()[:6] == [
        *("one", "21 Nov 07:15:00 UTC", "", "two", "line", "21 Nov 07:15:00 UTC")
    ]


async def test_a_picture_goes_along(server, shown, tmp_path):
    picture = tmp_path / "pnl.png"
    picture.write_bytes(b"\x89PNG")
    await carrier(server.port, shown.ca_file).carry(parcel(waiting(attachment=picture)))
    (attached,) = server.inbox[0].letter.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("pnl.png", "image/png")
    assert attached.get_content() == b"\x89PNG"


async def test_a_wrong_password_shuts_the_channel_and_is_not_shown(server, shown):
    wrong = "another-secret-password"
    sender = carrier(server.port, shown.ca_file, password=wrong, secrets=(wrong,))
    receipt = await sender.carry(parcel())
    assert receipt.verdict is Verdict.SHUT
    assert "check SMTP_USER and SMTP_PASSWORD (Gmail wants an app password" in receipt.reason
    assert wrong not in receipt.reason
    assert server.inbox == []


async def test_a_refused_port_is_tried_again_later():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        receipt = await carrier(taken.getsockname()[1], None).carry(parcel())
    assert receipt.verdict is Verdict.LATER
    assert "connection refused): check SMTP_HOST and SMTP_PORT" in receipt.reason


async def test_a_server_that_says_nothing_is_tried_again_later():
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]
        receipt = await carrier(port, None, command_s=0.2).carry(parcel())
    assert receipt.verdict is Verdict.LATER
    assert "no answer from localhost" in receipt.reason


async def test_a_host_that_does_not_exist_is_named():
    receipt = await carrier(587, None, host="mail.invalid").carry(parcel())
    assert receipt.verdict is Verdict.LATER
    assert receipt.reason == "the name mail.invalid is not found: check SMTP_HOST"


async def test_a_greylisted_mail_is_the_same_mail_when_it_is_accepted(server, shown):
    server.on_rcpt = ["450 4.2.0 greylisted, come back"]
    sender = carrier(server.port, shown.ca_file)
    first = await sender.carry(parcel())
    assert first.verdict is Verdict.LATER
    assert "450 4.2.0 greylisted, come back" in first.reason
    assert (await sender.carry(parcel())).verdict is Verdict.DELIVERED
    assert len(server.inbox) == 1


async def test_a_mail_whose_answer_is_lost_comes_again_under_its_message_id(server, shown):
    server.on_data = [None]
    sender = carrier(server.port, shown.ca_file)
    assert (await sender.carry(parcel())).verdict is Verdict.LATER
    assert (await sender.carry(parcel())).verdict is Verdict.DELIVERED
    first, second = server.inbox
    assert first.message_id == second.message_id
    assert (first.letter["Date"], first.part("html")) == (
        second.letter["Date"],
        second.part("html"),
    )


async def test_a_connection_cut_within_the_data_loses_nothing(server, shown, tmp_path):
    big = tmp_path / "report.pdf"
    big.write_bytes(bytes(400_000))
    message = waiting(attachment=big)
    async with cut_after(server.port, 100_000) as port:
        receipt = await carrier(port, shown.ca_file).carry(parcel(message))
    assert receipt.verdict is Verdict.LATER
    assert server.inbox == []
    receipt = await carrier(server.port, shown.ca_file).carry(parcel(message))
    assert receipt.verdict is Verdict.DELIVERED


async def test_an_unknown_recipient_is_given_up_and_the_other_is_not(server, shown):
    server.refused = {"ada@example.com"}
    sender = carrier(server.port, shown.ca_file)
    receipt = await sender.carry(parcel())
    assert receipt.verdict is Verdict.NEVER
    assert "550 5.1.1 no such user for ada@example.com: check ALERT_EMAIL" in receipt.reason
    other = parcel(waiting(recipient="bob@example.com"))
    assert (await sender.carry(other)).verdict is Verdict.DELIVERED


async def test_a_refused_mail_is_given_up(server, shown):
    server.on_data = ["554 5.7.1 looks like spam"]
    receipt = await carrier(server.port, shown.ca_file).carry(parcel())
    assert receipt.verdict is Verdict.NEVER
    assert "looks like spam: the mail is refused" in receipt.reason


async def test_an_address_that_was_removed_gets_no_more_mail(server, shown):
    sender = carrier(server.port, shown.ca_file)
    receipt = await sender.carry(parcel(waiting(recipient="gone@example.com")))
    assert receipt.verdict is Verdict.NEVER
    assert server.attempts == 0


async def test_a_certificate_of_a_stranger_gets_neither_mail_nor_password(server):
    receipt = await carrier(server.port, None).carry(parcel())
    assert receipt.verdict is Verdict.SHUT
    assert "is not trusted (self-signed certificate)" in receipt.reason
    assert (server.logins, server.inbox) == ([], [])


async def test_a_certificate_for_another_name_gets_neither_mail_nor_password(tmp_path):
    other = certified(tmp_path, "mail.example.com")
    async with mail_server(other.context) as server:
        receipt = await carrier(server.port, other.ca_file).carry(parcel())
    assert receipt.verdict is Verdict.SHUT
    assert "Hostname mismatch" in receipt.reason
    assert (server.logins, server.inbox) == ([], [])


async def test_a_server_without_encryption_is_not_told_the_password():
    async with mail_server() as server:
        receipt = await carrier(server.port, None).carry(parcel())
        assert receipt.verdict is Verdict.SHUT
        assert "offers no encryption (STARTTLS)" in receipt.reason
        tls = carrier(server.port, None, security=Security.TLS)
        receipt = await tls.carry(parcel())
    assert receipt.verdict is Verdict.SHUT
    assert "does not speak tls: port 587 is for starttls" in receipt.reason
    assert (server.logins, server.inbox) == ([], [])


async def test_a_relay_on_this_machine_needs_neither_encryption_nor_login():
    async with mail_server(wants_login=False) as server:
        plain = {"user": None, "password": None, "sender": "bot@example.com"}
        sender = carrier(server.port, None, security=Security.NONE, **plain)
        assert (await sender.carry(parcel())).verdict is Verdict.DELIVERED
    assert len(server.inbox) == 1


async def test_a_login_where_none_is_taken_is_told():
    async with mail_server(wants_login=False) as server:
        sender = carrier(server.port, None, security=Security.NONE)
        receipt = await sender.carry(parcel())
    assert receipt.verdict is Verdict.SHUT
    assert "takes no login" in receipt.reason


async def test_a_probe_logs_in_and_sends_nothing(server, shown):
    assert (await carrier(server.port, shown.ca_file).probe()).verdict is Verdict.DELIVERED
    assert (server.logins, server.attempts) == ([USER], 0)
    wrong = carrier(server.port, shown.ca_file, password="not-the-password")
    assert (await wrong.probe()).verdict is Verdict.SHUT


def test_a_file_without_certificates_is_refused_at_once(tmp_path):
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")
    with pytest.raises(ValueError, match=r"ca_file: .*holds no PEM certificates"):
        carrier(587, empty)


@asynccontextmanager
async def cut_after(target: int, bytes_max: int) -> AsyncIterator[int]:
    """A relay that breaks the connection once the client has sent so much."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("localhost", target)

        async def answers() -> None:
            while chunk := await there.read(65_536):
                writer.write(chunk)

        async with asyncio.TaskGroup() as group:
            answering = group.create_task(answers())
            left = bytes_max
            while left > 0 and (chunk := await reader.read(4_096)):
                back.write(chunk)
                await back.drain()
                left -= len(chunk)
            answering.cancel()
        for end in (writer, back):
            end.transport.abort()

    relay = await asyncio.start_server(serve, "localhost", 0)
    try:
        yield relay.sockets[0].getsockname()[1]
    finally:
        relay.close()
