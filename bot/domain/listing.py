"""What the engine knows of a market beside its book: terms, fees, event, release group."""

from dataclasses import dataclass

from bot.domain.market import FeeTerms, Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A market with the facts the venue keeps elsewhere.

    ``is_exclusive`` says that exactly one market of the event can win (the
    event's ``mutually_exclusive``). ``release_group`` names markets that one
    publication decides together (CPI and core CPI, payrolls and unemployment);
    empty where there is none.
    """

    market: Market
    fees: FeeTerms
    is_exclusive: bool
    release_group: str = ""
