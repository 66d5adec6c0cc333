"""A coroutine that is begun where it is made, not where it is awaited."""

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import override

T = TypeVar("T")


class Begun(Coroutine[Any, Any, T]):
    """Runs up to its first wait at once, outside any task; whoever made it also awaits it.

    What it does before that wait must not ask for the current task, as a timeout does.
    What it raises there is raised where it is awaited.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self._fault: BaseException | None = None
        self._waits_for: Any = None
        self._is_told = False
        """Whether the one who awaits knows what it waits for."""
        try:
            self._waits_for = work.send(None)
        except BaseException as fault:  # noqa: BLE001 - a result is told in this way too
            self._fault = fault

    @override
    def send(self, value: Any) -> Any:
        if self._is_told:
            return self._work.send(value)
        self._is_told = True
        if self._fault is not None:
            raise self._fault
        return self._waits_for

    @override
    def throw(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Any:
        self._is_told = True
        fault = typ if isinstance(typ, BaseException) else typ(val)
        return self._work.throw(fault)

    @override
    def close(self) -> None:
        self._work.close()

    @override
    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def __iter__(self) -> "Begun[T]":
        return self

    def __next__(self) -> Any:
        return self.send(None)
