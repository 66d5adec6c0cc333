"""Days of the readers' jobs on virtual time: markets come, trade, close and settle meanwhile."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from bot.app.past_chores import PAST_JOBS, PastChores
from bot.app.sections import HistorySection
from bot.collect.asking import Past
from bot.collect.cursors import CLEANUP, DISCOVERY, MIN_CLOSE, read_instant
from bot.collect.history_settings import HistorySettings
from bot.domain.alerts import AlertKind
from bot.domain.errors import BotError, ExchangeUnavailable
from bot.domain.ids import SeriesTicker
from bot.domain.market import MarketStatus
from bot.jobs.registry import JobFunctions, JobSettings, leader_jobs
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US
from tests.fakes.clock import ManualClock
from tests.fakes.history_reads import FakePast, finalized
from tests.fakes.market_history import MemoryMarketHistoryStore, candle, event, market, trade

START_US = 1_795_245_300_000_000 - 1_795_245_300_000_000 % HOUR_US
FED, CPI = SeriesTicker("KXFED"), SeriesTicker("KXCPI")


class LivingPast(FakePast):
    """A venue whose clock goes on: what has not happened yet is not there."""

    def __init__(self, clock: ManualClock, random: Random, days: int) -> None:
        super().__init__(page_size=5)
        self._clock = clock
        self._lives = {}
        self._candles, self._trades = [], []
        for number in range(6 * days):
            series = random.choice([FED, CPI])
            opens_us = START_US + random.randrange(-DAY_US, days * DAY_US)
            closes_us = opens_us + random.randrange(20, 1_500) * MINUTE_US
            record = market(
                f"{series}-{number:03d}-T1",
                created_us=opens_us,
                updated_us=opens_us,
                open_us=opens_us,
                close_us=closes_us,
            )
            settles_us = closes_us + random.randrange(5, 200) * MINUTE_US
            self._lives[record.ticker] = (record, settles_us)
            period = random.choice(["hour", "day", None])
            self.events[record.event_ticker] = event(record.event_ticker, strike_period=period)
            self._fill(record, 1 if period == "hour" else 60, random)

    def _fill(self, record, minutes: int, random: Random) -> None:
        period_us = minutes * MINUTE_US
        first = record.open_us // period_us + 1
        last = -(-record.close_us // period_us)
        self._candles += [
            candle(record.ticker, end_min=end * minutes, period_minutes=minutes)
            for end in range(first, last + 1)
            if random.random() < 0.7
        ]
        life_us = record.close_us - record.open_us
        self._trades += [
            trade(f"{record.ticker}-{n}", record.ticker, executed_us=record.open_us + at)
            for n, at in enumerate(random.randrange(life_us) for _ in range(random.randrange(40)))
        ]

    @property
    def records(self):
        now_us = self._clock.now_us()
        return {
            ticker: self._at(record, settles_us, now_us)
            for ticker, (record, settles_us) in self._lives.items()
            if record.open_us <= now_us
        }

    @records.setter
    def records(self, _) -> None:
        pass

    @property
    def held_candles(self):
        return [each for each in self._candles if each.end_us <= self._clock.now_us()]

    @held_candles.setter
    def held_candles(self, _) -> None:
        pass

    @property
    def held_trades(self):
        return [each for each in self._trades if each.executed_us <= self._clock.now_us()]

    @held_trades.setter
    def held_trades(self, _) -> None:
        pass

    def _at(self, record, settles_us: int, now_us: int):
        if now_us >= settles_us:
            return finalized(record, settles_us)
        if now_us >= record.close_us:
            return replace(record, status=MarketStatus.CLOSED)
        return record


class Leader:
    """The jobs of one leadership, run slot by slot."""

    def __init__(self, past: Past, told: list) -> None:
        async def tell(kind, facts) -> None:
            told.append((kind, dict(facts)))

        jobs = PastChores(past, HistorySection(), tell).jobs()
        self.specs = leader_jobs(JobFunctions(**jobs), JobSettings())
        self.failed: Counter = Counter()

    async def minute(self, now_us: int) -> None:
        """Run what is due at this minute."""
        for spec in self.specs:
            if spec.trigger.last(now_us) > now_us - MINUTE_US:
                try:
                    await spec.run(spec.trigger.last(now_us))
                except BotError:
                    self.failed[spec.name] += 1


def stage(days: int = 2, seed: int = 1) -> tuple[Past, LivingPast, ManualClock]:
    clock = ManualClock(START_US)
    reads = LivingPast(clock, Random(seed), days)
    past = Past(
        settings=HistorySettings(series=(FED, CPI), concurrency=1),
        reads=reads,
        store=MemoryMarketHistoryStore(),
        clock=clock,
    )
    return past, reads, clock


def assert_all_there(past: Past, reads: LivingPast, *, since_us: int, until_us: int) -> None:
    """Each candle, trade and result of markets that opened and settled in the span, once."""
    lives = {
        ticker
        for ticker, (record, settles_us) in reads._lives.items()
        if record.open_us >= since_us and settles_us <= until_us
    }
    assert len(lives) > 3
    trades = {each.trade_id for each in reads._trades if each.ticker in lives}
    assert trades <= set(past.store.trades)
    candles = {
        (each.ticker, each.period_minutes, each.end_us)
        for each in reads._candles
        if each.ticker in lives
    }
    assert candles <= set(past.store.candles)
    assert lives <= set(past.store.ledger)
    assert set(past.store.trades) <= {each.trade_id for each in reads._trades}


async def test_two_days_leave_nothing_out() -> None:
    past, reads, clock = stage()
    told: list = []
    leader = Leader(past, told)
    for _ in range(2 * 24 * 60):
        clock.advance(MINUTE_US)
        await leader.minute(clock.now_us())
    assert leader.failed == {}
    assert told == []
    # The last hours' markets are still on their way.
    assert_all_there(past, reads, since_us=START_US, until_us=clock.now_us() - 2 * HOUR_US)
    marks = past.store.state
    assert clock.now_us() - read_instant(marks[DISCOVERY]) < 31 * MINUTE_US
    assert clock.now_us() - read_instant(marks[MIN_CLOSE]) < 17 * MINUTE_US
    assert clock.now_us() - read_instant(marks[CLEANUP]) < 61 * MINUTE_US


@pytest.mark.parametrize("seed", range(4))
async def test_outages_kills_and_hand_overs_cost_nothing(seed: int) -> None:
    past, reads, clock = stage(seed=seed)
    random = Random(seed)
    told: list = []
    outage_until_us = [0]

    def hook(name, query) -> None:
        if clock.now_us() < outage_until_us[0] or random.random() < 0.01:
            raise ExchangeUnavailable("away")
        if random.random() < 0.01:
            raise KilledError

    reads.hook = hook
    leader = Leader(past, told)
    deaths = 0
    for minute in range(3 * 24 * 60):
        clock.advance(MINUTE_US)
        if minute > 2 * 24 * 60:
            reads.hook = None
        elif random.random() < 0.002:
            outage_until_us[0] = clock.now_us() + random.randrange(5, 180) * MINUTE_US
        try:
            await leader.minute(clock.now_us())
        except (KilledError, BaseExceptionGroup):
            deaths += 1
            leader = Leader(past, told)
    assert deaths
    assert_all_there(past, reads, since_us=START_US, until_us=clock.now_us() - 2 * HOUR_US)


class KilledError(BaseException):
    """The leader ended here."""


async def test_people_are_told_once_when_a_reader_is_silent_for_long() -> None:
    past, reads, clock = stage()
    told: list = []
    leader = Leader(past, told)

    def hook(name, query) -> None:
        raise ExchangeUnavailable("away")

    reads.hook = hook
    for _ in range(3 * 60):
        clock.advance(MINUTE_US)
        await leader.minute(clock.now_us())
    assert (leader.failed["discovery"], leader.failed["backfill"]) == (6, 12)
    silent = [facts["service"] for kind, facts in told if kind is AlertKind.STALE]
    assert sorted(silent) == ["backfill", "discovery"]
    assert not {DISCOVERY, MIN_CLOSE} & set(past.store.state)


async def test_a_job_that_is_off_is_no_job() -> None:
    past, _, _ = stage()

    async def tell(kind, facts) -> None:
        pass

    section = HistorySection(backfill_s=0, closed_cleanup_s=0)
    assert set(PastChores(past, section, tell).jobs()) == {"discovery"}
    assert set(PastChores(past, HistorySection(), tell).jobs()) == PAST_JOBS
