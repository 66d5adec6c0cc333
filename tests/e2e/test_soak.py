"""A minute of the soak: real processes, a fault every few seconds, kills; then all is equal."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.looptime(False)]

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_after_a_minute_of_faults_bot_and_exchange_agree() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "soak", "--minutes", "1", "--seed", "3", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["problems"] == [], done.stderr
    assert done.returncode == 0
    assert min(report["kills"], report["orders"], report["fills"], report["books"]) > 0, report
    assert sum(report["faults"].values()) > 10, report
