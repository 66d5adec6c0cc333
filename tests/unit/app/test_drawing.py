"""Files for the chat: what is drawn elsewhere, what is kept, and what goes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bot.app.drawing import Files
from bot.console.chart_data import Bar, FunnelChart
from bot.domain.cockpit import NotDrawn
from bot.kit.times import DAY_US

pytestmark = pytest.mark.looptime(False)

NOW_US = 1_795_245_300_000_000
CHART = FunnelChart(title="one", note="", bars=(Bar(name="seen", left=1, taken=0),))


def drawers() -> list[psutil.Process]:
    """Programs that draw for this process."""
    return [
        one for one in psutil.Process().children() if "bot.console.draw" in " ".join(one.cmdline())
    ]


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


async def until(holds: Callable[[], object]) -> None:
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(0.01)


async def test_a_drawing_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        drawing = group.create_task(Files(tmp_path).picture("one", CHART, NOW_US))
        await until(drawers)
        drawing.cancel()
        await asyncio.wait([drawing])
        assert drawing.cancelled()
        await until(lambda: not drawers())
    assert kept(tmp_path) == []


async def test_what_cannot_be_drawn_is_said_and_the_reason_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nothing = FunnelChart(title="none", note="", bars=())
    assert await Files(tmp_path).picture("none", nothing, NOW_US) == NotDrawn(
        why="the picture could not be drawn, see the log"
    )
    assert "ValueError" in str(caplog.records[-1].said)  # type: ignore[attr-defined]


async def test_files_of_yesterday_go_and_their_number_is_bounded(tmp_path: Path) -> None:
    files = Files(tmp_path)
    for ago in range(210):
        assert isinstance(await files.keep("t.csv", b"x", NOW_US - ago), Path)
    await files.keep("old.csv", b"x", NOW_US - 2 * DAY_US)
    newest = await files.keep("new.csv", b"new", NOW_US + 1)
    names = kept(tmp_path)
    assert len(names) == 200
    assert isinstance(newest, Path)
    assert names[-1] == newest.name
    assert not [name for name in names if name.endswith("old.csv")]
