"""The short form of the chat's storm: killed processes, and cancelled tasks on the other database."""

import pytest

from chaos.chat import run

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]


@pytest.mark.timeout(200)
async def test_a_storm_with_killed_processes_does_everything_once_and_answers_it(tmp_path) -> None:
    report = await run(f"sqlite:///{tmp_path}/chat.sqlite", 60, 3, is_in_process=False)
    assert report["problems"] == []
    assert report["kills"] >= 2, report
    assert report["effects"] > 10, report
    assert len(report["faults"]) > 5, report


@pytest.mark.postgres
@pytest.mark.timeout(200)
async def test_a_storm_with_cancelled_tasks_does_everything_once_and_answers_it(
    postgres_url: str,
) -> None:
    report = await run(postgres_url, 80, 4, is_in_process=True)
    assert report["problems"] == []
    assert report["kills"] >= 3, report
    assert report["questions_answered"] > 0, report
