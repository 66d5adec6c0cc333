"""When a row of the fault matrix is not as it must be."""

from chaos.arena import Arena
from chaos.rows import Outcome, Row, Seen, table


async def never(_: Arena) -> Seen:
    raise AssertionError("not run here")


ROW = Row(
    key="kill",
    fault="a kill",
    expected="soon",
    runs=3,
    short_runs=1,
    run=never,
    limit_s=18,
    median_s=2,
)


def outcome(*seen: Seen) -> Outcome:
    return Outcome(ROW, runs=len(seen), seen=list(seen))


def test_runs_inside_the_limits_are_no_problem() -> None:
    one = outcome(Seen(seconds=1), Seen(seconds=2), Seen(seconds=17.9))
    assert one.problems(is_timed=True) == []
    assert (one.median, one.worst, one.zombies) == (2, 17.9, 0)
    assert "ok" in table([one], is_timed=True)


def test_seconds_count_only_with_the_real_timings() -> None:
    one = outcome(Seen(seconds=3), Seen(seconds=18.1))
    assert one.problems(is_timed=True) == [
        "worst 18.1 s is over 18 s",
        "median 10.55 s is over 2 s",
    ]
    assert one.problems(is_timed=False) == []


def test_one_zombie_fails_a_row_whatever_the_timings() -> None:
    one = outcome(Seen(seconds=1), Seen(seconds=1, zombies=1, refused=4))
    assert one.problems(is_timed=False) == ["1 orders of an old leader were accepted"]
    assert "FAILED" in table([one], is_timed=False)
    assert one.facts(is_timed=False)["refused_by_venue"] == 4


def test_a_run_that_went_wrong_is_told_with_its_row() -> None:
    shown = table([outcome(Seen(problem="Wrong: nobody leads"))], is_timed=True)
    assert shown.splitlines()[-1] == "kill: Wrong: nobody leads"
    assert "FAILED" in shown
