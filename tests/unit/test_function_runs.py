"""What a long callback's function does, and what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
from dash import ALL, MATCH, Input, Output, Patch, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from ids import plain

from dash_long_callback import Dash, JobCancelled, JobExited
from dash_long_callback.testing import CallbackRun, LongCallbacks, as_json, prop_id

#: What dash types as lists are groupings and dicts, too.
context: Any = ctx

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


@pytest.fixture
def returned(app: Dash, long_callbacks: LongCallbacks) -> Callable[..., CallbackRun]:
    """Runs a callback that returns a value."""

    def run(value: Any, *, output: Any = OUT) -> CallbackRun:
        app.long_callback(output, IN)(lambda _: value)
        return long_callbacks.click(app, "in.value", 1)

    return run


# What the function returns


@pytest.mark.parametrize("value", [0, "", False, [], {}, "text", 1.5, [1, "a"], {"a": None}, None])
def test_what_the_function_returns_is_the_output(
    value: Any, returned: Callable[..., CallbackRun]
) -> None:
    run = returned(value)
    assert (run.state, run.error) == ("succeeded", None)
    assert run.outputs == {"out.children": value}


def test_components_and_figures_are_encoded_as_dash_does(
    returned: Callable[..., CallbackRun],
) -> None:
    run = returned(html.Div(dcc.Graph(figure={"data": []}), id="x"))
    value = run.outputs["out.children"]
    assert (value["type"], value["namespace"]) == ("Div", "dash_html_components")
    assert value["props"]["children"]["props"]["figure"] == {"data": []}


def test_a_patch_is_an_output(returned: Callable[..., CallbackRun]) -> None:
    patch = Patch()
    patch["a"] = 1
    run = returned(patch)
    assert "__dash_patch_update" in run.outputs["out.children"]
    assert run.outputs == {"out.children": as_json(patch)}


@pytest.mark.parametrize("output", [[OUT, BAR], (OUT, BAR)])
def test_several_outputs_get_a_value_each(
    output: Any, returned: Callable[..., CallbackRun]
) -> None:
    assert returned([1, 2], output=output).outputs == {"out.children": 1, "bar.value": 2}


def test_outputs_in_a_dict_get_their_values_by_key(returned: Callable[..., CallbackRun]) -> None:
    run = returned({"y": 2, "x": 1}, output={"x": OUT, "y": BAR})
    assert run.outputs == {"out.children": 1, "bar.value": 2}


@pytest.mark.parametrize("output", [OUT, [OUT, BAR], {"x": OUT, "y": [BAR]}], ids=plain)
def test_no_update_for_all_changes_nothing(
    output: Any, returned: Callable[..., CallbackRun]
) -> None:
    run = returned(no_update, output=output)
    assert (run.state, run.outputs) == ("succeeded", {})


@pytest.mark.parametrize(
    "output,value",
    [
        ([OUT, BAR], [1, no_update]),
        ({"x": OUT, "y": BAR}, {"x": 1, "y": no_update}),
        ({"x": OUT, "y": [BAR, Output("z", "value")]}, {"x": 1, "y": no_update}),
        ({"x": OUT, "y": [BAR, Output("z", "value")]}, {"x": 1, "y": [no_update, no_update]}),
        ([OUT, [BAR, {"k": Output("z", "value")}]], [1, [no_update, {"k": no_update}]]),
        ([OUT, [BAR, {"k": Output("z", "value")}]], [1, [no_update, no_update]]),
        ([OUT, [BAR, {"k": Output("z", "value")}]], [1, no_update]),
    ],
    ids=plain,
)
def test_no_update_skips_its_item_at_any_depth(
    output: Any, value: Any, returned: Callable[..., CallbackRun]
) -> None:
    run = returned(value, output=output)
    assert (run.error, run.outputs) == (None, {"out.children": 1})


def test_a_callback_without_outputs_may_return_nothing(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    calls: list[int] = []
    app.long_callback(IN)(calls.append)
    assert long_callbacks.click(app, "in.value", 7).state == "succeeded"
    assert calls == [7]


def test_prevent_update_leaves_everything(app: Dash, long_callbacks: LongCallbacks) -> None:
    @app.long_callback([OUT, BAR], IN)
    def stop(_: Any) -> Any:
        raise PreventUpdate

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.outputs, run.error) == ("succeeded", {}, None)


@pytest.mark.parametrize("value", [[1], [1, 2, 3], 5, "ab" * 2, None], ids=plain)
def test_a_wrong_number_of_outputs_fails_in_words(
    value: Any, returned: Callable[..., CallbackRun]
) -> None:
    run = returned(value, output=[OUT, BAR])
    assert run.state == "failed"
    assert "out.children" in str(run.error) or "bar.value" in str(run.error)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: 1, [threading.Lock()]], ids=["object", "set", "fn", "lock"]
)
def test_a_result_that_can_not_be_encoded_fails_and_names_the_output(
    value: Any, returned: Callable[..., CallbackRun]
) -> None:
    run = returned(value)
    assert run.state == "failed"
    assert "out" in str(run.error)
    assert "JSON" in str(run.error)


# Exceptions


def test_an_exception_ends_the_job_as_it_is(app: Dash, long_callbacks: LongCallbacks) -> None:
    error = KeyError("no such ☃")

    @app.long_callback(OUT, IN)
    def fail(_: Any) -> Any:
        raise error

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.error) == ("failed", error)


def test_a_failure_is_logged_with_the_callback_s_name(
    app: Dash, long_callbacks: LongCallbacks, caplog: pytest.LogCaptureFixture
) -> None:
    @app.long_callback(OUT, IN)
    def fail(_: Any) -> Any:
        raise ValueError("deep")

    with caplog.at_level(logging.ERROR, "dash_long_callback"):
        long_callbacks.click(app, "in.value", 1)
    assert "fail (out.children) failed" in caplog.text
    assert "ValueError: deep" in caplog.text


@pytest.mark.parametrize("code", [0, 1, "bye", None], ids=plain)
def test_sys_exit_fails_the_job_and_not_the_worker(
    code: Any, app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(OUT, IN)
    def leave(_: Any) -> Any:
        sys.exit(code)

    run = long_callbacks.click(app, "in.value", 1)
    assert run.state == "failed"
    assert isinstance(run.error, JobExited)
    assert run.error.code == code
    assert str(run.error) == f"the function called sys.exit({code!r})"


def test_a_cancel_that_the_function_raises_itself_ends_the_job_as_cancelled(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(OUT, IN)
    def give_up(_: Any) -> Any:
        raise JobCancelled

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.error, run.outputs) == ("cancelled", None, {})


# on_error


def fails(_: Any) -> Any:
    raise ValueError("no luck")


def test_on_error_gets_the_exception_and_returns_the_output(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(OUT, IN, on_error=lambda error: f"{type(error).__name__}: {error}")(fails)
    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.outputs) == ("succeeded", {"out.children": "ValueError: no luck"})


def test_the_app_s_on_error_is_used_if_the_callback_has_none(
    make_app: Callable[..., Dash], long_callbacks: LongCallbacks
) -> None:
    app = make_app(on_error=lambda error: f"app: {error}")
    app.long_callback(OUT, IN)(fails)
    run = long_callbacks.click(app, "in.value", 1)
    assert run.outputs == {"out.children": "app: no luck"}


def test_another_app_s_on_error_is_not_used(
    make_app: Callable[..., Dash], long_callbacks: LongCallbacks
) -> None:
    app = make_app(on_error=lambda error: f"app: {error}")
    make_app("another", on_error=lambda error: f"another: {error}")
    app.long_callback(OUT, IN)(fails)
    run = long_callbacks.click(app, "in.value", 1)
    assert run.outputs == {"out.children": "app: no luck"}


def test_the_callback_s_on_error_wins_over_the_app_s(
    make_app: Callable[..., Dash], long_callbacks: LongCallbacks
) -> None:
    app = make_app(on_error=lambda error: "app")
    app.long_callback(OUT, IN, on_error=lambda error: "mine")(fails)
    assert long_callbacks.click(app, "in.value", 1).outputs == {"out.children": "mine"}


@pytest.mark.parametrize("output", [(OUT,), ([OUT, BAR],), ()], ids=["one", "two", "none"])
def test_on_error_that_returns_none_leaves_the_outputs_alone(
    output: Any, app: Dash, long_callbacks: LongCallbacks
) -> None:
    seen: list[Exception] = []
    app.long_callback(*output, IN, on_error=seen.append)(fails)
    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.outputs) == ("succeeded", {})
    assert seen == [run.error]
    assert str(run.error) == "no luck"


def test_a_value_from_on_error_without_outputs_is_no_error(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(IN, on_error=lambda error: "shown nowhere")(fails)
    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.outputs) == ("succeeded", {})


def test_on_error_may_return_no_update_for_some_outputs(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback([OUT, BAR], IN, on_error=lambda error: ["failed", no_update])(fails)
    assert long_callbacks.click(app, "in.value", 1).outputs == {"out.children": "failed"}


def test_on_error_may_set_props(app: Dash, long_callbacks: LongCallbacks) -> None:
    app.long_callback(OUT, IN, on_error=lambda error: set_props("toast", {"children": str(error)}))(
        fails
    )
    run = long_callbacks.click(app, "in.value", 1)
    assert (run.props, run.outputs) == ({"toast.children": ["no luck"]}, {})


def test_prevent_update_is_not_an_error(app: Dash, long_callbacks: LongCallbacks) -> None:
    seen: list[Exception] = []

    @app.long_callback(OUT, IN, on_error=seen.append)
    def stop(_: Any) -> Any:
        raise PreventUpdate

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.state, run.error, seen) == ("succeeded", None, [])


# async


def test_an_async_function_runs_as_a_sync_one(app: Dash, long_callbacks: LongCallbacks) -> None:
    @app.long_callback(OUT, IN, progress=BAR)
    async def work(set_progress: Any, value: int) -> int:
        set_progress(1)
        await asyncio.sleep(0)
        set_props("box", {"children": ctx.triggered_id})
        return value + 1

    run = long_callbacks.click(app, "in.value", 1)
    assert run.outputs == {"out.children": 2}
    assert (run.progress, run.props) == ([1], {"box.children": ["in"]})


# Generators


def count(value: int) -> Generator[Any]:
    yield from range(value)


async def count_async(value: int) -> AsyncGenerator[Any]:
    for number in range(value):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("function", [count, count_async], ids=["sync", "async"])
def test_each_value_that_is_yielded_is_told_and_the_last_is_the_result(
    function: Any, app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(OUT, IN)(function)
    run = long_callbacks.click(app, "in.value", 5)
    assert run.yielded == [{"out.children": number} for number in range(5)]
    assert (run.state, run.outputs) == ("succeeded", {"out.children": 4})


def test_what_a_generator_returns_is_the_result(app: Dash, long_callbacks: LongCallbacks) -> None:
    @app.long_callback(OUT, IN)
    def work(value: int) -> Generator[Any, None, str]:
        yield value
        return "done"

    run = long_callbacks.click(app, "in.value", 1)
    assert (run.yielded, run.outputs) == ([{"out.children": 1}], {"out.children": "done"})


@pytest.mark.parametrize("function", [count, count_async], ids=["sync", "async"])
def test_a_generator_that_yields_nothing_returns_none(
    function: Any, app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(OUT, IN)(function)
    run = long_callbacks.click(app, "in.value", 0)
    assert (run.yielded, run.outputs) == ([], {"out.children": None})


def test_yielded_values_have_the_shape_of_the_outputs(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback({"a": OUT, "b": [Output("two", "x"), Output("three", "y")]}, IN)
    def work(value: int) -> Generator[Any]:
        yield {"a": value, "b": [no_update, html.P("c")]}
        yield {"a": no_update, "b": no_update}
        yield no_update

    yielded = {"out.children": 1, "three.y": as_json(html.P("c"))}
    run = long_callbacks.click(app, "in.value", 1)
    assert (run.yielded, run.outputs) == ([yielded], yielded)


def test_a_yield_has_a_value_for_each_component_behind_all(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.layout = [app.layout, *(html.P(id={"type": "out", "index": i}) for i in ("1", "2"))]

    @app.long_callback(Output({"type": "out", "index": ALL}, "children"), IN)
    def work(value: int) -> Generator[Any]:
        yield [value, no_update]
        yield [value]

    run = long_callbacks.click(app, "in.value", 7)
    assert run.yielded == [{prop_id({"type": "out", "index": "1"}, "children"): 7}]
    assert "expected a list of 2 values, one for each component" in str(run.error)


def three(_: int) -> Generator[Any]:
    yield [1, 2, 3]  # here


async def three_async(_: int) -> AsyncGenerator[Any]:
    yield [1, 2, 3]  # here


@pytest.mark.parametrize("function", [three, three_async], ids=["sync", "async"])
def test_a_wrong_shape_raises_at_the_yield(
    function: Any, app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback([OUT, Output("two", "x")], IN)(function)
    run = long_callbacks.click(app, "in.value", 1)
    assert type(run.error) is ValueError
    assert str(run.error) == "yield: expected 2 values, got 3"
    frames = traceback.extract_tb(run.error.__traceback__)
    assert (function.__name__, "yield [1, 2, 3]  # here") in [(f.name, f.line) for f in frames]


def test_a_yield_without_outputs_is_an_error_in_words(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.long_callback(IN)(count)
    run = long_callbacks.click(app, "in.value", 1)
    assert "has no outputs; use set_props" in str(run.error)


def test_an_error_after_some_values_reaches_on_error(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(OUT, IN, on_error=lambda error: f"sorry: {error}")
    def work(_: int) -> Generator[Any]:
        yield "half"
        raise ValueError("no luck")

    run = long_callbacks.click(app, "in.value", 1)
    assert run.yielded == [{"out.children": "half"}]
    assert run.outputs == {"out.children": "sorry: no luck"}


# Progress and set_props


@pytest.mark.parametrize(
    "progress,value,message",
    [
        ([BAR, OUT], 1, "set_progress: expected 2 values in a list or tuple, got int 1"),
        ([BAR, OUT], [1], "set_progress: expected 2 values, got 1"),
        ({"bar": BAR}, {"baz": 1}, "set_progress: expected the keys 'bar', got 'baz'"),
        ({"bar": [BAR, OUT]}, {"bar": [1]}, "set_progress['bar']: expected 2 values, got 1"),
    ],
)
def test_a_progress_of_the_wrong_shape_raises_in_the_user_s_function(
    progress: Any, value: Any, message: str, app: Dash, long_callbacks: LongCallbacks
) -> None:
    caught: list[str] = []

    @app.long_callback(Output("x", "y"), IN, progress=progress)
    def work(set_progress: Any, _: Any) -> str:
        try:
            set_progress(value)
        except ValueError as error:
            caught.append(str(error))
        return "went on"

    run = long_callbacks.click(app, "in.value", 1)
    assert caught == [message]
    assert (run.outputs, run.progress) == ({"x.y": "went on"}, [])


@pytest.mark.parametrize(
    "progress,values,told",
    [
        (BAR, [5, 6], [5, 6]),
        (BAR, [[5, 6], None], [[5, 6], None]),
        ([BAR, OUT], [(5, 6), (no_update, 7), no_update], [[5, 6], [5, 7]]),
        ({"a": BAR, "b": [OUT]}, [{"b": [6], "a": 5}], [{"a": 5, "b": [6]}]),
    ],
)
def test_each_progress_is_told_in_the_shape_of_its_outputs(
    progress: Any, values: list[Any], told: list[Any], app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(Output("x", "y"), IN, progress=progress)
    def work(set_progress: Any, _: Any) -> None:
        for value in values:
            set_progress(value)

    assert long_callbacks.click(app, "in.value", 1).progress == told


def test_set_props_sets_properties_of_any_component(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> str:
        set_props("a", {"x": 1, "y": 1})
        set_props("a", {"y": html.P("text")})
        set_props({"type": "c", "i": 1}, {"x": 4})
        return "done"

    run = long_callbacks.click(app, "in.value", 1)
    assert run.props == {
        "a.x": [1],
        "a.y": [1, as_json(html.P("text"))],
        prop_id({"type": "c", "i": 1}, "x"): [4],
    }
    assert run.outputs == {"out.children": "done"}


# Arguments, and dash.ctx


def test_the_job_sees_what_triggered_it(app: Dash, long_callbacks: LongCallbacks) -> None:
    seen: dict[str, Any] = {}
    app.layout = [dcc.Input(1, id="in"), dcc.Input(id="other"), dcc.Store("s", data={"k": 3})]

    @app.long_callback(OUT, IN, Input("other", "value"), State("s", "data"))
    def work(*args: Any) -> None:
        seen.update(
            args=args,
            triggered=list(ctx.triggered),
            triggered_id=ctx.triggered_id,
            prop_ids=dict(ctx.triggered_prop_ids),
            inputs=dict(ctx.inputs),
            states=dict(ctx.states),
            inputs_list=ctx.inputs_list,
            states_list=ctx.states_list,
            outputs_list=ctx.outputs_list,
        )

    long_callbacks.click(app, "other.value", 2)
    assert seen == {
        "args": (1, 2, {"k": 3}),
        "triggered": [{"prop_id": "other.value", "value": 2}],
        "triggered_id": "other",
        "prop_ids": {"other.value": "other"},
        "inputs": {"in.value": 1, "other.value": 2},
        "states": {"s.data": {"k": 3}},
        "inputs_list": [
            {"id": "in", "property": "value", "value": 1},
            {"id": "other", "property": "value", "value": 2},
        ],
        "states_list": [{"id": "s", "property": "data", "value": {"k": 3}}],
        "outputs_list": {"id": "out", "property": "children"},
    }


def test_the_job_sees_the_request_it_came_with(app: Dash, long_callbacks: LongCallbacks) -> None:
    seen: dict[str, Any] = {}

    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        seen.update(
            cookie=ctx.cookies["session"],
            header=ctx.headers["X-User"],
            path=ctx.path.rstrip("?"),  # Dash gives it with an empty query
            remote=ctx.remote,
            origin=ctx.origin,
        )

    long_callbacks.click(
        app,
        "in.value",
        1,
        headers={"X-User": "ada", "Origin": "http://here"},
        cookies={"session": "s3cret"},
    )
    assert seen == {
        "cookie": "s3cret",
        "header": "ada",
        "path": "/_dash-update-component",
        "remote": "127.0.0.1",
        "origin": "http://here",
    }


def test_dict_inputs_call_the_function_with_keywords_and_group_ctx(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    seen: dict[str, Any] = {}

    def work(**kwargs: Any) -> Any:
        seen.update(kwargs)
        seen["group"] = context.args_grouping["pair"][1]["value"]
        seen["was"] = context.args_grouping["one"].triggered
        seen["outputs"] = context.outputs_grouping["a"]["id"]
        seen["using"] = (ctx.using_args_grouping, ctx.using_outputs_grouping)
        return {"a": 1}

    app.long_callback(
        output={"a": OUT}, inputs={"one": IN, "pair": (Input("b", "v"), State("c", "v"))}
    )(work)
    run = long_callbacks.click(app, "in.value", 1, state={"b.v": 2, "c.v": 3})
    assert run.outputs == {"out.children": 1}
    assert seen == {
        "one": 1,
        "pair": [2, 3],  # as in Dash's ordinary callbacks
        "group": 3,
        "was": True,
        "outputs": "out",
        "using": (True, True),
    }


def test_interleaved_states_reach_the_arguments_in_their_place(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    seen: list[Any] = []

    @app.long_callback(output=OUT, inputs=[State("s", "v"), IN, State("t", "v")])
    def work(*args: Any) -> None:
        seen.extend(args)

    long_callbacks.click(app, "in.value", "input", state={"s.v": "state s", "t.v": "state t"})
    assert seen == ["state s", "input", "state t"]


def test_pattern_matching_ids_reach_the_job(app: Dash, long_callbacks: LongCallbacks) -> None:
    seen: dict[str, Any] = {}
    app.layout = [dcc.Input(id={"i": number}) for number in (1, 2)]

    @app.long_callback(Output({"i": MATCH}, "children"), Input({"i": MATCH}, "value"))
    def work(value: Any) -> str:
        seen.update(value=value, id=ctx.triggered_id, output=context.outputs_list["id"])
        return "done"

    run = long_callbacks.click(app, prop_id({"i": 2}, "value"), 5)
    assert seen == {"value": 5, "id": {"i": 2}, "output": {"i": 2}}
    assert run.outputs == {prop_id({"i": 2}, "children"): "done"}


def test_all_reaches_the_job_as_a_list(app: Dash, long_callbacks: LongCallbacks) -> None:
    app.layout = [dcc.Input(id={"i": number}, value=number) for number in (1, 2)]

    @app.long_callback(Output({"i": ALL}, "children"), Input({"i": ALL}, "value"))
    def work(values: list[int]) -> list[int]:
        return [value * 2 for value in values]

    run = long_callbacks.click(app, prop_id({"i": 1}, "value"), 5)
    assert run.error is None
    assert run.outputs == {prop_id({"i": n}, "children"): v for n, v in ((1, 10), (2, 4))}
