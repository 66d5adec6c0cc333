"""Frames that nobody sends are read as real ones are, and told to a listener of their own."""

import pytest

from bot.adapters.kalshi.rehearsal import TICKER, StreamRehearsal
from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import SessionSettings, StreamSettings
from bot.domain.events import BooksDistrusted, Event, QuoteChanged
from bot.marketdata.feed import FeedTranslator
from tests.fakes.clock import ManualClock


@pytest.mark.parametrize("uses_yes_price", [True, False])
@pytest.mark.parametrize("wants_private", [True, False])
def test_every_step_is_one_change_of_a_trusted_book(
    uses_yes_price: bool, wants_private: bool
) -> None:
    told: list[Event] = []
    settings = SessionSettings(uses_yes_price=uses_yes_price, wants_private=wants_private)
    translator = FeedTranslator(told.append, lambda _: None)
    stream = StreamRehearsal(translator, ManualClock(), StreamSettings(session=settings))
    told.clear()
    for _ in range(50):
        stream.step()
    quotes = [one.quote for one in told if isinstance(one, QuoteChanged)]
    assert len(quotes) == 50
    assert {one.ticker for one in quotes} == {TICKER}
    assert [one.bid_size for one in quotes[:3]] == [1_100, 1_000, 1_100]
    assert not any(isinstance(one, BooksDistrusted) for one in told)


def test_it_goes_the_usual_changes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StreamRehearsal(
        FeedTranslator(lambda _: None, lambda _: None), ManualClock(), StreamSettings()
    )

    def longer(*_: object) -> None:
        raise AssertionError("the long way")

    monkeypatch.setattr(FeedSession, "_receive_any", longer)
    stream.step()


def test_what_the_listener_raises_is_not_kept_silent() -> None:
    def broken(_: object) -> None:
        raise ValueError("a defect")

    told: list[Event] = []
    translator = FeedTranslator(told.append, lambda _: None)
    stream = StreamRehearsal(translator, ManualClock(), StreamSettings())
    translator._quoted = broken
    with pytest.raises(ValueError, match="a defect"):
        stream.step()
