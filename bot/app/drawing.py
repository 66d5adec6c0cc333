"""Files for the chat: pictures drawn in a process of their own, and where they lie."""

import asyncio
import logging
import sys
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

from bot.console.chart_data import ChartData, packed
from bot.domain.cockpit import NotDrawn
from bot.kit.threads import in_thread
from bot.kit.times import DAY_US, to_datetime

logger = logging.getLogger(__name__)

_DRAWN_WITHIN_S = 40.0
"""The first picture on a machine looks through its fonts."""
_KEPT_MAX = 200
_SAID_MAX = 500
_HOME = Path(__file__).resolve().parents[2]


class Files:
    """What was made for the chat. It is sent within seconds and kept for a day."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turn = asyncio.Lock()

    async def picture(self, name: str, data: ChartData, now_us: int) -> Path | NotDrawn:
        """Draw, off the loop and beside the interpreter that trades."""
        async with self._turn:  # one at a time: each takes a processor for a second
            content = await self._draw(data)
        if isinstance(content, NotDrawn):
            return content
        return await self.keep(f"{name}.png", content, now_us)

    async def keep(self, name: str, content: bytes, now_us: int) -> Path | NotDrawn:
        """Write a file; old ones go."""
        stamp = to_datetime(now_us).strftime("%Y%m%d_%H%M%S_%f")
        path = self._directory / f"{stamp}_{name}"

        def write() -> Path | NotDrawn:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                _remove_old(self._directory, now_us)
            except OSError as fault:
                return NotDrawn(why=f"{path} cannot be written: {fault.strerror or fault}")
            return path

        return await in_thread(write)

    async def _draw(self, data: ChartData) -> bytes | NotDrawn:
        drawing = _Drawing(self._directory.absolute() / ".matplotlib")
        work = asyncio.get_running_loop().run_in_executor(None, drawing.run, packed(data))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            drawing.stop()  # and its thread with it
            raise


class _Drawing:
    """One run of the program that draws.

    Started by ``Popen`` from a thread, which takes half a millisecond. The loop's own way
    copies the page tables of this process first: 100 ms at 300 MB, and an order would wait.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._process: Popen[bytes] | None = None
        self._is_stopped = False

    def run(self, data: bytes) -> bytes | NotDrawn:
        """Until the picture is there; blocks."""
        command = [sys.executable, "-m", "bot.console.draw", "picture"]
        # Nothing of our own environment: there are secrets in it.
        environment = {"PYTHONPATH": str(_HOME), "MPLCONFIGDIR": str(self._cache)}
        with Popen(  # noqa: S603 - our own command line
            command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
        ) as process:
            self._process = process
            if self._is_stopped:
                process.kill()
            try:
                content, said = process.communicate(data, timeout=_DRAWN_WITHIN_S)
            except TimeoutExpired:
                process.kill()
                return NotDrawn(why=f"the picture was not drawn within {_DRAWN_WITHIN_S:g} s")
        if process.returncode:
            told = said.decode(errors="replace").strip()[-_SAID_MAX:]
            logger.warning("picture not drawn", extra={"code": process.returncode, "said": told})
            return NotDrawn(why="the picture could not be drawn, see the log")
        return content

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._is_stopped = True
        if self._process is not None:
            self._process.kill()


def _remove_old(directory: Path, now_us: int) -> None:
    made = sorted(path for path in directory.iterdir() if path.is_file())
    limit = to_datetime(now_us - DAY_US).strftime("%Y%m%d_%H%M%S_%f")
    for place, path in enumerate(reversed(made)):
        if place >= _KEPT_MAX or path.name < limit:
            path.unlink(missing_ok=True)
