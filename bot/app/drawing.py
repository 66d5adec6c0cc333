"""Files for the chat: pictures drawn in a process of their own, and where they lie."""

import asyncio
import logging
import sys
from pathlib import Path

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
        cache = self._directory / ".matplotlib"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.console.draw",
            "picture",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Nothing of our own environment: there are secrets in it.
            env={"PYTHONPATH": str(_HOME), "MPLCONFIGDIR": str(cache.absolute())},
        )
        try:
            async with asyncio.timeout(_DRAWN_WITHIN_S):
                content, said = await process.communicate(packed(data))
        except TimeoutError:
            return NotDrawn(why=f"the picture was not drawn within {_DRAWN_WITHIN_S:g} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            told = said.decode(errors="replace").strip()[-_SAID_MAX:]
            logger.warning("picture not drawn", extra={"code": process.returncode, "said": told})
            return NotDrawn(why="the picture could not be drawn, see the log")
        return content


def _remove_old(directory: Path, now_us: int) -> None:
    made = sorted(path for path in directory.iterdir() if path.is_file())
    limit = to_datetime(now_us - DAY_US).strftime("%Y%m%d_%H%M%S_%f")
    for place, path in enumerate(reversed(made)):
        if place >= _KEPT_MAX or path.name < limit:
            path.unlink(missing_ok=True)
