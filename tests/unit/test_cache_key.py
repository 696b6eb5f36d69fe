from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from dash import ALL, MATCH, Input, Output, State, dcc, html
from hypothesis import given
from hypothesis import strategies as st
from ids import plain

from dash_long_callback import Dash, DiskcacheLongCallbackManager, RegistrationError, long_callback
from dash_long_callback.cache_key import cache_key
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.testing import LongCallbacks, prop_id

OUT, IN = Output("out", "children"), Input("in", "value")

#: What a browser can send. Integers that a float can hold: JSON of another size has no meaning
#: that JavaScript and Python agree on.
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
ARGUMENTS: st.SearchStrategy[Any] = st.lists(JSON, max_size=4) | st.dictionaries(
    st.text(max_size=4), JSON, max_size=4
)


def key(arguments: Any = (), **rest: Any) -> str:
    given = {"callback": "out.children", "digest": "d", "arguments": arguments, **rest}
    return cache_key(**given)


def said_differently(value: Any) -> Any:
    """The same JSON value: dicts backwards, tuples for lists, floats for whole numbers."""
    if isinstance(value, dict):
        return {k: said_differently(v) for k, v in reversed(list(value.items()))}
    if isinstance(value, list):
        return tuple(said_differently(v) for v in value)
    if type(value) is int:
        return float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def meaning(value: Any) -> Any:
    """Equal for two JSON values if and only if a function can't tell them apart."""
    if isinstance(value, dict):
        return {"dict": {k: meaning(v) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return ["list", *map(meaning, value)]
    # 1 == 1.0 in Python and JavaScript; 1 == True in Python only.
    return (isinstance(value, bool), value)


# Equal meaning ⇔ equal key


@given(ARGUMENTS)
def test_equal_meaning_gives_an_equal_key(arguments: Any) -> None:
    assert key(arguments) == key(said_differently(arguments))


@given(ARGUMENTS)
def test_a_trip_over_the_wire_keeps_the_key(arguments: Any) -> None:
    assert key(arguments) == key(json.loads(json.dumps(arguments)))


@given(ARGUMENTS, ARGUMENTS)
def test_two_keys_are_equal_if_and_only_if_the_meaning_is(one: Any, other: Any) -> None:
    assert (key(one) == key(other)) == (meaning(one) == meaning(other))


@given(JSON, st.sampled_from([None, True, False, 0, 1, "", "0", "1", "null", "true", [], {}]))
def test_another_value_at_any_depth_gives_another_key(deep: Any, other: Any) -> None:
    """What is close to each other: 1, True and "1"; an empty list, an empty dict and None."""
    same = meaning(deep) == meaning(other)
    for wrap in (lambda v: [v], lambda v: [[0, {"a": [v]}]], lambda v: {"a": {"b": v}}):
        assert (key(wrap(deep)) == key(wrap(other))) == same


@pytest.mark.parametrize(
    "one,other",
    [
        ([1], [True]),
        ([1], ["1"]),
        ([True], ["true"]),
        ([0], [False]),
        ([0], [None]),
        ([None], ["null"]),
        ([None], []),
        ([[]], [{}]),
        ([[]], [None]),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        ([1, 2], [[1, 2]]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, ["a", 1]),
        ({"a": "1,b"}, {"a": "1", "b": ""}),
        ([1.5], [1]),
        ([2**53], [2**53 + 1]),
    ],
    ids=plain,
)
def test_these_are_different(one: Any, other: Any) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "one,other",
    [
        ([1], [1.0]),
        ([0.0], [-0.0]),
        ([1e3], [1000]),
        ([[1, [2]]], [[1.0, [2.0]]]),
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
    ],
    ids=plain,
)
def test_these_are_equal(one: Any, other: Any) -> None:
    assert key(one) == key(other)


@given(st.text(), st.text(), st.text(), st.text())
def test_another_callback_or_another_code_gives_another_key(
    callback: str, digest: str, callback2: str, digest2: str
) -> None:
    same = (callback, digest) == (callback2, digest2)
    one, other = cache_key(callback, digest, [1]), cache_key(callback2, digest2, [1])
    assert (one == other) == same


@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3))
def test_the_values_of_cache_by_and_their_order_count(one: list[Any], other: list[Any]) -> None:
    same = meaning(one) == meaning(other)
    assert (key(cache_by=one) == key(cache_by=other)) == same


@given(st.lists(st.text(max_size=4), max_size=3), st.lists(st.text(max_size=4), max_size=3))
def test_the_trigger_counts_and_the_order_of_several_does_not(
    one: list[str], other: list[str]
) -> None:
    assert (key(triggered=one) == key(triggered=other)) == (sorted(one) == sorted(other))


@given(JSON)
def test_a_value_counts_in_the_place_where_it_stands(value: Any) -> None:
    """An argument is not a cache_by value, an output or a trigger."""
    keys = [
        key([value]),
        key(cache_by=[value]),
        key(components=[value]),
        key(triggered=["x"]),
        key(),
    ]
    assert len(set(keys)) == len(keys)


def test_no_trigger_is_not_the_same_as_a_trigger_that_does_not_count() -> None:
    assert key(triggered=[]) != key(triggered=None)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j], ids=plain)
def test_what_is_not_json_is_refused_by_its_type(value: Any) -> None:
    with pytest.raises(TypeError, match=f"{type(value).__name__} is not JSON"):
        key([value])


def test_another_process_makes_the_same_key() -> None:
    arguments = {"b": [1.0, {"y": None, "x": "é"}], "a": True}
    code = (
        "from dash_long_callback.cache_key import cache_key;"
        f"print(cache_key('out.children', 'd', {arguments!r}))"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == key(arguments)
    assert len(key(arguments)) == 64


# What goes into the key of a request


def constant(*_: Any) -> int:
    return 1


def echo(*values: Any) -> Any:
    return [*values]


def test_a_request_with_other_arguments_is_another_run(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(OUT, IN, cache_by=constant, coalesce=False)(echo)
    for value in (1, True, "1", [1], None):
        run = long_callbacks.click(app, "in.value", value)
        assert (run.cached, run.outputs) == (False, {"out.children": [value]})


def test_an_ignored_argument_makes_no_difference_and_the_others_do(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(
        OUT, IN, State("s", "data"), cache_by=constant, cache_args_to_ignore=0, coalesce=False
    )(echo)
    assert not long_callbacks.click(app, "in.value", 1, state={"s.data": 7}).cached
    assert long_callbacks.click(app, "in.value", 2).cached
    assert not long_callbacks.click(app, "in.value", 1, state={"s.data": 8}).cached


@pytest.mark.parametrize("ignored", [[0, 2], (0, 2)], ids=plain)
def test_several_arguments_are_ignored(
    app: Dash, long_callbacks: LongCallbacks, ignored: Any
) -> None:
    inputs = [IN, Input("b", "value"), Input("c", "value")]
    app.long_callback(OUT, inputs, cache_by=constant, cache_args_to_ignore=ignored)(echo)
    click = long_callbacks.click
    assert not click(app, "in.value", 1, state={"b.value": 2, "c.value": 3}).cached
    assert click(app, "in.value", 8, state={"c.value": 9}).cached
    assert not click(app, "in.value", 1, state={"b.value": 8, "c.value": 3}).cached


@pytest.mark.parametrize("ignored", ["a", ["a"]], ids=plain)
def test_arguments_of_a_dict_are_ignored_by_name(
    app: Dash, long_callbacks: LongCallbacks, ignored: Any
) -> None:
    inputs = {"a": IN, "b": Input("b", "value")}
    app.long_callback(OUT, inputs=inputs, cache_by=constant, cache_args_to_ignore=ignored)(
        lambda a, b: b
    )
    assert not long_callbacks.click(app, "in.value", 1, state={"b.value": 2}).cached
    assert long_callbacks.click(app, "in.value", 9).cached
    assert not long_callbacks.click(app, "in.value", 1, state={"b.value": 3}).cached


def test_set_progress_is_not_counted_among_the_arguments(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(
        OUT, IN, cache_by=constant, cache_args_to_ignore=[0], progress=Output("bar", "value")
    )
    def work(set_progress: Any, value: Any) -> Any:
        return value

    assert not long_callbacks.click(app, "in.value", 1).cached
    assert long_callbacks.click(app, "in.value", 2).cached


@pytest.mark.parametrize("ignore", [True, False])
def test_the_trigger_counts_only_if_asked(
    app: Dash, long_callbacks: LongCallbacks, ignore: bool
) -> None:
    app.layout = [dcc.Input(1, id="in"), dcc.Input(1, id="b")]
    app.long_callback(
        OUT, IN, Input("b", "value"), cache_by=constant, cache_ignore_triggered=ignore
    )(echo)
    assert not long_callbacks.click(app, "in.value").cached
    assert long_callbacks.click(app, "b.value").cached is ignore


def test_each_match_has_a_result_of_its_own(app: Dash, long_callbacks: LongCallbacks) -> None:
    """The response names its components: another one's would change nothing on the page."""
    app.layout = [dcc.Input(5, id={"type": "in", "n": n}) for n in (1, 2)]
    app.long_callback(
        Output({"type": "out", "n": MATCH}, "children"),
        Input({"type": "in", "n": MATCH}, "value"),
        cache_by=constant,
    )(echo)
    names = [prop_id({"type": "in", "n": n}, "value") for n in (1, 1, 2)]
    cached = [long_callbacks.click(app, name).cached for name in names]
    assert cached == [False, True, False]


def test_each_set_of_components_of_all_has_a_result_of_its_own(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(Output({"out": ALL}, "children"), IN, cache_by=constant)(lambda _: [1, 2])
    cached: list[bool] = []
    for components in ((1, 2), (1, 2), (3, 4)):
        app.layout = [dcc.Input(id="in"), *(html.P(id={"out": n}) for n in components)]
        cached += [run.cached for run in long_callbacks.load(app)]
    assert cached == [False, True, False]


# Mistakes in the declaration

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "cache_by a value": (
        {"cache_by": 5},
        "cache_by takes a function of no arguments, or a list of them, got 5",
    ),
    "cache_by a string": (
        {"cache_by": "user"},
        "cache_by takes a function of no arguments, or a list of them, got 'user'",
    ),
    "cache_by a called function": (
        {"cache_by": [constant, constant()]},
        "cache_by takes a function of no arguments, or a list of them, got 1",
    ),
    "expire zero": ({"expire": 0}, "expire=0 must be a number of seconds above 0"),
    "expire negative": ({"expire": -1.5}, "expire=-1.5 must be a number of seconds above 0"),
    "expire a string": ({"expire": "60"}, "expire='60' must be a number of seconds above 0"),
    "expire a bool": ({"expire": True}, "expire=True must be a number of seconds above 0"),
    "cache_args_to_ignore a float": (
        {"cache_args_to_ignore": 1.0},
        "cache_args_to_ignore=1.0 takes indices, or names if the inputs are a dict",
    ),
    "cache_args_to_ignore an Input": (
        {"cache_args_to_ignore": [IN]},
        "takes indices, or names if the inputs are a dict",
    ),
    "cache_args_to_ignore out of range": (
        {"cache_args_to_ignore": [0, 1]},
        "cache_args_to_ignore names 1, but the arguments are 0 (set_progress is not counted)",
    ),
    "cache_args_to_ignore from the end": (
        {"cache_args_to_ignore": -1},
        "cache_args_to_ignore names -1, but the arguments are 0",
    ),
    "cache_args_to_ignore a name without names": (
        {"cache_args_to_ignore": "value"},
        "cache_args_to_ignore names 'value', but the arguments are 0",
    ),
    "cache_args_to_ignore an unknown name": (
        {"inputs": {"a": IN, "b": IN}, "cache_args_to_ignore": ["c"]},
        "cache_args_to_ignore names 'c', but the arguments are 'a', 'b'",
    ),
}


@pytest.mark.parametrize("options,words", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_where_the_callback_is_declared(
    options: dict[str, Any], words: str
) -> None:
    def work(*args: Any) -> Any: ...

    arguments: dict[str, Any] = {"output": OUT, "inputs": IN, **options}
    with pytest.raises(RegistrationError) as raised:
        long_callback(**arguments)(work)
    assert words in str(raised.value)
    assert "work" in str(raised.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda store: Manager(store, InlineExecutor(store), cache_by=7),  # pyright: ignore[reportArgumentType]
        lambda _store: DiskcacheLongCallbackManager(cache_by=7),  # pyright: ignore[reportArgumentType]
        lambda _store: DiskcacheLongCallbackManager(expire=-7),
    ],
    ids=["Manager", "DiskcacheLongCallbackManager", "expire"],
)
def test_a_mistake_in_a_manager_is_reported_there(
    make: Callable[[Any], Manager], store: DiskcacheStore
) -> None:
    with pytest.raises(RegistrationError, match=r"the manager: .*7"):
        make(store)


@pytest.mark.parametrize("cache_by", [constant, [constant], (constant, constant), []], ids=plain)
def test_one_function_or_several_or_none_at_all_are_fine(cache_by: Any) -> None:
    long_callback(OUT, IN, cache_by=cache_by, expire=0.5)(constant)
    expected = [cache_by] if callable(cache_by) else list(cache_by)
    assert registry.all()[-1].options.cache_by == expected
