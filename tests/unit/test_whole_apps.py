"""What is looked at when an app's first page is loaded, and apps of other classes."""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import pytest
from celery import Celery
from dash import ALL, MATCH, Input, Output, html
from dash_extensions.enrich import (
    BlockingCallbackTransform,
    DashProxy,
    LoadingTransform,
    Trigger,
    TriggerTransform,
)
from ids import plain

from dash_long_callback import (
    CeleryLongCallbackManager,
    Dash,
    DiskcacheLongCallbackManager,
    Limit,
    Rate,
    RegistrationError,
    long_callback,
    plug,
)
from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


def work(value: Any) -> Any:
    return value


def report(set_progress: Any, value: Any) -> Any:
    return value


def load(app: dash.Dash) -> str:
    """Load the first page; what is wrong with the app is raised."""
    if app.layout is None:
        app.layout = html.Div()
    app.server.config["PROPAGATE_EXCEPTIONS"] = True
    answer = app.server.test_client().get("/")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def refused(app: dash.Dash, message: str) -> None:
    for _ in range(2):  # a reload does not make it right
        with pytest.raises(RegistrationError, match=re.escape(message)):
            load(app)


# Circles


def chain(app: dash.Dash, *dependencies: tuple[Any, Any]) -> None:
    for output, given in dependencies:
        app.callback(output, given)(work)


def test_a_circle_through_progress_is_refused(app: Dash) -> None:
    app.long_callback(OUT, IN, progress=BAR)(report)
    load(app)
    chain(
        app,
        (Output("a", "data"), Input("bar", "value")),
        (Output("in", "value"), Input("a", "data")),
    )
    refused(app, "report (out.children) would start itself again for ever: progress bar.value → ")
    refused(app, "work → a.data → work → in.value, which is its own input")


def test_other_circles_are_refused(make_app: Callable[..., Dash]) -> None:
    app = make_app()
    app.long_callback(OUT, Input("in", "disabled"), running=(Output("in", "disabled"), 1, 0))(work)
    refused(app, "for ever: running in.disabled, which is its own input")

    app = make_app()
    app.long_callback(Output("one", "data"), Input("bar", "value"))(work)
    app.long_callback(Output("two", "data"), Input("one", "data"), progress=BAR)(report)
    refused(app, "progress bar.value → work → one.data, which is its own input")

    app = make_app()
    row = functools.partial(dict[str, Any], n=MATCH)
    app.long_callback(
        Output(row(type="out"), "x"),
        Input(row(type="in"), "x"),
        progress=Output(row(type="bar"), "x"),
    )(report)
    chain(app, (Output(row(type="in"), "x"), Input(row(type="bar"), "x")))
    refused(app, "progress {'n': MATCH, 'type': 'bar'}.x")


def test_what_is_no_circle_for_sure_is_taken(make_app: Callable[..., Dash]) -> None:
    app = make_app(prevent_initial_callbacks=True)
    app.long_callback(OUT, IN, progress=BAR, running=(Output("in", "disabled"), 1, 0))(report)
    chain(
        app,
        (Output("shown", "children"), Input("bar", "value")),
        (Output("in", "value", allow_duplicate=True), Input("bar", "value")),
    )
    app.callback(Output("in", "value"), Input("b", "x"), dash.State("bar", "value"))(
        lambda b, bar: b
    )
    # Back to an input of its own output, as Dash has it.
    app.long_callback(Output("same", "value"), Input("same", "value"))(work)
    app.long_callback(Output({"o": 1}, "x"), Input({"i": 2}, "x"), progress=Output({"p": 1}, "x"))(
        report
    )
    chain(app, (Output({"q": 1}, "x"), Input({"p": ALL}, "x")))
    load(app)


# The rest of what is looked at


def test_an_ordinary_callback_that_takes_an_output_later_is_refused(app: Dash) -> None:
    app.long_callback(OUT, IN)(work)
    app.callback([OUT, BAR], Input("other", "value"))(report)
    refused(app, "the callback report and work both set out.children: give both outputs allow_dup")


def test_an_ordinary_callback_of_the_same_id_is_refused(app: Dash) -> None:
    app.long_callback(OUT, IN)(work)
    app.callback(OUT, Input("other", "value"))(report)
    refused(app, "both set out.children")


def test_outputs_that_two_ordinary_callbacks_share_are_left_to_dash(app: Dash) -> None:
    app.long_callback(OUT, IN)(work)
    app.callback(BAR, IN)(work)
    app.callback([BAR, Output("x", "y")], IN)(work)
    assert "out.children" in load(app)


def test_a_queue_needs_celery(app: Dash) -> None:
    app.long_callback(OUT, IN, queue="reports")(work)
    refused(app, "queue='reports' needs a CeleryLongCallbackManager, and Manager has one queue")


#: Those that say when a job may begin.
TERMS: list[dict[str, Any]] = [{"priority": 0}, {"limits": Limit(1)}, {"rate": Rate(1, 60)}]


@pytest.mark.parametrize("option", TERMS, ids=plain)
def test_when_a_job_may_begin_can_be_said_with_any_queue(app: Dash, option: dict[str, Any]) -> None:
    app.long_callback(OUT, IN, **option)(work)
    assert "out.children" in load(app)


@pytest.mark.parametrize("option", TERMS, ids=plain)
def test_when_a_job_may_begin_can_not_be_said_without_a_queue(
    app: Dash, tmp_path: Path, option: dict[str, Any]
) -> None:
    files = Celery("x", broker="memory://", backend=f"file://{tmp_path}")
    app.long_callback(OUT, IN, **option, manager=CeleryLongCallbackManager(files))(work)
    [name] = option
    refused(app, f"{name} needs Redis as the Celery result backend")


@pytest.mark.parametrize(
    "one, other",
    [
        (Limit(1, name="db"), Limit(2, name="db")),
        (Limit(1, name="db"), Limit(1, "user", name="db")),
        (Limit(1, name="db"), Rate(1, 1, name="db")),
        (Rate(1, 1, name="db"), Rate(2, 1, name="db")),
        (Rate(1, 1, name="db"), Rate(1, 2, name="db")),
    ],
)
def test_a_limit_of_one_name_is_one_limit(
    app: Dash, store: DiskcacheStore, one: Any, other: Any
) -> None:
    def declare(output: Output, bound: Any, function: Any, **options: Any) -> None:
        option = "limits" if isinstance(bound, Limit) else "rate"
        app.long_callback(output, IN, **{option: bound}, **options)(function)

    declare(OUT, one, work)
    declare(Output("same", "value"), one, work)
    load(app)
    elsewhere = Manager(store, InlineExecutor(store))
    declare(Output("else", "value"), other, work, manager=elsewhere)
    load(app)
    declare(BAR, other, lambda value: value)
    with pytest.raises(RegistrationError) as caught:
        load(app)
    assert "the long callbacks work (out.children) and" in str(caught.value)
    assert f"(bar.value) share the limit 'db', as {one} and as {other}: write it" in str(
        caught.value
    )


def test_a_background_callback_manager_of_ours_runs_long_callbacks(manager: Manager) -> None:
    for app in (
        Dash("ours", background_callback_manager=manager),
        plug(dash.Dash("plugged", background_callback_manager=manager)),  # pyright: ignore[reportArgumentType]
    ):
        assert app.long_callback_manager is manager  # pyright: ignore[reportAttributeAccessIssue]
    other = DiskcacheLongCallbackManager()
    with pytest.raises(RegistrationError, match="are two managers"):
        Dash("x", long_callback_manager=manager, background_callback_manager=other)


# Apps of Dash's own class


def test_an_app_of_dash_s_class_has_long_callbacks_without_plug(manager: Manager) -> None:
    app: Any = dash.Dash("plain")
    assert not hasattr(app, "long_callback_manager")
    app.long_callback(OUT, IN)(work)
    assert "out.children" in load(app)
    assert plug(app, manager) is app, "its author may still choose the manager"
    assert app.long_callback_manager is manager
    with pytest.raises(RegistrationError, match="leave plug"):
        plug(app, manager)


@pytest.mark.parametrize("before", [True, False])
def test_a_callback_without_an_app_is_served_by_an_app_of_dash_s_class(before: bool) -> None:
    app = dash.Dash("plain") if before else None
    long_callback(OUT, IN)(work)
    page = load(app or dash.Dash("plain"))
    assert '"out.children"' in page
    assert "long_callback" in page


def test_an_app_is_left_alone_if_another_has_taken_the_callbacks_over() -> None:
    first = dash.Dash("first")
    long_callback(OUT, IN)(work)
    assert "out.children" in load(first)
    assert not hasattr(dash.Dash("later"), "long_callback_manager")


def test_an_app_that_could_not_be_plugged_is_refused_when_it_has_a_long_callback() -> None:
    app = dash.Dash("plain")
    internals.register_clientside(app, "cancel", OUT, IN)
    refused(app, "write app = plug(dash.Dash(...)), or make it with dash_long_callback.Dash(...)")


# DashProxy


def proxy(manager: Manager, *transforms: Any) -> Any:
    return plug(DashProxy("proxy", transforms=list(transforms)), manager)


def test_what_a_transform_can_not_do_is_refused_by_its_name(manager: Manager) -> None:
    app = proxy(manager, BlockingCallbackTransform(), LoadingTransform(), TriggerTransform())
    with pytest.raises(RegistrationError, match=r"BlockingCallbackTransform.*on_retrigger"):
        app.long_callback(OUT, IN, blocking=True)(work)

    def words(value: Any) -> Any:
        yield value

    with pytest.raises(RegistrationError, match="LoadingTransform needs a function that returns"):
        app.long_callback(OUT, IN, loading=True)(words)
    with pytest.raises(RegistrationError, match="TriggerTransform takes no dict"):
        app.long_callback(output=OUT, inputs={"a": Trigger("b", "c")})(work)
    with pytest.raises(RegistrationError, match="no argument 'loading'"):
        proxy(manager).long_callback(OUT, IN, loading=True)(work)
    with pytest.raises(RegistrationError, match="can't be called with what it gets"):
        app.long_callback(OUT, IN, Input("other", "value"))(work)


def test_a_proxy_registers_at_its_first_request_or_in_a_worker(manager: Manager) -> None:
    app = proxy(manager, TriggerTransform())
    app.long_callback(OUT, Trigger("a", "b"), IN, cancel=Input("stop", "n"))(work)
    long_callback(Output("page", "children"), Trigger("a", "b"), IN)(work)
    assert [c.registration.app for c in registry.all()] == [None]
    registry.settle()
    assert {c.key: c.registration.app for c in registry.all()} == {
        "out.children": app,
        "page.children": app,
    }
    app.layout = html.Div()
    load(app)
    ids = [spec["output"].partition("@")[0] for spec in app._callback_list]
    assert ids == ["out.children", "stop.id", "page.children"], "each once"
