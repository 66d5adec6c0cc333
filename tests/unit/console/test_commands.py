"""The table finds what was meant."""

import pytest

from bot.console.commands import CommandTable
from bot.console.handlers import command_table
from bot.domain.operations import AccessLevel

TABLE = command_table()


@pytest.mark.parametrize(
    ("word", "level", "meant"),
    [
        ("statuss", AccessLevel.VIEWER, "status"),
        ("hal", AccessLevel.TRADER, "halt"),
        ("resetbreaker", AccessLevel.ADMIN, "reset_breaker"),
        ("qqqq", AccessLevel.ADMIN, None),
    ],
)
def test_a_misspelled_word_finds_its_command(word, level, meant):
    found = TABLE.nearest(word, level)
    assert (found.name if found else None) == meant


def test_a_name_or_alias_belongs_to_one_command():
    spec = TABLE.find("status")
    assert spec is not None
    with pytest.raises(ValueError, match="share a name"):
        CommandTable((spec, spec))


def test_every_row_is_found_by_its_name_and_aliases():
    for spec in TABLE.specs:
        assert all(TABLE.find(name) is spec for name in (spec.name, *spec.aliases))
