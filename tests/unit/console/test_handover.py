"""Giving the lead away from the chat: to whom, and every reason why not."""

from dataclasses import replace

import pytest

from bot.domain.ids import InstanceId
from tests.fakes.operator import INSTANCE, RELEASED
from tests.support.console import ADMIN, TRADER, Talk, body

THIRD = replace(RELEASED, instance=InstanceId("inst-5d"), host="host-c")
DEAD = replace(RELEASED, is_alive=False)
QUESTION = (
    "Hand the lead to inst-6e?\n"
    "released, host-a, version 0.1.0, heartbeat 2 s ago\n"
    "Entries stop and stops are not watched until it leads; take-profits stay. "
    "It keeps the lead until the next deployment."
)


@pytest.mark.parametrize("line", ["/handover inst-6e", "/handover"])
async def test_the_successor_is_named_and_leads_once_confirmed(line: str) -> None:
    talk = Talk()
    asked = await talk.says(ADMIN, line)
    assert body(asked) == QUESTION
    assert talk.operator.acts == []
    told = await talk.presses(ADMIN, asked, "Hand over")
    assert body(told) == "Done: handing over to inst-6e"
    assert [name for name, _ in talk.operator.acts] == ["hand over to inst-6e"]


async def test_only_an_admin_gives_the_lead_away() -> None:
    talk = Talk()
    assert body(await talk.says(TRADER, "/handover")) == "/handover needs the level admin."


async def test_of_several_one_is_chosen_by_a_button_and_asked_about() -> None:
    talk = Talk()
    talk.operator.instance_views = (INSTANCE, RELEASED, THIRD)
    asked = await talk.says(ADMIN, "/handover")
    assert body(asked).startswith("Which instance shall lead?")
    picked = await talk.presses(ADMIN, asked, "inst-6e")
    assert body(picked) == QUESTION


@pytest.mark.parametrize(
    ("views", "line", "words"),
    [
        ((INSTANCE,), "/handover", "There is no other living instance."),
        ((INSTANCE, DEAD), "/handover inst-6e", "There is no other living instance."),
        ((INSTANCE, DEAD, THIRD), "/handover inst-6e", "Not handed over: inst-6e is not alive."),
        ((INSTANCE, RELEASED), "/handover inst-6f", "there is no instance inst-6f. Did you mean:"),
        ((INSTANCE, RELEASED), "/handover inst-7f", "This instance has the lead already."),
        ((INSTANCE, RELEASED), "/handover a;b", "a;b is not an id, for example the first word"),
    ],
)
async def test_what_cannot_lead_is_refused_with_the_reason(
    views: tuple[object, ...], line: str, words: str
) -> None:
    talk = Talk()
    talk.operator.instance_views = views
    assert words in body(await talk.says(ADMIN, line))
    assert talk.operator.acts == []


async def test_without_a_question_and_with_nobody_there_nothing_happens() -> None:
    talk = Talk()
    talk.operator.instance_views = (INSTANCE,)
    reply = await talk.says(ADMIN, "/handover", is_confirmed=True)
    assert "There is no other living instance." in body(reply)
    assert talk.operator.acts == []


async def test_a_successor_that_dies_before_the_press_does_not_get_the_lead() -> None:
    talk = Talk()
    asked = await talk.says(ADMIN, "/handover inst-6e")
    talk.operator.instance_views = (INSTANCE, DEAD)
    assert "no other living instance" in body(await talk.presses(ADMIN, asked, "Hand over"))
    assert talk.operator.acts == []
