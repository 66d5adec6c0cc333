"""What the scripts that write pages of ``docs/`` from the code have in common."""

# ruff: noqa: INP001 - a script is no package

import sys
from pathlib import Path


def with_table(text: str, page: Path, marks: tuple[str, str], table: str) -> str:
    """``text`` with what stands between two marks replaced.

    Raises:
        ValueError: the page has lost the marks around the table.
    """
    first, last = marks
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"docs/{page.name} must hold {first} and {last}")
    return f"{before}{first}\n\n{table}\n\n{last}{after}"


def write_or_check(page: Path, text: str, script: str) -> int:
    """Write the page, or with ``--check`` compare it; the exit code."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    name = Path(script).name
    sys.stderr.write(f"docs/{page.name} is not current: run python scripts/{name}\n")
    return 1
