"""A process's connection to a server: late, lossy, cut one way or both, or refused."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tests.sim.world import MachineLoop, World

_T = TypeVar("_T")
_QUICK_US = (500, 5_000)


def at_once(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that waits for nothing: the fakes' methods on the server's side."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a fake on the server's side waits")


class Link:
    """One process's way to one server. A server acts at the moment a request arrives."""

    def __init__(self, world: World, loop: MachineLoop, refusal: Callable[[], Exception]) -> None:
        self._world = world
        self._loop = loop
        self._refusal = refusal
        self.delay_us = _QUICK_US
        self.is_cut_out = self.is_cut_back = self.is_refused = False
        self._held: list[Callable[[], None]] = []
        """Requests that the network will deliver after all, once it is healed."""

    @property
    def is_well(self) -> bool:
        is_cut = self.is_cut_out or self.is_cut_back or self.is_refused
        return not is_cut and self.delay_us == _QUICK_US

    async def call(self, act: Callable[[], _T]) -> _T:
        """What the server answers, if it ever does."""
        if self.is_refused:
            await asyncio.sleep(0.001)
            raise self._refusal()
        answer: asyncio.Future[_T] = self._loop.create_future()

        def arrive() -> None:
            try:
                result: tuple[_T | None, Exception | None] = (act(), None)
            except Exception as fault:  # noqa: BLE001 - whatever it is, it is the answer
                result = (None, fault)
            if not self.is_cut_back:
                self._world.after(self._delay(), lambda: self._deliver(answer, *result))

        if not self.is_cut_out:
            self._world.after(self._delay(), arrive)
        elif self._world.random.random() < 0.3:
            self._held.append(arrive)
        return await answer

    def tell(self, act: Callable[[], object]) -> None:
        """Something the server says unasked; lost when the way is cut."""
        if not (self.is_cut_back or self.is_refused):
            self._world.after(self._delay(), lambda: self._loop.call_soon(act))

    def heal(self) -> None:
        """Everything works again, and what was stuck on the way arrives."""
        self.is_cut_out = self.is_cut_back = self.is_refused = False
        self.delay_us = _QUICK_US
        held, self._held = self._held, []
        for arrive in held:
            self._world.after(self._delay(), arrive)

    def _delay(self) -> float:
        return self._world.random.uniform(*self.delay_us)

    def _deliver(
        self, answer: "asyncio.Future[_T]", result: _T | None, fault: Exception | None
    ) -> None:
        def settle() -> None:
            if answer.done():
                return
            if fault is None:
                answer.set_result(result)  # type: ignore[arg-type]
            else:
                answer.set_exception(fault)

        if not self._loop.is_dead:
            self._loop.call_soon(settle)


class Remote:
    """A fake as it looks over a link: the same methods, each a call."""

    def __init__(self, link: Link, local: object) -> None:
        self._link = link
        self._local = local

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._local, name)

        async def call(*given: object, **named: object) -> object:
            return await self._link.call(lambda: at_once(method(*given, **named)))

        return call
