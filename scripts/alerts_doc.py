"""Writes the table of ``docs/alerts.md`` from the catalogue of the code.

python scripts/alerts_doc.py          rewrite the table
python scripts/alerts_doc.py --check  exit 1 if it is not current
"""

# ruff: noqa: INP001 - a script is no package

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import made_pages  # noqa: E402

from bot.alerts.catalogue import text_of  # noqa: E402
from bot.app.sections import EmailSection  # noqa: E402
from bot.domain.alerts import AlertKind  # noqa: E402
from bot.domain.operations import Severity  # noqa: E402
from bot.kit.markup import plain  # noqa: E402

PAGE = ROOT / "docs" / "alerts.md"
MARKS = (
    "<!-- alerts: made by scripts/alerts_doc.py -->",
    "<!-- end of alerts -->",
)


def table() -> str:
    """The alerts as a table."""
    head = "| kind | severity | says | at once | mailed |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *(_row(kind) for kind in AlertKind)])


def page(text: str) -> str:
    """The page with its table replaced."""
    return made_pages.with_table(text, PAGE, MARKS, table())


def _row(kind: AlertKind) -> str:
    told = text_of(kind)
    says = f"{told.title}: {told.headline}" if told.headline else told.title
    says = says.replace("\n", "; ")
    mailed = told.severity is not Severity.INFO or kind in EmailSection().also
    return (
        f"| `{kind.value}` | {told.severity.value} | {plain(says)} |"
        f" {'no' if told.is_limited else 'yes'} | {'yes' if mailed else 'no'} |"
    )


if __name__ == "__main__":
    text = page(PAGE.read_text(encoding="utf-8"))
    sys.exit(made_pages.write_or_check(PAGE, text, __file__))
