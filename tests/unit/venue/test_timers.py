"""Timers come out by time, equal times in the order they were set, each once."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import MarketTicker
from bot.venue.timers import Timer, TimerKind, Timers


@given(st.lists(st.integers(0, 20), max_size=50), st.integers(0, 25))
def test_due_timers_come_in_stable_order_and_the_rest_stays(dues: list[int], now_us: int) -> None:
    timers = Timers()
    for number, due_us in enumerate(dues):
        ticker = MarketTicker(str(number))
        timers.set(Timer(due_us=due_us, kind=TimerKind.CLOSE, ticker=ticker))
    popped = []
    while (timer := timers.pop_due(now_us)) is not None:
        popped.append((timer.due_us, int(timer.ticker)))
    expected = sorted((due_us, number) for number, due_us in enumerate(dues))
    assert popped == [pair for pair in expected if pair[0] <= now_us]
    left = [due_us for due_us in dues if due_us > now_us]
    assert timers.next_due_us() == min(left, default=None)
