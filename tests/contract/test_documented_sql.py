"""What the handbook tells an operator to type works as it stands, on both databases."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.adapters.storage.database import Database

DOCS = Path(__file__).resolve().parents[2] / "docs"


def documented() -> list[str]:
    pages = [DOCS / name for name in ("operations.md", "alerts.md")]
    told = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    blocks = re.findall(r"```sql\n(.*?)```", told, re.DOTALL)
    bare = re.sub(r"--[^\n]*", "", "\n".join(blocks))
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def test_the_handbook_holds_the_queries_of_the_runbooks() -> None:
    joined = "\n".join(documented())
    for name in (
        "trades",
        "daily_performance",
        "active_positions",
        "recent_errors",
        "account_snapshots",
        "missing_hours",
        "bot_instances",
    ):
        assert f"FROM {name}" in joined


@pytest.mark.looptime(False)
async def test_every_documented_statement_runs(database: Database) -> None:
    for statement in documented():
        async with database.begin() as connection:
            await connection.execute(text(statement))
