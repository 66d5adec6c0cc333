"""The pure rules against a database and a network that Hypothesis directs.

Statements are sent, arrive, and are answered in whatever order it likes, or
never; clocks run up to 7 % wrong; the database's clock jumps. Whoever may
trade holds the newest epoch, and so nobody else may.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.domain.errors import ActivationRefused
from bot.domain.ids import InstanceId
from bot.domain.leadership import Acquisition, Candidate, InstanceRow, Reading, Renewal
from bot.kit.times import SECOND_US
from bot.leadership.gate import LeaderGate, Moment
from bot.leadership.lease import LeaseTerms, Move, Standpoint, Watch, Wish, decide
from tests.fakes.clock import ManualClock
from tests.fakes.leases import MemoryLeases, MemoryLeaseStore
from tests.sim.database import SCOPE
from tests.sim.links import at_once

TERMS = LeaseTerms()


class RatedClock(ManualClock):
    """A machine's clock: its seconds are not quite true ones."""

    def __init__(self, rate_per_mille: int) -> None:
        super().__init__()
        self._rate = rate_per_mille

    def pass_true(self, us: int) -> None:
        self.advance(us * self._rate // 1_000)


@dataclass
class Node:
    """As much of an elector as decides."""

    name: InstanceId
    clock: RatedClock
    gate: LeaderGate
    me: InstanceRow
    watch: Watch | None = None
    wish: Wish = Wish.FRESH
    is_asking: bool = False
    is_over: bool = False

    def statement(self) -> tuple[str, tuple[object, ...]]:
        if self.gate.epoch is not None:
            return "renew", (SCOPE, self.name, self.gate.epoch, TERMS.lease_us)
        return "read", (SCOPE, self.name)


@dataclass
class Statement:
    """On its way there, or its answer on the way back."""

    node: Node
    name: str
    given: tuple[object, ...]
    sent: Moment
    has_arrived: bool = False
    answer: object = None
    wants_answer: bool = True


@dataclass
class Leaders:
    """Epochs in the order they were given."""

    epochs: list[int] = field(default_factory=list)


class LeaseRules(RuleBasedStateMachine):
    death_us = TERMS.lease_us
    """Silence that a rival takes for death."""

    def __init__(self) -> None:
        super().__init__()
        self.database_clock = ManualClock()
        self.tables = MemoryLeases(self.database_clock)
        self.store = MemoryLeaseStore(self.tables)
        self.nodes: list[Node] = []
        self.network: list[Statement] = []
        self.leaders = Leaders()

    # --- the world --------------------------------------------------------------------------

    @precondition(lambda self: len(self.nodes) < 4)
    @rule(deployment=st.integers(1, 3), rate=st.integers(930, 1_070))
    def start(self, deployment: int, rate: int) -> None:
        name = InstanceId(f"n{len(self.nodes)}")
        clock = RatedClock(rate)
        candidate = Candidate(
            instance_id=name,
            scope=SCOPE,
            deployment_id=f"d{deployment}",
            replica_id=None,
            host="box",
            pid=1,
            code_version="0",
        )
        row = at_once(self.store.register(candidate))
        self.nodes.append(Node(name, clock, LeaderGate(TERMS, clock), row))

    @rule(us=st.integers(0, 8 * SECOND_US))
    def pass_time(self, us: int) -> None:
        self.database_clock.advance(us)
        for node in self.nodes:
            node.clock.pass_true(us)
            if node.gate.since_renewal_us() >= TERMS.stop_us:
                node.gate.clear()

    @precondition(lambda self: self.nodes)
    @rule(data=st.data(), seconds=st.integers(1, 12))
    def live(self, data: st.DataObject, seconds: int) -> None:
        """Some time in which those who are connected get their answers at once."""
        connected = data.draw(st.sets(st.sampled_from([one.name for one in self.nodes])))
        for _ in range(seconds):
            self.pass_time(SECOND_US)
            for node in self.nodes:
                if node.name in connected and not node.is_over:
                    self._talk(node)
            self.whoever_may_trade_holds_the_newest_epoch()

    @rule(seconds=st.integers(-3_600, 3_600))
    def database_clock_jumps(self, seconds: int) -> None:
        self.database_clock.step(seconds * SECOND_US)

    @precondition(lambda self: self.nodes)
    @rule(data=st.data(), is_active=st.booleans())
    def person_types(self, data: st.DataObject, is_active: bool) -> None:
        node = data.draw(st.sampled_from(self.nodes))
        try:
            self.tables.type_active(node.name, is_active)
        except ActivationRefused:
            return

    # --- a node -----------------------------------------------------------------------------

    @precondition(lambda self: any(not one.is_asking and not one.is_over for one in self.nodes))
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        idle = [one for one in self.nodes if not one.is_asking and not one.is_over]
        node = data.draw(st.sampled_from(idle))
        self._send(node, *node.statement())

    @precondition(lambda self: any(one.is_asking for one in self.nodes))
    @rule(data=st.data())
    def lose_patience(self, data: st.DataObject) -> None:
        """The statement is given up, and may be carried out all the same."""
        node = data.draw(st.sampled_from([one for one in self.nodes if one.is_asking]))
        node.is_asking = False
        for statement in self.network:
            if statement.node is node:
                statement.wants_answer = False

    @precondition(lambda self: any(one.gate.epoch is not None for one in self.nodes))
    @rule(data=st.data(), is_clean=st.booleans())
    def release(self, data: st.DataObject, is_clean: bool) -> None:
        """Told to stop: its orders have ended, so it lets go."""
        node = data.draw(st.sampled_from([one for one in self.nodes if one.gate.epoch is not None]))
        epoch = node.gate.epoch
        assert epoch is not None
        node.gate.clear()
        node.is_over = True
        at_once(self.store.release(SCOPE, node.name, epoch, is_clean=is_clean, is_leaving=True))

    # --- the network ------------------------------------------------------------------------

    @precondition(lambda self: any(not one.has_arrived for one in self.network))
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        waiting = [one for one in self.network if not one.has_arrived]
        self._arrive(data.draw(st.sampled_from(waiting)))

    def _arrive(self, statement: Statement) -> None:
        statement.answer = at_once(getattr(self.store, statement.name)(*statement.given))
        statement.has_arrived = True
        if isinstance(statement.answer, Acquisition):
            self.leaders.epochs.append(statement.answer.epoch)

    @precondition(lambda self: any(one.has_arrived for one in self.network))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        arrived = [one for one in self.network if one.has_arrived]
        self._answer(data.draw(st.sampled_from(arrived)))

    def _answer(self, statement: Statement) -> None:
        self.network.remove(statement)
        if statement.wants_answer:
            statement.node.is_asking = False
            self._take(statement)

    def _talk(self, node: Node) -> None:
        """Its statement, and what follows from the answer, without delay."""
        if not node.is_asking:
            self._send(node, *node.statement())
        for _ in range(3):
            mine = [one for one in self.network if one.node is node and one.wants_answer]
            for statement in mine:
                if not statement.has_arrived:
                    self._arrive(statement)
                self._answer(statement)

    # --- what a node makes of an answer -----------------------------------------------------

    def _take(self, statement: Statement) -> None:
        node = statement.node
        match statement.answer:
            case Reading():
                self._seek(node, statement.answer)
            case Acquisition():
                node.wish = Wish.IDLE
                node.gate.hold(statement.answer.epoch, statement.sent)
                node.gate.open()
            case Renewal(is_kept=True, is_active=True):
                if node.gate.epoch is not None:
                    node.gate.hold(node.gate.epoch, statement.sent)
            case Renewal():
                self._give_up(node)
            case True:
                node.wish = Wish.IDLE
            case _:
                pass

    def _give_up(self, node: Node) -> None:
        epoch = node.gate.epoch
        node.gate.clear()
        node.watch = None
        if epoch is not None:
            at_once(self.store.release(SCOPE, node.name, epoch, is_clean=True, is_leaving=False))

    def _seek(self, node: Node, reading: Reading) -> None:
        if reading.me is None:
            return
        node.me = reading.me
        node.watch = Watch.follow(
            node.watch, reading, node.clock.monotonic_us(), settle_us=TERMS.settle_us
        )
        decision = decide(
            Standpoint(
                me=reading.me,
                reading=reading,
                watch=node.watch,
                wish=node.wish,
                now_us=node.clock.monotonic_us(),
                death_us=self.death_us,
                settle_us=TERMS.settle_us,
                echo_us=TERMS.database_timeout_us,
            )
        )
        if decision.move is Move.ACQUIRE:
            given = (SCOPE, node.name, reading.lease, TERMS.lease_us)
            self._send(node, "acquire", given)
        elif decision.move is Move.CLAIM:
            rival = decision.rival.instance_id if decision.rival else None
            self._send(node, "claim", (SCOPE, node.name, rival))
        elif decision.move is not Move.WAIT:
            node.is_over = True

    def _send(self, node: Node, name: str, given: tuple[object, ...]) -> None:
        node.is_asking = True
        self.network.append(Statement(node, name, given, Moment.of(node.clock)))

    # --- what must hold ---------------------------------------------------------------------

    @invariant()
    def whoever_may_trade_holds_the_newest_epoch(self) -> None:
        traders = [one for one in self.nodes if one.gate.may_trade()]
        assert len(traders) <= 1
        for node in traders:
            assert node.gate.epoch == self.tables.leases[SCOPE].epoch

    @invariant()
    def epochs_only_rise(self) -> None:
        epochs = self.leaders.epochs
        assert all(before < after for before, after in pairwise(epochs))

    @invariant()
    def one_is_wanted_at_most(self) -> None:
        self.tables.active(SCOPE)


class HastyRules(LeaseRules):
    death_us = 3 * SECOND_US


SHORT = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True, print_blob=False
)


def test_nobody_else_trades_whatever_is_late_or_lost() -> None:
    run_state_machine_as_test(LeaseRules, settings=SHORT)


def test_a_rival_that_waits_too_little_is_noticed() -> None:
    hasty = settings(SHORT, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(HastyRules, settings=hasty)
