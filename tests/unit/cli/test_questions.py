"""Questions of the commands that act: a no, no answer, and a scope that cannot be."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.cli import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A directory with a database; a command sets the log up for its process, the test's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_UNPOOLED_URL", "KALSHI_API_KEY_ID", "ENVIRONMENT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'bot.sqlite'}")
    assert run(["migrate"]) == 0
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)


def run(arguments: list[str]) -> object:
    # In a thread, because a command's own event loop would replace that of the tests.
    with ThreadPoolExecutor(1) as thread, pytest.raises(SystemExit) as left:
        thread.submit(main, arguments).result()
    return left.value.code


@pytest.mark.parametrize(
    ("typed", "code"), [("n\n", 1), ("", 130)], ids=["declined", "without an answer"]
)
def test_a_panic_that_is_not_confirmed_says_that_the_halt_stays(
    typed: str, code: int, place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.setattr("sys.stdin", io.StringIO(typed))
    assert run(["panic"]) == code
    said = capsys.readouterr()
    assert "nothing is sold; the halt stays: `python -m bot unhalt` ends it" in said.err
    assert ("interrupted" in said.err) == (code == 130)


@pytest.mark.parametrize(
    "command", [["cancel-orders"], ["flatten", "all"], ["adopt"]], ids=lambda words: words[0]
)
def test_a_no_is_no_interruption(
    command: list[str], place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(command) == 1
    assert capsys.readouterr().err.endswith("nothing was done\n")


@pytest.mark.parametrize("scope", ["papr:main:0", "paper", "paper:main", "paper:main:x"])
def test_a_scope_that_no_bot_can_have_is_no_halt(
    scope: str, place: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["halt", "--scope", scope]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"'{scope}' is not MODE:ACCOUNT:SUBACCOUNT" in said.err
