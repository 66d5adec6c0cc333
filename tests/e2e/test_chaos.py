"""The short form of the fault matrix: every fault once, on real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_no_fault_of_the_matrix_leaves_two_traders_or_none() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--short", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert {key: row["problems"] for key, row in facts.items() if row["problems"]} == {}
    assert sum(row["zombies"] for row in facts.values()) == 0
    assert facts["sigkill"]["worst_s"] > 3, "a killed leader's lease was not waited for"
    assert "Traceback" not in done.stderr
