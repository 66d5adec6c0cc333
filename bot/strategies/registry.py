"""Which strategies there are, by the names used in settings."""

from collections.abc import Mapping

from bot.strategies import near_expiry, wide_spread
from bot.strategies.base import Factory, Strategy

STRATEGIES: Mapping[str, Factory] = {
    near_expiry.NAME: near_expiry.build,
    wide_spread.NAME: wide_spread.build,
}


def build_strategies(chosen: Mapping[str, Mapping[str, object]]) -> tuple[Strategy, ...]:
    """The chosen strategies, in the order given.

    Raises:
        ValueError: a name that does not exist, or a parameter that does not fit.
    """
    built: list[Strategy] = []
    for name, given in chosen.items():
        factory = STRATEGIES.get(name)
        if factory is None:
            raise ValueError(f"no strategy {name!r}; known: {', '.join(sorted(STRATEGIES))}")
        try:
            built.append(factory(given))
        except ValueError as fault:
            raise ValueError(f"strategy {name}: {fault}") from fault
    return tuple(built)
