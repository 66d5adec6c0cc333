"""An engine that is looked at between events: what it keeps is true, what it rehearses is without trace."""

import pickle

from typing_extensions import override

from bot.domain.events import Event
from bot.engine.core import Engine
from bot.engine.effects import Effect
from bot.engine.standing import Standing
from bot.engine.weighing import standing_of
from bot.engine.world import World


class RehearsedEngine(Engine):
    """Rehearses before every event, and checks what is kept after it."""

    is_strict = False
    """Also look for traces of a rehearsal, which takes its time."""

    @override
    def handle(self, event: Event) -> tuple[Effect, ...]:
        if self.is_strict:
            before = trace(self.world)
            self.rehearse(())
            assert trace(self.world) == before, "a rehearsal changes nothing"
        else:
            self.rehearse(())
        effects = super().handle(event)
        check_standing(self.world)
        return effects


def check_standing(world: World) -> None:
    """What is kept of the account is what would be found now."""
    kept, world.standing = world.standing, None
    if kept is not None:
        assert told(kept) == told(standing_of(world)), "the account has changed meanwhile"
        world.standing = kept


def told(standing: Standing | None) -> tuple[object, ...]:
    """All that a standing says, to be compared."""
    if standing is None:
        return ()
    names = [name for name in standing.__struct_fields__ if name != "exposures"]
    values = [getattr(standing, name) for name in names]
    return (*values, frozenset(standing.exposures.stakes))


def trace(world: World) -> bytes:
    """Everything a world knows, but for what it has worked out and would work out again."""
    kept = world.standing, world.next_digits
    world.standing, world.next_digits = None, (world.stance.epoch, 0, "")
    try:
        return pickle.dumps(world)
    finally:
        world.standing, world.next_digits = kept
