"""Judges what was taken by what people pressed: nothing large without a yes of its own."""

from bot.domain.money import cost
from bot.domain.orders import OrderIntent, own_price
from bot.domain.records import ApprovalStep
from tests.fakes.trading import MemoryTradingStore


class ApprovalJudge:
    """Knows the buttons that were pressed. ``above_e6`` 0: nobody has to be asked."""

    def __init__(self, store: MemoryTradingStore, above_e6: int) -> None:
        self.pressed: dict[str, set[int | None]] = {}
        """What people said yes to, by proposal: so many contracts, or ``None`` for all."""
        self.taken = 0
        """Approved orders that the exchange took."""
        self._store = store
        self._above_e6 = above_e6
        self._used: set[str] = set()

    def verdict(self, intent: OrderIntent) -> str:
        """What is wrong with an entry that was taken; empty when nothing is."""
        if not self._above_e6:
            return ""
        own = own_price(intent.side, intent.price)
        steps = self._store.tables.approvals
        sent = [
            one
            for one in steps.values()
            if one.step is ApprovalStep.SENT
            and (one.ticker, one.at_us) == (intent.ticker, intent.decided_us)
        ]
        if not sent:
            is_large = cost(own, intent.quantity) > self._above_e6
            return f"unapproved: {intent.client_order_id} was taken" if is_large else ""
        name = sent[0].proposal
        self.taken += 1
        was_used = name in self._used
        self._used.add(name)
        asked, yes = steps[name, ApprovalStep.ASKED], steps.get((name, ApprovalStep.APPROVED))
        pressed = self.pressed.get(name, set())
        said = {asked.quantity if one is None else one * 100 for one in pressed}
        if yes is None or yes.quantity not in said or was_used:
            return f"unapproved: {name} has no such yes, or one that was used before"
        if intent.quantity > yes.quantity or own > asked.own_price or intent.side is not yes.side:
            return f"unapproved: {name} allowed less than was taken"
        return ""
