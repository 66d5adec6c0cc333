"""How long work tells how far it is."""

from collections.abc import Callable
from typing import TypeAlias

OnAdvance: TypeAlias = Callable[[int, int | None, str], None]
"""Takes what is done, the total where it is known, and a few words."""
