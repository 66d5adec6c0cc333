"""``alerts test`` as an operator types it, against real servers."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.mail_server import PASSWORD, USER, MailServer, mail_server
from tests.fakes.scripted_http import ScriptedServer, answer, scripted_server
from tests.support.certificates import certified

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]


@dataclass
class Said:
    code: int
    out: str
    err: str


@dataclass
class Outside:
    mail: MailServer
    web: ScriptedServer
    home: Path
    ca_file: Path

    def environment(self) -> dict[str, str]:
        return {
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(self.mail.port),
            "SMTP_USER": USER,
            "SMTP_PASSWORD": PASSWORD,
            "ALERT_EMAIL": "ada@example.com",
            "BOT_EMAIL__CA_FILE": str(self.ca_file),
            "ALERT_WEBHOOK_URL": f"{self.web.base_url}/s3cret",
            "ALERT_WEBHOOK_SECRET": "a-key-that-is-long-enough",
        }

    async def bot(self, *words: str, **variables: str) -> Said:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *words),
            cwd=self.home,
            env={"PYTHONPATH": str(ROOT), **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(child.communicate(), 60)
        return Said(child.returncode or 0, out.decode(), err.decode())


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    shown = certified(tmp_path)
    async with mail_server(shown.context) as mail, scripted_server() as web:
        web.answers(answer())
        yield Outside(mail=mail, web=web, home=tmp_path, ca_file=shown.ca_file)


async def test_every_channel_is_tried_for_real(outside):
    said = await outside.bot("alerts", "test", **outside.environment())
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("email to ada@example.com: sent (")
    assert lines[1].startswith("webhook to 127.0.0.1:")
    assert "s3cret" not in said.out + said.err
    assert outside.mail.inbox[0].subject.endswith("Test: alerts of this bot arrive here")
    assert len(outside.web.seen) == 1


async def test_a_channel_that_fails_says_why_in_one_line_and_ends_with_1(outside):
    wrong = outside.environment() | {"SMTP_PASSWORD": "s3cret-and-wrong"}
    said = await outside.bot("alerts", "test", "--json", **wrong)
    assert said.code == 1
    answer = json.loads(said.out)
    assert [one["ok"] for one in answer["attempts"]] == [False, True]
    assert "check SMTP_USER and SMTP_PASSWORD" in answer["attempts"][0]["reason"]
    assert "s3cret" not in said.out + said.err


async def test_without_a_channel_it_says_what_to_set(outside):
    said = await outside.bot("alerts", "test")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "no channel is configured"
    assert "  email: set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and ALERT_EMAIL" in said.err


async def test_half_a_configuration_is_refused_with_every_fault(outside):
    half = {"SMTP_PASSWORD": "s3cret-password", "ALERT_PING_URL": "http://hc-ping.com/s3cret"}
    said = await outside.bot("alerts", "list", **half)
    assert said.code == 2
    assert [line.partition(":")[2].split(":")[0].strip() for line in said.err.splitlines()] == [
        "email",
        "ping",
    ]
    assert "s3cret" not in said.err
