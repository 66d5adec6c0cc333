"""A database that is not there, or not reached: one line with the next step, nothing made."""

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.cli import main

READING = [["status"], ["gaps"], ["instances"], ["healthcheck"], ["snapshots", "KXFED-1"]]
ACTING = [["halt", "lunch"], ["unhalt"], ["reset-breaker", "daily_loss"]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An empty directory; a command sets the log up for its process, which is the test's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_UNPOOLED_URL", "KALSHI_API_KEY_ID", "ENVIRONMENT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)


def told(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    # In a thread, because a command's own event loop would replace that of the tests.
    with ThreadPoolExecutor(1) as thread, pytest.raises(SystemExit) as left:
        thread.submit(main, arguments).result()
    said = capsys.readouterr()
    assert left.value.code == code, said
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said
    return said.err


def test_a_backup_of_no_database_is_refused_and_no_older_one_goes(
    place: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    kept = [backups / f"kalshi_202601{day:02}_000000.sqlite" for day in range(1, 21)]
    for one in kept:
        one.write_bytes(b"real")
    path = tmp_path / "typo" / "bot.sqlite"
    place.setenv("DATABASE_URL", f"sqlite:///{path}")
    line = told(["backup"], 2, capsys)
    assert f"there is no database at {path}; check DATABASE_URL" in line
    assert not path.parent.exists()
    assert sorted(backups.iterdir()) == kept


@pytest.mark.parametrize("arguments", READING + ACTING, ids=lambda words: words[0])
def test_a_command_that_needs_a_database_makes_none(
    arguments: list[str],
    place: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "typo" / "bot.sqlite"
    place.setenv("DATABASE_URL", f"sqlite:///{path}")
    line = told(arguments, 1, capsys)
    assert f"there is no database at {path} yet" in line
    assert "DATABASE_URL" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [*READING, *ACTING, ["backup"]], ids=lambda words: words[0])
def test_a_database_that_is_not_reached_is_one_line_without_its_password(
    arguments: list[str], place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        place.setenv("DATABASE_URL", f"postgresql://bot:hunter2@127.0.0.1:{port}/kalshi")
        line = told(arguments, 1, capsys)
    assert f"bot:***@127.0.0.1:{port}/kalshi" in line
    assert "check DATABASE_URL" in line
    assert "hunter2" not in line


def test_a_panic_without_the_database_names_what_works_without_it(
    place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.setenv("ENABLE_LIVE_TRADING", "true")
    place.setenv("BOT_MODE", "trade")
    place.setenv("KALSHI_API_KEY_ID", "11111111-2222-3333-4444-555555555555")
    place.setenv("KALSHI_PRIVATE_KEY", "any: this command needs no exchange before the database")
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        place.setenv("DATABASE_URL", f"postgresql://bot@127.0.0.1:{closed.getsockname()[1]}/kalshi")
        line = told(["panic", "--yes"], 1, capsys)
    assert "check DATABASE_URL" in line
    assert line.rstrip().endswith(
        "until it is back: `python -m bot cancel-orders --including-exits`,"
        " then close the positions in Kalshi's app"
    )
