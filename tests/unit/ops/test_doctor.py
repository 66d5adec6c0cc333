"""Each check says what is wrong and what to do, and none ends the examination."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import (
    ConfigurationFault,
    CredentialsRefused,
    ExchangeUnavailable,
    StorageUnavailable,
)
from bot.ops import doctor
from bot.ops.doctor import Check, Level, certain_skew_us, examine
from bot.ports.carriers import DELIVERED, Receipt, Verdict
from bot.ports.exchange import ExchangeStatus
from tests.fakes.clock import ManualClock

NOW_US = 1_795_245_300_000_000
SECOND_US = 1_000_000


def answering(**changes):
    fields = {
        "is_exchange_active": True,
        "is_trading_active": True,
        "resume_us": None,
        "server_us": NOW_US,
    }

    async def status() -> ExchangeStatus:
        return ExchangeStatus(**(fields | changes))

    return status


def failing(fault):
    async def call():
        raise fault

    return call


async def found(check: Check):
    [finding] = await examine([check])
    assert (finding.fix != "") is (finding.level is not Level.OK)
    return finding.level, finding.detail


async def test_findings_come_in_the_order_of_their_checks() -> None:
    checks = [
        doctor.exchange(answering()),
        doctor.database(failing(StorageUnavailable("refused"))),
        doctor.external_ping(None),
    ]
    findings = await examine(checks)
    assert [one.check for one in findings] == ["exchange", "database", "external ping"]
    assert [one.level for one in findings] == [Level.OK, Level.FAIL, Level.WARN]
    assert [one.is_failure for one in findings] == [False, True, False]


async def test_a_check_that_hangs_is_a_failure_and_holds_nobody_up(looptime) -> None:
    hanging = doctor.exchange(asyncio.Event().wait)
    slow, quick = await examine([hanging, doctor.external_ping("http://127.0.0.1/")], limit_s=10)
    assert looptime == 10
    assert (slow.level, slow.detail) == (Level.FAIL, "no answer within 10 s")
    assert quick.level is Level.OK


async def test_a_line_carries_the_fix_below_it() -> None:
    [finding] = await examine([doctor.external_ping(None)])
    first, second = finding.line.splitlines()
    assert first.startswith("warn external ping: ")
    assert second.strip() == f"fix: {finding.fix}"
    assert finding.facts["level"] == "warn"


async def test_every_configuration_fault_is_told_at_once() -> None:
    def load():
        raise ConfigurationFault(["PORT must be a number", "mode is unknown"])

    level, detail = await found(doctor.configuration(load))
    assert (level, detail) == (Level.FAIL, "PORT must be a number; mode is unknown")
    assert (await found(doctor.configuration(lambda: None)))[0] is Level.OK


@pytest.mark.looptime(False)
async def test_a_key_may_be_absent_broken_or_good() -> None:
    def broken():
        raise ConfigurationFault(["the private key cannot be read"])

    assert (await found(doctor.signing_key(None)))[0] is Level.WARN
    assert await found(doctor.signing_key(broken)) == (
        Level.FAIL,
        "the private key cannot be read",
    )
    assert (await found(doctor.signing_key(lambda: None)))[0] is Level.OK


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ("current", Level.OK),
        ("absent", Level.WARN),
        ("behind", Level.WARN),
        ("ahead", Level.WARN),
        ("incompatible", Level.FAIL),
    ],
)
async def test_the_schema_decides_about_the_database(state, level) -> None:
    async def schema() -> str:
        return state

    assert (await found(doctor.database(schema)))[0] is level


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (answering(), Level.OK),
        (answering(is_trading_active=False), Level.WARN),
        (answering(is_exchange_active=False, is_trading_active=False), Level.WARN),
        (failing(ExchangeUnavailable("connection refused")), Level.FAIL),
        (failing(CredentialsRefused("NOT_FOUND")), Level.FAIL),
        (failing(OSError("no route to host")), Level.FAIL),
    ],
)
async def test_a_paused_exchange_is_no_fault_of_ours(status, level) -> None:
    assert (await found(doctor.exchange(status)))[0] is level


@pytest.mark.parametrize(
    ("off_s", "level"),
    [
        (0, Level.OK),
        (1, Level.OK),
        (-1, Level.OK),
        (4, Level.WARN),
        (-4, Level.WARN),
        (12, Level.FAIL),
        (-12, Level.FAIL),
        (3_600, Level.FAIL),
    ],
)
async def test_a_clock_that_is_off_is_told_by_how_much(off_s, level) -> None:
    clock = ManualClock(NOW_US + off_s * SECOND_US)
    found_level, detail = await found(doctor.clock_skew(answering(), clock))
    assert found_level is level
    if level is not Level.OK:
        assert ("ahead" if off_s > 0 else "behind") in detail


async def test_a_clock_cannot_be_judged_without_a_date() -> None:
    check = doctor.clock_skew(answering(server_us=None), ManualClock(NOW_US))
    assert (await found(check))[0] is Level.WARN


OFFSETS = st.integers(-3_600 * SECOND_US, 3_600 * SECOND_US)
TRIPS = st.integers(0, 20 * SECOND_US)


@given(offset_us=OFFSETS, there_us=TRIPS, back_us=TRIPS)
def test_the_skew_told_never_exceeds_the_real_one(offset_us, there_us, back_us) -> None:
    true_us = NOW_US + 123_456
    header_us = true_us - true_us % SECOND_US
    told = certain_skew_us(true_us - there_us + offset_us, true_us + back_us + offset_us, header_us)
    assert abs(told) <= abs(offset_us)
    assert told * offset_us >= 0
    missed_us = abs(offset_us) - abs(told)
    assert missed_us <= there_us + back_us + SECOND_US


@pytest.mark.looptime(False)
async def test_a_full_disk_is_a_failure(tmp_path) -> None:
    plenty = doctor.disk_space(tmp_path / "not" / "yet" / "made", warn_mib=0, fail_mib=0)
    assert (await found(plenty))[0] is Level.OK
    huge = 10**9
    assert (await found(doctor.disk_space(tmp_path, warn_mib=huge, fail_mib=0)))[0] is Level.WARN
    assert (await found(doctor.disk_space(tmp_path, warn_mib=huge, fail_mib=huge)))[0] is Level.FAIL


@pytest.mark.looptime(False)
async def test_a_directory_is_tried_by_writing_and_left_as_it_was(tmp_path) -> None:
    check = doctor.writable_directory("reports", tmp_path / "reports")
    assert (await found(check))[0] is Level.OK
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    blocked = doctor.writable_directory("reports", tmp_path / "file")
    assert (await found(blocked))[0] is Level.FAIL


@pytest.mark.looptime(False)
async def test_a_port_in_use_is_told_with_the_command_that_finds_its_owner() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [finding] = await examine([doctor.port_free("127.0.0.1", port)])
    assert finding.level is Level.WARN
    assert f"lsof -i :{port}" in finding.fix
    assert (await found(doctor.port_free("127.0.0.1", 0)))[0] is Level.OK


@pytest.mark.looptime(False)
async def test_an_address_that_is_not_ours_cannot_be_bound() -> None:
    assert (await found(doctor.port_free("192.0.2.1", 0)))[0] is Level.FAIL


async def accepting() -> object:
    return None


@pytest.mark.parametrize(
    ("use", "level", "words"),
    [
        (accepting, Level.OK, "accepts it"),
        (failing(CredentialsRefused("unknown key")), Level.FAIL, "refuses it: unknown key"),
        (failing(ExchangeUnavailable("down")), Level.WARN, "could not be asked"),
    ],
)
async def test_a_key_that_loads_is_tried_at_the_exchange(use, level, words) -> None:
    seen, detail = await found(doctor.signing_key(lambda: None, use))
    assert (seen, words in detail) == (level, True)


@pytest.mark.parametrize(
    ("receipt", "level", "detail"),
    [
        (DELIVERED, Level.OK, "lets us in"),
        (Receipt(verdict=Verdict.LATER, reason="no answer"), Level.WARN, "no answer"),
        (Receipt(verdict=Verdict.SHUT, reason="wrong password"), Level.FAIL, "wrong password"),
    ],
)
async def test_a_channel_is_asked_whether_it_lets_us_in(receipt, level, detail) -> None:
    async def probe() -> Receipt:
        return receipt

    (finding,) = await doctor.examine([doctor.channel("email", probe)])
    assert (finding.check, finding.level, finding.detail) == ("alerts by email", level, detail)
    assert (level is Level.OK) or "alerts test --channel email" in finding.fix


async def test_a_bot_that_tells_nobody_outside_is_warned_about() -> None:
    assert (await found(doctor.some_channel(0)))[0] is Level.WARN
    assert (await found(doctor.some_channel(2)))[0] is Level.OK
    assert (await found(doctor.external_ping(None)))[0] is Level.WARN
    assert (await found(doctor.external_ping("hc-ping.com")))[0] is Level.OK
