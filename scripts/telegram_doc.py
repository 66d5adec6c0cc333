"""Writes the command table of ``docs/telegram.md`` from the commands of the code.

python scripts/telegram_doc.py          rewrite the table
python scripts/telegram_doc.py --check  exit 1 if it is not current
"""

# ruff: noqa: INP001 - a script is no package

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bot.console.commands import CommandSpec  # noqa: E402
from bot.console.handlers import command_table  # noqa: E402

PAGE = ROOT / "docs" / "telegram.md"
BEGIN = "<!-- commands: made by scripts/telegram_doc.py -->"
END = "<!-- end of commands -->"


def table() -> str:
    """The commands as a table."""
    head = "| command | who | asks first | what it does |\n| --- | --- | --- | --- |"
    return "\n".join([head, *(_row(spec) for spec in command_table().specs)])


def page(text: str) -> str:
    """The page with its table replaced.

    Raises:
        ValueError: the page has lost the marks around the table.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/telegram.md must hold {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _row(spec: CommandSpec) -> str:
    names = ", ".join([f"`{spec.usage}`", *(f"`/{alias}`" for alias in spec.aliases)])
    asks = "yes" if spec.asker else "no"
    names = names.replace("|", "\\|")  # or it would end the cell
    return f"| {names} | {spec.level.name.lower()} | {asks} | {spec.help} |"


def main() -> int:
    """Write or check; the exit code."""
    before = PAGE.read_text(encoding="utf-8")
    after = page(before)
    if "--check" in sys.argv[1:]:
        if before == after:
            return 0
        sys.stderr.write("docs/telegram.md is not current: run python scripts/telegram_doc.py\n")
        return 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
