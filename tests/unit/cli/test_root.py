"""The command table: complete, quick to list, forgiving with names."""

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.cli.root import PLACES, cli

_HEAVY = ("aiohttp", "sqlalchemy", "telegram", "pydantic", "cryptography", "websockets")


@pytest.mark.parametrize("name", PLACES)
def test_each_command_is_where_the_table_says_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} [OPTIONS]" in result.output
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


def test_the_list_names_every_command() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    assert [name for name in PLACES if f"  {name} " not in output] == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["statsu"]])
def test_what_needs_no_command_loads_none(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom bot.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"print([one for one in {_HEAVY!r} if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_who_has_seen_enough_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody_reads:
        done = subprocess.run(
            [sys.executable, "-m", "bot", "backfill", "--help"],
            stdout=nobody_reads,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["status", "--jsn"], "No such option '--jsn'. Did you mean '--json'?"),
        (["run", "--mode", "gamble"], "'gamble' is not one of 'collect', 'analyze', 'trade'"),
        (["run", "--lock-wait", "-1"], "'--lock-wait': -1.0 is not in the range"),
        (["run", "now"], "unexpected extra argument"),
        (["backup", "--config", "/"], "'/' is a directory"),
        (["gaps", "--hours", "zero"], "'zero' is not a valid integer range"),
        (["gaps", "--since", "yesterday"], "'yesterday' is no day or time; write 2026-11-21"),
        (["gaps", "--since", "2026-11-21", "--hours", "3"], "exclude each other"),
        (
            ["gaps", "--since", "now"],
            "write 2026-11-21 or 2026-11-21T07:00Z. See python -m bot gaps",
        ),
        (["export", "--from", "2026-11-31"], "'2026-11-31' is no day; write 2026-11-21. See"),
        (["export", "--from", "2026-11-02", "--to", "2026-11-01"], "is after --to 2026-11-01. See"),
        (["reset-breaker"], "Missing argument 'NAME'"),
        (["instances", "--activate", "x", "--deactivate-all"], "exclude each other"),
    ],
)
def test_a_typing_error_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("usage: ")
    assert words in line
    assert line.endswith(" --help")
