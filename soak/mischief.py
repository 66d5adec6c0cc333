"""What goes wrong: one seeded fault every few seconds, a killed bot now and then."""

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from soak.plant import ROOT, Plant, PlantFailed

_ORDERS = f"{ROOT}/portfolio/events/orders"
_CHANNELS = ("orderbook_delta", "fill", "user_orders", "ticker", "order_group_updates", "")
_BOOKS = "orderbook_delta"
_FRAMES = ("drop_frame", "duplicate_frame", "reorder_frame")
_SESSIONS = ("error_25", "error_10", "disconnect")
_ANSWERS = ("lost_answer", "no_answer", "latency", "reset", "500", "503", "429")
_KILL_FIRST_S, _KILL_MIN_S, _KILL_MAX_S = 20.0, 45.0, 150.0


class Mischief:
    """Draws what happens next; the same seed draws the same."""

    def __init__(self, plant: Plant, random: Random, kills_until_s: float) -> None:
        """``kills_until_s``: the last life is long enough to see whether it grows."""
        self.done: Counter[str] = Counter()
        self._plant = plant
        self._random = random
        self._next_kill_s = _KILL_FIRST_S
        self._kills_until_s = kills_until_s
        self._acts: tuple[tuple[int, Callable[[], Awaitable[str]]], ...] = (
            (30, self._answer),
            (20, self._frame),
            (8, self._session),
            (6, self._order),
            (4, self._quiet),
            (4, self._pause),
            (2, self._groups),
            (4, self._market),
            (3, self._books),
        )

    async def act(self, elapsed_s: float) -> str:
        """Do one thing and name it."""
        if self._next_kill_s <= elapsed_s < self._kills_until_s:
            self._next_kill_s = elapsed_s + self._random.uniform(_KILL_MIN_S, _KILL_MAX_S)
            name = "kill -9" if self._plant.kill_bot() else "nothing to kill"
        else:
            weights = [weight for weight, _ in self._acts]
            [(_, act)] = self._random.choices(self._acts, weights)
            name = await act()
        self.done[name] += 1
        return name

    async def end(self) -> None:
        """No armed fault and no pause is left.

        Raises:
            PlantFailed: the exchange does not say so.
        """
        is_calm = await self._plant.admin("DELETE", "/faults")
        if not (is_calm and await self._plant.admin("POST", "/resume")):
            raise PlantFailed("the exchange does not answer its owner")

    async def _arm(self, kind: str, **rule: object) -> str:
        await self._plant.admin("POST", "/faults", {"kind": kind, **rule})
        return kind

    async def _answer(self) -> str:
        random = self._random
        kind = random.choice(_ANSWERS)
        method = random.choice(("POST", "POST", "DELETE", "GET"))
        path = _ORDERS if method != "GET" else f"{ROOT}/portfolio"
        count, delay_ms = random.randint(1, 3), random.randint(200, 5_000)
        await self._arm(kind, method=method, path=path, count=count, delay_ms=delay_ms)
        return f"{method} {kind}"

    async def _order(self) -> str:
        if self._random.random() < 0.5:  # noqa: PLR2004 - either
            return await self._arm("cancel_race", method="DELETE", path=_ORDERS)
        return await self._arm("partial_fill", method="POST", path=_ORDERS)

    async def _frame(self) -> str:
        random = self._random
        kind, count = random.choice(_FRAMES), random.randint(1, 5)
        return await self._arm(kind, channel=random.choice(_CHANNELS), count=count)

    async def _session(self) -> str:
        return await self._arm(self._random.choice(_SESSIONS))

    async def _books(self) -> str:
        return await self._arm("wrong_snapshot", channel=_BOOKS, count=self._random.randint(1, 3))

    async def _quiet(self) -> str:
        random = self._random
        kind = random.choice(("silent", "silent", "half_open"))
        return await self._arm(kind, duration_ms=random.randint(500, 18_000))

    async def _pause(self) -> str:
        random = self._random
        kind = random.choice(("trading_pause", "exchange_pause"))
        return await self._arm(kind, duration_ms=random.randint(500, 6_000))

    async def _groups(self) -> str:
        return await self._arm("group_trigger")

    async def _market(self) -> str:
        """A market that is held closes before its time and is decided."""
        held = self._plant.rows("SELECT ticker FROM positions WHERE quantity_e2 <> 0")
        if not held:
            return "nothing to settle"
        ticker = self._random.choice(sorted(row[0] for row in held))
        result = self._random.choice(("yes", "no"))
        await self._plant.admin("POST", f"/markets/{ticker}/close", {})
        await self._plant.admin("POST", f"/markets/{ticker}/determine", {"result": result})
        return "settlement"
