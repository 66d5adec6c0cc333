"""The judge of the chat's storm sees what went wrong: each thing once, and nothing where all is well."""

from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import delete, insert, update

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlInbox
from bot.adapters.storage.tables import command_audit, command_inbox, logs
from bot.domain.ids import Scope
from chaos.chat_judge import judge
from chaos.chat_people import People, Sent
from tests.fakes.clock import ManualClock
from tests.fakes.telegram_server import FakeTelegram, Request
from tests.support.console import ADMIN, TRADER, Talk

SCOPE = Scope("paper:e2e:0")
ASKED = '{"inline_keyboard": [[{"text": "End", "callback_data": "yes:abc"}]]}'


def told(number: int, chat: int = ADMIN, markup: str = "{}") -> Request:
    params = {"chat_id": str(chat), "text": f"Done\n\n#{number} | PAPER", "reply_markup": markup}
    return Request("sendMessage", params, {}, {})


@pytest.fixture
async def store(sqlite_url):
    opened = await Database.open(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def people(store) -> People:
    """#1 /cancel acted, #2 /unhalt asked, #3 yes acted, #4 /status."""
    made = People(FakeTelegram(), Random(1))
    for sent in (
        Sent(101, ADMIN, ADMIN, "cancel"),
        Sent(102, ADMIN, ADMIN, None),
        Sent(103, ADMIN, ADMIN, None, nonce="abc", is_yes=True),
        Sent(104, ADMIN, ADMIN, None),
    ):
        made.sent[sent.update_id] = sent
    talk = Talk()
    await SqlInbox(store, SCOPE, ManualClock()).put(
        [replace(talk.command(ADMIN, "/x"), update_id=update_id) for update_id in made.sent]
    )
    async with store.begin() as connection:
        await connection.execute(update(command_inbox).values(state="done", attempts=1))
        for number, outcome in enumerate(("done", "asked", "done", "shown"), 1):
            await connection.execute(
                insert(command_audit).values(
                    scope=SCOPE,
                    command_id=number,
                    at_us=number,
                    channel="telegram",
                    actor="x",
                    command="/x",
                    outcome=outcome,
                    epoch=1,
                )
            )
        for number, name in ((1, "cancel"), (3, "unhalt")):
            await connection.execute(effect(number, name))
    made.server.requests += [told(1), told(2, markup=ASKED), told(2), told(3), told(4)]
    return made


def effect(number: int, name: str):
    row = {"at_us": 1, "level": "INFO", "service": "e2e", "logger": "act"}
    return insert(logs).values(row | {"message": name, "data_json": str(number)})


async def test_nothing_is_wrong_where_all_is_well(people, store):
    findings = await judge(store, people)
    assert findings.problems == []
    assert findings.figures["confirmed"] == 1
    assert findings.figures["answers_repeated"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (effect(1, "cancel"), "#1 acted twice"),
        (delete(logs).where(logs.c.data_json == "1"), "#1: cancel did not happen"),
        (effect(4, "close"), "#4: close happened unasked"),
        (effect(2, "unhalt"), "#2: unhalt happened unasked"),
        (delete(logs).where(logs.c.data_json == "3"), "#3: a yes came to nothing"),
        (delete(command_inbox).where(command_inbox.c.id == 4), "updates lost"),
        (
            update(command_inbox).where(command_inbox.c.id == 4).values(state="claimed"),
            "#4 is claimed",
        ),
    ],
)
async def test_what_is_stored_wrongly_is_seen(people, store, change, said):
    async with store.begin() as connection:
        await connection.execute(change)
    problems = (await judge(store, people)).problems
    assert any(said in problem for problem in problems), problems


async def test_what_was_told_wrongly_is_seen(people, store):
    people.server.requests = [told(1), told(3), told(2, markup=ASKED), told(9, chat=TRADER)]
    problems = (await judge(store, people)).problems
    assert any("never heard of [4]" in problem for problem in problems)
    assert any("out of order: [1, 3, 2]" in problem for problem in problems)
    assert any(f"answers to others: [{TRADER}]" in problem for problem in problems)


async def test_a_yes_of_somebody_else_that_acted_is_seen(people, store):
    people.sent[103] = replace(people.sent[103], user=TRADER)
    problems = (await judge(store, people)).problems
    assert any("without a yes of who was asked" in problem for problem in problems)
