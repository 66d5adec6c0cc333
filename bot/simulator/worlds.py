"""Generated worlds: events that are listed, traded, closed and settled, from one seed.

Every act has its own drawn moment, and ``step`` performs what is due in that
order, each at its moment: with a clock that is stepped, the same seed gives the
same history byte for byte, however the steps are cut.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Quantity
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US, to_datetime
from bot.simulator.catalog import Event, MarketInfo
from bot.simulator.exchange import Exchange, World
from bot.simulator.ladders import Question
from bot.simulator.latent import Latent
from bot.simulator.pasts import HOURS, past_candles
from bot.simulator.recordings import open_recording
from bot.simulator.templates import (
    Template,
    close_times,
    event_label,
    far_template,
    macro_templates,
    other_templates,
    quiet_template,
)
from bot.simulator.traders import FLOW, Desk, draw_style
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.markets import MarketResult, MarketTerms

_NEW_YORK = ZoneInfo("America/New_York")
_THURSDAY = 3
_PAUSE_HOURS = (3, 5)
_DETERMINE_AFTER_US = 4 * SECOND_US
_BUSY_CONTRACTS = 20_000
_COARSE_US = 10 * MINUTE_US
"""A leap longer than this skips the trading, not the lives, of what lies before it."""


def open_world(exchange: Exchange) -> World | None:
    """The world the settings ask for."""
    settings = exchange.settings
    if settings.recording is not None:
        return open_recording(exchange, settings.recording)
    if settings.world == "empty":
        return None
    return GeneratedWorld(exchange)


@dataclass(slots=True, eq=False)
class _Line:
    """One template and how far its events have got."""

    template: Template
    closes: Iterator[int]
    rng: Random
    listed: int = 0


class GeneratedWorld:
    """The default world."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._settings = exchange.settings.worlds
        self._rng = Random(exchange.settings.seed)  # noqa: S311 - a repeatable world
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._count = 0
        self._skip_before_us = 0
        self._last_us = exchange.now_us()
        start_us = exchange.now_us()
        self._open_house(FLOW, start_us)
        for template in self._templates():
            self._begin(template, start_us)
        if self._settings.pauses_weekly:
            self._plan_pause(start_us)

    def step(self, now_us: int) -> None:
        """See :class:`World`."""
        self._skip_before_us = 0
        if now_us - self._last_us > _COARSE_US:
            self._skip_before_us = now_us - _COARSE_US
        while self._due and self._due[0][0] <= now_us:
            at_us, _, act = heapq.heappop(self._due)
            act(at_us)
        self._last_us = max(now_us, self._last_us)

    def _open_house(self, account: AccountId, now_us: int) -> None:
        terms = AccountTerms(account=account, checks_funds=False, keeps_records=False)
        self._exchange.apply(self._exchange.venue.open_account(terms, now_us))

    def _plan(self, at_us: int, act: Callable[[int], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at_us, self._count, act))

    def _templates(self) -> Iterator[Template]:
        macro = macro_templates()
        yield from macro
        yield from other_templates()
        yield from (far_template(template) for template in macro)
        yield from (quiet_template(i) for i in range(self._settings.extra_events))

    # Listing

    def _begin(self, template: Template, start_us: int) -> None:
        line = _Line(
            template=template,
            closes=close_times(template, start_us),
            rng=Random(self._rng.getrandbits(64)),  # noqa: S311
        )
        for _ in range(template.ahead):
            self._list(line, start_us)

    def _list(self, line: _Line, now_us: int) -> None:
        template, index = line.template, line.listed
        line.listed += 1
        close_us = next(line.closes)
        start_us = self._exchange.clock.start_us
        label = event_label(template, index, start_us, close_us)
        ticker = EventTicker(f"{template.series.ticker}-{label}")
        is_first = index < template.ahead
        born_us = now_us - (10 * DAY_US if is_first else 0)
        latent = Latent(template.uncertainty, now_us, close_us, line.rng)
        event = Event(
            ticker=ticker,
            series_ticker=template.series.ticker,
            title=template.title.format(label=label),
            sub_title=label,
            is_exclusive=template.is_exclusive,
            strike_us=close_us,
            created_us=born_us,
            exchange_index=template.series.exchange_index,
        )
        questions = template.questions(template.uncertainty)
        pairs = [self._market(line, event, q, born_us, is_first=is_first) for q in questions]
        self._exchange.list_event(template.series, event, pairs, now_us)
        values = latent.past(HOURS, line.rng) if is_first else []
        for (info, terms), question in zip(pairs, questions, strict=True):
            past = past_candles(info, question.claim, latent, values, now_us)
            self._exchange.candles.put(info.ticker, past)
            desk = self._desk(line, terms, question, latent)
            self._open_house(desk.maker, now_us)
            desk.quote(self._exchange, now_us)
            self._plan_act(desk, now_us)
        self._plan(close_us + _DETERMINE_AFTER_US, self._ending(line, event, questions, latent))

    def _market(
        self, line: _Line, event: Event, question: Question, born_us: int, *, is_first: bool
    ) -> tuple[MarketInfo, MarketTerms]:
        template, rng = line.template, line.rng
        ticker = MarketTicker(f"{event.ticker}-{question.suffix}")
        day = round(template.busy * rng.uniform(0.5, 1.6)) if is_first else 0
        total = day * rng.randint(3, 9)
        info = MarketInfo(
            ticker=ticker,
            event_ticker=event.ticker,
            series_ticker=template.series.ticker,
            title=event.title,
            yes_sub_title=question.sub_title,
            no_sub_title=question.sub_title,
            rules_primary=(
                f"If the value for {event.sub_title} is {question.sub_title.lower()}, "
                "then the market resolves to Yes."
            ),
            created_us=born_us,
            expected_expiration_us=event.strike_us + MINUTE_US,
            latest_expiration_us=event.strike_us + 7 * DAY_US,
            strike_type=question.strike_type,
            floor_strike=question.floor_strike,
            cap_strike=question.cap_strike,
            custom_strike=question.custom_strike,
            prior_volume=Quantity(total * 100),
            prior_volume_24h=Quantity(day * 100),
            prior_open_interest=Quantity(total * 60),
        )
        terms = MarketTerms(
            ticker=ticker,
            event_ticker=event.ticker,
            open_us=born_us,
            close_us=event.strike_us,
            exchange_index=template.series.exchange_index,
            grid=template.grid,
            fees=template.series.fees,
            settlement_timer_us=template.settlement_timer_us,
        )
        return info, terms

    def _desk(self, line: _Line, terms: MarketTerms, question: Question, latent: Latent) -> Desk:
        is_busy = line.template.busy >= _BUSY_CONTRACTS
        rng = Random(line.rng.getrandbits(64))  # noqa: S311
        return Desk(
            ticker=terms.ticker,
            maker=AccountId(f"house-maker-{terms.ticker}"),
            claim=question.claim,
            latent=latent,
            style=draw_style(rng, is_busy=is_busy),
            grid=terms.grid,
            close_us=terms.close_us,
            rng=rng,
        )

    # Trading and ending

    def _plan_act(self, desk: Desk, now_us: int) -> None:
        mean_us = self._settings.pace_us * desk.style.pace
        if desk.close_us - now_us > DAY_US:
            mean_us *= 5
        at_us = now_us + 1 + int(desk.rng.expovariate(1.0) * mean_us)
        if at_us < desk.close_us:
            self._plan(at_us, lambda due_us: self._act(desk, due_us))

    def _act(self, desk: Desk, at_us: int) -> None:
        if at_us < self._skip_before_us:
            self._plan_act(desk, self._skip_before_us)
            return
        desk.act(self._exchange, at_us)
        self._plan_act(desk, at_us)

    def _ending(
        self, line: _Line, event: Event, questions: list[Question], latent: Latent
    ) -> Callable[[int], None]:
        def end(at_us: int) -> None:
            final = latent.settle()
            operations = self._exchange.venue.operations
            for question in questions:
                ticker = MarketTicker(f"{event.ticker}-{question.suffix}")
                result = MarketResult.YES if question.claim.holds(final) else MarketResult.NO
                self._exchange.apply(operations.determine(ticker, result, at_us))
            self._list(line, at_us)

        return end

    # The weekly pause

    def _plan_pause(self, after_us: int) -> None:
        for start_us, is_active in weekly_pause(after_us):
            self._plan(start_us, self._switching(is_active=is_active))

    def _switching(self, *, is_active: bool) -> Callable[[int], None]:
        def switch(at_us: int) -> None:
            operations = self._exchange.venue.operations
            self._exchange.apply(operations.set_trading_active(at_us, is_active=is_active))
            if is_active:
                self._plan_pause(at_us + HOUR_US)

        return switch


def weekly_pause(after_us: int) -> list[tuple[int, bool]]:
    """The next Thursday 03:00 and 05:00 in New York that lie ahead, and whether trading starts."""
    # Noon, so that a day of 23 or 25 hours skips none.
    now = to_datetime(after_us).astimezone(_NEW_YORK)
    day = now.replace(hour=12, minute=0, second=0, microsecond=0)
    for _ in range(8):
        if day.weekday() == _THURSDAY:
            begin, end = (_at_hour(day, hour) for hour in _PAUSE_HOURS)
            if end > after_us:
                return [(max(begin, after_us), False), (end, True)]
        day = datetime.fromtimestamp(day.timestamp() + 24 * 3_600, tz=_NEW_YORK)
    raise AssertionError("every eight days hold a Thursday")


def _at_hour(day: datetime, hour: int) -> int:
    moment = day.replace(hour=hour)
    return int(moment.astimezone(UTC).timestamp()) * SECOND_US
