"""What a cycle says about itself: the report, the summary line, the status rows.

Success is stated for a complete cycle only; a partial scan is an error with a
message. Files are replaced as a whole, so a reader never sees half of one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bot.kit.times import format_seconds
from bot.ports.collection import Cycle, CycleOutcome, SeriesProgress

_REPORT_PATTERN = "collect_*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleReport:
    """The result of one run of a cycle.

    The counts are the cycle's, over every run that worked on it;
    ``duration_us`` is this run's alone.
    """

    cycle: Cycle
    finished_us: int
    duration_us: int
    unknown_fields: Mapping[str, int] = field(default_factory=dict)
    """How many markets carried a field nobody documented, by its name; of this run."""

    @property
    def is_success(self) -> bool:
        """Whether every page of every series was read and stored."""
        return self.cycle.outcome is CycleOutcome.COMPLETE

    @property
    def duration_s(self) -> str:
        """Seconds with three places."""
        seconds, rest = divmod(self.duration_us, 1_000_000)
        return f"{seconds}.{rest // 1_000:03d}"

    @property
    def facts(self) -> dict[str, object]:
        """The report as written to the reports directory and printed by ``--json``."""
        cycle = self.cycle
        return {
            "cycle_id": cycle.cycle_id,
            "mode": cycle.mode,
            "outcome": cycle.outcome.value,
            "snapshot_hour_utc": cycle.snapshot_hour_utc,
            "started_at_utc": format_seconds(cycle.started_us),
            "finished_at_utc": format_seconds(self.finished_us),
            "duration_s": self.duration_s,
            "attempt": cycle.attempt,
            "scanned": cycle.scanned,
            "inserted": cycle.inserted,
            "errors": cycle.errors,
            "error": cycle.error,
            "quarantined": sum(each.quarantined for each in cycle.progress),
            "unknown_fields": dict(self.unknown_fields),
            "series": [_series_facts(each) for each in cycle.progress],
        }


def summary_line(report: CycleReport) -> str:
    """The one line from which a cycle can be judged without its report."""
    cycle = report.cycle
    return (
        f"cycle={cycle.cycle_id} mode={cycle.mode} scanned={cycle.scanned}"
        f" inserted={cycle.inserted} errors={cycle.errors} duration_s={report.duration_s}"
        f" outcome={cycle.outcome}"
    )


def status_rows(report: CycleReport) -> dict[str, str]:
    """The status rows this run changes; ``cycle_count`` is the store's."""
    cycle, at = report.cycle, format_seconds(report.finished_us)
    rows = {
        "last_cycle_id": cycle.cycle_id,
        "last_mode": cycle.mode,
        "last_outcome": cycle.outcome.value,
        "last_duration_s": report.duration_s,
        "last_collect_count": str(cycle.inserted),
    }
    if report.is_success:
        return rows | {"last_success_at_utc": at}
    return rows | {"last_error_at_utc": at, "last_error_message": cycle.error or cycle.outcome}


def write_report(directory: Path, report: CycleReport, kept: int) -> Path:
    """Write the report file and delete all but the newest ``kept``; blocking.

    A resumed cycle overwrites the report of its earlier attempt.
    """
    started = format_seconds(report.cycle.started_us).replace("-", "").replace(":", "")
    path = directory / f"collect_{started}_{report.cycle.cycle_id}.json"
    replace_json(path, report.facts)
    for old in sorted(directory.glob(_REPORT_PATTERN))[:-kept]:
        old.unlink(missing_ok=True)
    return path


def write_status_file(path: Path, rows: Mapping[str, str]) -> None:
    """Lay ``rows`` over the status file's content; blocking.

    The file keeps what it knew where the database could not be asked, so a
    failed cycle does not erase when the last good one was.
    """
    replace_json(path, _read_rows(path) | dict(rows))


def replace_json(path: Path, content: object) -> None:
    """Replace a file as a whole, durably; blocking. Creates its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, sort_keys=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_rows(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(key): str(value) for key, value in content.items()}


def _series_facts(progress: SeriesProgress) -> dict[str, object]:
    body = asdict(progress)
    del body["cursor"]  # opaque, and of no use after the cycle
    return body
