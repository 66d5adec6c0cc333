"""The garbage collector while trading: no full look by itself, and everything as before afterwards."""

import gc
from collections.abc import Iterator

import pytest

from bot.kit.memory import CalmMemory


class Cycle:
    """Garbage that only the collector can free."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def full() -> Iterator[list[int]]:
    """One entry for each full collection."""
    seen: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            seen.append(1)

    gc.callbacks.append(look)
    yield seen
    gc.callbacks.remove(look)


@pytest.fixture
def memory() -> Iterator[CalmMemory]:
    calm = CalmMemory()
    calm.begin()
    yield calm
    calm.end()


def test_no_full_collection_comes_by_itself(memory: CalmMemory, full: list[int]) -> None:
    kept = [[Cycle()] for _ in range(200_000)]
    assert len(kept) == 200_000
    assert full == []


def test_what_survived_is_not_looked_at_again(memory: CalmMemory, full: list[int]) -> None:
    before = gc.get_freeze_count()
    kept = [Cycle() for _ in range(1_000)]
    memory.keep()
    assert gc.get_freeze_count() >= before + len(kept)
    assert full == []


def test_a_look_at_everything_frees_what_became_garbage_out_of_sight(memory: CalmMemory) -> None:
    kept = [Cycle() for _ in range(1_000)]
    memory.keep()
    before = gc.get_freeze_count()
    kept.clear()
    memory.look_at_all()
    assert gc.get_freeze_count() <= before - 1_000


def test_afterwards_it_is_as_before() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    calm = CalmMemory()
    calm.begin()
    assert gc.get_threshold() != before[0]
    calm.end()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before[0], 0)
