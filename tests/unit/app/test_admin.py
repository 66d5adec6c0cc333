"""Commands beside the bot: what they read, and what they do while nobody leads."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.leases import SqlLeaseStore
from bot.adapters.storage.messages import SqlInbox
from bot.adapters.storage.trading import SqlTradingStore
from bot.app import admin, orders
from bot.app.gaps import GapQuestion, read_gaps
from bot.app.settings import BotSettings
from bot.domain.errors import ActivationRefused, ConfigurationFault, StorageUnavailable
from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import Candidate
from bot.kit.clock import SystemClock
from tests.support.rows import SCOPE as LED
from tests.support.rows import grant_lease
from tests.unit.app.support import settings_at

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> BotSettings:
    return settings_at(database_url, tmp_path)


async def test_status_reads_from_the_database_alone(settings: BotSettings) -> None:
    facts = await admin.read_status(settings)
    assert (facts["leader"], facts["schema"], facts["snapshots"]) == ("nobody", "current", 0)
    assert str(facts["halted"]).startswith("first start")


async def test_reading_creates_no_database(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(StorageUnavailable, match="no database"):
        await read_gaps(settings_at(f"sqlite:///{path}", tmp_path), GapQuestion())
    assert not path.exists()


async def test_health_is_failed_while_nobody_leads(settings: BotSettings) -> None:
    fresh, checks = await admin.health(settings)
    assert not fresh
    assert checks["leader"] == "missing: nobody leads"


async def test_halt_and_unhalt_work_while_nobody_leads_and_nothing_else_does(
    settings: BotSettings, database: Database
) -> None:
    store = SqlTradingStore(database, settings.scope)
    told = await orders.give_command(settings, "/halt lunch", scope=None, wait_s=1)
    assert told.is_done
    assert (await store.halt()).reason == "lunch"
    assert (await orders.give_command(settings, "/unhalt", scope=None, wait_s=1)).is_done
    assert not (await store.halt()).halted
    again = await orders.give_command(settings, "/unhalt", scope=None, wait_s=1)
    assert (again.text, again.is_done) == ("There is no halt to end.", True)
    refused = await orders.give_command(settings, "/reset_breaker x", scope=None, wait_s=1)
    assert not refused.is_done
    assert "nobody leads" in refused.text


async def test_a_halt_of_a_scope_nobody_leads_names_the_one_that_is_led(
    settings: BotSettings, database: Database
) -> None:
    await grant_lease(database)
    told = await orders.give_command(settings, "/halt", scope="live:mian:0", wait_s=1)
    assert told.is_done
    assert told.text.endswith(f"LED NOW, and not meant by this: {LED}")


async def test_a_leader_that_does_not_answer_is_told_and_the_command_stays(
    settings: BotSettings, database: Database
) -> None:
    await grant_lease(database)
    told = await orders.give_command(settings, "/status", scope=LED, wait_s=0.5)
    assert not told.is_done
    assert "not answered within" in told.text


async def test_a_halt_given_to_a_leader_that_dies_is_stored_all_the_same(
    settings: BotSettings, database: Database
) -> None:
    await grant_lease(database, seconds=1)
    told = await orders.give_command(settings, "/halt fire", scope=LED, wait_s=20)
    assert told.is_done, told
    assert (await SqlTradingStore(database, Scope(LED)).halt()).reason == "fire"
    inbox = SqlInbox(database, Scope(LED), SystemClock())
    assert await inbox.claim(Epoch(9), urgent=True) is None, "a successor would halt once more"


async def test_paper_orders_cannot_be_cancelled_at_the_exchange(settings: BotSettings) -> None:
    with pytest.raises(ConfigurationFault, match="paper"):
        await orders.cancel_orders(settings, including_exits=True)


async def test_without_instances_the_list_says_so(
    settings: BotSettings, database: Database
) -> None:
    told = await admin.instances(settings, activate=None, deactivate_all=True)
    assert told.facts == {"scope": "paper:main:0", "deactivated": [], "instances": []}
    nobody = "no instance of paper:main:0 has registered yet"
    assert told.lines == ["stood down: nobody was wanted", nobody]
    await grant_lease(database, scope="live:main:0")
    told = await admin.instances(settings, activate=None, deactivate_all=False)
    assert told.lines == [f"{nobody}; led here: live:main:0"]


async def test_the_list_tells_who_is_wanted_who_leads_and_which_deployment(
    settings: BotSettings, database: Database
) -> None:
    store, scope = SqlLeaseStore(database), settings.scope
    for name, deployment in (("old", "d1"), ("new", "d2")):
        await store.register(
            Candidate(
                instance_id=InstanceId(name),
                scope=scope,
                deployment_id=deployment,
                replica_id=None,
                host="box",
                pid=7,
                code_version="0",
            )
        )
    reading = await store.read(scope, InstanceId("old"))
    assert await store.claim(scope, InstanceId("old"), None)
    assert await store.acquire(scope, InstanceId("old"), reading.lease, 15_000_000)
    told = await admin.instances(settings, activate="new", deactivate_all=False)
    rows = {row["instance_id"]: row for row in cast(list[dict[str, Any]], told.facts["instances"])}
    assert told.facts["activated"] == "new"
    assert (rows["old"]["has_lease"], rows["old"]["is_active"]) == (True, False)
    assert str(rows["old"]["leads_since_utc"]).endswith("Z")
    assert (rows["new"]["has_lease"], rows["new"]["is_active"]) == (False, True)
    assert rows["new"]["deployment_id"] == "d2"
    json.dumps(told.facts)
    lines = {line.split()[0]: line for line in told.lines[1:]}
    assert "leads since 20" in lines["old"]
    assert "wanted" not in lines["old"]
    assert "  wanted  " in lines["new"]
    assert "deployment d2" in lines["new"]


async def test_activating_what_is_dead_or_mistyped_is_refused(
    settings: BotSettings,
) -> None:
    with pytest.raises(ActivationRefused, match="no instance nobody"):
        await admin.instances(settings, activate="nobody", deactivate_all=False)
