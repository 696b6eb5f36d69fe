from __future__ import annotations

import re
from typing import Any

import pytest
from dash import no_update
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback.dash.grouping import fill_no_update, leaves, spread

#: Shape, value of that shape, the value flat.
SPREADS: list[tuple[Any, Any, list[Any]]] = [
    ("x", 1, [1]),
    ("x", None, [None]),
    ("x", [1, 2], [[1, 2]]),
    ("x", {"a": 1}, [{"a": 1}]),
    (["x"], [1], [1]),
    (["x"], [[1, 2]], [[1, 2]]),
    (["x", "y"], (1, 2), [1, 2]),
    (("x", "y"), [1, 2], [1, 2]),
    ({"a": "x", "b": "y"}, {"b": 2, "a": 1}, [1, 2]),
    ({"a": ["x", "y"], "b": "z"}, {"a": [1, 2], "b": 3}, [1, 2, 3]),
    ([["x", "y"], {"k": "z"}], [(1, 2), {"k": 3}], [1, 2, 3]),
    ([], [], []),
    ({}, {}, []),
]


@pytest.mark.parametrize("schema,value,flat", SPREADS)
def test_spread_flattens_a_value_in_the_order_of_the_schema(
    schema: Any, value: Any, flat: list[Any]
) -> None:
    assert spread(value, schema, "here") == flat


@pytest.mark.parametrize(
    "schema,value,flat",
    [
        ("x", no_update, 1),
        (["x", "y"], no_update, 2),
        ({"a": ["x", "y"], "b": "z"}, no_update, 3),
    ],
)
def test_no_update_stands_for_every_leaf_of_a_branch(schema: Any, value: Any, flat: int) -> None:
    assert spread(value, schema, "here") == [no_update] * flat


def test_no_update_inside_a_branch_leaves_the_others_alone() -> None:
    schema = {"a": ["x", "y"], "b": ["z", "w"]}
    value = {"a": [1, no_update], "b": no_update}
    assert spread(value, schema, "here") == [1, no_update, no_update, no_update]


@pytest.mark.parametrize(
    "schema,value,message",
    [
        (["x", "y"], 1, "here: expected 2 values in a list or tuple, got int 1"),
        (["x", "y"], "ab", "here: expected 2 values in a list or tuple, got str 'ab'"),
        (["x", "y"], [1], "here: expected 2 values, got 1"),
        (["x"], [1, 2], "here: expected 1 values, got 2"),
        ([["x", "y"], "z"], [[1], 2], "here[0]: expected 2 values, got 1"),
        ({"a": "x"}, 1, "here: expected a dict with the keys 'a', got int 1"),
        ({"a": "x", "b": "y"}, {"a": 1}, "here: expected the keys 'a', 'b', got 'a'"),
        ({"a": "x"}, {}, "here: expected the keys 'a', got (none)"),
        ({"a": ["x", "y"]}, {"a": [1]}, "here['a']: expected 2 values, got 1"),
        ([{"k": ["x", "y"]}], [{"k": 5}], "here[0]['k']: expected 2 values in a list or tuple"),
    ],
)
def test_a_wrong_shape_says_where_and_what_was_expected(
    schema: Any, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        spread(value, schema, "here")


def test_a_huge_wrong_value_is_cut_in_the_message() -> None:
    with pytest.raises(ValueError) as caught:
        spread("x" * 10_000, ["a", "b"], "here")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "schema,flat",
    [
        ("x", ["x"]),
        ([], []),
        (["x", ("y", "z")], ["x", "y", "z"]),
        ({"b": "x", "a": ["y", {"c": "z"}]}, ["x", "y", "z"]),
    ],
)
def test_leaves_are_found_in_order_of_the_schema(schema: Any, flat: list[Any]) -> None:
    assert leaves(schema) == flat


@pytest.mark.parametrize(
    "schema,value,filled",
    [
        (0, no_update, no_update),
        (0, 5, 5),
        ([0, 1], no_update, [no_update, no_update]),
        ([0, 1], (5, no_update), [5, no_update]),
        ({"a": 0, "b": [1, 2]}, {"a": 5, "b": no_update}, {"a": 5, "b": [no_update] * 2}),
        ({"a": 0, "b": {"c": 1}}, no_update, {"a": no_update, "b": {"c": no_update}}),
        ([[0, 1], 2], [no_update, [1, 2]], [[no_update, no_update], [1, 2]]),
    ],
)
def test_fill_no_update_gives_it_to_each_leaf_of_its_branch(
    schema: Any, value: Any, filled: Any
) -> None:
    assert fill_no_update(value, schema) == filled


@pytest.mark.parametrize(
    "schema,value", [([0, 1], [1, 2, 3]), ([0, 1], "ab"), ({"a": 0}, {"z": 1}), ({"a": 0}, 4)]
)
def test_fill_no_update_leaves_a_wrong_shape_for_dash_to_report(schema: Any, value: Any) -> None:
    assert fill_no_update(value, schema) == value


schemas: st.SearchStrategy[Any] = st.recursive(
    st.just("leaf"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


def numbered(schema: Any, numbers: Any) -> Any:
    """A value of this shape whose leaves are the next numbers."""
    if isinstance(schema, (list, tuple)):
        return [numbered(part, numbers) for part in schema]
    if isinstance(schema, dict):
        return {key: numbered(part, numbers) for key, part in schema.items()}
    return next(numbers)


@given(schemas)
def test_spread_finds_each_leaf_once_and_in_order(schema: Any) -> None:
    value = numbered(schema, iter(range(100)))
    assert spread(value, schema, "here") == list(range(len(leaves(schema))))


@given(schemas)
def test_filling_a_whole_no_update_gives_a_value_of_the_schema(schema: Any) -> None:
    assert spread(fill_no_update(no_update, schema), schema, "here") == [no_update] * len(
        leaves(schema)
    )
