"""Each of the four policies, on virtual time."""

import asyncio

import pytest

from bot.kit.times import seconds
from bot.marketdata.backpressure import LOOK_US, Policy, keep_looking, pressure_of
from bot.marketdata.stream_queue import StreamQueue
from bot.ports.stream import GapEnd, StreamGap
from tests.fakes.stream import T0, tick


class Stand:
    """A socket that can be held and subscribed, before a queue that is filled by hand."""

    def __init__(self, policy: str, size_max: int = 100) -> None:
        self.queue = StreamQueue("s", size_max, size_max)
        self.held: list[bool] = []
        self.subscribed: list[bool] = []
        self.pressure = pressure_of(Policy(policy), self.queue, self.held.append, self._subscribe)

    async def _subscribe(self, is_wanted: bool) -> None:
        self.subscribed.append(is_wanted)

    def put(self, count: int) -> int:
        return sum(self.queue.put(tick(at_us=T0 + n), T0 + n) for n in range(count))

    def gaps(self) -> list[StreamGap]:
        return [one for one in self.queue.take(10_000) if isinstance(one, StreamGap)]


async def test_drop_loses_what_finds_no_room_and_holds_nothing() -> None:
    stand = Stand("drop")
    assert stand.put(150) == 100
    await stand.pressure.look()
    assert (stand.held, stand.subscribed, stand.queue.lost) == ([], [], 50)


async def test_block_leaves_the_socket_unread_from_full_until_half_is_free() -> None:
    stand = Stand("block")
    stand.put(99)
    assert stand.held == []
    stand.put(1)
    assert stand.held == [True]
    # What one read of the socket had brought still finds room.
    assert stand.put(80) == 80
    await stand.pressure.look()
    stand.queue.take(129)
    await stand.pressure.look()
    assert stand.held == [True]
    stand.queue.take(1)
    await stand.pressure.look()
    assert stand.held == [True, False]
    assert stand.queue.lost == 0
    stand.put(50)
    assert stand.held == [True, False, True]


async def test_block_gives_up_what_even_the_room_behind_the_limit_cannot_hold() -> None:
    stand = Stand("block")
    assert stand.put(250) == 200
    assert stand.queue.lost == 50


@pytest.mark.parametrize(("filled", "share"), [(50, 0.0), (60, 0.2), (75, 0.5), (95, 0.9)])
async def test_throttle_reads_for_the_share_of_time_that_is_left(filled, share) -> None:
    stand = Stand("throttle")
    stand.put(filled)
    began_s = asyncio.get_running_loop().time()
    await stand.pressure.look()
    taken_s = asyncio.get_running_loop().time() - began_s
    assert taken_s == pytest.approx(seconds(LOOK_US) * share)
    assert stand.held == ([True, False] if share else [])


async def test_throttle_is_block_when_full() -> None:
    stand = Stand("throttle")
    stand.put(100)
    await stand.pressure.look()
    assert stand.held == [True]
    stand.queue.take(60)
    await stand.pressure.look()
    assert stand.held == [True, False]


async def test_resubscribe_leaves_everything_and_comes_back_when_there_is_room() -> None:
    stand = Stand("resubscribe")
    stand.put(99)
    await stand.pressure.look()
    assert stand.subscribed == []
    stand.put(2)
    await stand.pressure.look()
    await stand.pressure.look()
    assert stand.subscribed == [False]
    stand.queue.take(60)
    await stand.pressure.look()
    assert stand.subscribed == [False]
    stand.queue.take(35)
    await stand.pressure.look()
    assert stand.subscribed == [False, True]
    stand.put(1)
    [ended] = [one for one in stand.gaps() if one.to_us is not None]
    assert (ended.ended, ended.lost) == (GapEnd.RESUBSCRIBED, 1)


async def test_whatever_is_held_goes_on_in_the_end() -> None:
    stand = Stand("block")
    stand.put(100)
    looking = asyncio.get_running_loop().create_task(keep_looking(stand.pressure))
    await asyncio.sleep(1)
    looking.cancel()
    await asyncio.wait({looking})
    assert stand.held == [True, False]


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="ignore"):
        Policy("ignore")
