"""Alerts of a real leader's services, over a real mail server, web server and database."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from bot.app.channels import channel_services, failing_channels
from bot.app.lifecycle import Tenure
from bot.app.operator import BotOperator
from bot.app.running import Running
from bot.app.sections import EmailSection, PingSection, Secrets
from bot.app.unled import tell
from bot.domain.alerts import AlertKind
from bot.domain.events import Role
from bot.leadership.unled import UnledNews
from bot.ports.messages import Channel
from tests.fakes.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.fakes.scripted_http import ScriptedServer, answer, scripted_server
from tests.support.certificates import certified
from tests.unit.app.support import running_at

pytestmark = pytest.mark.looptime(False)

KEY = "a-key-that-is-long-enough"


@dataclass
class House:
    """The servers outside, and the addresses that a bot is given."""

    mail: MailServer
    web: ScriptedServer
    url: str
    home: Path
    ca_file: Path

    def changes(self, password: str = PASSWORD) -> dict[str, Any]:
        return {
            "email": EmailSection(
                host="localhost",
                port=self.mail.port,
                recipients=("ada@example.com",),
                ca_file=self.ca_file,
            ),
            "ping": PingSection(every_s=3_600),
            "secrets": Secrets(
                smtp_user=USER,
                smtp_password=SecretStr(password),
                webhook_url=SecretStr(f"{self.web.base_url}/hook"),
                webhook_secret=SecretStr(KEY),
                ping_url=SecretStr(f"{self.web.base_url}/ping"),
            ),
        }

    @contextlib.asynccontextmanager
    async def leading(self, **changes: Any) -> AsyncIterator[Running]:
        """A process whose channels work for it."""
        async with running_at(self.url, self.home, **(self.changes() | changes)) as running:
            running.standing.role = Role.LEADING
            tenure = cast(Tenure, SimpleNamespace(gate=SimpleNamespace(is_held=lambda: True)))
            async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
                services = await channel_services(stack, running, tenure)
                tasks = [group.create_task(service.run()) for service in services]
                yield running
                for task in tasks:
                    task.cancel()

    def posted(self) -> list[dict[str, Any]]:
        return [json.loads(seen.body) for seen in self.web.seen if seen.method == "POST"]


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[House]:
    shown = certified(tmp_path)
    async with mail_server(shown.context) as mail, scripted_server() as web:
        web.answers(answer())
        yield House(mail=mail, web=web, url=sqlite_url, home=tmp_path, ca_file=shown.ca_file)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - rows and servers have no event
            await asyncio.sleep(0.02)


async def until_sent(running: Running, *channels: Channel) -> None:
    async def nothing_waits() -> bool:
        return not any([await running.outbox.waiting(one) for one in channels])

    await until(nothing_waits)


async def until_failing(running: Running, count: int) -> None:
    async def as_many() -> bool:
        return len(await failing_channels(running)) == count

    await until(as_many)


async def test_an_alert_reaches_every_channel_and_a_harmless_one_no_mailbox(house):
    async with house.leading() as running:
        await running.alerts.tell(AlertKind.BACKUP_DONE, {"path": "x.sqlite"})
        await running.alerts.tell(AlertKind.BREAKER_TRIPPED, {"name": "drawdown", "reason": "x"})
        await until_sent(running, Channel.EMAIL, Channel.WEBHOOK)
    (mail,) = house.mail.inbox
    assert "Breaker tripped: drawdown: x" in mail.subject
    assert sorted(body["kind"] for body in house.posted()) == ["backup_done", "breaker_tripped"]
    assert {body["instance"] for body in house.posted()} == {running.parts.candidate.instance_id}
    alert = next(body for body in house.posted() if body["kind"] == "breaker_tripped")
    assert alert["facts"] == {"name": "drawdown", "reason": "x"}
    assert f"#{alert['alert']}" in mail.part("plain")


async def test_a_channel_that_fails_is_told_elsewhere_and_in_the_status_until_it_works(house):
    wrong = house.changes(password="not-the-password")["secrets"]
    async with house.leading(secrets=wrong) as running:
        await running.alerts.tell(AlertKind.HALT_SET, {"by": "Ada", "reason": "x"})
        await until_failing(running, 1)
        await running.alerts.drain()
        await until_sent(running, Channel.WEBHOOK)
        told = house.posted()[-1]
        assert (told["kind"], told["facts"]["channel"]) == ("channel_failed", "email")
        assert "the login is refused; check SMTP_USER and SMTP_PASSWORD" in told["text"]
        assert "not-the-password" not in told["text"]
        view = await BotOperator(running, None).status()
        assert [(one.channel, one.recipient) for one in view.channels_failing] == [
            ("email", "ada@example.com")
        ]
        assert view.unsent_messages == 1
    assert house.mail.inbox == []

    # Somebody corrects the password and starts the bot again, ten minutes later.
    async with house.leading() as running:
        (waiting,) = await running.outbox.heads(Channel.EMAIL, 2**62, 5)
        await running.outbox.postpone(waiting.id, 0, "")
        await until_sent(running, Channel.EMAIL)
        await until_failing(running, 0)
        await running.alerts.drain()
        await until_sent(running, Channel.EMAIL, Channel.WEBHOOK)
    assert house.posted()[-1]["kind"] == "channel_recovered"
    assert [mail.subject.partition(": ")[2].partition(":")[0] for mail in house.mail.inbox] == [
        "Halted",
        "Messages arrive again",
    ]


async def test_the_ping_is_asked_while_it_leads(house):
    async def asked() -> bool:
        return bool(house.web.seen)

    async with house.leading():
        await until(asked)
    assert house.web.seen[0].method == "GET"
    assert house.web.seen[0].path.endswith("/ping")


async def test_what_must_be_said_while_nobody_leads_goes_past_the_outbox(house):
    async with running_at(house.url, house.home, **house.changes()) as running:
        news = UnledNews(leader="", seconds=60)
        assert await tell(running.settings, running.parts.means, news, "no lease is held")
        assert await running.outbox.waiting(Channel.EMAIL) == 0
    assert [body["kind"] for body in house.posted()] == ["nobody_leads"]
    assert "CRITICAL PAPER" in house.mail.inbox[0].subject
    assert house.posted()[0]["facts"]["seconds"] == 60


async def test_a_channel_that_does_not_work_keeps_the_others_from_nothing(house):
    house.web.answers(answer(status=500))
    async with running_at(house.url, house.home, **house.changes()) as running:
        news = UnledNews(leader="", seconds=60)
        assert await tell(running.settings, running.parts.means, news, "no lease is held")
    assert len(house.mail.inbox) == 1
