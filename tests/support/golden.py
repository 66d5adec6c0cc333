"""Texts that are kept as files, so that a change of words shows as a readable difference.

    pytest tests/unit/console/test_golden.py --renew-golden

writes them anew; ``git diff tests/golden`` then shows what has changed.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class Golden:
    """Compares with what is kept, or keeps it."""

    is_renewing: bool
    folder: Path = FOLDER

    def check(self, name: str, text: str) -> None:
        """Fail with a difference unless the text is the one that is kept under this name."""
        path = self.folder / f"{name}.txt"
        text = text.rstrip("\n") + "\n"
        if self.is_renewing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        if kept == text:
            return
        difference = "\n".join(
            difflib.unified_diff(kept.splitlines(), text.splitlines(), "kept", "now", lineterm="")
        )
        what = "has changed" if path.exists() else "is not kept yet"
        pytest.fail(
            f"{path.relative_to(self.folder.parent)} {what}; if it is right as it is now, "
            f"run this test with --renew-golden and commit the file\n{difference}",
            pytrace=False,
        )

    def names(self, group: str) -> set[str]:
        """What is kept in a group."""
        return {path.stem for path in (self.folder / group).glob("*.txt")}
