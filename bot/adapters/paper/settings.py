"""What the paper account starts with and how slow it is."""

from dataclasses import dataclass

from bot.kit.times import MINUTE_US, SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """``starting_cash_e6`` counts once: an account that exists keeps its own cash.

    ``latency_us`` passes between a request and its effect. ``check_us`` is how often
    markets that should have settled are asked whether they have.
    """

    starting_cash_e6: int = 1_000_000_000
    latency_us: int = 0
    check_us: int = 30 * SECOND_US

    def __post_init__(self) -> None:
        if self.starting_cash_e6 <= 0:
            raise ValueError("starting_cash_e6 must be above 0: what would the account trade with?")
        if not 0 <= self.latency_us <= MINUTE_US:
            raise ValueError("latency_us must be 0 to 60000000, one minute")
        if self.check_us < SECOND_US:
            raise ValueError("check_us must be at least 1000000, one second")
