"""Command lines of the operations documents keep working."""

import pytest

from bot.cli.spellings import modernise


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["--backup"], ["backup"]),
        (["--backup", "--lock-file", "./custom.lock"], ["backup", "--lock-file", "./custom.lock"]),
        (
            ["run-once", "--mode", "collect", "--config", "c.json"],
            ["run", "--once", "--mode", "collect", "--config", "c.json"],
        ),
        (
            ["--mode", "trade", "--once", "--dry-run", "--log-level", "DEBUG"],
            ["run", "--mode", "trade", "--once", "--dry-run", "--log-level", "DEBUG"],
        ),
        (["--config", "c.json", "run"], ["run", "--config", "c.json"]),
        (["--lock-file", "run-once", "status"], ["status", "--lock-file", "run-once"]),
        (["gaps", "--json"], ["gaps", "--json"]),
        (["backup", "--core"], ["backup", "--core"]),
        ([], []),
        (["--help"], ["--help"]),
        (["--once"], ["run", "--once"]),
        (["--lock-file", "./custom.lock"], ["run", "--lock-file", "./custom.lock"]),
        (["--config", "c.json", "--help"], ["--config", "c.json", "--help"]),
        (["--mode=collect"], ["run", "--mode=collect"]),
        (["--unsupervised"], ["run", "--unsupervised"]),
        (
            ["--config", "c.json", "--supervisor-fd=5"],
            ["run", "--config", "c.json", "--supervisor-fd=5"],
        ),
    ],
)
def test_an_old_spelling_becomes_its_subcommand(old: list[str], new: list[str]) -> None:
    assert modernise(old) == new
