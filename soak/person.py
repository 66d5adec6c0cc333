"""The operator of a soak: answers questions, resets breakers, halts now and then."""

from dataclasses import dataclass
from random import Random

from bot.kit.clock import SystemClock
from soak.plant import Plant

_HALT_EVERY_S = 40.0
_HALT_S = (4.0, 9.0)
_CLOSE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Halt:
    """When it was in the database, and when its end was typed. The exchange shares our clock."""

    saved_us: int
    ended_us: int


class Person:
    """Looks every second. What the bot asks back is answered with yes."""

    def __init__(self, plant: Plant, random: Random) -> None:
        self.halts: list[Halt] = []
        self.is_done_for_today = False
        """The last halt stays."""
        self._plant = plant
        self._random = random
        self._chat_after = 0
        self._next_halt_s = _HALT_EVERY_S / 2
        self._saved_us: int | None = None
        self._is_asked = False
        """A halt that we typed and have not ended: the moment of any other is not known."""
        self._until_s = 0.0

    async def look(self, elapsed_s: float, now_us: int) -> None:
        """Do whatever the page calls for."""
        await self._press()
        status = await self._plant.page("/status") or {}
        if status.get("halted"):
            await self._while_halted(elapsed_s, now_us)
        elif self.is_done_for_today or elapsed_s >= self._next_halt_s:
            self._next_halt_s = elapsed_s + _HALT_EVERY_S * self._random.uniform(0.5, 2)
            self._until_s = elapsed_s + self._random.uniform(*_HALT_S)
            self._is_asked = await self._plant.say("/halt soak")
        else:
            await self._go_on(status)

    async def _while_halted(self, elapsed_s: float, now_us: int) -> None:
        if self._saved_us is None and self._is_asked and self._is_saved():
            # Now, not when this look began: pages are slow on a busy machine.
            self._saved_us = SystemClock().now_us()
        if elapsed_s < self._until_s or self.is_done_for_today:
            return
        self.close_halt(now_us)
        await self._plant.say("/unhalt")

    def close_halt(self, now_us: int) -> None:
        """Note a halt that ends now, if one is on."""
        if self._saved_us is not None:
            self.halts.append(Halt(self._saved_us, now_us))
        self._saved_us, self._is_asked = None, False

    def _is_saved(self) -> bool:
        return self._plant.rows("SELECT halted FROM risk_state") == [(1,)]

    async def _go_on(self, status: dict[str, object]) -> None:
        breakers = status.get("breakers")
        for one in breakers if isinstance(breakers, list) else ():
            if one["is_tripped"]:
                await self._plant.say(f"/reset_breaker {one['name']} force")
        if self._random.random() < _CLOSE_SHARE / 10:
            held = self._plant.rows("SELECT ticker FROM positions WHERE quantity_e2 <> 0")
            if held:
                await self._plant.say(f"/close {self._random.choice(sorted(held))[0]}")

    async def _press(self) -> None:
        for message in await self._plant.page(f"/chat?after={self._chat_after}") or ():
            self._chat_after = max(self._chat_after, int(message["id"]))
            for button in (one for row in message["buttons"] or () for one in row):
                if str(button.get("data", "")).startswith("yes:"):
                    await self._plant.say(button=button["data"])
