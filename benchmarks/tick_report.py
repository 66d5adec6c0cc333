"""What ``tick_to_order`` found, as a table and as one line of JSON."""

import json
import os
import statistics
from dataclasses import dataclass, field

_LABELS = {
    "floor": "raw socket, fixed order (floor)",
    "memory": "the bot, nothing stored",
    "ready": "the same, rehearsing at 25 %",
    "sqlite": "the bot, SQLite, synced to disk",
    "postgres": "the bot, PostgreSQL, synced to disk",
    "sdk": "kalshi-sdk, nothing stored",
    "official": "kalshi-python-async, nothing stored",
}
_TARGETS = {
    "engine_ratio": 1.5,
    "p99_ratio": 2,
    "burst_ratio": 5,
    "commits_per_order": 1.2,
    "sdk_speedup": 10,
    "durable_sdk_speedup": 2.5,
}
_BLOCKS = 5


@dataclass
class Samples:
    """Nanoseconds of one contestant, in the order they were taken."""

    values: list[int] = field(default_factory=list)

    def us(self, share: float) -> float:
        """A quantile in microseconds."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1_000

    def spread(self) -> tuple[float, float]:
        """The lowest and highest median of consecutive blocks, in microseconds."""
        size = max(1, len(self.values) // _BLOCKS)
        medians = [
            statistics.median(self.values[at : at + size]) / 1_000
            for at in range(0, size * _BLOCKS, size)
            if self.values[at : at + size]
        ]
        return min(medians), max(medians)


@dataclass
class Found:
    """Samples by contestant: of lone triggers, of triggers behind a burst, of bare commits."""

    single: dict[str, Samples] = field(default_factory=dict)
    bursts: dict[str, Samples] = field(default_factory=dict)
    commits: dict[str, Samples] = field(default_factory=dict)
    said: dict[str, dict[str, int]] = field(default_factory=dict)
    """What a contestant said at its end."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why one did not take part."""


def show(found: Found) -> None:
    """Print both."""
    for title, samples in (("tick to order", found.single), ("behind 100 frames", found.bursts)):
        floor = samples["floor"].us(0.5)
        print(f"{title + ', us':38}{'rounds':>7}{'p50':>8}{'p99':>9}{'blocks':>14}{'x floor':>9}")
        for name, one in samples.items():
            _row(_LABELS[name], one, f"{one.us(0.5) / floor:.1f}")
    for name, one in found.commits.items():
        _row(f"bare commit of the intent, {name}", one, "")
    for name, reason in found.reasons.items():
        print(f"{_LABELS[name]}: {reason}")
    print(f"load {' '.join(f'{one:.1f}' for one in os.getloadavg())} on {os.cpu_count()} cpus")
    print(json.dumps(_line(found)))


def _row(label: str, one: Samples, ratio: str) -> None:
    low, high = one.spread()
    print(
        f"{label:38}{len(one.values):>7}{one.us(0.5):>8.0f}{one.us(0.99):>9.0f}"
        f"{f'{low:.0f}-{high:.0f}':>14}{ratio:>9}"
    )


def _line(found: Found) -> dict[str, object]:
    floor, memory, durable = (found.single[name] for name in ("floor", "memory", "sqlite"))
    bursts = found.bursts
    line: dict[str, object] = {
        "benchmark": "tick_to_order",
        "floor_p50_us": round(floor.us(0.5), 1),
        "floor_p99_us": round(floor.us(0.99), 1),
        "p50_us": round(memory.us(0.5), 1),
        "p99_us": round(memory.us(0.99), 1),
        "durable_p50_us": round(durable.us(0.5), 1),
        "durable_p99_us": round(durable.us(0.99), 1),
        "commit_p50_us": round(found.commits["sqlite"].us(0.5), 1),
        "engine_ratio": _ratio(memory, floor),
        "durable_ratio": _ratio(durable, floor),
        "p99_ratio": round(memory.us(0.99) / floor.us(0.99), 2),
        "burst_ratio": _ratio(bursts["memory"], bursts["floor"]),
        "ready_ratio": _ratio(found.single["ready"], floor),
        "ready_burst_ratio": _ratio(bursts["ready"], bursts["floor"]),
        "commits_per_order": _commits(found, "sqlite"),
        "signed_inline": sum(said.get("signed_inline", 0) for said in found.said.values()),
        "rounds": len(memory.values),
        "targets": _TARGETS,
    }
    if "postgres" in found.single:
        line["postgres_p50_us"] = round(found.single["postgres"].us(0.5), 1)
        line["postgres_commit_p50_us"] = round(found.commits["postgres"].us(0.5), 1)
        line["postgres_commits_per_order"] = _commits(found, "postgres")
    for name in ("sdk", "official"):
        peer = found.single.get(name)
        line[f"{name}_speedup"] = None if peer is None else _ratio(peer, memory)
        line[f"durable_{name}_speedup"] = None if peer is None else _ratio(peer, durable)
    return line


def _ratio(one: Samples, other: Samples) -> float:
    return round(one.us(0.5) / other.us(0.5), 2)


def _commits(found: Found, name: str) -> float:
    """What storing adds to an order, in bare commits."""
    added_us = found.single[name].us(0.5) - found.single["memory"].us(0.5)
    return round(added_us / found.commits[name].us(0.5), 2)
