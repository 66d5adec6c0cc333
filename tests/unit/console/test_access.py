"""The allow-list, and what a stranger leaves behind."""

import logging

import pytest

from bot.console.access import AccessSettings, Doorkeeper
from bot.domain.operations import AccessLevel
from bot.kit.times import HOUR_US
from bot.ports.messages import Channel
from tests.support.console import ACCESS, ADMIN, GROUP, STRANGER, VIEWER, Talk


def test_the_highest_level_that_lists_a_user_counts():
    both = AccessSettings(admins=frozenset({5}), viewers=frozenset({5, 6}))
    assert both.level_of_user(5) is AccessLevel.ADMIN
    assert both.level_of_user(6) is AccessLevel.VIEWER
    assert both.level_of_user(7) is None
    assert both.users == {5, 6}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"admins": frozenset({-100})}, "admins"),
        ({"viewers": frozenset({0})}, "viewers"),
        ({"groups": frozenset({100})}, "groups"),
    ],
)
def test_a_group_is_not_a_user_and_a_user_is_not_a_group(wrong, field):
    with pytest.raises(ValueError, match=f"^{field}: "):
        AccessSettings(**wrong)


def test_a_chat_id_alone_lets_nobody_in():
    talk, door = Talk(), Doorkeeper(ACCESS)
    in_group = {"chat_id": GROUP, "is_private": False}
    assert door.level_of(talk.command(VIEWER, "/s", **in_group)) is AccessLevel.VIEWER
    assert door.level_of(talk.command(STRANGER, "/s", **in_group)) is None
    assert door.level_of(talk.command(ADMIN, "/s", chat_id=-5, is_private=False)) is None


def test_other_channels_bring_the_level_they_have_established():
    talk, door = Talk(), Doorkeeper(ACCESS)
    portal = talk.command(0, "/s", channel=Channel.PORTAL, granted=AccessLevel.VIEWER)
    assert door.level_of(portal) is AccessLevel.VIEWER
    assert door.level_of(talk.command(ADMIN, "/s", channel=Channel.PORTAL)) is None


def test_a_stranger_leaves_one_line_an_hour_with_the_id_and_how_to_let_them_in(caplog):
    talk, door = Talk(), Doorkeeper(ACCESS)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            assert not door.admits(talk.command(STRANGER, "/halt my secret plan"))
        talk.clock.advance(HOUR_US)
        assert not door.admits(talk.command(STRANGER, "/halt"))
    lines = [record for record in caplog.records if record.name == "bot.console.access"]
    assert len(lines) == 2
    assert lines[0].user_id == STRANGER
    assert "TELEGRAM_ADMIN_IDS" in lines[0].getMessage()
    assert "plan" not in str(vars(lines[0]))


def test_a_flood_of_strangers_is_forgotten_again():
    talk, door = Talk(), Doorkeeper(ACCESS)
    for user in range(10_000, 12_000):
        door.admits(talk.command(user, "/s"))
    assert len(door._last_logged_us) == 1_000
