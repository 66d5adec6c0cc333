"""A channel that fails is told once, and so is its end, whoever leads meanwhile."""

from bot.alerts.channel_watch import ChannelWatch
from bot.domain.alerts import AlertKind
from bot.kit.times import MINUTE_US, SECOND_US
from bot.ports.carriers import Receipt, Verdict
from tests.fakes.channels import MemoryChannelStates
from tests.fakes.clock import ManualClock
from tests.support.telegram import Heard

ADA, BOB = "ada@example.com", "bob@example.com"
LATER = Receipt(verdict=Verdict.LATER, reason="nobody answers")
NEVER = Receipt(verdict=Verdict.NEVER, reason="no such user")
SHUT = Receipt(verdict=Verdict.SHUT, reason="the login is refused")


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.states = MemoryChannelStates()
        self.heard = Heard()
        self.watch = self.another()

    def another(self) -> ChannelWatch:
        """That of a successor."""
        return ChannelWatch(
            "email",
            states=self.states,
            alerts=self.heard,
            clock=self.clock,
            recipients=(ADA, BOB),
        )

    async def fail(self, receipt: Receipt = LATER, to: str = ADA, after_s: int = 0) -> None:
        self.clock.advance(after_s * SECOND_US)
        await self.watch.failed(to, receipt)

    def told(self) -> list[str]:
        return [kind.value for kind, _ in self.heard.alerts]


async def test_some_failures_that_pass_are_nobody_s_alarm():
    bench = Bench()
    for _ in range(5):
        await bench.fail(after_s=10)
    await bench.watch.delivered(ADA)
    for _ in range(2):
        await bench.fail(after_s=200)
    await bench.watch.delivered(ADA)
    assert bench.told() == []


async def test_a_failure_that_lasts_is_told_once_and_so_is_its_end():
    bench = Bench()
    for _ in range(6):
        await bench.fail(after_s=60)
    assert bench.heard.alerts == [
        (
            AlertKind.CHANNEL_FAILED,
            {
                "channel": "email",
                "recipient": ADA,
                "reason": "nobody answers",
                "then": "what is for there is kept and follows",
            },
        )
    ]
    bench.clock.advance(MINUTE_US)
    for _ in range(2):
        await bench.watch.delivered(ADA)
    assert bench.heard.alerts[1:] == [
        (
            AlertKind.CHANNEL_RECOVERED,
            {"channel": "email", "recipient": ADA, "silent": "4 min"},
        )
    ]


async def test_what_only_a_person_can_mend_is_told_at_once():
    for receipt in (SHUT, NEVER):
        bench = Bench()
        await bench.fail(receipt)
        await bench.fail(receipt)
        assert bench.told() == ["channel_failed"]


async def test_a_successor_tells_neither_again_and_does_not_forget_the_end():
    bench = Bench()
    await bench.fail(SHUT)
    bench.watch = bench.another()
    await bench.fail(SHUT)
    assert bench.told() == ["channel_failed"]
    bench.watch = bench.another()
    await bench.watch.delivered(ADA)
    assert bench.told() == ["channel_failed", "channel_recovered"]


async def test_each_recipient_fares_on_its_own():
    bench = Bench()
    await bench.fail(NEVER)
    await bench.watch.delivered(BOB)
    failing = {one.recipient: one.is_failing for one in await bench.states.read()}
    assert failing == {ADA: True, BOB: False}
    assert bench.told() == ["channel_failed"]


async def test_a_stranger_s_address_is_nobody_s_alarm():
    bench = Bench()
    await bench.fail(NEVER, to="stranger@example.com")
    await bench.watch.delivered("stranger@example.com")
    assert (bench.told(), bench.states.rows) == ([], {})


async def test_the_last_delivery_is_stored_about_once_a_minute():
    bench = Bench()
    await bench.watch.delivered(ADA)
    began_us = bench.clock.now_us()
    bench.clock.advance(59 * SECOND_US)
    await bench.watch.delivered(ADA)
    assert bench.states.rows["email", ADA].delivered_us == began_us
    bench.clock.advance(SECOND_US)
    await bench.watch.delivered(ADA)
    assert bench.states.rows["email", ADA].delivered_us == began_us + MINUTE_US


async def test_a_database_that_is_away_delays_only_what_is_kept():
    bench = Bench()
    bench.states.is_away = True
    await bench.fail(SHUT)  # what a predecessor has told is not known
    assert bench.told() == []
    bench.states.is_away = False
    await bench.fail(SHUT)
    bench.states.is_away = True
    await bench.watch.delivered(ADA)
    assert bench.told() == ["channel_failed", "channel_recovered"]
    bench.states.is_away = False
    await bench.watch.delivered(ADA)
    assert not bench.states.rows["email", ADA].is_failing
    assert len(bench.told()) == 2
