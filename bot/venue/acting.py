"""How every act runs: due timers first, then the act, then its events are handed out."""

from collections.abc import Callable
from typing import TypeVar

from bot.venue.consequences import follow_up
from bot.venue.lifecycle import run_timer
from bot.venue.results import Outcome, Refusal
from bot.venue.state import VenueState

T = TypeVar("T")


def perform(state: VenueState, now_us: int, act: Callable[[], T | Refusal]) -> Outcome[T]:
    """Bring the venue to ``now_us``, act, and return the result with all events so far."""
    pass_time(state, now_us)
    state.action += 1
    result = act()
    follow_up(state)
    return Outcome(result, state.drain())


def pass_time(state: VenueState, now_us: int) -> None:
    """Run due timers, each at its own time. An earlier time than the latest changes nothing."""
    while (timer := state.timers.pop_due(now_us)) is not None:
        state.now_us = max(state.now_us, timer.due_us)
        state.action += 1
        run_timer(state, timer)
        follow_up(state)
    state.now_us = max(state.now_us, now_us)
