"""A stored bracket is read exactly or not at all."""

import json

import msgspec
import pytest
from msgspec import structs

from bot.domain.errors import InvariantBroken
from bot.execution.bracket import NO_EXITS
from bot.execution.bracket_json import from_json, to_json, to_record
from bot.kit.values import to_plain
from tests.support.trading import Desk


def a_bracket() -> object:
    desk = Desk()
    desk.lead()
    intent = desk.bought(300)
    return desk.engine.world.desk.brackets[intent.bracket_id]


def test_columns_and_json_tell_the_same() -> None:
    bracket = a_bracket()
    record = to_record(bracket)  # type: ignore[arg-type]
    assert from_json(record.data_json) == bracket
    assert (record.entered, record.exited) == (300, 0)
    assert record.entry_cost == 300 * record.entry_price


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.update(version=2),
        lambda data: data["bracket"].pop("entry"),
        lambda data: data["bracket"].update(rounds=1.5),
        lambda data: data["bracket"].update(wants_out="boredom"),
        lambda data: data.pop("bracket"),
    ],
)
def test_a_bracket_of_another_version_or_with_damage_is_not_guessed_at(damage: object) -> None:
    data = json.loads(to_json(a_bracket()))  # type: ignore[arg-type]
    damage(data)  # type: ignore[operator]
    with pytest.raises(InvariantBroken):
        from_json(json.dumps(data))


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvariantBroken):
        from_json("not json")


def test_the_json_is_what_the_plain_values_say_in_any_script() -> None:
    bracket = a_bracket()
    plan = msgspec.structs.replace(bracket.plan, title='Über 25 °C in "København"\n→ \u2028')  # type: ignore[attr-defined]
    bracket = msgspec.structs.replace(bracket, plan=plan)  # type: ignore[type-var]
    data = json.loads(to_json(bracket))  # type: ignore[arg-type]
    assert data == {"version": 1, "bracket": to_plain(bracket)}
    assert from_json(to_json(bracket)) == bracket  # type: ignore[arg-type]


def test_a_bracket_nothing_has_happened_to_is_written_as_any_other() -> None:
    desk = Desk()
    desk.lead()
    desk.quote()
    (bracket,) = desk.engine.world.desk.open()
    # Equal in everything, but not the very value that says that there was nothing.
    added_up = structs.replace(bracket, past=structs.replace(NO_EXITS))
    assert to_record(bracket) == to_record(added_up)
