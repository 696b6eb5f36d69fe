"""The fixture ``long_callbacks``, as tests of apps use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dash
import flask
import pytest
from celery import Celery
from dash import (
    ALL,
    ALLSMALLER,
    MATCH,
    Input,
    Output,
    Patch,
    State,
    ctx,
    dcc,
    html,
    no_update,
    set_props,
)
from dash.exceptions import PreventUpdate

from dash_long_callback import (
    CeleryLongCallbackManager,
    Dash,
    DiskcacheLongCallbackManager,
    JobExpired,
    JobTimedOut,
    Limit,
    LimitReached,
    LongCallbackError,
    Rate,
    Retry,
    UserError,
    long_callback,
    submit,
)
from dash_long_callback.managers.base import Manager
from dash_long_callback.testing import LongCallbacks, as_json, prop_id

manual = pytest.mark.long_callbacks("manual")
OUT, RUN = Output("out", "children"), Input("run", "n_clicks")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where managers would have their folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def app_of(*more: Any, **kwargs: Any) -> Dash:
    app = Dash("app", **kwargs)
    app.layout = html.Div(
        [html.Button("Run", id="run"), html.Button("Stop", id="stop"), html.P(id="out"), *more]
    )
    return app


def declare(app: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    kwargs = {"prevent_initial_call": True, **kwargs}
    app.long_callback(OUT, RUN, *args, **kwargs)(function)


def echo(n: Any) -> Any:
    return f"run {n}"


# What a run tells


def test_a_click_runs_the_function_and_tells_all_that_it_did(
    long_callbacks: LongCallbacks, cache_folder: Path
) -> None:
    app = app_of(dcc.Dropdown(id="year", value=2023), html.P(id="bar"), html.P(id="note"))
    layout = app.layout
    app.layout = lambda: layout

    def work(set_progress: Any, n: int, year: int) -> Any:
        for step in range(500):
            set_progress([step, year])
        set_props("note", {"children": html.P(str(ctx.triggered_id))})
        assert not flask.has_request_context()  # as in a worker
        return f"run {n}"

    declare(
        app,
        work,
        State("year", "value"),
        running=[(Output("run", "disabled"), True, False)],
        progress=[Output("bar", "children"), Output("bar", "title")],
        progress_default=["none", ""],
    )
    run = long_callbacks.click(app, "run.n_clicks", 3, state={"year.value": 2024})

    assert (run.state, run.attempts, run.cached, run.error) == ("succeeded", 1, False, None)
    assert run.outputs == {"out.children": "run 3"}
    assert run.progress == [[step, 2024] for step in range(500)]
    assert run.running == {"run.disabled": [True, False]}
    assert run.props == {"note.children": [as_json(html.P("run"))]}
    page = long_callbacks.page(app)
    assert page["out.children"] == "run 3"
    assert page["note.children"] == as_json(html.P("run"))
    assert (page["year.value"], page["bar.children"], page["run.disabled"]) == (2024, "none", False)
    assert long_callbacks.click(app, "run.n_clicks").outputs == {"out.children": "run 4"}
    assert len(long_callbacks.runs) == 2
    assert not cache_folder.exists()


def test_the_exception_of_a_function_is_the_real_one(long_callbacks: LongCallbacks) -> None:
    app, error = app_of(), ZeroDivisionError("no")

    def fail(n: int) -> None:
        raise error

    declare(app, fail, running=(Output("run", "disabled"), True, False))
    run = long_callbacks.click(app, "run.n_clicks")
    assert (run.state, run.error) == ("failed", error)
    with pytest.raises(ZeroDivisionError) as raised:
        _ = run.outputs
    assert raised.traceback[-1].name == "fail"
    assert run.running == {"run.disabled": [True, False]}


def test_on_error_is_applied_and_the_exception_is_told(long_callbacks: LongCallbacks) -> None:
    def fail(n: int) -> None:
        raise UserError("words") if n > 1 else KeyError("x")

    def handle(error: Exception) -> str:
        if isinstance(error, UserError):
            raise UserError("other words")
        return f"sorry: {error!r}"

    app = app_of(on_error=handle)
    declare(app, fail)
    run = long_callbacks.click(app, "run.n_clicks", 1)
    assert (run.state, run.outputs) == ("succeeded", {"out.children": "sorry: KeyError('x')"})
    assert isinstance(run.error, KeyError)
    run = long_callbacks.click(app, "run.n_clicks", 2)
    assert (run.state, str(run.error)) == ("failed", "other words")


def test_a_job_that_is_tried_again_does_not_wait_inline(long_callbacks: LongCallbacks) -> None:
    app, calls = app_of(), list[int]()

    def flaky(n: int) -> str:
        calls.append(n)
        if len(calls) < 3:
            raise ConnectionError
        return "done"

    declare(app, flaky, retry=Retry(5, backoff=60))
    run = long_callbacks.click(app, "run.n_clicks")
    assert (run.outputs, run.attempts, run.error) == ({"out.children": "done"}, 3, None)


def test_partial_outputs(long_callbacks: LongCallbacks) -> None:
    app = app_of(html.P(id="two"))

    @app.long_callback(OUT, Output("two", "title"), RUN, prevent_initial_call=True)
    def parts(n: int) -> Iterator[Any]:  # pyright: ignore[reportUnusedFunction]
        if n == 2:
            raise PreventUpdate
        yield n, "a"
        yield no_update, "b"
        yield Patch(), no_update

    run = long_callbacks.click(app, "run.n_clicks", 1)
    assert run.yielded[:2] == [{"out.children": 1, "two.title": "a"}, {"two.title": "b"}]
    assert run.outputs["two.title"] == "b"
    assert long_callbacks.page(app)["two.title"] == "b"
    run = long_callbacks.click(app, "run.n_clicks", 2)
    assert (run.state, run.outputs) == ("succeeded", {})


# The page


def test_patterns_are_filled_from_the_layout(long_callbacks: LongCallbacks) -> None:
    app = app_of(
        *(dcc.Input(id={"type": "in", "n": n}, value=n * 10) for n in (1, 2)),
        *(html.P(id={"type": "out", "n": n}) for n in (1, 2)),
    )
    app.long_callback(
        Output({"type": "out", "n": MATCH}, "children"),
        Input({"type": "in", "n": MATCH}, "value"),
        State({"type": "in", "n": ALL}, "value"),
        State({"type": "in", "n": ALLSMALLER}, "value"),
        running=[(Output({"type": "in", "n": MATCH}, "disabled"), True, False)],
    )(lambda value, values, smaller: [value, values, smaller])
    app.long_callback(Output({"type": "out", "n": ALL}, "title"), Input("run", "n_clicks"))(
        lambda n: [n] * 2
    )
    assert [run.outputs for run in long_callbacks.load(app)] == [
        {prop_id({"type": "out", "n": 1}, "children"): [10, [10, 20], []]},
        {prop_id({"type": "out", "n": 2}, "children"): [20, [10, 20], [10]]},
        {prop_id({"type": "out", "n": n}, "title"): None for n in (1, 2)},
    ]
    run = long_callbacks.click(app, prop_id({"n": 2, "type": "in"}, "value"), 5)
    assert run.outputs == {'{"n":2,"type":"out"}.children': [5, [10, 5], [10]]}
    assert run.running == {'{"n":2,"type":"in"}.disabled': [True, False]}
    run = long_callbacks.click(app, "run.n_clicks", 7)
    assert set(run.outputs.values()) == {7}


def test_what_the_page_does_not_have_is_refused_with_what_it_has(
    long_callbacks: LongCallbacks,
) -> None:
    app = app_of(dcc.Input(id="year"))
    declare(app, echo, cancel=Input("stop", "n_clicks"))
    app.long_callback(Output("out", "title"), RUN, State("far", "value"))(lambda n, far: [n, far])
    click = long_callbacks.click
    with pytest.raises(
        ValueError, match=r"no long callback has rum.n_clicks .* run.n_clicks, stop"
    ):
        click(app, "rum.n_clicks")
    with pytest.raises(
        ValueError, match=r"none waits or runs: in the mode .inline. each has ended"
    ):
        click(app, "stop.n_clicks")
    with pytest.raises(ValueError, match=r"no yaer.value on the page.* did you mean 'year'"):
        click(app, "run.n_clicks", state={"yaer.value": 1})
    with pytest.raises(ValueError, match=r"no callback knows run.clicks; .* know run.n_clicks"):
        click(app, "run.n_clicks", state={"run.clicks": 1})
    app.long_callback(Output("out", "lang"), Input("far", "n_clicks"))(echo)
    with pytest.raises(ValueError, match=r"no far.n_clicks on the page.* state=\{'far.n_clicks'"):
        click(app, "far.n_clicks")
    with pytest.raises(ValueError, match="'run' names no property"):
        click(app, "run")
    with pytest.raises(ValueError, match=r"triggers 2 runs .*echo \(out.children\); .*out.title"):
        click(app, "run.n_clicks")
    with pytest.raises(LongCallbackError, match=r"needs far.value.* state=\{'far.value': ...\}"):
        click(app, "run.n_clicks", callback="out.title")
    assert long_callbacks.runs == []
    run = click(app, "run.n_clicks", 2, callback=echo, state={"far.value": 1})
    assert run.outputs == {"out.children": "run 2"}
    assert long_callbacks.runs[1].outputs == {"out.title": [2, 1]}


def test_pages_of_an_app(long_callbacks: LongCallbacks) -> None:
    app = dash.Dash("paged", use_pages=True, pages_folder="", url_base_pathname="/sub/")
    app.layout = html.Div(dash.page_container)
    dash.register_page("home", path="/", layout=html.P(id="home"))
    dash.register_page(
        "report",
        path_template="/report/<year>",
        layout=lambda year=None, **_: html.Div([html.P(year, id="run"), html.P(id="out")]),
    )
    long_callback(OUT, Input("run", "children"))(lambda year: f"report of {year}")
    assert long_callbacks.load(app) == []
    with pytest.raises(ValueError, match=r"another page of the app: load\(\) goes there"):
        long_callbacks.click(app, "run.children")
    [run] = long_callbacks.load(app, "/report/2024?x=1")
    assert run.outputs == {"out.children": "report of 2024"}
    assert long_callbacks.page(app)["_pages_location.search"] == "?x=1"
    dash.page_registry.clear()


# Whose it is, and what is kept


def test_a_second_click_is_answered_by_the_kept_result_of_the_same_user(
    long_callbacks: LongCallbacks,
) -> None:
    users = list[Any]()

    def user() -> Any:
        raise AssertionError("the test says whose it is")

    app = app_of(long_callback_manager=DiskcacheLongCallbackManager(user=user))

    def work(n: int) -> Iterator[str]:
        users.append(n)
        yield "part"
        set_props("stop", {"title": "set"})

    declare(app, work, cache_by=lambda: ctx.cookies.get("tenant"), running=(OUT, "busy", ""))
    click = long_callbacks.click
    assert not click(app, "run.n_clicks", 1, user="ann").cached
    run = click(app, "run.n_clicks", 1)
    assert (run.cached, run.outputs, run.running) == (True, {"out.children": "part"}, {})
    assert (run.props, run.attempts) == ({"stop.title": ["set"]}, 0)
    assert not click(app, "run.n_clicks", 1, cookies={"tenant": "b"}).cached
    assert users == [1, 1]


def test_why_a_click_is_refused_is_told(long_callbacks: LongCallbacks) -> None:
    app = app_of(html.P(id="a"))
    declare(app, echo, rate=Rate(1, per=60, key="n"), on_limit="refuse")
    assert long_callbacks.click(app, "run.n_clicks", 1).state == "succeeded"
    run = long_callbacks.click(app, "run.n_clicks", 1)
    assert (run.state, type(run.error)) == ("failed", LimitReached)
    with pytest.raises(LimitReached):
        _ = run.outputs


def test_cookies_and_headers_and_a_login(long_callbacks: LongCallbacks) -> None:
    app = app_of()
    app.server.secret_key = "x"
    app.server.add_url_rule("/login", "login", lambda: flask.session.update(name="ann") or "")

    def guard() -> Any:
        known = "name" in flask.session or flask.request.path == "/login"
        return None if known else flask.abort(401)

    app.server.before_request(guard)
    declare(app, lambda n: [ctx.cookies["c"], ctx.headers["X-H"]])
    with pytest.raises(LongCallbackError, match=r"401 .* long_callbacks.client"):
        long_callbacks.click(app, "run.n_clicks")
    long_callbacks.client(app).get("/login")
    run = long_callbacks.click(app, "run.n_clicks", cookies={"c": "1"}, headers={"X-H": "2"})
    assert run.outputs == {"out.children": ["1", "2"]}


def test_a_run_that_cancels_itself_and_values_that_no_page_has(
    long_callbacks: LongCallbacks,
) -> None:
    app, after = app_of(), list[int]()

    def work(n: int) -> Iterator[int]:
        yield 1
        long_callbacks.click(app, "stop.n_clicks")
        yield 2
        after.append(n)

    declare(app, work, cancel=Input("stop", "n_clicks"), running=(OUT, html.P("busy"), ""))
    run = long_callbacks.click(app, "run.n_clicks", user="ann")
    assert (run.state, run.outputs, after) == ("cancelled", {"out.children": 1}, [])
    assert run.running == {"out.children": [as_json(html.P("busy")), ""]}
    with pytest.raises(TypeError, match=r"run.n_clicks can't be <object .* not JSON"):
        long_callbacks.click(app, "run.n_clicks", object())
    with pytest.raises(ValueError, match="is one of 'inline', 'manual', 'real'"):
        LongCallbacks("fast")


def test_a_click_that_the_app_does_not_answer_leaves_nothing_behind(
    long_callbacks: LongCallbacks,
) -> None:
    app, faults = app_of(), ["at once"]
    app.server.before_request(
        lambda: flask.abort(500) if faults and flask.request.is_json else None
    )
    declare(app, echo, running=(Output("run", "disabled"), True, False))
    faults.clear()
    long_callbacks.load(app)
    faults.append("later")
    with pytest.raises(LongCallbackError, match="the app answered 500 to POST"):
        long_callbacks.click(app, "run.n_clicks")
    assert [run.state for run in long_callbacks.runs] == ["failed"]
    assert long_callbacks.page(app)["run.disabled"] is False
    faults.clear()
    assert long_callbacks.click(app, "run.n_clicks").outputs == {"out.children": "run 2"}


# Apps of all kinds


def test_a_celery_app_needs_no_broker_and_gets_its_own_store_back(tmp_path: Path) -> None:
    nowhere = "redis://localhost:1/0"
    manager = CeleryLongCallbackManager(Celery("app", broker=nowhere, backend=nowhere))
    own = manager.store, manager.executor
    app = app_of(long_callback_manager=manager)

    def work(n: int) -> Any:
        return dict(ctx.cookies)

    declare(app, work, queue="gpu")
    with LongCallbacks() as inline:
        assert manager.store is not own[0]
        made_meanwhile = DiskcacheLongCallbackManager()
        run = inline.click(app, "run.n_clicks", cookies={"a": "b"})
        assert "cookies" in str(run.error)  # which do not travel with Celery
        assert inline.client(app).get("/").status_code == 200
    with LongCallbacks("manual") as manual:
        manual.click(app, "run.n_clicks")
        position = manager.position(submit(work, 1).id)
        assert position is not None
        assert position.ahead == 1
    assert (manager.store, manager.executor) == own
    assert "store" not in vars(Manager)
    assert made_meanwhile.store is not manager.store


def test_apps_that_nobody_has_plugged_and_background_callbacks(
    long_callbacks: LongCallbacks,
) -> None:
    plain: Any = dash.Dash("plain")
    plain.layout = html.Div([html.P(id="run"), html.P(id="out")])
    declare(plain, echo)
    assert long_callbacks.click(plain, "run.n_clicks", 1).outputs == {"out.children": "run 1"}

    manager: Any = DiskcacheLongCallbackManager()
    app = dash.Dash("background", background_callback_manager=manager)
    app.layout = plain.layout

    def work(set_progress: Any, n: int) -> str:
        set_progress(("1", "2"))
        return f"run {n}"

    progress = [Output("out", "title")]
    app.callback(OUT, RUN, background=True, progress=progress, prevent_initial_call=True)(work)
    run = long_callbacks.click(app, "run.n_clicks", 2)
    assert (run.outputs, run.progress) == ({"out.children": "run 2"}, [["1"]])
    assert long_callbacks.page(app)["out.title"] == "1"


def test_an_app_that_was_clicked_in_is_not_the_one_that_dash_gives_from_then_on() -> None:
    first = app_of()
    declare(first, echo)
    with LongCallbacks() as inline:
        inline.click(first, "run.n_clicks")
        second = app_of()
        assert dash.get_app() is second
    assert dash.get_app() is second


def test_a_dash_proxy(long_callbacks: LongCallbacks) -> None:
    from dash_extensions.enrich import DashProxy

    from dash_long_callback import plug

    app = plug(DashProxy("proxy"))
    app.layout = html.Div([html.P(id="run"), html.P(id="out")])
    declare(app, echo)
    assert long_callbacks.click(app, "run.n_clicks", 1).outputs == {"out.children": "run 1"}


def test_async_functions_also_in_a_test_with_an_event_loop(long_callbacks: LongCallbacks) -> None:
    app = app_of()

    async def work(n: int) -> str:
        await asyncio.sleep(0)
        return f"run {n}"

    declare(app, work)

    async def test() -> Any:
        return long_callbacks.click(app, "run.n_clicks", 1).outputs

    assert asyncio.run(test()) == {"out.children": "run 1"}


@pytest.mark.newest_only
@pytest.mark.parametrize("backend", ["fastapi", "quart"])
def test_the_other_servers(long_callbacks: LongCallbacks, backend: str) -> None:
    app = app_of(backend=backend)
    declare(app, lambda n: [n, ctx.cookies.get("c")])
    run = long_callbacks.click(app, "run.n_clicks", 1, cookies={"c": "d"})
    assert run.outputs == {"out.children": [1, "d"]}
    with pytest.raises(LongCallbackError, match="does not run on Flask"):
        long_callbacks.client(app)


# Manual


@manual
def test_a_job_waits_until_it_is_run_and_can_be_cancelled(long_callbacks: LongCallbacks) -> None:
    app = app_of()
    busy = running = (Output("run", "disabled"), True, False)
    declare(app, echo, cancel=Input("stop", "n_clicks"), running=running)
    run = long_callbacks.click(app, "run.n_clicks", 1)
    assert (run.state, run.running) == ("queued", {"run.disabled": [True]})
    with pytest.raises(RuntimeError, match=r"has not ended: call long_callbacks.run_next"):
        _ = run.outputs
    assert long_callbacks.click(app, "stop.n_clicks") is run
    assert (run.state, run.outputs, run.attempts) == ("cancelled", {}, 0)
    assert run.running == {"run.disabled": [True, False]}, busy
    with pytest.raises(LookupError, match="no job may begin now: nothing waits"):
        long_callbacks.run_next()
    run = long_callbacks.click(app, "run.n_clicks")
    assert long_callbacks.run_all() == [run]
    assert run.outputs == {"out.children": "run 2"}


@manual
def test_a_function_is_cancelled_while_it_runs(long_callbacks: LongCallbacks) -> None:
    app, after = app_of(), list[int]()

    def work(set_progress: Any, n: int) -> None:
        set_progress(1)
        long_callbacks.click(app, "stop.n_clicks")
        set_progress(2)
        after.append(n)

    declare(app, work, progress=Output("out", "title"), cancel=Input("stop", "n_clicks"))
    run = long_callbacks.click(app, "run.n_clicks", 1)
    assert long_callbacks.run_next() is run
    assert (run.state, run.progress, after) == ("cancelled", [1], [])


@manual
def test_the_waits_of_retries_are_the_clock_s(long_callbacks: LongCallbacks) -> None:
    app = app_of()

    def fail(n: int) -> None:
        raise ConnectionError

    declare(app, fail, retry=Retry(2, backoff=10, jitter=False))
    run = long_callbacks.click(app, "run.n_clicks")
    for wait in (10, 20):
        assert long_callbacks.run_next() is run
        assert run.state == "queued"
        long_callbacks.advance(wait - 0.001)
        with pytest.raises(LookupError, match=r"waits for another 0.001"):
            long_callbacks.run_next()
        long_callbacks.advance(0.001)
    assert long_callbacks.run_next() is run
    assert (run.state, run.attempts, type(run.error)) == ("failed", 3, ConnectionError)


@manual
def test_deadlines_pass_on_the_clock(long_callbacks: LongCallbacks) -> None:
    app = app_of()
    declare(app, lambda n: long_callbacks.advance(20), timeout=15, start_within=30)
    run = long_callbacks.click(app, "run.n_clicks")
    long_callbacks.advance(29.9)
    assert run.state == "queued"
    long_callbacks.advance(0.1)
    assert (run.state, type(run.error)) == ("expired", JobExpired)
    run = long_callbacks.click(app, "run.n_clicks")
    long_callbacks.run_next()
    assert (run.state, type(run.error)) == ("timed_out", JobTimedOut)


@manual
def test_rates_limits_and_priorities(long_callbacks: LongCallbacks) -> None:
    app = app_of(html.P(id="more"))
    declare(app, echo, rate=Rate(1, per=60), on_retrigger="parallel", limits=Limit(1))
    urgent = app.long_callback(Output("more", "title"), Input("more", "n_clicks"), priority=1)
    urgent(echo)
    runs = [long_callbacks.click(app, "run.n_clicks") for _ in range(2)]
    runs.append(long_callbacks.click(app, "more.n_clicks"))
    assert long_callbacks.run_all() == [runs[2], runs[0]]
    with pytest.raises(LookupError, match="waits for its limits or rates"):
        long_callbacks.run_next()
    long_callbacks.advance(60)
    assert long_callbacks.run_next() is runs[1]


@manual
def test_debounce_and_retriggers(long_callbacks: LongCallbacks) -> None:
    app = app_of(*(html.P(id=name) for name in ("replace", "ignore", "queue", "latest")))
    declare(app, echo, debounce=500, cancel=Input("stop", "n_clicks"))
    runs = [long_callbacks.click(app, "run.n_clicks") for _ in range(2)]
    with pytest.raises(LookupError, match=r"waits 0.5 s, as it debounces"):
        long_callbacks.run_next()
    long_callbacks.advance(0.5)
    assert [run.state for run in runs] == ["ignored", "queued"]
    held = long_callbacks.click(app, "run.n_clicks")
    assert long_callbacks.click(app, "stop.n_clicks") in (held, runs[1])
    assert (held.state, runs[1].state) == ("cancelled", "cancelled")

    found: dict[Any, list[str]] = {}
    for policy in ("replace", "ignore", "queue", "latest"):
        app.long_callback(
            Output(policy, "children"),
            Input(policy, "n_clicks"),
            running=(Output(policy, "title"), "busy", ""),
            on_retrigger=policy,
        )(echo)
    long_callbacks.load(app)
    long_callbacks.run_all()
    for policy in ("replace", "ignore", "queue", "latest"):
        runs = [long_callbacks.click(app, f"{policy}.n_clicks") for _ in range(3)]
        long_callbacks.run_all()
        found[policy] = [run.state for run in runs]
        assert long_callbacks.page(app)[f"{policy}.title"] == ""
    done = "succeeded"
    assert found == {
        "replace": ["cancelled", "cancelled", done],
        "ignore": [done, "ignored", "ignored"],
        "queue": [done, done, done],
        "latest": [done, "ignored", done],
    }


@manual
def test_jobs_that_code_asks_for(long_callbacks: LongCallbacks) -> None:
    app = app_of()
    declare(app, echo)
    job = submit(echo, 7, delay=60)
    with pytest.raises(RuntimeError, match=r"nobody runs it meanwhile: call .*run_next\(\)"):
        job.result(timeout=5)
    long_callbacks.advance(60)
    run = long_callbacks.run_next()
    assert (run.function, run.outputs) == (echo, {"out.children": "run 7"})
    assert (job.state, job.result()) == ("succeeded", "run 7")
    assert long_callbacks.runs == [run]


def test_jobs_that_code_asks_for_run_at_once_inline(
    long_callbacks: LongCallbacks, cache_folder: Path
) -> None:
    app = app_of()

    def nested(n: int) -> str:
        return submit(echo, n + 1).result() if n else ""

    declare(app, echo)
    app.long_callback(Output("out", "title"), Input("stop", "n_clicks"))(nested)
    assert submit(nested, 1).result(timeout=5) == "run 2"
    assert [run.outputs for run in long_callbacks.runs] == [
        {"out.title": "run 2"},
        {"out.children": "run 2"},
    ]
    with pytest.raises(RuntimeError, match="this is the mode 'inline': mark the test"):
        long_callbacks.advance(1)
    assert not cache_folder.exists()


@manual
def test_what_is_kept_expires_by_the_clock_and_a_page_that_is_there_keeps_its_jobs(
    long_callbacks: LongCallbacks,
) -> None:
    app = app_of()
    declare(app, echo, cache_by=lambda: 1, expire=3600, on_disconnect="cancel")
    run = long_callbacks.click(app, "run.n_clicks", 1)
    long_callbacks.advance(1000)
    long_callbacks.run_next()
    assert run.state == "succeeded"
    assert long_callbacks.click(app, "run.n_clicks", 1).cached
    long_callbacks.advance(3601)
    assert long_callbacks.click(app, "run.n_clicks", 1).state == "queued"
    json.dumps(long_callbacks.page(app)["out.children"])
