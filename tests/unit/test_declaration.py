"""A request is for the callback as it is declared now, or nothing runs."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
from typing import Any

import dash
import pytest
from celery_parts import sending
from dash import ALL, ALLSMALLER, MATCH, Input, Output, State

from dash_long_callback import Dash
from dash_long_callback.dash.app import _config_tag
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.dash.declaration import HEADER
from dash_long_callback.executors.celery.broker import Message
from dash_long_callback.executors.celery.worker import MessageRunner
from dash_long_callback.jobs import Begin, End, Job, Lost, new_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job
from dash_long_callback.worker.watchdog import Watchdog

OUT, IN = Output("out", "children"), Input("in", "value")
A, B = State("a", "value"), State("b", "value")
EACH = {"type": "t", "index": ALL}
ONE = {"type": "t", "index": MATCH}


def declared(app: dash.Dash | None, *args: Any, **kwargs: Any) -> LongCallback:
    """A callback of these arguments, which returns those that it is called with."""

    def work(*values: Any) -> str:
        return repr(values)

    maker: Any = app
    maker.long_callback(*args, **kwargs)(work)
    return registry.all()[-1]


def sent(component_id: Any, prop: str = "value", value: Any = 1) -> dict[str, Any]:
    return {"id": component_id, "property": prop, "value": value}


def at(index: Any, kind: str = "t") -> dict[str, Any]:
    return {"type": kind, "index": index}


OUTS = {"id": "out", "property": "children"}
#: What is declared; inputs, states and outputs of a request; whether it fits.
REQUESTS: list[tuple[Any, list[Any], list[Any], Any, bool]] = [
    ((OUT, IN, A, B), [sent("in")], [sent("a"), sent("b")], OUTS, True),
    ((OUT, IN, A, B), [sent("in")], [sent("b"), sent("a")], OUTS, False),
    ((OUT, IN, A, B), [sent("in")], [sent("a")], OUTS, False),
    ((OUT, IN, A), [sent("in")], [sent("a"), sent("b")], OUTS, False),
    ((OUT, IN, A), [sent("in")], [sent("a", "data")], OUTS, False),
    ((OUT, IN), [sent("other")], [], OUTS, False),
    ((OUT, IN), [sent(at(1))], [], OUTS, False),
    ((OUT, IN), [[sent("in")]], [], OUTS, False),
    ((OUT, IN), [None], [], OUTS, False),
    ((OUT, IN), [], [], OUTS, False),
    ((OUT, IN), [sent("in")], [], [OUTS], False),
    ((OUT, IN), [sent("in")], [], {**OUTS, "property": "title"}, False),
    (([OUT], IN), [sent("in")], [], [OUTS], True),
    (([OUT, Output("more", "x")], IN), [sent("in")], [], [OUTS], False),
    ((IN,), [sent("in")], [], [], True),
    # Two callbacks may share an output; then the renderer tells them apart.
    (
        (Output("out", "children", allow_duplicate=True), IN),
        [sent("in")],
        [],
        {"id": "out", "property": "children@5f2a"},
        True,
    ),
    # Patterns
    ((OUT, Input(EACH, "value")), [[sent(at(1)), sent(at("2"))]], [], OUTS, True),
    ((OUT, Input(EACH, "value")), [[]], [], OUTS, True),
    ((OUT, Input(EACH, "value")), [sent(at(1))], [], OUTS, False),
    ((OUT, Input(EACH, "value")), [[sent(at(1)), sent(at(2, "other"))]], [], OUTS, False),
    ((OUT, Input(EACH, "value")), [[sent({"index": 1})]], [], OUTS, False),
    ((OUT, Input(EACH, "value")), [[sent("in")]], [], OUTS, False),
    (
        (
            Output(ONE, "children"),
            Input(ONE, "value"),
            State({**ONE, "index": ALLSMALLER}, "value"),
        ),
        [sent(at(2))],
        [[sent(at(0)), sent(at(1))]],
        {"id": at(2), "property": "children"},
        True,
    ),
    (
        (Output(ONE, "children"), Input(ONE, "value")),
        [sent(at(2))],
        [],
        {"id": at(2, "other"), "property": "children"},
        False,
    ),
    (
        (Output(EACH, "children"), Input(ONE, "value")),
        [sent(at(2))],
        [],
        [{"id": at(1), "property": "children"}, {"id": at(2), "property": "children"}],
        True,
    ),
    ((OUT, Input({"type": "t", "index": 1}, "value")), [sent(at(1))], [], OUTS, True),
    ((OUT, Input({"type": "t", "index": 1}, "value")), [sent(at(2))], [], OUTS, False),
]


@pytest.mark.parametrize("args,inputs,states,outputs,fits", REQUESTS)
def test_ids_and_properties_are_compared_by_place(
    args: Any, inputs: list[Any], states: list[Any], outputs: Any, fits: bool, app: Dash
) -> None:
    callback = declared(app, *args, prevent_initial_call=True)
    request = {"inputs": inputs, "states": states, "outputs": outputs}
    assert callback.is_current(request) is fits
    if not states:
        assert callback.is_current({**request, "states": None}) is fits


def test_the_hash_of_the_page_counts_with_what_is_not_among_the_arguments(app: Dash) -> None:
    bar, other = Output("bar", "value"), Output("other", "value")
    callback = declared(app, OUT, IN, progress=[bar, other])
    again = declared(Dash("again"), OUT, IN, progress=[other, bar])
    assert callback.declaration.fingerprint != again.declaration.fingerprint
    request = {"inputs": [sent("in")], "states": [], "outputs": OUTS}
    assert callback.is_current(request)
    assert callback.is_current({**request, "declared": callback.declaration.fingerprint})
    assert not callback.is_current({**request, "declared": again.declaration.fingerprint})
    # The page has it, and sends it along.
    tag = _config_tag(app, [callback])
    config = json.loads(tag[tag.index("{") : tag.rindex("}") + 1])
    page = config["callbacks"][callback.registration.callback_id]["declared"]
    assert page == callback.declaration.fingerprint


def post(app: Dash, *states: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    body = {
        "output": "out.children",
        "outputs": OUTS,
        "inputs": [sent("in", value=0)],
        "state": [sent(name, value=name) for name in states],
        "changedPropIds": ["in.value"],
    }
    client = app.server.test_client()
    answer = client.post("/_dash-update-component", json=body, headers=headers)
    return json.loads(answer.data)["news"]


def test_a_click_on_an_older_page_is_refused(app: Dash) -> None:
    callback = declared(app, OUT, IN, A, B)
    current = {HEADER: callback.declaration.fingerprint}
    for headers in (None, current):
        response = post(app, "a", "b", headers=headers)["response"]["response"]
        assert response == {"out": {"children": "(0, 'a', 'b')"}}
    for states, headers in ((("b", "a"), None), (("a", "b"), {HEADER: "of another"})):
        refused = post(app, *states, headers=headers)
        assert refused["state"] == "failed"
        assert "The app has changed since this page was loaded" in refused["error"]["message"]


def message_runner(store: DiskcacheStore) -> MessageRunner:
    return MessageRunner(store, Watchdog(store, 1.0), sending(store, []))


@pytest.fixture
def stale(app: Dash, manager: Manager, store: DiskcacheStore) -> Job:
    """A job that was queued when the states were the other way round."""
    callback = declared(app, OUT, IN, A, B)
    request = {"inputs": [sent("in")], "states": [sent("b"), sent("a")], "outputs": OUTS}
    request = {"inputs": [sent("in")], "states": [sent("b"), sent("a")], "outputs": OUTS}
    job = Job(new_job_id(), callback.key, digest="of the web server")
    store.create(job, json.dumps({**request, "changed": []}).encode())
    return job


def test_a_job_that_was_queued_before_the_change_does_not_run(
    store: DiskcacheStore, stale: Job
) -> None:
    running = store.change(stale.id, Begin())
    assert running is not None
    outcome: Any = run_job(Run(store, running, registry.all()[-1]))
    assert (outcome.error_type, outcome.kind) == ("AppChanged", "changed")


def test_a_job_that_was_lost_and_then_changed_was_lost(store: DiskcacheStore, stale: Job) -> None:
    store.change(stale.id, Begin())
    store.change(stale.id, End(Lost("it was killed")))
    message_runner(store).run("w@here", Message(new_job_id(), "", stale.id))
    assert (store.load(stale.id) or stale).state.value == "lost"


def test_a_celery_worker_with_other_code_says_what_is_the_matter(
    store: DiskcacheStore, stale: Job
) -> None:
    runner = message_runner(store)
    runner.run("w@here", Message(new_job_id(), "", stale.id))
    fitting = Job(new_job_id(), stale.callback, digest="of the web server")
    request = {"inputs": [sent("in")], "states": [sent("a"), sent("b")], "outputs": OUTS}
    store.create(fitting, json.dumps(request).encode())
    runner.run("w@here", Message(new_job_id(), "", fitting.id))
    errors = [(store.load(job.id) or job).error or {} for job in (stale, fitting)]
    assert [error["type"] for error in errors] == ["AppChanged", "CallbackOutdated"]
