"""Writes the command table of ``docs/telegram.md`` from the commands of the code.

python scripts/telegram_doc.py          rewrite the table
python scripts/telegram_doc.py --check  exit 1 if it is not current
"""

# ruff: noqa: INP001 - a script is no package

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import made_pages  # noqa: E402

from bot.console.commands import CommandSpec  # noqa: E402
from bot.console.handlers import command_table  # noqa: E402

PAGE = ROOT / "docs" / "telegram.md"
MARKS = (
    "<!-- commands: made by scripts/telegram_doc.py -->",
    "<!-- end of commands -->",
)


def table() -> str:
    """The commands as a table."""
    head = "| command | who | asks first | what it does |\n| --- | --- | --- | --- |"
    return "\n".join([head, *(_row(spec) for spec in command_table().specs)])


def page(text: str) -> str:
    """The page with its table replaced."""
    return made_pages.with_table(text, PAGE, MARKS, table())


def _row(spec: CommandSpec) -> str:
    names = ", ".join([f"`{spec.usage}`", *(f"`/{alias}`" for alias in spec.aliases)])
    asks = "yes" if spec.asker else "no"
    names = names.replace("|", "\\|")  # or it would end the cell
    return f"| {names} | {spec.level.name.lower()} | {asks} | {spec.help} |"


if __name__ == "__main__":
    text = page(PAGE.read_text(encoding="utf-8"))
    sys.exit(made_pages.write_or_check(PAGE, text, __file__))
