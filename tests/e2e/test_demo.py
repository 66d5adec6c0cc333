"""The demo as a person starts it: four real processes, ended by Ctrl-C."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.e2e.support.bot import ROOT, SLACK_S

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]


@contextmanager
def demo(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bot", "demo", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        cwd=home,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                one.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    said = ""
    for line in process.stdout or ():
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def test_ctrl_c_ends_the_demo_and_all_its_processes_and_a_second_run_goes_on(
    tmp_path: Path,
) -> None:
    stored = []
    for words in ("inserted=", "role: leading"):
        with demo(tmp_path) as process:
            said = read_until(process, words)
            assert "waits for /unhalt" in said
            children = psutil.Process(process.pid).children(recursive=True)
            assert len(children) == 3, "the exchange, the supervisor, the bot"
            process.send_signal(signal.SIGINT)
            told, _ = process.communicate(timeout=SLACK_S)
            assert process.returncode == 0, said + told
            found = re.search(r"(\d+) snapshots in var/demo/kalshi.sqlite", told)
            assert found is not None, told
            stored.append(int(found[1]))
            assert not [one for one in children if one.is_running()]
    assert 0 < stored[0] <= stored[1]


def test_ctrl_c_before_anything_was_collected_is_no_failure(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Ctrl-C ends it")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=SLACK_S)
        assert process.returncode == 0, told
