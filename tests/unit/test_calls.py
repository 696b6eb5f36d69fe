"""Jobs that code starts: which arguments become which values, and what is refused, in words."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import dash
import flask
import pytest
from dash import ALL, ALLSMALLER, MATCH, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate

from dash_long_callback import (
    Dash,
    Event,
    JobFailed,
    JobNotFound,
    JobNotStarted,
    Limit,
    LimitReached,
    LongCallbackError,
    OptionFailed,
    PartialUpdate,
    ProgressUpdate,
    PropsUpdate,
    RegistrationError,
    StoreError,
    UserError,
    find_job,
    long_callback,
    submit,
)
from dash_long_callback.calls import waiting
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.owner import hash_of
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.testing import LongCallbacks

A, B, C = Input("a", "value"), Input("b", "value"), State("c", "value")
OUT = Output("out", "children")


def declared(app: Dash, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Declare a function, with two inputs if nothing else is said."""
    if not args and "output" not in kwargs:
        args = OUT, A, B
    app.long_callback(*args, **kwargs)(function)
    return function


# Arguments


def test_arguments_are_given_as_the_author_wrote_the_parameters(app: Dash) -> None:
    def work(n: int, name: str = "none") -> Any:
        return [n, name]

    declared(app, work)
    assert submit(work, 3, name="x").result() == [3, "x"]
    assert submit(work, name="x", n=3).result() == [3, "x"]
    assert submit(work, 3, "x").result() == [3, "x"]
    assert submit(work, 3).result() == [3, "none"]


def test_set_progress_is_not_given(app: Dash) -> None:
    def work(set_progress: Any, n: int, name: str) -> Any:
        set_progress(n)
        return name

    declared(app, work, progress=Output("bar", "value"))
    job = submit(work, 3, name="x")
    assert (job.result(), job.progress, list(job)) == ("x", 3, [ProgressUpdate(3)])


def test_arguments_may_have_no_names(app: Dash) -> None:
    def work(*values: Any) -> Any:
        return list(values)

    declared(app, work)
    assert submit(work, 1, 2).result() == [1, 2]
    for args in ((1,), (1, 2, 3)):
        with pytest.raises(TypeError, match=rf"work\): it takes 2 values, got {len(args)}"):
            submit(work, *args)


def test_arguments_by_name_go_where_their_names_are(app: Dash) -> None:
    def work(*, first: int, second: int = 7, **rest: Any) -> Any:
        return [first, second, rest]

    declared(app, work, output=OUT, inputs={"second": A, "first": B}, state={"third": C})
    assert submit(work, first=1, third=3).result() == [1, 7, {"third": 3}]
    with pytest.raises(TypeError, match="missing 'third'"):
        submit(work, first=1)
    with pytest.raises(TypeError, match="no Input or State for 'fourth'"):
        submit(work, first=1, third=3, fourth=4)
    with pytest.raises(TypeError, match="too many positional arguments"):
        submit(work, 1, third=3)


def test_groups_of_inputs_are_arguments_of_their_shape(app: Dash) -> None:
    def work(pair: Any, deep: Any) -> Any:
        return [list(pair), {key: list(value) for key, value in deep.items()}]

    inputs = {"pair": (A, B), "deep": {"x": [C, Input("d", "value")]}}
    declared(app, work, output=OUT, inputs=inputs)
    assert submit(work, [1, 2], deep={"x": (3, [4])}).result() == [[1, 2], {"x": [3, [4]]}]
    with pytest.raises(TypeError, match=r"'pair': expected 2 values, got 3"):
        submit(work, (1, 2, 3), deep={"x": (3, 4)})
    with pytest.raises(TypeError, match=r"'deep': expected the keys 'x', got 'y'"):
        submit(work, (1, 2), deep={"y": (3, 4)})


def test_groups_may_be_given_by_place(app: Dash) -> None:
    def work(pair: Any, one: Any) -> Any:
        return [list(pair), one]

    declared(app, work, output=OUT, inputs=[(A, B), C])
    assert submit(work, (1, 2), [3]).result() == [[1, 2], [3]]


def test_one_input_is_one_argument(app: Dash) -> None:
    def work(value: Any) -> Any:
        return value

    declared(app, work, output=OUT, inputs=A)
    assert submit(work, [1, 2]).result() == [1, 2]
    assert submit(work, value=None).result() is None


def test_a_pattern_with_all_takes_a_list_of_values(app: Dash) -> None:
    def work(rows: Any, other: Any) -> Any:
        return [rows, other, [one["id"]["row"] for one in ctx.inputs_list[0]]]

    declared(app, work, OUT, Input({"row": ALL, "kind": "x"}, "value"), B)
    assert submit(work, [5, 6], 7).result() == [[5, 6], 7, [0, 1]]
    assert submit(work, [], 7).result() == [[], 7, []]
    with pytest.raises(TypeError, match="has ALL, so its argument is a list"):
        submit(work, 5, 7)


@pytest.mark.parametrize(
    "output, read",
    [
        (Output({"row": MATCH}, "children"), Input({"row": MATCH}, "value")),
        (Output({"row": ALL}, "children"), Input("a", "value")),
        (Output({"row": MATCH}, "children"), Input({"row": ALLSMALLER}, "value")),
    ],
    ids=["MATCH", "ALL", "ALLSMALLER"],
)
def test_components_that_only_a_page_can_tell_are_refused(
    output: Output, read: Input, app: Dash
) -> None:
    def work(value: Any, *_more: Any) -> Any:
        return value

    smaller = read.component_id == {"row": ALLSMALLER}
    more = [Input({"row": MATCH}, "data")] if smaller else []
    declared(app, work, output, read, *more)
    with pytest.raises(TypeError, match=r"work\): .* only a page can tell"):
        submit(work, *([[]] * (1 + len(more))))


def test_what_does_not_fit_is_said_with_the_name_of_the_function(app: Dash) -> None:
    def work(n: int, name: str, cache: Any = None) -> Any:
        return [n, name]

    declared(app, work)
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    takes = r"; its arguments are \(n, name, cache=None\)"
    for args, kwargs, words in [
        ((1,), {}, "missing a required argument: 'name'"),
        ((1, 2, 3, 4), {}, "too many positional arguments"),
        ((1, 2), {"n": 3}, "multiple values for argument 'n'"),
        ((1, 2), {"other": 3}, "got an unexpected keyword argument 'other'"),
        ((1, 2, 3), {}, "no Input or State for 'cache', so a job can't be given that"),
        ((1, 2), {"cache": 3}, "no Input or State for 'cache', so a job can't be given that"),
    ]:
        with pytest.raises(TypeError, match=rf"submit\(.*work\): .*{words}.*{takes}"):
            submit(work, *args, **kwargs)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes"], ids=["set", "object", "bytes"])
def test_what_is_not_json_is_refused_at_once(value: Any, app: Dash) -> None:
    def work(n: Any, name: Any) -> Any:
        return [n, name]

    declared(app, work)
    with pytest.raises(TypeError, match=r"work\): 'name' can't be sent to a job as JSON"):
        submit(work, 1, [value])


def test_values_come_as_a_browser_would_send_them(app: Dash) -> None:
    def work(n: Any, name: Any) -> Any:
        return [n, name, type(n).__name__]

    declared(app, work)
    found = submit(work, (1, 2), {1: datetime(2030, 1, 31, tzinfo=timezone.utc)}).result()
    assert found == [[1, 2], {"1": "2030-01-31T00:00:00+00:00"}, "list"]


def test_a_method_and_a_partial_function_are_called_as_they_are(app: Dash) -> None:
    class Reports:
        def work(self, n: int, name: str) -> Any:
            return [n, name]

    reports = Reports()
    declared(app, reports.work)
    assert submit(reports.work, 1, name="x").result() == [1, "x"]
    assert submit(functools.partial(reports.work, name="x"), 2).result() == [2, "x"]
    bound = functools.partial(reports.work, 3)
    declared(app, bound, Output("other", "children"), A)
    assert submit(bound, "x").result() == [3, "x"]


# Options


def test_an_option_that_may_be_an_argument_is_refused_and_a_partial_says_which(app: Dash) -> None:
    def work(at: str, user: str = "nobody") -> Any:
        return [at, user]

    declared(app, work)
    now = datetime.now(timezone.utc)
    clashes: list[dict[str, Any]] = [{"at": now}, {"user": "ann"}]
    for options in clashes:
        with pytest.raises(TypeError, match=r"is an option of submit, and an argument of"):
            submit(work, "noon", **options)
    assert submit(work, "noon", "ben").result() == ["noon", "ben"]
    job = submit(functools.partial(work, at="noon", user="ben"), user="ann")
    assert job.result() == ["noon", "ben"]
    assert job._owner == hash_of("ann")  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    "options, words",
    [
        ({"delay": -1}, "must be a number of seconds from 0 on"),
        ({"delay": "soon"}, "must be a number of seconds from 0 on"),
        ({"at": datetime(2030, 1, 31)}, "pass tzinfo"),  # noqa: DTZ001 - what is refused
        ({"at": 1.5}, "must be a datetime with a time zone"),
        ({"at": datetime.now(timezone.utc), "delay": 1}, "give one of them"),
    ],
    ids=["negative", "text", "naive", "number", "both"],
)
def test_a_moment_that_is_not_one_is_refused(options: Any, words: str, app: Dash) -> None:
    declared(app, echo, OUT, A)
    with pytest.raises(TypeError, match=words):
        submit(echo, 1, **options)


def echo(value: Any) -> Any:
    return value


def test_what_is_no_long_callback_is_refused(app: Dash) -> None:
    with pytest.raises(TypeError, match=r"submit\(echo\): this is not the function of a long"):
        submit(echo, 1)
    declared(app, echo, OUT, A)
    declared(app, echo, Output("other", "children"), A)
    with pytest.raises(TypeError, match="several long callbacks call this function"):
        submit(echo, 1)


def test_without_an_app_it_is_not_known_where_a_job_runs(manager: Manager) -> None:
    long_callback(OUT, A)(echo)
    with pytest.raises(LongCallbackError, match="no app was made in this process"):
        submit(echo, 1)
    Dash("later", long_callback_manager=manager)
    assert submit(echo, 1).result() == 1


def test_a_callback_s_own_manager_runs_it_without_an_app() -> None:
    store = MemoryStore(retention=60)
    long_callback(OUT, A, manager=Manager(store, InlineExecutor(store)))(echo)
    job = submit(echo, 1)
    assert (job.result(), find_job(job.id).result()) == (1, 1)


def test_an_app_of_dash_s_own_class_is_enough(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(retention=60)
    app = dash.Dash("plain", background_callback_manager=Manager(store, InlineExecutor(store)))  # type: ignore[arg-type]
    long_callback(OUT, A)(echo)
    assert submit(echo, 1).result() == 1
    assert app is not None


def test_a_module_that_workers_import_does_not_start_jobs(
    app: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(app, echo, OUT, A)
    monkeypatch.setattr("dash_long_callback.executors.local.importing.is_importing", lambda: True)
    with pytest.raises(RegistrationError, match="below `if __name__"):
        submit(echo, 1)


# Results


def test_results_come_in_the_grouping_of_the_outputs(app: Dash) -> None:
    def work(kind: Any) -> Any:
        if kind == "none":
            raise PreventUpdate
        return {"one": html.P("text"), "two": [no_update if kind == "some" else 2, (3, 4)]}

    outputs = {"one": Output("x", "children"), "two": [Output("y", "value"), Output("z", "data")]}
    declared(app, work, output=outputs, inputs=[A])
    component = {"props": {"children": "text"}, "type": "P", "namespace": "dash_html_components"}
    assert submit(work, "all").result() == {"one": component, "two": [2, [3, 4]]}
    assert submit(work, "some").result() == {"one": component, "two": [None, [3, 4]]}
    assert submit(work, "none").result() is None


def test_a_callback_without_outputs_has_no_result(app: Dash) -> None:
    def work(value: Any) -> None:
        set_props("side", {"children": value, "n": 1})
        set_props({"kind": "x", "n": 2}, {"value": value})

    declared(app, work, A)
    job = submit(work, 5)
    assert job.result() is None
    side = PropsUpdate("side", {"children": 5, "n": 1})
    assert list(job) == [side, PropsUpdate({"kind": "x", "n": 2}, {"value": 5})]


def test_one_output_in_a_list_is_a_list(app: Dash) -> None:
    def work(value: Any) -> Any:
        return [value]

    declared(app, work, [OUT], [A])
    assert submit(work, 5).result() == [5]


def test_outputs_that_others_have_too_are_found(app: Dash) -> None:
    declared(app, echo, Output("out", "children", allow_duplicate=True), A, **PREVENT)
    assert submit(echo, 5).result() == 5


PREVENT = {"prevent_initial_call": True}


def test_what_was_yielded_is_the_result_where_nothing_came_after_it(app: Dash) -> None:
    def work(value: Any) -> Iterator[Any]:
        yield value, "first"
        yield no_update, "second"

    declared(app, work, [OUT, Output("more", "children")], A)
    job = submit(work, 5)
    assert job.result() == [5, "second"]
    assert list(job) == [PartialUpdate([5, "second"])]


def test_each_event_is_an_update_and_the_last_value_of_others(app: Dash) -> None:
    def work(set_progress: Any, value: int) -> None:
        for number in range(value):
            set_progress({"bar": number, "steps": [number]})
            set_props("graph", {"extendData": number})
            set_props("speaker", {"say": Event(f"{number}")})

    progress = {"bar": Output("bar", "value"), "steps": [Output("steps", "children")]}
    declared(app, work, A, progress=progress)
    job = submit(work, 3)
    updates = list(job)
    assert job.progress == {"bar": 2, "steps": [2]}
    assert ProgressUpdate({"bar": 2, "steps": [2]}) in updates
    said = [u.props["say"] for u in updates if isinstance(u, PropsUpdate) and "say" in u.props]
    extended = [
        u.props["extendData"]
        for u in updates
        if isinstance(u, PropsUpdate) and "extendData" in u.props
    ]
    assert (said, extended) == (["0", "1", "2"], [0, 1, 2])


def test_the_words_of_a_user_error_are_known_as_such(app: Dash) -> None:
    def work(value: Any) -> Any:
        raise UserError("There are no sales in May.")

    declared(app, work, OUT, A)
    with pytest.raises(JobFailed, match="There are no sales in May") as failed:
        submit(work, 1).result()
    assert failed.value.user
    assert failed.value.message == "There are no sales in May."


def test_a_function_that_was_not_called_is_told_apart(
    app: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(app, echo, OUT, A)
    monkeypatch.setattr("dash_long_callback.dash.declaration.Declaration.fits", lambda *_: False)
    with pytest.raises(JobNotStarted, match="The app has changed"):
        submit(echo, 1).result()


def test_a_large_result_is_complete(app: Dash) -> None:
    def work(value: Any) -> Any:
        return "x" * value

    declared(app, work, OUT, A)
    job = submit(work, 3_000_000)
    assert job.result() == "x" * 3_000_000

    async def awaited() -> Any:
        return await job

    assert asyncio.run(awaited()) == "x" * 3_000_000


# The same as a click


def test_a_click_and_a_call_with_equal_arguments_have_one_result(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    app.layout = [dcc.Input(id="a"), dcc.Input("x", id="c")]
    ran: list[Any] = []

    def work(n: Any, name: Any = "none") -> Any:
        ran.append(n)
        return [n, name]

    outputs = [OUT, Output("more", "children")]
    declared(app, work, outputs, [A, C], cache_by=[])
    assert not long_callbacks.click(app, "a.value", 1).cached
    job = submit(work, 1, name="x")
    assert (job.cached, job.result()) == (True, [1, "x"])
    assert submit(work, 2, "x").result() == [2, "x"]
    run = long_callbacks.click(app, "a.value", 2)
    assert (run.cached, run.outputs) == (True, {"out.children": 2, "more.children": "x"})
    assert ran == [1, 2]


def test_ctx_says_that_nothing_has_triggered_it(app: Dash) -> None:
    def work(n: Any, c: Any) -> Any:
        return [ctx.triggered_id, ctx.triggered[0]["value"], ctx.inputs, ctx.states, ctx.cookies]

    declared(app, work, OUT, A, C)
    assert submit(work, 1, 2).result() == [None, None, {"a.value": 1}, {"c.value": 2}, {}]


def test_functions_for_options_get_the_arguments(app: Dash) -> None:
    def cache_by() -> Any:
        return flask.request.path

    def work(n: int, name: str) -> Any:
        return n

    declared(app, work, cache_by=cache_by)
    with pytest.raises(OptionFailed, match="Working outside of request context"):
        submit(work, 1, "x")
    with app.server.test_request_context("/somewhere"):
        assert submit(work, 1, "x").result() == 1


def test_a_limit_counts_calls_by_their_arguments_and_may_refuse(app: Dash) -> None:
    seen: list[Any] = []

    def key(n: int, name: str) -> str:
        seen.append((n, name))
        return name

    def work(n: int, name: str) -> Any:
        if n:
            with pytest.raises(LimitReached):
                submit(work, 0, name)
            return submit(work, 0, "other").result()
        return "inner"

    declared(app, work, limits=Limit(1, key=key), on_limit="refuse")
    assert submit(work, 1, "x").result() == "inner"
    assert seen == [(1, "x"), (0, "x"), (0, "other")]


def test_a_job_is_whose_request_it_is(app: Dash, manager: Manager) -> None:
    manager.user = lambda: flask.request.headers.get("X-User")
    declared(app, echo, OUT, A)

    def owner(**options: Any) -> str | None:
        job = manager.store.load(submit(echo, 1, **options).id)
        assert job is not None
        return job.owner

    assert owner() is None
    assert owner(user="ann") == hash_of("ann")
    with app.server.test_request_context("/", headers={"X-User": "ben"}):
        assert owner() == hash_of("ben")
        assert owner(user="ann") == hash_of("ann")
        assert owner(user=None) is None


def test_a_job_that_a_job_starts_has_the_same_owner(app: Dash, manager: Manager) -> None:
    def outer(_value: Any) -> Any:
        return submit(echo, 1).id

    declared(app, echo, OUT, A)
    declared(app, outer, Output("outer", "children"), A)
    inner = manager.store.load(submit(outer, 1, user="ann").result())
    assert inner is not None
    assert inner.owner == hash_of("ann")


def test_an_ordinary_callback_starts_a_job_of_its_user_with_its_context(
    app: Dash, store: DiskcacheStore, manager: Manager
) -> None:
    manager.user = lambda: ctx.cookies.get("user")
    ids: list[str] = []

    def work(_value: Any) -> Any:
        return [ctx.cookies["user"], ctx.triggered_id]

    def start(value: Any) -> Any:
        job = submit(work, value)
        ids.append(job.id)
        return job.result()

    declared(app, work, OUT, A)
    app.callback(Output("started", "children"), B)(start)
    client = app.server.test_client()
    client.set_cookie("user", "ann")
    body = {
        "output": "started.children",
        "outputs": {"id": "started", "property": "children"},
        "inputs": [{"id": "b", "property": "value", "value": 3}],
        "changedPropIds": ["b.value"],
    }
    answer = client.post("/_dash-update-component", json=body).get_json()
    assert answer["response"]["started"]["children"] == ["ann", None]
    job = store.load(ids[0])
    assert job is not None
    assert job.owner == hash_of("ann")


def test_a_job_of_code_does_not_end_for_want_of_a_page(app: Dash, store: DiskcacheStore) -> None:
    declared(app, echo, OUT, A, on_disconnect="cancel")
    job = store.load(submit(echo, 1).id)
    assert job is not None
    assert not job.ends_with_page


def test_a_job_that_has_expired_is_not_found(app: Dash, store: DiskcacheStore) -> None:
    declared(app, echo, OUT, A)
    job = submit(echo, 1)
    store.rows.apply(_dropped(job.id))
    for ask in (job.result, job.cancel, lambda: job.state, lambda: job.progress, lambda: list(job)):
        with pytest.raises(JobNotFound):
            ask()


def _dropped(job_id: str) -> Any:
    from dash_long_callback.stores import names
    from dash_long_callback.stores.ports import Batch

    return Batch(drop=[names.job(job_id)])


class _Fails:
    """A manager whose store can't be read a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, manager: Manager, times: int) -> None:
        self.left = times
        news = manager.news

        def failing(*args: Any) -> Any:
            self.left -= 1
            if self.left >= 0:
                raise StoreError("the store is away")
            return news(*args)

        monkeypatch.setattr(manager, "news", failing)
        monkeypatch.setattr(waiting, "RETRY_SECONDS", 0.001)


def test_a_wait_goes_on_while_the_store_can_not_be_read(
    app: Dash, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def awaited() -> Any:
        return await job

    declared(app, echo, OUT, A)
    job = submit(echo, 1)
    fails = _Fails(monkeypatch, manager, 3)
    assert job.result() == 1
    fails.left = 3
    assert asyncio.run(awaited()) == 1
    fails.left = 3
    assert list(job) == []
    assert fails.left < 0


def test_a_wait_ends_if_the_store_stays_away(
    app: Dash, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(app, echo, OUT, A)
    job = submit(echo, 1)
    _Fails(monkeypatch, manager, 10**9)
    with pytest.raises(StoreError, match="is away"):
        job.result(timeout=0.05)
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(StoreError, match="is away"):
        job.result()


# Later


def test_a_job_that_begins_later_is_kept_for_the_delay_longer(
    app: Dash, store: DiskcacheStore
) -> None:
    declared(app, echo, OUT, A, start_within=5)
    call = registry.all()[-1].call(b"{}", not_before=time.time() + 10 * 24 * 3600)
    store.create(call.job, b"{}")
    kept = store.rows.pool.execute(  # type: ignore[attr-defined]
        "SELECT expires FROM rows WHERE name GLOB ?", (f"{call.job.id}:*",)
    ).fetchall()
    assert len(kept) == 2
    assert all(expires - time.time() > 10 * 24 * 3600 for (expires,) in kept)
    assert call.job.start_by == pytest.approx((call.job.not_before or 0) + 5)
