"""The pytest plugin in projects of users: each test here runs pytest on one."""

from __future__ import annotations

import pytest

APP = """
import asyncio, time
from dash import ALL, Input, Output, Patch, State, ctx, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate
from dash_long_callback import Dash, DoNotRetry, Event, Retry, UserError, attempt

app = Dash(__name__)
app.layout = html.Div([
    html.P(id="out"), html.P(id="two"), html.P(id="note"), html.P(id="bar"),
    dcc.Input(id={"type": "in", "n": 1}, value=1), dcc.Input(id={"type": "in", "n": 2}, value=2),
])
FUNCTIONS = []


def declare(*outputs, **options):
    def decorate(function):
        name = function.__name__
        app.layout.children.append(html.Button(name, id=name))
        app.long_callback(
            *(outputs or [Output("out", "children", allow_duplicate=True)]),
            Input(name, "n_clicks"), prevent_initial_call=True, **options,
        )(function)
        FUNCTIONS.append(name)
        return function
    return decorate


@declare(running=(Output("two", "title"), "busy", "idle"))
def returns(n):
    return html.Div([html.P(str(n)), (1, 2)])

@declare()
def raises(n):
    raise ZeroDivisionError("no")

@declare(on_error=lambda error: repr(error))
def is_handled(n):
    raise KeyError("x")

@declare()
def has_words(n):
    raise UserError("too large")

@declare()
def prevents(n):
    raise PreventUpdate

@declare(Output("out", "title"), Output("two", "children"))
def leaves_one(n):
    return no_update, n

@declare(Output("out", "lang"), Output("two", "lang"))
def yields(n):
    yield 1, "a"
    yield 2, no_update

@declare()
async def is_async(n):
    await asyncio.sleep(0)
    return ctx.triggered_id

@declare(Output("two", "dir"))
async def yields_async(n):
    yield "first"
    yield "last"

@declare(progress=Output("bar", "children"))
def reports(set_progress, n):
    for step in range(3):
        set_progress(Event(step))

@declare(progress=[Output("bar", "lang"), Output("bar", "title")])
def reports_two(set_progress, n):
    set_progress((1, f"{n} of 1"))

@declare()
def sets_props(n):
    set_props("note", {"children": Event("one")})
    set_props("note", {"children": Event("two")})
    set_props({"type": "in", "n": 1}, {"title": "here"})
    return ctx.inputs

@declare(retry=Retry(3, backoff=0.01))
def is_tried_again(n):
    if attempt() < 3:
        raise ConnectionError(attempt())
    return attempt()

@declare(retry=3)
def gives_up(n):
    raise DoNotRetry("never")

@declare()
def is_no_json(n):
    return object()

@declare(Output({"type": "in", "n": ALL}, "value"))
def all_of_them(n):
    return [5, 6]

@declare()
def exits(n):
    raise SystemExit(3)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of a user, with an app in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))
    pytester.makepyfile(app=APP)
    return pytester


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    # By name, as the package may be on the path without being installed. Dash's own plugin imports
    # Dash and what drives browsers, in each process.
    plugins = ("-p", "pytest_dash_long_callback", "-p", "no:cacheprovider", "-p", "no:dash")
    return project.runpytest_subprocess(*plugins, "--strict-markers", *args)


@pytest.mark.newest_only
def test_a_run_that_does_not_ask_for_the_fixture_imports_nothing(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import sys
        def test_other():
            assert "pytest_dash_long_callback" in sys.modules
            ours = {"dash", "flask", "plotly", "dash_long_callback", "diskcache", "asyncio"}
            assert ours & sys.modules.keys() == set()
    """)
    run(pytester, "-p", "no:anyio", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_a_run_in_this_process_comes_to_what_a_run_in_a_worker_comes_to(
    project: pytest.Pytester,
) -> None:
    project.makepyfile("""
        import pytest
        import app
        from dash_long_callback.testing import LongCallbacks

        def told(long_callbacks, name):
            run = long_callbacks.click(app.app, f"{name}.n_clicks", 1)
            error = run.error
            kind = getattr(error, "type", None) or (error and type(error).__name__)
            handled = error is not None and run.state == "succeeded"
            try:
                outputs = run.outputs
            except BaseException:
                outputs = "raised"
            page = long_callbacks.page(app.app)
            return {
                "state": run.state, "outputs": outputs, "error": None if handled else kind,
                "progress": run.progress, "yielded": run.yielded[-1:], "props": run.props,
                "running": run.running, "attempts": run.attempts, "cached": run.cached,
                "page": [page["out.children"], page["two.title"], page["note.children"]],
            }

        def test_all():
            with LongCallbacks("inline") as inline:
                here = {name: told(inline, name) for name in app.FUNCTIONS}
            with LongCallbacks("manual") as manual:
                real_click = manual.click
                def click(*args):
                    run = real_click(*args)
                    while run.state == "queued":
                        manual.advance(1)
                        manual.run_next()
                    return run
                manual.click = click
                told_manually = {name: told(manual, name) for name in app.FUNCTIONS}
            with LongCallbacks("real") as real:
                there = {name: told(real, name) for name in app.FUNCTIONS}
            assert here == there
            assert told_manually == there
            states = [one["state"] for one in here.values()]
            assert (states.count("succeeded"), states.count("failed")) == (12, 5)
            assert here["reports"]["progress"] == [0, 1, 2]
            assert here["reports_two"]["progress"] == [[1, "1 of 1"]]
    """)
    run(project).assert_outcomes(passed=1)


def test_the_mode_is_that_of_the_marker_or_of_the_project(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nlong_callbacks_mode = manual\n")
    project.makepyfile("""
        import pytest
        from dash_long_callback.testing import LongCallbacks

        def test_of_the_project(long_callbacks: LongCallbacks):
            from app import app
            assert long_callbacks.click(app, "returns.n_clicks").state == "queued"

        @pytest.mark.long_callbacks("inline")
        def test_of_the_marker(long_callbacks):
            from app import app, raises
            run = long_callbacks.click(app, "raises.n_clicks")
            assert (run.state, run.function) == ("failed", raises)

        @pytest.mark.long_callbacks("inline")
        def test_that_fails(long_callbacks):
            from app import app
            assert long_callbacks.click(app, "raises.n_clicks").outputs == {}

        @pytest.mark.long_callbacks("at once")
        def test_wrong(long_callbacks):
            pass

        @pytest.mark.long_callbacks
        def test_none(long_callbacks):
            pass
    """)
    result = run(project, "-n2")
    result.assert_outcomes(passed=2, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*@pytest.mark.long_callbacks: 'at once' is none of 'inline', 'manual', 'real'",
            '*@pytest.mark.long_callbacks takes one mode, as in ("manual")',
            '*raise ZeroDivisionError("no")',
        ]
    )
    assert not (project.path / "cache").exists()
    project.makeini("[pytest]\nlong_callbacks_mode = fast\n")
    wrong = run(project)
    wrong.stderr.fnmatch_lines(["*the ini option long_callbacks_mode: 'fast' is none of*"])
