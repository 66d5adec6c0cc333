"""The invariants, I1 to I18, as far as one run can break them.

Proven elsewhere, on the real thing: I1 (one wanted row) by ``tests/contract/test_leases.py``,
I11 (one effect a command) by ``tests/e2e/test_bot_commands.py``, I12 (one run a job slot) by
``tests/contract/test_job_run_store.py``, I17 (no secret in any output) by the canaries of
``tests/unit/app``.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from bot.app.lifecycle import Role
from bot.domain.ids import MarketTicker
from bot.domain.money import Quantity
from bot.domain.orders import OrderStatus, Purpose
from bot.domain.records import BreakerRecord
from bot.engine.world import World as EngineWorld
from bot.kit.times import SECOND_US
from bot.leadership.lease import LeaseTerms
from tests.sim.market import OURS
from tests.sim.process import KILLED, Site
from tests.sim.storm import Storm
from tests.support.trading import START_US

_RECENT_US = 20 * SECOND_US
_NOTICED_US = LeaseTerms().settle_us + LeaseTerms().database_timeout_us
"""A life that ended a moment ago still looks like one: so old its last statement may be."""
_FRESH_US = 60 * SECOND_US
_WAITING = {OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.CANCELING}


def broken(site: Site, storm: Storm) -> list[str]:
    """Every invariant that the run broke, with what broke it."""
    return [
        *_of_leadership(site),
        *_of_processes(storm),
        *_of_orders(site),
        *_of_halts(site),
        *_left_alone(site, storm),
        *_in_the_end(site, storm),
    ]


def _of_leadership(site: Site) -> Iterator[str]:
    observer, won = site.observer, site.database.won
    for before, after in pairwise(won):
        if after.epoch <= before.epoch:
            yield f"I2 epoch {after.epoch} was given after {before.epoch}"
    yield from (f"I3 {one}" for one in site.database.trading.stale_commits)
    gate_us, last = LeaseTerms().gate_us, 0
    for sent, _ in observer.sent:
        if sent.is_deceived:
            continue
        if sent.renewal_age_us >= gate_us:
            yield f"I7 {sent.process} sent {sent.renewal_age_us / 1e6:.1f} s after its renewal"
        if sent.epoch < last:
            yield f"I8 {sent.process} sent under epoch {sent.epoch} after {last} had"
        last = max(last, sent.epoch)
    yield from _superseded(site)
    yield from (f"I18 {one} asked for commands" for one in observer.polls_by_others)


def _of_processes(storm: Storm) -> Iterator[str]:
    for process in storm.processes:
        yield from (f"fault that nobody caught: {one!r}" for one in process.loop.faults)
        if process.exit_code not in (None, 0, 70, 75, 137):
            yield f"exit code {process.exit_code} of {process.name}"


def _superseded(site: Site) -> Iterator[str]:
    """An older deployment may only replace a newer one that is dead."""
    if site.observer.restores:
        return  # the ranks of later deployments went with what was lost
    deployments = site.observer.deployments
    # Its watcher's clock may run fast.
    death_us = LeaseTerms().lease_us * 100 // 108
    for claim in site.database.claimed:
        is_older = deployments[claim.by] < deployments[claim.instead_of]
        if is_older and claim.silent_us < death_us:
            yield f"I13 {claim.by} replaced the living {claim.instead_of} of a newer deployment"


def _of_orders(site: Site) -> Iterator[str]:
    last = 0
    for accepted in site.market.accepted:
        # Immediate exits carry no group: they can only reduce, whoever sends them.
        if accepted.group is None:
            continue
        epoch = accepted.intent.epoch
        if epoch < last:
            yield f"I4 the exchange took {accepted.intent.client_order_id} of {epoch} after {last}"
        last = max(last, epoch)
    yield from (f"I5 {one} was entered twice" for one in site.market.doubled)
    for sent, is_durable in site.observer.sent:
        if not is_durable:
            yield f"I6 {sent.intent.client_order_id} was sent without a durable intent"


def _of_halts(site: Site) -> Iterator[str]:
    trading = site.database.trading
    changes = [(one.at_us, one.halted) for one in trading.halts]
    changes += [(at_us, True) for at_us in site.observer.restores]
    changes.sort()
    halted = True
    for at_us, intent in trading.entries:
        while changes and changes[0][0] <= at_us:
            halted = changes.pop(0)[1]
        if halted:
            yield f"I10 {intent.client_order_id} became durable while halted"
    yield from (f"I10 {one}" for one in trading.blind_unhalts)


def _left_alone(site: Site, storm: Storm) -> Iterator[str]:
    """Who stands by for a process that is dead leaves nobody, and no platform restarts it."""
    died = {one.name: one.ended_us for one in storm.processes if one.exit_code == KILLED}
    for at_us, name, change in site.observer.roles:
        if change.role is Role.ENDED and change.rival in died:
            dead_us = at_us - died[change.rival]
            if dead_us > _NOTICED_US:
                yield f"I16 {name} stood by for {change.rival}, dead for {dead_us / 1e6:.1f} s"


def _in_the_end(site: Site, storm: Storm) -> Iterator[str]:
    names = site.observer.leading()
    if len(names) != 1:
        yield f"I16 {len(names)} lead in the end"
        return
    leader = next(one for one in storm.processes if one.name == names[0])
    entries = [
        one
        for one in site.market.accepted
        if one.intent.purpose is Purpose.ENTRY and one.at_us > site.world.now_us - _RECENT_US
    ]
    if not entries:
        yield f"I16 {leader.name} leads in the end and does not trade"
    assert leader.desk is not None
    world = leader.desk.engine.world
    yield from _of_orders_in_doubt(site)
    yield from _of_positions(site, world)
    yield from _of_groups(site)


def _of_groups(site: Site) -> Iterator[str]:
    """Signals are small, so no group ever reaches its limit."""
    stored = (one for _, records in site.database.trading.commits for one in records)
    if any(
        isinstance(one, BreakerRecord) and one.name == "order_group" and one.tripped
        for one in stored
    ):
        yield "I16 a group that the bot shut is taken for one that the exchange tripped"


def _of_orders_in_doubt(site: Site) -> Iterator[str]:
    trading = site.database.trading
    now_us = START_US + site.world.now_us
    told = " ".join(change.reason for change in trading.halts if change.by == "engine")
    for name, progress in trading.tables.progress.items():
        age_us = now_us - progress.updated_us
        if progress.status in _WAITING and age_us > _FRESH_US and name not in told:
            yield f"I9 {name} is {progress.status} since {age_us / 1e6:.0f} s"


def _of_positions(site: Site, world: EngineWorld) -> Iterator[str]:
    views = site.market.venue.reads.positions(OURS)
    theirs = {view.ticker: view.quantity for view in views if view.quantity}
    ours = {one.ticker: one.quantity for one in world.ledger.open_positions()}
    rows = site.database.trading.tables.positions.values()
    stored = {one.ticker: one.quantity for one in rows if one.quantity}
    if ours != theirs:
        yield f"I15 the leader holds {_difference(ours, theirs)} beside the exchange"
    if stored != theirs:
        yield f"I15 the database holds {_difference(stored, theirs)} beside the exchange"
    for ticker, quantity in theirs.items():
        if quantity < 0:
            yield f"I15 the position of {ticker} changed its sign"


Held = Mapping[MarketTicker, Quantity]


def _difference(mine: Held, theirs: Held) -> dict[str, tuple[int, int]]:
    return {
        ticker: (mine.get(ticker, 0), theirs.get(ticker, 0))
        for ticker in sorted({*mine, *theirs})
        if mine.get(ticker, 0) != theirs.get(ticker, 0)
    }
