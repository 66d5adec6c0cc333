"""Parameters, cursors and bodies, read with the venue's own complaints."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from bot.simulator.calls import Body, Query, decode_object, go_name, json_kind, page
from bot.simulator.errors import WireError


def query(**values: str) -> Query:
    return Query("GetThings", MultiDict(values))


def complaint(act: Any) -> dict[str, Any]:
    with pytest.raises(WireError) as caught:
        act()
    assert caught.value.status == 400
    return caught.value.body


def test_numbers_flags_and_lists_are_checked() -> None:
    good = query(limit="5", min_close_ts="7", nested="true", tickers="A, B,,C")
    assert good.limit() == 5
    assert good.seconds("min_close_ts") == 7_000_000
    assert good.flag("nested")
    assert good.names("tickers") == ["A", "B", "C"]
    assert query().limit() == query(limit="0").limit() == 100
    assert query().integer("limit") is None
    assert not query().flag("nested")


@pytest.mark.parametrize(
    ("act", "tag"),
    [
        (lambda: query(limit="1001").limit(), "lte"),
        (lambda: query(limit="-1").limit(), "gte"),
        (lambda: query(limit="many").limit(), "number"),
        (lambda: query(min_ts=str(2**63)).seconds("min_ts"), "number"),
        (lambda: query(min_ts=str(-(2**63) - 1)).seconds("min_ts"), "number"),
        (lambda: query(min_ts="1_000").seconds("min_ts"), "number"),
        (lambda: query(min_ts="\u0663").seconds("min_ts"), "number"),
        (lambda: query(nested="perhaps").flag("nested"), "boolean"),
        (lambda: query().required("start_ts"), "required"),
        (lambda: query(tickers="A,B").names("tickers", 1), "max"),
    ],
)
def test_a_bad_parameter_names_its_tag(act: Any, tag: str) -> None:
    assert complaint(act)["msg"].endswith(f"failed on the '{tag}' tag")


def test_parameters_have_their_go_names() -> None:
    assert go_name("min_close_ts") == "MinCloseTs"


@given(
    st.lists(st.tuples(st.integers(0, 20), st.text("abc", min_size=1, max_size=3)), unique=True),
    st.integers(1, 7),
)
def test_paging_shows_every_item_once_in_order(items: list[tuple[int, str]], limit: int) -> None:
    seen: list[tuple[int, str]] = []
    cursor = ""
    while True:
        found, cursor = page(items, lambda item: item, cursor, limit)
        assert len(found) <= limit
        seen += found
        if not cursor:
            break
    assert seen == sorted(items)


@given(st.text(max_size=30))
def test_no_cursor_breaks_a_listing(cursor: str) -> None:
    found, _ = page([(1, "a"), (2, "b")], lambda item: item, cursor, 10)
    assert set(found) <= {(1, "a"), (2, "b")}


def test_items_that_leave_meanwhile_hide_nothing() -> None:
    items = [(number, "x") for number in range(6)]
    _, cursor = page(items, lambda item: item, "", 3)
    assert page(items[3:], lambda item: item, cursor, 3)[0] == items[3:]


def test_a_number_that_the_venue_cannot_hold_does_not_fit_its_field() -> None:
    body = Body("Thing", {"n": 2**63})
    assert "struct field Thing.n of type int64" in complaint(lambda: body.integer("n"))["details"]


def test_bodies_are_objects_of_the_right_types() -> None:
    body = Body("Thing", {"a": "x", "n": 3, "f": True, "list": [{"b": 1}], "e": ""})
    assert (body.text("a"), body.integer("n"), body.flag("f")) == ("x", 3, True)
    assert body.objects("list") == [{"b": 1}]
    assert body.optional_text("none") is None
    assert body.one_of("a", ["x", "y"]) == "x"


@pytest.mark.parametrize(
    ("act", "details"),
    [
        (lambda: Body("T", {"a": 1}).text("a"), "number into Go struct field T.a of type string"),
        (
            lambda: Body("T", {"a": True}).integer("a"),
            "bool into Go struct field T.a of type int64",
        ),
        (
            lambda: Body("T", {"a": "1"}).integer("a"),
            "string into Go struct field T.a of type int64",
        ),
        (
            lambda: Body("T", {"a": [1]}).objects("a"),
            "number into Go struct field T.a of type object",
        ),
        (lambda: decode_object(b"[]"), "array into Go value"),
    ],
)
def test_a_wrong_type_is_the_decoders_complaint(act: Any, details: str) -> None:
    body = complaint(act)
    assert body["code"] == "bad_request"
    assert body["details"].endswith(details)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda: Body("T", {}).text("a"), "missing_parameters"),
        (lambda: Body("T", {"a": ""}).text("a"), "missing_parameters"),
        (lambda: Body("T", {"a": []}).objects("a"), "missing_parameters"),
        (lambda: Body("T", {"a": "z"}).one_of("a", ["x"]), "invalid_parameters"),
    ],
)
def test_a_missing_or_unknown_value_is_named(act: Any, code: str) -> None:
    assert complaint(act)["error"]["code"] == code


def test_text_that_is_no_json_is_refused() -> None:
    assert complaint(lambda: decode_object(b"{"))["code"] == "bad_request"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "bool"),
        (1, "number"),
        (1.5, "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_json_types_have_the_venues_words(value: object, kind: str) -> None:
    assert json_kind(value) == kind
