"""The paper exchange passes the suite of the exchange ports, over the simulated exchange's markets.

Left out is what only a wire can do to an order (lost and late answers), what
needs our orders to move the real book, and the settlement, which paper learns by
reading the market (``test_feed`` of paper).
"""

from collections.abc import AsyncIterator
from itertools import count
from random import Random

import pytest

from bot.adapters.kalshi.gateway import KalshiExchange, KalshiFeed
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings, hosts_of
from bot.adapters.kalshi.signing import load_signer
from bot.adapters.paper.exchange import PaperExchange
from bot.adapters.paper.feed import PaperFeed
from bot.adapters.paper.settings import PaperSettings
from bot.domain.ids import Scope
from bot.kit.clock import SystemClock
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import KeyType, RateLimits, SimulatorSettings
from tests.contract.test_exchange_port import (  # noqa: F401 - collected here with our own stand
    REST,
    Stand,
    test_a_client_order_id_is_never_free_again,
    test_a_fill_is_the_same_fact_wherever_it_is_told,
    test_a_market_its_book_and_its_terms_agree,
    test_a_refused_order_does_not_exist,
    test_a_resting_order_is_found_told_and_cancelled_once,
    test_a_sale_of_yes_is_an_ask_everywhere,
    test_a_triggered_group_cancels_its_orders_and_takes_no_more,
    test_an_immediate_order_nobody_meets_ends_empty,
    test_an_order_nobody_sent_is_not_found,
    test_an_unknown_market_is_refused,
    test_books_follow_the_exchange_while_the_world_moves,
    test_everything_can_be_cancelled_at_once,
    test_series_and_events_state_their_terms,
    test_the_status_carries_the_exchanges_clock,
)
from tests.fakes.paper import MemoryJournal

pytestmark = pytest.mark.looptime(False)


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    settings = SimulatorSettings(
        speed=0, key_type=KeyType.ED25519, limits=RateLimits(is_on=False), tick_ms=20
    )
    async with SimulatedExchange(settings) as sim:
        hosts = hosts_of("demo", sim.base_url, sim.ws_url)
        signer = load_signer(sim.keys.key_id, sim.keys.private_pem.decode())
        clock, random = SystemClock(), Random(1)
        real = KalshiExchange(hosts, REST, signer=signer, clock=clock, random=random)
        stream = StreamSettings(session=SessionSettings(wants_private=False))
        feed = KalshiFeed(hosts, stream, signer=signer, clock=clock, random=random)
        async with real.open():
            paper = PaperExchange(
                real, MemoryJournal(), Scope("paper:main:0"), clock, PaperSettings()
            )
            yield Stand(exchange=paper, feed=PaperFeed(feed, paper), sim=sim, numbers=count(1))
