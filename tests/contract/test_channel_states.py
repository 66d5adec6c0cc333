"""How recipients fare is kept, in memory and on both databases."""

from dataclasses import replace

import pytest

from bot.adapters.storage.channel_states import SqlChannelStates
from bot.adapters.storage.database import Database
from bot.domain.ids import Scope
from bot.ports.carriers import ChannelState, ChannelStates
from tests.fakes.channels import MemoryChannelStates

SCOPE = Scope("paper:test:0")
MAIL = ChannelState(
    channel="email",
    recipient="ada@example.com",
    is_failing=True,
    reason="the login is refused",
    changed_us=1_795_245_300_000_000,
    delivered_us=None,
)

pytestmark = pytest.mark.looptime(False)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def states(request):
    if request.param == "memory":
        yield MemoryChannelStates()
        return
    database = await Database.open(request.getfixturevalue(f"{request.param}_url"))
    yield SqlChannelStates(database, SCOPE)
    await database.close()


async def test_what_is_saved_is_read_in_order(states: ChannelStates):
    chat = replace(MAIL, channel="telegram", recipient="11", is_failing=False, delivered_us=5)
    bob = replace(MAIL, recipient="bob@example.com")
    for one in (chat, bob, MAIL):
        await states.save(one)
    assert await states.read() == (MAIL, bob, chat)


async def test_a_recipient_has_one_state_the_last(states: ChannelStates):
    well = replace(MAIL, is_failing=False, reason="", changed_us=7, delivered_us=7)
    await states.save(MAIL)
    await states.save(well)
    assert await states.read() == (well,)


async def test_scopes_do_not_see_each_other(database):
    await SqlChannelStates(database, SCOPE).save(MAIL)
    assert await SqlChannelStates(database, Scope("live:test:0")).read() == ()
