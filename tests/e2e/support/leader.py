"""Processes of ``programs/leader.py``: the real elector and lifecycle around a tiny service."""

import asyncio
import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

PROGRAM = "tests.e2e.programs.leader"
ROOT = Path(__file__).parents[3]


async def eventually(is_true: Callable[[], bool], limit_s: float, story: Callable[[], str]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not is_true():
        assert loop.time() < deadline, story()
        await asyncio.sleep(0.05)


class Leader:
    """One process of ``programs/leader.py`` and everything it said."""

    def __init__(self, database: str, deployment: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, database, "--deployment", deployment, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.said: list[dict[str, object]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)

    def listen(self) -> None:
        while not self._lines.empty():
            self.said.append(json.loads(self._lines.get_nowait()))

    def roles(self) -> list[object]:
        self.listen()
        return [one["role"] for one in self.said if one["kind"] == "role"]

    def trades(self) -> list[tuple[int, int]]:
        self.listen()
        return [(one["epoch"], one["at_us"]) for one in self.said if one["kind"] == "trade"]

    @property
    def epoch(self) -> object:
        """Of its latest leadership, ``None`` before the first."""
        self.listen()
        told = [one["epoch"] for one in self.said if one["kind"] == "role"]
        return next((epoch for epoch in reversed(told) if epoch is not None), None)

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    @property
    def bot_pid(self) -> int:
        """Of the process that leads, which is a child where a supervisor runs."""
        self.listen()
        return [int(str(one["pid"])) for one in self.said if one["kind"] == "start"][-1]

    @property
    def instance(self) -> str:
        self.listen()
        return next(str(one["instance"]) for one in self.said if one["kind"] == "start")

    async def reach(self, role: str, limit_s: float, times: int = 1) -> None:
        await eventually(lambda: self.roles().count(role) >= times, limit_s, self.story)

    async def exit_code(self, limit_s: float) -> int:
        await eventually(lambda: self.process.poll() is not None, limit_s, self.story)
        code: int = self.process.wait()
        self._reader.join()
        self.listen()
        return code

    def story(self) -> str:
        self.listen()
        return f"{[one for one in self.said if one['kind'] != 'trade']} {self.error()}"

    def error(self) -> str:
        return self.process.stderr.read() if self.process.poll() is not None else ""

    def end(self) -> None:
        children: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children()
        self.process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.communicate()
        self._reader.join()
