"""Planned acts."""

from bot.simulator.agenda import Agenda


def test_acts_run_when_due_in_order_and_once() -> None:
    done: list[str] = []
    agenda = Agenda()
    agenda.add(20, lambda: done.append("late"))
    agenda.add(10, lambda: done.append("first"))
    agenda.add(10, lambda: done.append("second"))
    agenda.run(9)
    assert done == []
    agenda.run(10)
    agenda.run(10)
    assert done == ["first", "second"]
    agenda.run(100)
    assert done == ["first", "second", "late"]


def test_an_act_may_plan_the_next_one() -> None:
    done: list[int] = []
    agenda = Agenda()
    agenda.add(1, lambda: agenda.add(2, lambda: done.append(2)))
    agenda.run(3)
    assert done == [2]
