"""Reports and status files are whole, bounded in number, and say what happened."""

import json

import pytest

from bot.collect.cycle_report import (
    CycleReport,
    replace_json,
    status_rows,
    summary_line,
    write_report,
    write_status_file,
)
from bot.domain.ids import SeriesTicker
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress


def report(outcome=CycleOutcome.COMPLETE, *, cycle_id="c1", started_us=1_795_245_300_000_000):
    progress = SeriesProgress(series=SeriesTicker("KXFED"), scanned=5, quarantined=1, is_done=True)
    return CycleReport(
        cycle=Cycle(
            cycle_id=cycle_id,
            mode="collect",
            snapshot_hour_utc="2026-11-21T07:00:00Z",
            attempt=1,
            outcome=outcome,
            started_us=started_us,
            inserted=4,
            progress=(progress,),
            error=None if outcome is CycleOutcome.COMPLETE else "KXFED: 504",
        ),
        finished_us=started_us + 4_200_000,
        duration_us=4_200_999,
    )


def test_the_summary_line_has_the_documented_fields() -> None:
    assert summary_line(report()) == (
        "cycle=c1 mode=collect scanned=5 inserted=4 errors=1 duration_s=4.200 outcome=complete"
    )


def test_only_a_complete_cycle_states_a_success() -> None:
    for outcome in CycleOutcome:
        rows = status_rows(report(outcome))
        is_complete = outcome is CycleOutcome.COMPLETE
        assert ("last_success_at_utc" in rows) is is_complete
        assert ("last_error_at_utc" in rows) is not is_complete
        assert (rows["last_cycle_id"], rows["last_mode"]) == ("c1", "collect")
        assert rows["last_duration_s"] == "4.200"


def test_the_report_file_can_be_read_back(tmp_path) -> None:
    path = write_report(tmp_path / "reports", report(CycleOutcome.PARTIAL), kept=5)
    content = json.loads(path.read_text())
    assert content["outcome"] == "partial"
    assert content["series"][0]["quarantined"] == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_resumed_cycle_has_one_report(tmp_path) -> None:
    write_report(tmp_path, report(CycleOutcome.PARTIAL), kept=5)
    path = write_report(tmp_path, report(), kept=5)
    assert json.loads(path.read_text())["outcome"] == "complete"
    assert len(list(tmp_path.iterdir())) == 1


def test_only_the_newest_reports_are_kept(tmp_path) -> None:
    for hour in range(6):
        started_us = 1_795_245_300_000_000 + hour * 3_600_000_000
        last = write_report(tmp_path, report(cycle_id=f"c{hour}", started_us=started_us), kept=3)
    assert len(list(tmp_path.iterdir())) == 3
    assert last in tmp_path.iterdir()


def test_other_files_in_the_reports_directory_are_left_alone(tmp_path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    for number in range(3):
        write_report(tmp_path, report(cycle_id=f"c{number}"), kept=1)
    assert (tmp_path / "notes.json").exists()


def test_a_status_file_keeps_what_the_new_rows_do_not_say(tmp_path) -> None:
    path = tmp_path / "deep" / "status.json"
    write_status_file(path, {"last_success_at_utc": "T1", "last_mode": "collect"})
    write_status_file(path, {"last_error_at_utc": "T2"})
    assert json.loads(path.read_text()) == {
        "last_success_at_utc": "T1",
        "last_mode": "collect",
        "last_error_at_utc": "T2",
    }


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null"])
def test_a_damaged_status_file_is_replaced(tmp_path, damage) -> None:
    path = tmp_path / "status.json"
    path.write_text(damage)
    write_status_file(path, {"last_mode": "collect"})
    assert json.loads(path.read_text()) == {"last_mode": "collect"}


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path) -> None:
    path = tmp_path / "status.json"
    replace_json(path, {"good": "1"})
    with pytest.raises(TypeError):
        replace_json(path, {"bad": object()})
    assert json.loads(path.read_text()) == {"good": "1"}
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]
