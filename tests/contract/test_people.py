"""What every store of people must do, in memory and on both databases."""

from dataclasses import dataclass, replace

import pytest

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlAudit
from bot.adapters.storage.people import SqlPeople
from bot.console.pairing import digest_of
from bot.domain.ids import Scope
from bot.domain.operations import AccessLevel, Severity
from bot.ports.messages import Audit, AuditEntry, Channel, OutgoingMessage
from bot.ports.people import PairingOffer, PeopleStore, Person
from tests.fakes.clock import ManualClock
from tests.fakes.messages import MemoryAudit, MemoryStore
from tests.fakes.people import MemoryPeople

pytestmark = pytest.mark.looptime(False)

SCOPE = Scope("paper:test:0")
NOW_US = 1_795_245_300_000_000
CODE = digest_of("ABCD-EFGH-JKMN")


@dataclass
class Door:
    people: PeopleStore
    audit: Audit


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def door(request):
    if request.param == "memory":
        store = MemoryStore(ManualClock())
        yield Door(MemoryPeople(store), MemoryAudit(store))
        return
    database = await Database.open(request.getfixturevalue(f"{request.param}_url"))
    yield Door(SqlPeople(database, SCOPE), SqlAudit(database, SCOPE))
    await database.close()


def offer(digest: str = CODE, **changes: object) -> PairingOffer:
    made = PairingOffer(
        digest=digest,
        level=AccessLevel.TRADER,
        made_by="the bot",
        made_us=NOW_US,
        expires_us=NOW_US + 600_000_000,
    )
    return replace(made, **changes)


def person(user_id: int = 5_000_000_001, at_us: int = NOW_US + 1) -> Person:
    return Person(
        user_id=user_id,
        name="Ada \N{SNOWMAN}",
        level=AccessLevel.VIEWER,
        added_by="",
        added_us=at_us,
    )


def act(number: int, outcome: str = "let in by a code") -> AuditEntry:
    return AuditEntry(
        number=number,
        at_us=NOW_US,
        channel=Channel.TELEGRAM,
        actor="telegram:1 Ada",
        command="/pair",
        outcome=outcome,
        epoch=None,
    )


def hello() -> OutgoingMessage:
    return OutgoingMessage(
        channel=Channel.TELEGRAM, recipient="1", kind="reply", severity=Severity.INFO, text="in"
    )


async def test_a_code_lets_one_person_in_once_and_is_on_record(door: Door) -> None:
    await door.people.offer(offer())
    level = await door.people.redeem(CODE, person(), act(-7), (hello(),))
    assert level is AccessLevel.TRADER
    again = await door.people.redeem(CODE, person(6), act(-8), ())
    assert again is None, "single use"
    [found] = await door.people.everybody()
    assert found == replace(person(), level=AccessLevel.TRADER, added_by="the bot")
    entry = await door.audit.find(-7)
    assert entry is not None
    assert entry.outcome == "let in by a code"
    assert await door.audit.find(-8) is None


@pytest.mark.parametrize(
    ("digest", "at_us"),
    [(digest_of("WRNG-WRNG-WRNG"), NOW_US + 1), (CODE, NOW_US + 600_000_000)],
    ids=["unknown", "expired"],
)
async def test_no_other_code_lets_anybody_in(door: Door, digest: str, at_us: int) -> None:
    await door.people.offer(offer())
    assert await door.people.redeem(digest, person(at_us=at_us), act(-7), ()) is None
    assert await door.people.everybody() == ()
    assert await door.audit.find(-7) is None


async def test_a_lower_code_takes_nothing_away(door: Door) -> None:
    await door.people.offer(offer(level=AccessLevel.ADMIN))
    await door.people.redeem(CODE, person(), act(-7), ())
    await door.people.offer(offer(digest_of("B"), level=AccessLevel.VIEWER))
    level = await door.people.redeem(digest_of("B"), person(), act(-8), ())
    assert level is AccessLevel.ADMIN
    assert [one.level for one in await door.people.everybody()] == [AccessLevel.ADMIN]


async def test_only_the_newest_codes_stay_open(door: Door) -> None:
    for number in range(7):
        await door.people.offer(offer(digest_of(str(number)), made_us=NOW_US + number))
    results = [
        await door.people.redeem(digest_of(str(number)), person(number + 1), act(-number - 1), ())
        for number in range(7)
    ]
    assert [level is not None for level in results] == [False, False, *[True] * 5]


async def test_the_last_admin_stays_whoever_asks(door: Door) -> None:
    await door.people.offer(offer(level=AccessLevel.ADMIN))
    await door.people.redeem(CODE, person(), act(-7), ())
    assert not await door.people.remove(person().user_id, admins_besides=0, act=act(1))
    assert await door.audit.find(1) is None
    assert await door.people.remove(person().user_id, admins_besides=1, act=act(2, "out"))
    assert await door.people.everybody() == ()


async def test_taking_out_happens_once_under_its_number(door: Door) -> None:
    await door.people.offer(offer())
    await door.people.redeem(CODE, person(), act(-7), ())
    assert await door.people.remove(person().user_id, admins_besides=1, act=act(1, "out"))
    await door.people.offer(offer(digest_of("B")))
    await door.people.redeem(digest_of("B"), person(), act(-8), ())
    assert await door.people.remove(person().user_id, admins_besides=1, act=act(1, "out"))
    assert len(await door.people.everybody()) == 1, "came back after the act, which is over"
