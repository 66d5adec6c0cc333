"""No reading ever lets two instances trade, and a living bot is never stuck."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import Epoch, InstanceId, Scope
from bot.domain.leadership import InstanceRow, InstanceState, LeaseRow, Reading, next_epoch
from bot.leadership.lease import (
    LeaseTerms,
    Move,
    Standpoint,
    Watch,
    Wish,
    decide,
    may_act,
    seconds_since,
    sight,
)

TERMS = LeaseTerms()
A, B = InstanceId("a"), InstanceId("b")
SECOND_US = 1_000_000


def instance(instance_id: InstanceId, **values: object) -> InstanceRow:
    row = InstanceRow(
        instance_id=instance_id,
        scope=Scope("paper:main:0"),
        deployment_id="d",
        generation=1,
        replica_id=None,
        host="box",
        pid=1,
        code_version="0",
        state=InstanceState.STANDBY,
        is_active=False,
        decided_by=instance_id,
        epoch=None,
        started_us=0,
        heartbeat_us=0,
        stopped_us=None,
        stop_reason=None,
    )
    return replace(row, **values)


def lease(**values: object) -> LeaseRow:
    row = LeaseRow(
        epoch=Epoch(7),
        holder=None,
        generation=1,
        renew_seq=1,
        acquired_us=None,
        renewed_us=None,
        expires_us=0,
        clean_release=True,
        stood_down=False,
    )
    return replace(row, **values)


def decide_after(
    me: InstanceRow,
    rival: InstanceRow | None,
    row: LeaseRow,
    *,
    silent_s: float = 0,
    moved: bool = False,
    is_going_on: bool = True,
    wish: Wish = Wish.FRESH,
) -> Move:
    """What ``me`` does having watched ``rival`` and the lease stand still for ``silent_s``.

    Before that ``rival`` may have moved, and gone on moving.
    """
    watch = None
    if moved and rival is not None:
        for beats in (2, 1) if is_going_on else (1,):
            earlier = replace(rival, heartbeat_us=rival.heartbeat_us - beats)
            reading = Reading(lease=row, me=me, active=earlier, database_now_us=0)
            watch = Watch.follow(watch, reading, -beats * TERMS.renew_us, settle_us=TERMS.settle_us)
    reading = Reading(lease=row, me=me, active=rival, database_now_us=0)
    watch = Watch.follow(watch, reading, 0, settle_us=TERMS.settle_us)
    return decide(
        Standpoint(
            me=me,
            reading=reading,
            watch=watch,
            wish=wish,
            now_us=int(silent_s * SECOND_US),
            death_us=TERMS.lease_us,
            settle_us=TERMS.settle_us,
            echo_us=TERMS.database_timeout_us,
        )
    ).move


OLD = instance(B, generation=1, is_active=True, state=InstanceState.LEADING)
HELD = lease(holder=B)


def test_a_free_lead_is_claimed_at_once() -> None:
    assert decide_after(instance(A), None, lease()) is Move.CLAIM


def test_a_wanted_instance_takes_a_released_lease_at_once() -> None:
    assert decide_after(instance(A, is_active=True), None, lease()) is Move.ACQUIRE


def test_a_wanted_instance_waits_while_the_old_one_drains() -> None:
    assert decide_after(instance(A, is_active=True), None, HELD, silent_s=14.9) is Move.WAIT


def test_a_dead_holder_is_succeeded_after_the_lease_and_not_before() -> None:
    assert decide_after(instance(A, is_active=True), None, HELD, silent_s=15) is Move.ACQUIRE


def test_its_own_lease_is_taken_again_at_once() -> None:
    me = instance(A, is_active=True)
    assert decide_after(me, me, lease(holder=A)) is Move.ACQUIRE


def test_a_newer_deployment_supersedes_a_living_older_one_at_once() -> None:
    assert decide_after(instance(A, generation=2), OLD, HELD, moved=True) is Move.CLAIM


def test_a_second_start_of_one_deployment_stands_by_once_it_saw_life() -> None:
    assert decide_after(instance(A), OLD, HELD) is Move.WAIT
    assert decide_after(instance(A), OLD, HELD, moved=True) is Move.STAND_BY


def test_the_last_statement_of_a_dead_process_is_no_life() -> None:
    """It may be carried out after the restarted one has begun to watch."""
    assert decide_after(instance(A), OLD, HELD, moved=True, is_going_on=False) is Move.WAIT


def test_an_older_build_is_superseded_by_a_living_newer_one() -> None:
    newer = replace(OLD, generation=3)
    assert decide_after(instance(A, generation=2), newer, HELD, moved=True) is Move.YIELD


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_a_dead_leader_of_any_generation_is_replaced(generation: int) -> None:
    rival = replace(OLD, generation=2)
    me = instance(A, generation=generation)
    assert decide_after(me, rival, HELD, silent_s=15) is Move.CLAIM


def test_a_restart_does_not_stand_by_for_its_dead_predecessor() -> None:
    """However fresh its row looks, it never moved while we watched."""
    fresh = replace(OLD, heartbeat_us=10**15)
    assert decide_after(instance(A), fresh, HELD, silent_s=14) is Move.WAIT
    assert decide_after(instance(A), fresh, HELD, silent_s=15) is Move.CLAIM


def test_an_idle_predecessor_ends_when_its_successor_leads() -> None:
    move = decide_after(instance(A), OLD, HELD, moved=True, wish=Wish.IDLE)
    assert move is Move.YIELD


def test_an_idle_predecessor_waits_while_its_successor_activates() -> None:
    successor = replace(OLD, state=InstanceState.ACTIVATING)
    move = decide_after(instance(A), successor, HELD, moved=True, wish=Wish.IDLE)
    assert move is Move.WAIT


def test_an_idle_predecessor_takes_the_lead_back_from_the_dead() -> None:
    successor = replace(OLD, state=InstanceState.ACTIVATING, generation=2)
    move = decide_after(instance(A), successor, HELD, silent_s=15, wish=Wish.IDLE)
    assert move is Move.CLAIM


def test_an_idle_predecessor_takes_the_lead_back_when_the_successor_stopped_first() -> None:
    assert decide_after(instance(A), None, lease(), wish=Wish.IDLE) is Move.CLAIM


def test_nobody_waiting_grabs_a_lead_that_a_person_took_away() -> None:
    row = lease(stood_down=True)
    assert decide_after(instance(A), None, row, wish=Wish.IDLE) is Move.WAIT
    assert decide_after(instance(A), None, row, wish=Wish.IDLE, silent_s=5) is Move.LEAVE


def test_a_new_start_does_take_a_lead_that_a_person_took_away() -> None:
    assert decide_after(instance(A), None, lease(stood_down=True)) is Move.CLAIM


def test_whoever_slept_through_a_restore_ends() -> None:
    asleep = instance(A, stopped_us=5)
    assert decide_after(asleep, None, lease()) is Move.LEAVE


see = partial(sight, settle_us=50)


def test_a_sighting_starts_anew_with_another_instance() -> None:
    first = see(None, "b", (1,), 0)
    moved = see(first, "b", (2,), 5)
    other = see(moved, "c", (2,), 9)
    assert (moved.has_moved, moved.since_us) == (True, 5)
    assert (other.has_moved, other.since_us) == (False, 9)
    assert see(moved, "b", (2,), 50) is moved
    assert see(moved, "b", (3,), 50).lives(echo_us=45)
    assert not see(moved, "b", (3,), 49).lives(echo_us=45)


def test_a_movement_seen_after_nobody_watched_is_no_life() -> None:
    """It may have been the last one of a process that died while we slept."""
    moved = see(see(None, "b", (1,), 0), "b", (2,), 5)
    awake = see(moved, "b", (9,), 50, was_away=True)
    assert (awake.has_moved, awake.since_us) == (False, 50)
    assert see(moved, "b", (2,), 50, was_away=True) is moved, "silence is silence"


def test_a_movement_after_a_long_silence_is_no_life() -> None:
    """A network may hold a statement back for longer than its process lives."""
    moved = see(see(None, "b", (1,), 0), "b", (2,), 5)
    assert see(moved, "b", (3,), 55).has_moved
    late = see(moved, "b", (3,), 56)
    assert (late.has_moved, late.since_us) == (False, 56)


def test_how_long_somebody_leads_is_known_for_the_holder_only() -> None:
    row = lease(holder=B, acquired_us=1 * SECOND_US)
    reading = Reading(lease=row, me=None, active=OLD, database_now_us=9 * SECOND_US)
    assert seconds_since(reading, B) == 8
    assert seconds_since(reading, A) is None


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"gate_us": 9 * SECOND_US}, "gate_s"),
        ({"stop_us": 12 * SECOND_US}, "stop_s < watchdog_s"),
        ({"watchdog_us": 13 * SECOND_US}, "watchdog_s"),
        ({"renew_us": 3 * SECOND_US}, "renew_s"),
        ({"settle_us": 4 * SECOND_US}, "settle_s"),
        ({"poll_us": 0}, "interval"),
        ({"lease_us": 14 * SECOND_US}, "lease_s"),
    ],
)
def test_unsafe_terms_are_refused_by_name(broken: dict[str, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        LeaseTerms(**broken)


@given(previous=st.integers(0, 2**40), now_us=st.integers(0, 2**60))
def test_epochs_only_rise(previous: int, now_us: int) -> None:
    epoch = next_epoch(Epoch(previous), now_us)
    assert epoch > previous
    assert epoch >= now_us // SECOND_US


@given(
    sent_us=st.integers(0, 10**9),
    to_commit_us=st.integers(0, 60 * SECOND_US),
    to_first_sight_us=st.integers(0, 60 * SECOND_US),
    watched_us=st.integers(0, 60 * SECOND_US),
    leader_rate=st.integers(930, 1070),
    rival_rate=st.integers(930, 1070),
)
def test_a_rival_acts_only_after_the_last_order_of_the_leader_has_ended(
    sent_us: int,
    to_commit_us: int,
    to_first_sight_us: int,
    watched_us: int,
    leader_rate: int,
    rival_rate: int,
) -> None:
    """Whatever the network delays, with monotonic clocks up to 7 % apart from true time."""
    first_sight_us = sent_us + to_commit_us + to_first_sight_us
    now_us = first_sight_us + watched_us
    seen = Watch.follow(
        None,
        Reading(lease=HELD, me=instance(A), active=OLD, database_now_us=0),
        0,
        settle_us=TERMS.settle_us,
    )
    rival_clock_us = watched_us * rival_rate // 1000
    rival_may_act = seen.lease.silent_us(rival_clock_us) >= TERMS.lease_us
    order_begun_us = now_us - TERMS.order_timeout_us
    leader_clock_us = (order_begun_us - sent_us) * leader_rate // 1000
    order_may_run = may_act(leader_clock_us, TERMS.gate_us)
    assert not (rival_may_act and order_may_run)


CASES = st.fixed_dictionaries(
    {
        "mine": st.integers(1, 4),
        "theirs": st.integers(1, 4),
        "state": st.sampled_from(InstanceState),
        "is_wanted": st.booleans(),
        "stood_down": st.booleans(),
    }
)


@given(
    case=CASES,
    silent_s=st.integers(0, 30),
    moved=st.booleans(),
    wish=st.sampled_from(Wish),
)
def test_nobody_claims_against_a_living_instance_of_its_own_or_a_newer_generation(
    case: dict[str, object], silent_s: int, moved: bool, wish: Wish
) -> None:
    mine, theirs = case["mine"], case["theirs"]
    rival = instance(B, generation=theirs, is_active=True, state=case["state"])
    row = lease(holder=B, stood_down=case["stood_down"])
    move = decide_after(
        instance(A, generation=mine),
        rival if case["is_wanted"] else None,
        row,
        silent_s=silent_s,
        moved=moved,
        wish=wish,
    )
    if move is Move.CLAIM and case["is_wanted"] and silent_s < 15:
        assert mine > theirs
        assert wish is Wish.FRESH
    if silent_s >= 15 and wish is Wish.FRESH:
        assert move is Move.CLAIM
