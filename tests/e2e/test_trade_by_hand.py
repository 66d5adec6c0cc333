"""What ``simulate --help`` tells a stranger to type, typed."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli.stage import simulate
from tests.e2e.support.bot import ROOT, SLACK_S

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.looptime(False),
    pytest.mark.skipif(
        not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl"
    ),
]


@pytest.fixture
def printed(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a running simulated exchange printed: name -> value."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "simulate", "--port", "0", "--make-key", "key.pem"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    told: dict[str, str] = {}
    for line in process.stdout or ():
        name, value = re.split(r"\s{2,}| (?=\S+$)", line.strip(), maxsplit=1)
        told[name] = value
        if name == "key id":
            break
    yield told
    process.terminate()
    process.communicate(timeout=SLACK_S)
    assert process.returncode == 0


def test_the_help_is_enough_to_trade_with_curl(printed: dict[str, str], tmp_path: Path) -> None:
    said = CliRunner().invoke(simulate, ["--help"]).output
    recipe = said[said.index("BASE=") : said.index("End an order")]
    recipe = recipe.replace("http://127.0.0.1:8090", printed["REST"].removesuffix("/trade-api/v2"))
    recipe = recipe.replace("the-printed-id", printed["key id"])
    done = subprocess.run(
        ["sh", "-c", recipe],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SLACK_S,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    balance, book, bought, resting, orders, positions = answers
    assert balance["balance_dollars"] == "15000.0000"
    assert book["orderbook_fp"]
    assert [each["order_id"] for each in orders["orders"]] == [resting["order_id"]]
    # What was on offer depends on the day the world began.
    held = sum(float(each["position_fp"]) for each in positions["market_positions"])
    assert held == float(bought["fill_count"])
