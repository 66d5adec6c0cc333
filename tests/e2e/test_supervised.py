"""Under the supervisor: who leads after a kill, a freeze, a stuck library, an orphaning."""

import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from bot.simulator.server import SimulatedExchange
from tests.e2e.support.bench import LEASE_S, SLACK_S, Bench
from tests.e2e.support.bot import Home, Program, home_of
from tests.e2e.support.leader import Leader, eventually
from tests.fakes.mail_server import MailServer, mail_server
from tests.fakes.scripted_http import ScriptedServer, answer, scripted_server

pytestmark = [pytest.mark.e2e, pytest.mark.looptime(False)]

STOPPED = "SELECT count(*) FROM bot_instances WHERE stop_reason = '{}'"
NOTICES = "SELECT text FROM outbox WHERE kind = 'nobody_led' AND channel = 'portal'"
HOLDERS = "SELECT count(*) FROM leader_lease WHERE holder IS NOT NULL"


@pytest.fixture
def bench(postgres_url: str) -> Iterator[Bench]:
    built = Bench(postgres_url)
    yield built
    built.end()
    built.judge()


def bots(leader: Leader) -> list[int]:
    """The process ids of the bots it started so far."""
    leader.listen()
    return [int(str(one["pid"])) for one in leader.said if one["kind"] == "start"]


def found_held(leader: Leader) -> list[object]:
    """Whom each of its leaderships found in the lease."""
    leader.listen()
    return [one["rival"] for one in leader.said if one.get("role") == "activating"]


@pytest.mark.postgres
async def test_a_bot_killed_nine_times_under_its_supervisor_leads_each_time(bench: Bench) -> None:
    leader = bench.start("d1", "--supervised")
    for nth in range(1, 10):
        await leader.reach("leading", SLACK_S, times=nth)
        os.kill(bots(leader)[-1], signal.SIGKILL)
    await leader.reach("leading", SLACK_S, times=10)
    assert await bench.sql(STOPPED.format("killed by SIGKILL")) == 9
    assert leader.process.poll() is None
    assert found_held(leader) == [None] * 10, "every lease was released, none waited out"
    epochs = [epoch for epoch, _ in leader.trades()]
    assert epochs == sorted(epochs)


@pytest.mark.postgres
async def test_a_frozen_bot_is_killed_and_its_lease_released_for_the_next_start(
    bench: Bench,
) -> None:
    leader = bench.start("d1", "--supervised")
    await leader.reach("leading", SLACK_S)
    os.kill(bots(leader)[-1], signal.SIGSTOP)
    assert await leader.exit_code(LEASE_S + SLACK_S) == 70
    assert await bench.sql(STOPPED.format("killed, for it did not renew in time")) == 1
    rival = bench.start("d1")
    await rival.reach("leading", SLACK_S)
    assert found_held(rival) == [None]


@pytest.mark.postgres
async def test_a_library_that_holds_the_interpreter_is_ended_from_outside(bench: Bench) -> None:
    """No thread of the bot runs then, its watchdog neither."""
    leader = bench.start("d1", "--supervised")
    await leader.reach("leading", SLACK_S)
    leader.tell("hold")
    assert await leader.exit_code(LEASE_S + SLACK_S) == 70
    assert not psutil.pid_exists(bots(leader)[-1])
    assert "killing it" in leader.error()
    assert await bench.sql(HOLDERS) == 0


@pytest.mark.postgres
async def test_a_blocked_loop_is_ended_by_the_bots_own_watchdog_and_its_lease_released(
    bench: Bench,
) -> None:
    leader = bench.start("d1", "--supervised")
    await leader.reach("leading", SLACK_S)
    leader.tell("block")
    assert await leader.exit_code(LEASE_S + SLACK_S) == 70
    assert await bench.sql(HOLDERS) == 0
    assert await bench.sql(STOPPED.format("ended with 70")) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_the_bot_and_ends_both_with_zero(
    bench: Bench, number: signal.Signals
) -> None:
    leader = bench.start("d1", "--supervised")
    await leader.reach("leading", SLACK_S)
    leader.process.send_signal(number)
    assert await leader.exit_code(SLACK_S) == 0
    assert leader.roles()[-2:] == ["draining", "ended"]
    assert await bench.sql("SELECT clean_release FROM leader_lease")


@pytest.mark.postgres
async def test_a_bot_whose_supervisor_is_killed_drains_and_releases(bench: Bench) -> None:
    leader = bench.start("d1", "--supervised")
    await leader.reach("leading", SLACK_S)
    leader.process.kill()
    await eventually(lambda: not psutil.pid_exists(bots(leader)[-1]), SLACK_S, leader.story)
    assert leader.roles()[-2:] == ["draining", "ended"]
    assert await bench.sql("SELECT holder IS NULL AND clean_release FROM leader_lease")


@pytest.mark.postgres
async def test_a_newer_deployment_ends_the_supervisor_of_the_old_one_with_zero(
    bench: Bench,
) -> None:
    old = bench.start("d1", "--supervised")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2", "--supervised")
    await new.reach("leading", SLACK_S)
    assert await old.exit_code(SLACK_S) == 0
    assert new.process.poll() is None


@pytest.fixture
async def home(
    exchange: SimulatedExchange, database_url: str, tmp_path: Path
) -> AsyncIterator[Home]:
    async with home_of(tmp_path, database_url, exchange) as made:
        yield made


def bot_of(supervisor: Program) -> psutil.Process:
    [child] = supervisor.children()
    return child


async def test_the_whole_bot_killed_under_its_supervisor_leads_again(home: Home) -> None:
    """On SQLite the host lock is the bot's and ends with it."""
    async with mail_server(wants_login=False) as mail, scripted_server() as web:
        web.answers(answer())
        await _killed_and_told(home, mail, web)


async def _killed_and_told(home: Home, mail: MailServer, web: ScriptedServer) -> None:
    supervisor = home.supervised(
        SMTP_HOST="localhost",
        SMTP_PORT=str(mail.port),
        SMTP_SECURITY="none",
        SMTP_FROM="bot@example.com",
        ALERT_EMAIL="ada@example.com",
        ALERT_WEBHOOK_URL=f"{web.base_url}/hook",
        ALERT_WEBHOOK_SECRET="a-key-that-is-long-enough",
    )
    await supervisor.reach("leading")
    bot_of(supervisor).kill()
    await supervisor.reach("leading", times=2)
    assert await home.rows(STOPPED.format("killed by SIGKILL")) == [(1,)]
    [(notice,)] = await home.until_rows(NOTICES, lambda rows: len(rows) == 1)
    assert "(killed by SIGKILL)" in notice
    assert "took over, 0 brackets re-armed" in notice
    deployments = await home.rows("SELECT count(DISTINCT deployment_id) FROM bot_instances")
    assert deployments == [(1,)], "killed and started again it is no newer build"
    await eventually(
        lambda: any("Leader died" in one.part("plain") for one in mail.inbox),
        SLACK_S,
        supervisor.story,
    )

    def posted() -> list[int]:
        told = [json.loads(seen.body) for seen in web.seen]
        return [one["facts"]["brackets"] for one in told if one["kind"] == "nobody_led"]

    await eventually(posted, SLACK_S, supervisor.story)
    assert posted() == [0]
    assert (await supervisor.told(signal.SIGTERM)).code == 0
    assert await home.rows(HOLDERS) == [(0,)]


async def test_a_faulty_setting_ends_the_supervisor_with_its_code_and_line(home: Home) -> None:
    done = await home.supervised(DATABASE_URL="mysql://root@db/x").ended()
    assert done.code == 2
    assert "mysql" in done.err
    assert "supervisor" not in done.said


async def test_a_signal_during_the_start_ends_both_with_zero(home: Home) -> None:
    supervisor = home.supervised()
    await eventually(lambda: bool(supervisor.children()), SLACK_S, supervisor.story)
    done = await supervisor.told(signal.SIGTERM)
    assert done.code == 0
    assert supervisor.roles()[-1:] in ([], ["ended"])
