"""A question at the terminal, asked from inside the event loop."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_ASKS = """
import asyncio, sys, click
from bot.cli.chat import agrees
async def ask():
    return agrees("All of it?", "Sell")
try:
    print(asyncio.run(ask()))
except click.Abort:
    sys.exit(130)
"""


@pytest.fixture
def asking():
    with subprocess.Popen(
        [sys.executable, "-c", _ASKS],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - the child's
    ) as process:
        asked = b""
        while b"Sell? [y/N]: " not in asked:
            byte = process.stderr.read(1)
            assert byte, asked
            asked += byte
        yield process
        process.kill()


def test_the_first_interruption_ends_it(asking):
    # Between the prompt and the wait for a line a signal is only looked at after the line.
    with pytest.raises(subprocess.TimeoutExpired):
        asking.wait(timeout=0.5)
    asking.send_signal(signal.SIGINT)
    assert asking.wait(timeout=20) == 130


def test_what_was_answered_counts(asking):
    out, _ = asking.communicate(b"y\n", timeout=20)
    assert out == b"True\n"
