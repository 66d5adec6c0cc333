"""What the console may change about running trading."""

from typing import Protocol

from bot.domain.handles import BracketHandle, LimitChange, LimitHandle, StrategyHandle
from bot.domain.money import Price
from bot.domain.operations import Authority, Outcome, Refused


class Adjusting(Protocol):
    """Limits, strategies and the ends of brackets. Reads are of this moment and never fail.

    Acts may raise ``StorageUnavailable``; repeated under their number they change nothing more.
    """

    def limits(self) -> tuple[LimitHandle, ...]:
        """Every limit that may be changed; none where nothing is traded."""
        ...

    def compare(self, name: str, typed: str) -> LimitChange | Refused:
        """What setting a limit to a typed value would do."""
        ...

    async def set_limit(
        self, authority: Authority, name: str, typed: str, *, may_loosen: bool
    ) -> Outcome:
        """Set a limit; durable on return."""
        ...

    def strategies(self) -> tuple[StrategyHandle, ...]:
        """Every configured strategy."""
        ...

    async def switch(self, authority: Authority, name: str | None, *, is_on: bool) -> Outcome:
        """Switch one strategy, or all; durable on return."""
        ...

    def brackets(self) -> tuple[BracketHandle, ...]:
        """Our positions whose ends can be moved."""
        ...

    async def change_bracket(
        self,
        authority: Authority,
        seen: BracketHandle,
        *,
        own_stop: Price | None,
        own_target: Price | None,
    ) -> Outcome:
        """Move stop or target; refused when they are no longer those that were seen."""
        ...
