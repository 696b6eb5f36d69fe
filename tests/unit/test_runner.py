"""The runner, through an inline executor and a real store: what a job does is what is stored."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from dash import ALL, MATCH, Input, Output, Patch, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from ids import plain
from inline_page import Click, Ended

from dash_long_callback import Dash, JobCancelled, JobTimedOut
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Begin, Cancelled, End, Job, Lost, Outcome, Succeeded
from dash_long_callback.jobs import State as JobState
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores import names
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.ports import Batch
from dash_long_callback.worker import reporter
from dash_long_callback.worker import run_job as run_module
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job

#: What dash types as lists are groupings and dicts, too.
context: Any = ctx

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


@pytest.fixture
def returned(app: Dash, click: Click) -> Callable[..., Ended]:
    """Runs a callback that returns a value."""

    def run(value: Any, *, output: Any = OUT) -> Ended:
        app.long_callback(output, IN)(lambda _: value)
        return click(app, 1)

    return run


# What the function returns


@pytest.mark.parametrize("value", [0, "", False, [], {}, "text", 1.5, [1, "a"], {"a": None}])
def test_what_the_function_returns_is_the_output(
    value: Any, returned: Callable[..., Ended]
) -> None:
    ended = returned(value)
    assert ended.state == "succeeded"
    assert ended.outputs == {"out": {"children": value}}


def test_none_is_a_value(returned: Callable[..., Ended]) -> None:
    assert returned(None).outputs == {"out": {"children": None}}


def test_components_and_figures_are_encoded_as_dash_does(returned: Callable[..., Ended]) -> None:
    value = returned(html.Div(dcc.Graph(figure={"data": []}), id="x")).outputs["out"]["children"]
    assert (value["type"], value["namespace"]) == ("Div", "dash_html_components")
    assert value["props"]["children"]["props"]["figure"] == {"data": []}


def test_a_patch_is_an_output(returned: Callable[..., Ended]) -> None:
    patch = Patch()
    patch["a"] = 1
    assert "__dash_patch_update" in returned(patch).outputs["out"]["children"]


@pytest.mark.parametrize("output", [[OUT, BAR], (OUT, BAR)])
def test_several_outputs_get_a_value_each(output: Any, returned: Callable[..., Ended]) -> None:
    ended = returned([1, 2], output=output)
    assert ended.outputs == {"out": {"children": 1}, "bar": {"value": 2}}


def test_outputs_in_a_dict_get_their_values_by_key(returned: Callable[..., Ended]) -> None:
    ended = returned({"y": 2, "x": 1}, output={"x": OUT, "y": BAR})
    assert ended.outputs == {"out": {"children": 1}, "bar": {"value": 2}}


@pytest.mark.parametrize("output", [OUT, [OUT, BAR], {"x": OUT, "y": [BAR]}], ids=plain)
def test_no_update_for_all_changes_nothing(output: Any, returned: Callable[..., Ended]) -> None:
    ended = returned(no_update, output=output)
    assert (ended.state, ended.outputs) == ("succeeded", {})


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
    output: Any, value: Any, returned: Callable[..., Ended]
) -> None:
    ended = returned(value, output=output)
    assert ended.error == {}
    assert ended.outputs == {"out": {"children": 1}}


def test_a_callback_without_outputs_may_return_nothing(app: Dash, click: Click) -> None:
    calls: list[int] = []
    app.long_callback(IN)(calls.append)
    assert click(app, 7).state == "succeeded"
    assert calls == [7]


def test_prevent_update_leaves_everything(app: Dash, click: Click) -> None:
    @app.long_callback([OUT, BAR], IN)
    def stop(_: Any) -> Any:
        raise PreventUpdate

    ended = click(app, 1)
    assert (ended.state, ended.news["response"], ended.error) == ("succeeded", {}, {})


@pytest.mark.parametrize("value", [[1], [1, 2, 3], 5, "ab" * 2, None], ids=plain)
def test_a_wrong_number_of_outputs_fails_in_words(
    value: Any, returned: Callable[..., Ended]
) -> None:
    ended = returned(value, output=[OUT, BAR])
    assert ended.state == "failed"
    assert "out.children" in ended.error["message"] or "bar.value" in ended.error["message"]


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, lambda: 1, [threading.Lock()]], ids=["object", "set", "fn", "lock"]
)
def test_a_result_that_can_not_be_encoded_fails_and_names_the_output(
    value: Any, returned: Callable[..., Ended]
) -> None:
    ended = returned(value)
    assert ended.state == "failed"
    assert "out" in ended.error["message"]
    assert "JSON" in ended.error["message"]


# Exceptions


def test_an_exception_keeps_its_type_and_message(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def fail(_: Any) -> Any:
        raise KeyError("no such ☃")

    ended = click(app, 1)
    assert ended.state == "failed"
    assert ended.error["type"] == "KeyError"
    assert ended.error["message"] == "'no such ☃'"


def helper() -> None:
    raise ValueError("deep")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_traceback_begins_at_the_user_s_frame(kind: str, app: Dash, click: Click) -> None:
    if kind == "sync":

        @app.long_callback(OUT, IN)
        def fail(_: Any) -> Any:
            helper()

    else:

        @app.long_callback(OUT, IN)
        async def fail_async(_: Any) -> Any:
            helper()

    lines = click(app, 1).error["traceback"].splitlines()
    frames = [line for line in lines if line.startswith("  File ")]
    assert lines[0] == "Traceback (most recent call last):"
    assert frames[-1].endswith("in helper")
    assert lines[-1] == "ValueError: deep"
    assert not any(f"dash_long_callback{os.sep}" in frame for frame in frames)
    if kind == "sync":
        assert [frame.rsplit(" ", 1)[1] for frame in frames] == ["fail", "helper"]


def test_a_chained_exception_shows_its_cause(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def fail(_: Any) -> Any:
        try:
            helper()
        except ValueError as error:
            raise RuntimeError("outer") from error

    ended = click(app, 1)
    assert ended.error["type"] == "RuntimeError"
    assert "ValueError: deep" in ended.error["traceback"]


def test_a_failure_is_logged_with_the_callback_s_name(
    app: Dash, click: Click, caplog: pytest.LogCaptureFixture
) -> None:
    @app.long_callback(OUT, IN)
    def fail(_: Any) -> Any:
        helper()

    with caplog.at_level(logging.ERROR, "dash_long_callback"):
        click(app, 1)
    assert "fail (out.children) failed" in caplog.text
    assert "ValueError: deep" in caplog.text


@pytest.mark.parametrize("code", [0, 1, "bye", None], ids=plain)
def test_sys_exit_fails_the_job_and_not_the_worker(code: Any, app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def leave(_: Any) -> Any:
        sys.exit(code)

    ended = click(app, 1)
    assert ended.state == "failed"
    assert ended.error["type"] == "JobExited"
    assert ended.error["message"] == f"the function called sys.exit({code!r})"


def test_a_cancel_that_the_function_raises_itself_ends_the_job_as_cancelled(
    app: Dash, click: Click
) -> None:
    @app.long_callback(OUT, IN)
    def give_up(_: Any) -> Any:
        raise JobCancelled

    ended = click(app, 1)
    assert (ended.state, ended.error) == ("cancelled", {})


# on_error


def fails(_: Any) -> Any:
    raise ValueError("no luck")


def test_on_error_gets_the_exception_and_returns_the_output(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN, on_error=lambda error: f"{type(error).__name__}: {error}")(fails)
    ended = click(app, 1)
    assert ended.state == "succeeded"
    assert ended.outputs == {"out": {"children": "ValueError: no luck"}}


def test_the_app_s_on_error_is_used_if_the_callback_has_none(
    make_app: Callable[..., Dash], click: Click
) -> None:
    app = make_app(on_error=lambda error: f"app: {error}")
    app.long_callback(OUT, IN)(fails)
    assert click(app, 1).outputs == {"out": {"children": "app: no luck"}}


def test_another_app_s_on_error_is_not_used(make_app: Callable[..., Dash], click: Click) -> None:
    app = make_app(on_error=lambda error: f"app: {error}")
    make_app("another", on_error=lambda error: f"another: {error}")
    app.long_callback(OUT, IN)(fails)
    assert click(app, 1).outputs["out"]["children"] == "app: no luck"


def test_the_callback_s_on_error_wins_over_the_app_s(
    make_app: Callable[..., Dash], click: Click
) -> None:
    app = make_app(on_error=lambda error: "app")
    app.long_callback(OUT, IN, on_error=lambda error: "mine")(fails)
    assert click(app, 1).outputs == {"out": {"children": "mine"}}


@pytest.mark.parametrize("output", [(OUT,), ([OUT, BAR],), ()], ids=["one", "two", "none"])
def test_on_error_that_returns_none_leaves_the_outputs_alone(
    output: Any, app: Dash, click: Click
) -> None:
    seen: list[Exception] = []
    app.long_callback(*output, IN, on_error=seen.append)(fails)
    ended = click(app, 1)
    assert (ended.state, ended.news["response"]) == ("succeeded", {})
    assert [str(error) for error in seen] == ["no luck"]


def test_a_value_from_on_error_without_outputs_is_no_error(app: Dash, click: Click) -> None:
    app.long_callback(IN, on_error=lambda error: "shown nowhere")(fails)
    ended = click(app, 1)
    assert (ended.state, ended.news["response"]) == ("succeeded", {})


def test_on_error_may_return_no_update_for_some_outputs(app: Dash, click: Click) -> None:
    app.long_callback([OUT, BAR], IN, on_error=lambda error: ["failed", no_update])(fails)
    assert click(app, 1).outputs == {"out": {"children": "failed"}}


def test_on_error_may_set_props(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN, on_error=lambda error: set_props("toast", {"children": str(error)}))(
        fails
    )
    assert click(app, 1).updates == [[["toast", "children"], "no luck"]]


def test_prevent_update_is_not_an_error(app: Dash, click: Click) -> None:
    seen: list[Exception] = []

    @app.long_callback(OUT, IN, on_error=seen.append)
    def stop(_: Any) -> Any:
        raise PreventUpdate

    assert click(app, 1).state == "succeeded"
    assert seen == []


# async


def test_an_async_function_runs_as_a_sync_one(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN, progress=BAR)
    async def work(set_progress: Any, value: int) -> int:
        set_progress(1)
        await asyncio.sleep(0)
        set_props("box", {"children": ctx.triggered_id})
        return value + 1

    ended = click(app, 1)
    assert ended.outputs == {"out": {"children": 2}}
    assert ended.updates == [[0, 1], [["box", "children"], "in"]]


# Generators


def both(function: Callable[..., Generator[Any]]) -> list[Any]:
    """A generator function, and an async one that yields the same."""

    async def asynchronous(*args: Any) -> AsyncGenerator[Any]:
        generator = function(*args)
        value = next(generator)
        while True:
            await asyncio.sleep(0)
            try:
                yield value
            except BaseException as error:
                value = generator.throw(error)
            else:
                try:
                    value = next(generator)
                except StopIteration:
                    return

    return [function, asynchronous]


def count(value: int) -> Generator[Any]:
    yield from range(value)


@pytest.mark.parametrize("function", both(count), ids=["sync", "async"])
def test_the_last_value_that_was_yielded_is_the_result_and_told_once(
    function: Any, app: Dash, click: Click
) -> None:
    app.long_callback(OUT, IN)(function)
    ended = click(app, 5)
    assert ended.state == "succeeded"
    assert ended.updates == [[["out", "children"], 4]]
    assert ended.outputs == {}


def test_what_a_generator_returns_is_the_result(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(value: int) -> Generator[Any, None, str]:
        yield value
        return "done"

    ended = click(app, 1)
    assert ended.updates == [[["out", "children"], 1]]
    assert ended.outputs == {"out": {"children": "done"}}


def test_a_generator_that_yields_nothing_returns_none(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN)(count)
    assert click(app, 0).outputs == {"out": {"children": None}}


def test_yielded_values_have_the_shape_of_the_outputs(app: Dash, click: Click) -> None:
    @app.long_callback({"a": OUT, "b": [Output("two", "x"), Output("three", "y")]}, IN)
    def work(value: int) -> Generator[Any]:
        yield {"a": value, "b": [no_update, html.P("c")]}
        yield {"a": no_update, "b": no_update}
        yield no_update

    [a, c] = click(app, 1).updates
    assert a == [["out", "children"], 1]
    assert (c[0], c[1]["type"]) == (["three", "y"], "P")


def test_a_yield_has_a_value_for_each_component_behind_all(app: Dash, click: Click) -> None:
    pattern = Output({"type": "out", "index": ALL}, "children")
    ids = {pattern.component_id_str(): [{"index": i, "type": "out"} for i in ("1", "2")]}

    @app.long_callback(pattern, IN)
    def work(value: int) -> Generator[Any]:
        yield [value, no_update]
        yield [value]

    ended = click(app, 7, ids=ids)
    assert ended.updates == [[['{"index":"1","type":"out"}', "children"], 7]]
    assert "expected a list of 2 values, one for each component" in ended.error["message"]


@pytest.mark.parametrize("function", both(lambda _: iter_of([1, 2, 3])), ids=["sync", "async"])
def test_a_wrong_shape_raises_at_the_yield(function: Any, app: Dash, click: Click) -> None:
    app.long_callback([OUT, Output("two", "x")], IN)(function)
    ended = click(app, 1)
    assert ended.error["type"] == "ValueError"
    assert ended.error["message"] == "yield: expected 2 values, got 3"
    assert "yield value  # here" in ended.error["traceback"]


def iter_of(value: Any) -> Generator[Any]:
    yield value  # here


def test_a_yield_that_can_not_be_encoded_raises_at_the_yield(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: int) -> Generator[Any]:
        try:
            yield object()
        except TypeError:
            yield "caught"

    assert click(app, 1).updates == [[["out", "children"], "caught"]]


def test_a_yield_without_outputs_is_an_error_in_words(app: Dash, click: Click) -> None:
    app.long_callback(IN)(count)
    assert "has no outputs; use set_props" in click(app, 1).error["message"]


def test_patches_that_are_yielded_are_all_delivered(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: int) -> Generator[Any]:
        yield []
        for number in range(3):
            patch = Patch()
            patch.append(number)
            yield patch

    updates = click(app, 1).updates
    assert updates[0][1] == []
    assert appended(updates[1:]) == [0, 1, 2]


def appended(updates: list[Any]) -> list[Any]:
    """What these patches append, in their order; several may have become one."""
    steps = [step for _, patch in updates for step in patch["operations"]]
    return [step["params"]["value"] for step in steps]


def test_an_error_after_some_values_reaches_on_error(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN, on_error=lambda error: f"sorry: {error}")
    def work(_: int) -> Generator[Any]:
        yield "half"
        raise ValueError("no luck")

    ended = click(app, 1)
    assert ended.updates == [[["out", "children"], "half"]]
    assert ended.outputs == {"out": {"children": "sorry: no luck"}}


# Updates


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
    progress: Any, value: Any, message: str, app: Dash, click: Click
) -> None:
    caught: list[str] = []

    @app.long_callback(Output("x", "y"), IN, progress=progress)
    def work(set_progress: Any, _: Any) -> str:
        try:
            set_progress(value)
        except ValueError as error:
            caught.append(str(error))
        return "went on"

    ended = click(app, 1)
    assert caught == [message]
    assert ended.outputs == {"x": {"y": "went on"}}
    assert ended.updates == []


def test_a_progress_that_can_not_be_encoded_raises_in_the_user_s_function(
    app: Dash, click: Click
) -> None:
    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> str:
        with suppress(TypeError):
            set_progress(object())
            return "accepted"
        return "refused"

    ended = click(app, 1)
    assert ended.outputs == {"out": {"children": "refused"}}
    assert ended.updates == []


@pytest.mark.parametrize(
    "progress,value,updates",
    [
        (BAR, 5, [[0, 5]]),
        (BAR, [5, 6], [[0, [5, 6]]]),
        (BAR, None, [[0, None]]),
        ([BAR, OUT], (5, 6), [[0, 5], [1, 6]]),
        ([BAR, OUT], (no_update, 6), [[1, 6]]),
        ([BAR, OUT], no_update, []),
        ({"a": BAR, "b": [OUT]}, {"b": [6], "a": 5}, [[0, 5], [1, 6]]),
    ],
)
def test_progress_reaches_the_output_of_the_same_place(
    progress: Any, value: Any, updates: list[Any], app: Dash, click: Click
) -> None:
    app.long_callback(Output("x", "y"), IN, progress=progress)(
        lambda set_progress, _: set_progress(value)
    )
    assert click(app, 1).updates == updates


def test_a_value_that_changes_after_the_call_is_reported_as_it_was(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN, progress=[BAR, Output("log", "children")])
    def work(set_progress: Any, _: Any) -> None:
        lines: list[str] = []
        for number in range(3):
            lines.append(f"line {number}")
            set_progress((number, lines))
        lines.append("never reported")

    assert click(app, 1).updates == [[0, 2], [1, ["line 0", "line 1", "line 2"]]]


def test_set_props_keeps_the_latest_value_of_each_property(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        set_props("a", {"x": 1, "y": 1})
        set_props("b", {"x": 2})
        set_props("a", {"y": 3})
        set_props({"type": "c", "i": 1}, {"x": 4})

    assert click(app, 1).updates == [
        [["a", "x"], 1],
        [["b", "x"], 2],
        [["a", "y"], 3],
        [['{"i":1,"type":"c"}', "x"], 4],
    ]


def test_set_props_is_not_sent_a_second_time_with_the_outputs(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> str:
        set_props("a", {"x": 1})
        return "done"

    ended = click(app, 1)
    assert "sideUpdate" not in ended.news["response"]
    assert ended.updates == [[["a", "x"], 1]]


def test_patches_are_all_delivered_and_in_order(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        set_props("log", {"children": []})
        for number in range(50):
            patch = Patch()
            patch.append(number)
            set_props("log", {"children": patch})

    updates = click(app, 1).updates
    assert {tuple(target) for target, _ in updates} == {("log", "children")}
    assert updates[0][1] == []
    assert len(updates) < 20, "those that nobody has seen yet are one"
    values = appended(updates[1:])
    assert values == list(range(50))


def test_a_value_after_patches_is_all_that_is_delivered(app: Dash, click: Click) -> None:
    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        for _number in range(5):
            set_props("log", {"children": Patch()})
        set_props("log", {"children": "cleared"})

    assert click(app, 1).updates == [[["log", "children"], "cleared"]]


class CountingStore(DiskcacheStore):
    """A real store that notes what is written for a running job."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.writes: list[dict[int, bytes]] = []

    def write(self, job: Job, values: Mapping[int, bytes], stale: Any) -> bool:
        self.writes.append(dict(values))
        return super().write(job, values, stale)

    def finish(self, job: Job, outcome: Outcome, values: Any = (), stale: Any = ()) -> Job | None:
        self.writes.append(dict(values))
        return super().finish(job, outcome, values, stale)


def test_a_flood_of_progress_costs_few_writes_and_the_first_and_last_arrive(
    store: DiskcacheStore,
) -> None:
    calls = 20_000
    counting = CountingStore(store.directory, 60)
    manager = Manager(counting, InlineExecutor(counting))
    app = Dash("app", long_callback_manager=manager)
    app.layout = html.Div()
    took: list[float] = []

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        begin = time.monotonic()
        for number in range(calls):
            set_progress(number)
        took.append(time.monotonic() - begin)

    answer = click_once(app)
    values = [value for write in counting.writes for value in write.values()]
    # At most 60 a second while it runs, and one at each end.
    assert 2 <= len(counting.writes) <= 60 * took[0] + 2
    assert values[0] == b"0"
    assert values[-1] == str(calls - 1).encode()
    assert answer["news"]["updates"] == [[0, calls - 1]]
    record = store.load(answer["job"])
    assert record is not None
    assert len(record.slots) == 1
    counting.close()


def test_a_flood_of_patches_stays_a_small_record(
    store: DiskcacheStore, manager: Manager, app: Dash, click: Click
) -> None:
    took: list[float] = []

    @app.long_callback(OUT, IN)
    def work(_: Any) -> Generator[Any]:
        begin = time.monotonic()
        for number in range(5_000):
            patch = Patch()
            patch.append(number)
            yield patch
        took.append(time.monotonic() - begin)

    ended = click(app, 1)
    assert appended(ended.updates) == list(range(5_000))
    assert len(ended.updates) <= 60 * took[0] + 2


def test_a_job_with_many_slots_writes_less_often(
    store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "SLOTS", 2)
    counting = CountingStore(store.directory, 60)
    app = Dash("app", long_callback_manager=Manager(counting, InlineExecutor(counting)))
    app.layout = html.Div()

    @app.long_callback(OUT, IN)
    def work(_: Any) -> None:
        for number in range(60):
            set_props(f"part-{number}", {"children": number})
            time.sleep(0.01)

    click_once(app)
    assert sum(len(write) for write in counting.writes) == 60
    assert len(counting.writes) <= 15, "of a 60th of a second there are 36"
    counting.close()


def click_once(app: Dash) -> Any:
    body = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "changedPropIds": ["in.value"],
    }
    answer = app.server.test_client().post("/_dash-update-component", json=body)
    return json.loads(answer.data)


def test_a_value_that_came_too_fast_is_written_without_another_call(
    store: DiskcacheStore, manager: Manager, app: Dash, click: Click
) -> None:
    written: list[list[bytes | None]] = []

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        set_progress(1)
        set_progress(2)
        job_id = next(iter(store.active())).id
        for _try in range(1000):
            job = store.load(job_id)
            assert job is not None
            written.append(store.values(job_id, job.slots))
            if written[-1] == [b"2"]:
                return
            time.sleep(0.005)

    click(app, 1)
    assert written[-1] == [b"2"]


# ctx


def test_the_job_sees_what_triggered_it(app: Dash, click: Click) -> None:
    seen: dict[str, Any] = {}

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

    click(app, 1, 2, {"k": 3}, changed="other.value")
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


def test_the_job_sees_the_request_it_came_with(app: Dash, click: Click) -> None:
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

    click(
        app,
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


def test_dict_inputs_call_the_function_with_keywords_and_group_ctx(app: Dash, click: Click) -> None:
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
    assert click(app, 1, 2, 3).outputs == {"out": {"children": 1}}
    assert seen == {
        "one": 1,
        "pair": [2, 3],  # as in Dash's ordinary callbacks
        "group": 3,
        "was": True,
        "outputs": "out",
        "using": (True, True),
    }


def test_interleaved_states_reach_the_arguments_in_their_place(app: Dash, click: Click) -> None:
    seen: list[Any] = []

    @app.long_callback(output=OUT, inputs=[State("s", "v"), IN, State("t", "v")])
    def work(*args: Any) -> None:
        seen.extend(args)

    click(app, "input", "state s", "state t")
    assert seen == ["state s", "input", "state t"]


def test_pattern_matching_ids_reach_the_job(app: Dash, click: Click) -> None:
    seen: dict[str, Any] = {}

    @app.long_callback(Output({"i": MATCH}, "children"), Input({"i": MATCH}, "value"))
    def work(value: Any) -> str:
        seen.update(value=value, id=ctx.triggered_id, output=context.outputs_list["id"])
        return "done"

    ended = click(app, 5, changed='{"i":2}.value', ids={'{"i":["MATCH"]}': {"i": 2}})
    assert seen == {"value": 5, "id": {"i": 2}, "output": {"i": 2}}
    assert ended.outputs == {'{"i":2}': {"children": "done"}}


def test_all_reaches_the_job_as_a_list(app: Dash, click: Click) -> None:
    @app.long_callback(Output({"i": ALL}, "children"), Input({"i": ALL}, "value"))
    def work(values: list[int]) -> list[int]:
        return [value * 2 for value in values]

    ended = click(app, [5, 6], changed='{"i":1}.value', ids={'{"i":["ALL"]}': [{"i": 1}, {"i": 2}]})
    assert ended.error == {}
    assert ended.outputs == {'{"i":1}': {"children": 10}, '{"i":2}': {"children": 12}}


# How a job can end from outside


def response_of(store: DiskcacheStore, job_id: str) -> bytes | None:
    found = store.load_all(job_id)
    assert found is not None
    return found[1]


def running(store: DiskcacheStore) -> Job:
    """A job of the callback declared last, as a worker has claimed it."""
    job = registry.all()[-1].call(REQUEST, job_id="job").job
    store.create(job, REQUEST)

    started = store.change(job.id, Begin())
    assert started is not None
    return started


REQUEST = json.dumps(
    {
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "states": [],
        "outputs": {"id": "out", "property": "children"},
        "changed": ["in.value"],
    }
).encode()


@pytest.mark.parametrize("seconds", [0.5, 3])
def test_a_timeout_raises_in_the_function_and_names_the_seconds(
    seconds: float, app: Dash, store: DiskcacheStore
) -> None:
    cleaned: list[bool] = []

    @app.long_callback(OUT, IN, progress=BAR, timeout=seconds)
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobTimedOut("too long"))
        try:
            set_progress(1)
        finally:
            cleaned.append(True)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    job = store.load("job")
    assert job is not None
    assert cleaned == [True]
    assert (job.state, job.error) == (
        JobState.TIMED_OUT,
        {
            "type": "JobTimedOut",
            "message": f"the job ran longer than its timeout of {seconds:g} s",
        },
    )


@pytest.mark.parametrize("taken", [True, False])
def test_a_worker_that_begins_late_asks_whether_the_job_is_still_its_own(
    taken: bool, app: Dash, store: DiskcacheStore
) -> None:
    """It was paused before it began: meanwhile another may have been given it, for ``on_error``."""
    calls: list[Any] = []
    app.long_callback(OUT, IN, on_error=print)(calls.append)
    job = replace(running(store), started=time.time() - 60)
    if taken:
        assert store.change(job.id, End(Lost("its worker was not heard of"), job.attempt))
    run_job(Run(store, job, registry.all()[-1]))
    assert len(calls) == (0 if taken else 1)
    after = store.load(job.id)
    assert after is not None
    assert after.state is (JobState.QUEUED if taken else JobState.SUCCEEDED)


def test_on_error_is_told_of_a_timeout(app: Dash, store: DiskcacheStore) -> None:
    @app.long_callback(OUT, IN, progress=BAR, timeout=1, on_error=lambda e: type(e).__name__)
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobTimedOut("too long"))
        set_progress(1)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    assert b'"JobTimedOut"' in (response_of(store, "job") or b"")


@pytest.mark.parametrize("update", ["set_progress", "set_props"])
def test_a_cancel_raises_at_the_next_update(update: str, app: Dash, store: DiskcacheStore) -> None:
    steps: list[str] = []

    @app.long_callback(OUT, IN, progress=BAR, on_error=lambda e: steps.append("on_error"))
    def work(set_progress: Any, _: Any) -> None:
        run.stop(JobCancelled())
        steps.append("before")
        try:
            if update == "set_progress":
                set_progress(1)
            else:
                set_props("a", {"b": 1})
            steps.append("after")
        finally:
            steps.append("cleanup")
            set_progress(2)

    run = Run(store, running(store), registry.all()[-1])
    run_job(run)
    job = store.load("job")
    assert job is not None
    assert (job.state, steps) == (JobState.CANCELLED, ["before", "cleanup"])


@pytest.mark.parametrize("update", ["set_progress", "set_props"])
def test_an_interrupt_in_the_middle_of_a_write_waits_until_it_is_done(
    update: str, app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bool] = []
    write = store.write

    def interrupted_write(*args: Any) -> bool:
        run.stop(JobCancelled())
        signal.raise_signal(signal.SIGINT)
        written.append(write(*args))
        return written[-1]

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        if update == "set_progress":
            set_progress(1)
        else:
            set_props("a", {"b": 1})
        written.append(False)  # not reached

    monkeypatch.setattr(store, "write", interrupted_write)
    run = Run(store, running(store), registry.all()[-1])
    before = signal.signal(signal.SIGINT, lambda *_: run.checkpoint())
    try:
        run_job(run)
    finally:
        signal.signal(signal.SIGINT, before)
    job = store.load("job")
    assert job is not None
    assert (job.state, written) == (JobState.CANCELLED, [True])


def test_a_result_that_the_store_refuses_is_failed_in_words(
    app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = store.finish

    def refuse(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        if isinstance(outcome, Succeeded):
            raise StoreError("it is too large")
        return finish(job, outcome, values, stale)

    app.long_callback(OUT, IN)(lambda _: "x" * 1000)
    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(store, "finish", refuse)
    run_job(Run(store, job, registry.all()[-1]))
    record = store.load("job")
    assert record is not None
    assert record.error is not None
    assert record.error["message"] == "the result could not be stored: it is too large"


def test_updates_that_the_store_refuses_do_not_lose_the_result(
    app: Dash,
    store: DiskcacheStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    finish = store.finish

    def refuse_to_write(*_: Any) -> bool:
        raise StoreError("it is too large")

    def refuse_to_finish(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        if values:
            raise StoreError("it is too large")
        return finish(job, outcome, values, stale)

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> str:
        set_progress(1)
        return "done"

    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(store, "write", refuse_to_write)
    monkeypatch.setattr(store, "finish", refuse_to_finish)
    run_job(Run(store, job, registry.all()[-1]))
    assert b"done" in (response_of(store, "job") or b"")
    record = store.load("job")
    assert record is not None
    assert record.slots == {}
    assert "reported last could not be stored" in caplog.text


def test_updates_of_a_moment_in_which_the_store_can_not_be_used_are_not_lost(
    app: Dash, store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = store.finish
    tries: list[Any] = []

    def refuse_to_write(*_: Any) -> bool:
        raise StoreError("the disk is full")

    def refuse_once(job: Job, outcome: Outcome, values: Any, stale: Any) -> Job | None:
        tries.append(values)
        if len(tries) == 1:
            raise StoreError("the disk is full")
        return finish(job, outcome, values, stale)

    @app.long_callback(OUT, IN, progress=BAR)
    def work(set_progress: Any, _: Any) -> None:
        set_progress(1)

    job = running(store)
    monkeypatch.setattr(run_module, "SETTLE_PAUSE", 0.0)
    monkeypatch.setattr(store, "write", refuse_to_write)
    monkeypatch.setattr(store, "finish", refuse_once)
    run_job(Run(store, job, registry.all()[-1]))
    record = store.load("job")
    assert record is not None
    assert record.state is JobState.SUCCEEDED
    assert store.values("job", record.slots) == [b"1"]


def test_a_cancel_before_the_call_calls_nothing(app: Dash, store: DiskcacheStore) -> None:
    calls: list[int] = []
    app.long_callback(OUT, IN)(calls.append)
    run = Run(store, running(store), registry.all()[-1])
    run.stop(JobCancelled())
    run_job(run)
    assert calls == []


def test_a_lost_job_calls_on_error_and_not_the_function(app: Dash, store: DiskcacheStore) -> None:
    calls: list[int] = []
    app.long_callback(OUT, IN, on_error=lambda e: f"{type(e).__name__}: {e}")(calls.append)
    job = running(store)
    run_job(Run(store, job, registry.all()[-1], Lost("out of memory")))
    assert calls == []
    assert b"JobLost: out of memory" in (response_of(store, job.id) or b"")


def test_a_lost_job_without_on_error_ends_as_lost(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(print)
    run_job(Run(store, running(store), registry.all()[-1], Lost("out of memory")))
    job = store.load("job")
    assert job is not None
    assert (job.state, job.error) == (
        JobState.LOST,
        {"type": "JobLost", "message": "out of memory"},
    )


def test_a_job_whose_arguments_are_gone_is_lost_in_words(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(print)
    job = running(store)
    store.rows.apply(Batch(drop=[names.request("job")]))
    run_job(Run(store, job, registry.all()[-1]))
    ended = store.load("job")
    assert ended is not None
    assert ended.error == {"type": "JobLost", "message": "its arguments have expired"}


def test_an_outcome_does_not_overwrite_an_earlier_one(app: Dash, store: DiskcacheStore) -> None:
    app.long_callback(OUT, IN)(lambda _: store.change("job", End(Cancelled())) and "too late")
    run_job(Run(store, running(store), registry.all()[-1]))
    job = store.load("job")
    assert job is not None
    assert job.state is JobState.CANCELLED
    assert response_of(store, "job") is None


def test_no_thread_is_left_when_a_job_has_ended(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN)(lambda _: 1)
    click(app, 1)
    assert "job-reporter" not in [thread.name for thread in threading.enumerate()]
