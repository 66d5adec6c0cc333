"""Where recorded exchange data is kept on this machine, if anywhere. It is never committed."""

import os
from pathlib import Path

import pytest

BEGINNING_OR_WHOLE = [
    pytest.param(10_000, id="beginning"),
    pytest.param(None, id="whole", marks=pytest.mark.whole),
]
"""How many lines of each recorded game a test reads."""


def recordings(folder: str) -> Path:
    """A folder of recordings; skips the test where it is absent."""
    named = os.environ.get("KALSHI_RECORDINGS")  # noqa: TID251 - tests have no settings
    root = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    path = root / folder
    if not path.is_dir():
        pytest.skip(f"no recordings at {path}; set KALSHI_RECORDINGS to their folder")
    return path
