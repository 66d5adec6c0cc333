"""Writes the table of ``docs/alerts.md`` from the catalogue of the code.

python scripts/alerts_doc.py          rewrite the table
python scripts/alerts_doc.py --check  exit 1 if it is not current
"""

# ruff: noqa: INP001 - a script is no package

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bot.alerts.catalogue import text_of  # noqa: E402
from bot.app.sections import EmailSection  # noqa: E402
from bot.domain.alerts import AlertKind  # noqa: E402
from bot.domain.operations import Severity  # noqa: E402
from bot.kit.markup import plain  # noqa: E402

PAGE = ROOT / "docs" / "alerts.md"
BEGIN = "<!-- alerts: made by scripts/alerts_doc.py -->"
END = "<!-- end of alerts -->"


def table() -> str:
    """The alerts as a table."""
    head = "| kind | severity | says | at once | mailed |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *(_row(kind) for kind in AlertKind)])


def page(text: str) -> str:
    """The page with its table replaced.

    Raises:
        ValueError: the page has lost the marks around the table.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/alerts.md must hold {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _row(kind: AlertKind) -> str:
    told = text_of(kind)
    says = f"{told.title}: {told.headline}" if told.headline else told.title
    says = says.replace("\n", "; ")
    mailed = told.severity is not Severity.INFO or kind in EmailSection().also
    return (
        f"| `{kind.value}` | {told.severity.value} | {plain(says)} |"
        f" {'no' if told.is_limited else 'yes'} | {'yes' if mailed else 'no'} |"
    )


def main() -> int:
    """Write or check; the exit code."""
    before = PAGE.read_text(encoding="utf-8")
    after = page(before)
    if "--check" in sys.argv[1:]:
        if before == after:
            return 0
        sys.stderr.write("docs/alerts.md is not current: run python scripts/alerts_doc.py\n")
        return 1
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
