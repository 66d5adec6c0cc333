"""What a soak makes of its measurements, and how it tells them."""

from soak.__main__ import told
from soak.run import Memory, Report


def test_growth_is_judged_over_a_life_that_is_long_enough() -> None:
    memory = Memory()
    for second in range(0, 1_200, 10):
        memory.add(second, {"bot": (1, 100 + max(0, second - 120) / 36), "exchange": (2, 50.0)})
    memory.add(1_300, {"bot": (3, 90.0)})
    growth = memory.growth()
    assert 27 < growth["bot"] < 29, "from 120-180 s to the last minute, 100 MB an hour"
    assert growth["exchange"] == 0
    assert memory.newest() == {"bot": 90.0, "exchange": 50.0}
    assert memory.rows()[0] == "process,pid,second,mb"
    assert memory.rows()[-1] == "bot,3,1300,90.0"
    assert len(memory.rows()) == 242


def test_the_warm_up_and_short_lives_say_nothing() -> None:
    memory = Memory()
    for second in range(0, 300, 10):
        memory.add(second, {"bot": (1, 100.0 + second)})
    assert memory.growth() == {}


def test_a_report_ends_with_its_problems_or_with_their_absence() -> None:
    report = Report(seed=1, minutes=2, faults={"reset": 3}, books=9, memory_mb={"bot": 80.4})
    assert told(report).splitlines()[-1].startswith("equal: 9 books")
    report.problems.append("positions differ: X")
    assert told(report).splitlines()[-2:] == ["1 PROBLEMS", "positions differ: X"]
