"""Only the managed bot is supervised, and its child is not supervised again."""

import pytest

from bot.cli.supervised import wants_supervisor


@pytest.mark.parametrize(
    ("arguments", "is_wanted"),
    [
        (["run"], True),
        (["run", "--mode", "trade", "--config", "c.yaml"], True),
        (["run", "--once"], False),
        (["run", "--help"], False),
        (["run", "--unsupervised"], False),
        (["run", "--mode", "trade", "--supervisor-fd=5"], False),
        (["status"], False),
        ([], False),
    ],
)
def test_who_is_supervised(arguments: list[str], is_wanted: bool) -> None:
    assert wants_supervisor(arguments) is is_wanted
