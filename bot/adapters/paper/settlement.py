"""Ends paper positions as the real market ended.

A market of ours that should have closed, or that said so, is read until the real
exchange has paid out; then the paper account is paid the same result. What the
stream missed while we were away is found this way as well.
"""

import logging
from collections.abc import Iterator

from bot.adapters.paper.account import PaperAccount
from bot.adapters.paper.desk import PaperDesk
from bot.adapters.paper.matching import MarketActions
from bot.adapters.paper.operations import MoveClose, Operation, SetActive, SetTerms, Settle
from bot.adapters.paper.views import BEFORE_CLOSE
from bot.domain.errors import BotError
from bot.domain.ids import MarketTicker
from bot.domain.market import Market, MarketStatus
from bot.domain.money import PAYOUT
from bot.kit.clock import Clock
from bot.ports.exchange import ExchangeReads
from bot.venue.markets import MarketResult, MarketView
from bot.venue.results import Refusal

logger = logging.getLogger(__name__)

_SETTLING = frozenset(
    {
        MarketStatus.CLOSED,
        MarketStatus.DETERMINED,
        MarketStatus.DISPUTED,
        MarketStatus.AMENDED,
    }
)
_PLAIN = {"yes": MarketResult.YES, "no": MarketResult.NO}


class SettlementWatch:
    """Reads the real markets that the account still has something in."""

    def __init__(
        self,
        reads: ExchangeReads,
        desk: PaperDesk,
        actions: MarketActions,
        clock: Clock,
        check_us: int,
    ) -> None:
        self._reads = reads
        self._desk = desk
        self._actions = actions
        self._clock = clock
        self.check_us = check_us

    def check_all_soon(self) -> None:
        """The stream was away: anything may have happened to what we hold."""
        self._actions.to_check |= self._desk.peek(_held)

    async def check(self) -> None:
        """Read every market that is due, and do to the account what is found.

        Raises:
            ExchangeUnavailable, OutcomeUnknown: the journal is away; asked again next time.
        """
        for ticker in sorted(await self._desk.look(_due) | self._actions.to_check):
            try:
                market = (await self._reads.market(ticker)).market
            except BotError as fault:
                logger.warning("api error", extra={"ticker": ticker, "reason": str(fault)})
                continue
            for operation in self._changes(ticker, market):
                result = await self._desk.operate(lambda _, wanted=operation: wanted)  # type: ignore[misc]
                if isinstance(result, Refusal):
                    logger.error(
                        "paper market differs", extra={"ticker": ticker, "reason": result.code}
                    )
            if market.status not in _SETTLING or ticker not in self._desk.peek(_held):
                self._actions.to_check.discard(ticker)

    def _changes(self, ticker: MarketTicker, market: Market) -> Iterator[Operation]:
        ours = self._desk.peek(lambda account: account.reads.market(ticker))
        if ours is None:
            return
        if market.grid != ours.grid:
            yield SetTerms(ticker=ticker, grid=market.grid, fees=ours.fees)
        if market.status is MarketStatus.FINALIZED:
            settle = _settle(market)
            if settle is None:
                logger.error("settled without a value", extra={"ticker": ticker})
            elif ours.status is not MarketStatus.FINALIZED:
                yield settle
        else:
            yield from self._moves(market, ours)

    def _moves(self, market: Market, ours: MarketView) -> Iterator[Operation]:
        ticker, now_us = market.ticker, self._clock.now_us()
        if market.status not in BEFORE_CLOSE:
            if ours.status in BEFORE_CLOSE:
                yield MoveClose(ticker=ticker, close_us=now_us)
            return
        if market.close_us != ours.close_us and market.close_us > now_us:
            yield MoveClose(ticker=ticker, close_us=market.close_us)
        is_active = market.status is MarketStatus.ACTIVE
        if ours.status is MarketStatus.ACTIVE and market.status is MarketStatus.INACTIVE:
            yield SetActive(ticker=ticker, is_active=False)
        elif ours.status is MarketStatus.INACTIVE and is_active:
            yield SetActive(ticker=ticker, is_active=True)


def _held(account: PaperAccount) -> set[MarketTicker]:
    return account.held()


def _due(account: PaperAccount) -> set[MarketTicker]:
    """What the account holds in markets whose time is over."""
    due = set()
    for ticker in account.held():
        market = account.reads.market(ticker)
        if market is not None and market.status not in BEFORE_CLOSE:
            due.add(ticker)
    return due


def _settle(market: Market) -> Settle | None:
    """Voided and scalar markets pay their settlement value."""
    plain = _PLAIN.get(market.result)
    value = market.settlement_value
    if plain is not None and value in (None, PAYOUT if plain is MarketResult.YES else 0):
        return Settle(ticker=market.ticker, result=plain, value=None)
    if value is None:
        return None
    return Settle(ticker=market.ticker, result=MarketResult.SCALAR, value=value)
