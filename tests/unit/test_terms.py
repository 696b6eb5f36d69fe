"""When a job may begin: what an author declares of it, and what the record of a click's job has."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import dash
import pytest
from dash import ALL, Input, Output, State, html
from ids import plain
from inline_page import Click, payload

from dash_long_callback import Dash, Limit, Rate, RegistrationError, UserError
from dash_long_callback.checks import is_finite
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.ends import refusal
from dash_long_callback.errors import LimitReached
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Call, Job
from dash_long_callback.limits import record_key
from dash_long_callback.managers.base import PRESENCE_SECONDS, Manager, Receipt
from dash_long_callback.stores.diskcache import DiskcacheStore

OUT, IN, MORE = Output("out", "children"), Input("in", "value"), State("more", "value")


def work(host: Any, depth: Any = None) -> Any:
    return "done"


async def later(*args: Any) -> int:
    return 1


# Limit and Rate


#: Each argument of each class, values that it does not take, and what is said of them.
WRONG: list[tuple[Any, str, list[Any], str]] = [
    (Limit, "count", [0, -1, 1.5, True, "2", None], "must be a whole number from 1 on"),
    (Rate, "times", [0, 1001, 2.0, True], "must be a whole number from 1 to 1000"),
    (
        Rate,
        "per",
        [0, -1, math.inf, math.nan, "60", True, 10**400],
        "must be a number of seconds above 0",
    ),
    (Limit, "key", [1, "", ["host"]], 'must be "user", the name of an argument, a function of'),
    (Rate, "key", [later], "must not be async"),
    (Limit, "name", ["", 1], "must be a string that is not empty, or None"),
]


@pytest.mark.parametrize(
    "kind, argument, value, message",
    [(kind, argument, v, message) for kind, argument, values, message in WRONG for v in values],
    ids=plain,
)
def test_what_can_not_be_a_limit_is_refused_in_words(
    kind: Any, argument: str, value: Any, message: str
) -> None:
    right: dict[str, Any] = {"count": 1} if kind is Limit else {"times": 1, "per": 1}
    with pytest.raises(RegistrationError) as caught:
        kind(**{**right, argument: value})
    assert f"{kind.__name__}: {argument}={value!r} {message}" in str(caught.value)


def test_what_can_be_a_limit_is_taken() -> None:
    assert Limit(2) == Limit(count=2, key=None, name=None)
    assert Rate(1000, 0.5, "user", "api") == Rate(times=1000, per=0.5, key="user", name="api")
    assert Limit(1, key=len).key is len
    assert is_finite(10**300)
    assert not is_finite(None)


# The keys


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    own = record_key(Limit(2, "user"), "out.children", "ada")
    shared = record_key(Rate(2, 60, name="api"), "out.children", None)
    assert own == "39ba24f603f4db89f8b6fb1969398cf0"
    assert shared == "c103efb2243070970d75c9bdd81ac6c7"


#: Each has a key of its own: limit, callback, value.
DIFFERENT: list[tuple[Limit | Rate, str, Any]] = [
    (Limit(2), "a.children", None),
    (Limit(2), "b.children", None),
    (Limit(2, name="a.children"), "a.children", None),
    (Limit(2, key="user"), "a.children", None),
    (Limit(2, key="user"), "a.children", "ada"),
    (Limit(2, key="user"), "a.children", ["ada"]),
    (Limit(2, key="host"), "a.children", "ada"),
    (Limit(2, key=work), "a.children", "ada"),
    (Limit(2, key="work"), "a.children", "ada"),
    (Limit(2, key="host"), "a.children", 1),
    (Limit(2, key="host"), "a.children", True),
    (Limit(2, key="host"), "a.children", "1"),
    (Rate(2, 60), "a.children", None),
    (Rate(2, 3600), "a.children", None),
]


def test_what_is_counted_apart_has_different_keys() -> None:
    keys = [record_key(*one) for one in DIFFERENT]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)


class HostOf:
    """Has no name of its own, and an address that is another in each process."""

    def __call__(self, host: Any) -> Any:
        return host


@pytest.mark.parametrize(
    "one, other",
    [
        ((Limit(2), "a", None), (Limit(3), "a", None)),  # of a former deploy
        ((Rate(2, 60), "a", None), (Rate(3, 60.0), "a", None)),
        ((Limit(2, name="db"), "a", None), (Limit(2, name="db"), "b", None)),
        ((Limit(2, "x"), "a", {"p": 1, "q": 2.0}), (Limit(2, "x"), "a", {"q": 2, "p": 1})),
        (
            (Limit(2, HostOf()), "a", 1),
            (Limit(2, HostOf()), "a", 1),
        ),
    ],
)
def test_what_is_counted_together_has_one_key(one: Any, other: Any) -> None:
    assert record_key(*one) == record_key(*other)


# What a click's job has


def test_a_job_of_a_callback_without_these_options_has_none_of_this(
    app: Dash, click: Click, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("dash_long_callback.dash.internals.grouped_arguments", never)
    app.long_callback(OUT, IN)(work)
    job = click(app, "a").job
    assert (job.priority, job.limits, job.rates, job.reserves) == (0.0, None, None, False)
    record = job.dump()
    for name in (b"priority", b"limits", b"rates", b"reserves"):
        assert name not in record


def test_the_record_has_keys_and_numbers_in_the_order_of_their_declaration(
    app: Dash, click: Click
) -> None:
    limits = [Limit(3, name="all"), Limit(1, key="host")]
    app.long_callback(OUT, IN, limits=limits, rate=Rate(5, 60), on_limit="refuse", priority=2)(work)
    job = click(app, "pc1").job
    key = registry.all()[-1].key
    assert job.limits == [
        [record_key(limits[0], "", None), 3],
        [record_key(limits[1], key, "pc1"), 1],
    ]
    assert job.rates == [[record_key(Rate(5, 60), key, None), 5, 60.0]]
    assert (job.priority, job.reserves) == (2.0, True)
    assert Job.load(job.dump(), job.id) == job


def test_without_on_limit_a_job_waits(app: Dash, click: Click) -> None:
    app.long_callback(OUT, IN, limits=Limit(1))(work)
    assert not click(app, 1).job.reserves


#: How it is declared, its function, and what a key function is called with for the values 1 and 2.
FORMS: dict[str, tuple[dict[str, Any], Callable[..., Any], Any]] = {
    "by place": (
        {"output": OUT, "inputs": [IN], "state": [MORE]},
        lambda host, depth: None,
        ((1, 2), {}),
    ),
    "with progress": (
        {"output": OUT, "inputs": [IN, MORE], "progress": Output("bar", "value")},
        lambda set_progress, host, depth: None,
        ((1, 2), {}),
    ),
    "by name": (
        {"output": OUT, "inputs": {"host": IN, "depth": MORE}},
        lambda depth, host: None,
        ((), {"host": 1, "depth": 2}),
    ),
    "by name with progress": (
        {
            "output": {"x": OUT},
            "inputs": {"host": IN, "depth": MORE},
            "progress": Output("bar", "value"),
        },
        lambda set_progress, **named: {"x": None},
        ((), {"host": 1, "depth": 2}),
    ),
    "in groups": (
        {"output": OUT, "inputs": [IN], "state": [{"depth": MORE}]},
        lambda host, group: None,
        ((1, {"depth": 2}), {}),
    ),
}


@pytest.mark.parametrize("declared, function, called", FORMS.values(), ids=FORMS)
def test_functions_get_the_arguments_that_the_callback_gets(
    app: Dash, click: Click, declared: dict[str, Any], function: Any, called: Any
) -> None:
    calls: list[Any] = []

    def key(*args: Any, **kwargs: Any) -> Any:
        calls.append((args, kwargs, dash.ctx.triggered_id, dash.ctx.cookies["who"]))
        return {"of": [args, kwargs]}

    def priority(*args: Any, **kwargs: Any) -> float:
        calls.append((args, kwargs, dash.ctx.triggered_id, dash.ctx.cookies["who"]))
        return 1.5

    of_host, of_key = Limit(1, key="host"), Limit(1, key=key)
    app.long_callback(**declared, limits=[of_host, of_key], priority=priority)(function)
    job = click(app, 1, 2, cookies={"who": "ada"}).job
    args, kwargs = called
    assert calls == [(args, kwargs, "in", "ada")] * 2
    own = registry.all()[-1].key
    value = json.loads(json.dumps({"of": [args, kwargs]}))
    assert job.limits == [[record_key(of_host, own, 1), 1], [record_key(of_key, own, value), 1]]
    assert job.priority == 1.5


def test_the_values_behind_an_all_are_a_list(app: Dash, click: Click) -> None:
    limit = Limit(1, key="hosts")
    many = Input({"host": ALL}, "value")
    app.long_callback(OUT, many, limits=limit)(lambda hosts: None)
    [given] = registry.all()[-1].registration.spec["inputs"]
    job = click(app, [3, 4], ids={given["id"]: [{"host": 1}, {"host": 2}]}).job
    assert job.limits == [[record_key(limit, registry.all()[-1].key, [3, 4]), 1]]


@pytest.mark.parametrize("user", ["ada", None])
def test_user_is_the_owner_whatever_the_arguments_are_called(
    store: DiskcacheStore, click: Click, user: str | None
) -> None:
    manager = Manager(store, InlineExecutor(store), user=lambda: user)
    app = Dash("users", long_callback_manager=manager)
    app.layout = html.Div()
    limit = Limit(1, key="user")
    app.long_callback(OUT, IN, limits=limit)(lambda user: None)
    job = click(app, "grace").job
    assert (job.owner is None) is (user is None)
    assert job.limits == [[record_key(limit, registry.all()[-1].key, job.owner), 1]]


@pytest.mark.parametrize("priority, stored", [(3, 3.0), (-0.5, -0.5), (lambda host: host, 7.0)])
def test_a_priority_is_a_number_or_what_a_function_returns(
    app: Dash, click: Click, priority: Any, stored: float
) -> None:
    app.long_callback(OUT, IN, priority=priority)(work)
    assert click(app, 7).job.priority == stored


def broken(host: Any) -> Any:
    raise KeyError("no such host")


def a_set(host: Any) -> Any:
    return {host}


def a_word(host: Any) -> Any:
    return "high"


def endless(host: Any) -> float:
    return math.inf


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"limits": Limit(1, broken)},
            "the key function broken of work (out.children) failed: Key",
        ),
        ({"rate": Rate(1, 1, a_set)}, "the key function a_set of work (out.children) failed: Type"),
        ({"priority": broken}, "the priority function broken of work (out.children) failed: Key"),
        ({"priority": a_word}, "a_word of work (out.children) failed: TypeError: it must return a"),
        ({"priority": endless}, "failed: TypeError: it must return a number, got inf"),
        ({"priority": lambda host: True}, "failed: TypeError: it must return a number, got True"),
    ],
    ids=plain,
)
def test_a_function_that_fails_is_named_and_no_job_runs(
    app: Dash,
    options: dict[str, Any],
    words: str,
    store: DiskcacheStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app.long_callback(OUT, IN, **options)(work)
    answer = post(app, 1)
    error = answer["news"]["error"]
    assert (error["kind"], error["type"], error["user"]) == ("refused", "OptionFailed", False)
    assert words in error["message"]
    assert store.load(answer["job"]) is None
    # Where it was raised, and not what this package did around it.
    assert "OptionFailed: the " in error["traceback"]
    assert "terms_of" not in error["traceback"]
    assert words in caplog.text


@pytest.mark.parametrize("option", ["key", "priority"])
def test_a_user_error_of_a_function_is_for_the_user(app: Dash, option: str) -> None:
    def function(host: Any) -> Any:
        raise UserError("Choose a host.")

    given: dict[str, Any] = {"priority": function}
    if option == "key":
        given = {"limits": Limit(1, key=function)}
    app.long_callback(OUT, IN, **given)(work)
    error = post(app, None)["news"]["error"]
    assert (error["message"], error["user"]) == ("Choose a host.", True)


def post(app: Dash, *values: Any) -> dict[str, Any]:
    """Click on the callback that was declared last."""
    body = payload(registry.all()[-1], values)
    answer = app.server.test_client().post("/_dash-update-component", json=body)
    assert answer.status_code == 200
    return json.loads(answer.data)


# A click that is refused


class Full(Manager):
    """Has a limit that is reached."""

    def submit(self, call: Call, presence: float = PRESENCE_SECONDS) -> Receipt:
        raise LimitReached("the limit of 2 jobs at once is reached; try again when one has ended")


@pytest.mark.parametrize("debug", [True, False])
def test_a_click_that_a_limit_refuses_fails_in_words_without_on_error(
    store: DiskcacheStore, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    app = Dash("full", long_callback_manager=Full(store, InlineExecutor(store)))
    app.layout = html.Div()
    app.enable_dev_tools(debug=False, dev_tools_ui=debug)
    caplog.set_level(logging.INFO, "dash_long_callback")
    called: list[Any] = []
    app.long_callback(OUT, IN, limits=Limit(2), on_limit="refuse", on_error=called.append)(work)
    error = post(app, 1)["news"]["error"]
    told = "the limit of 2 jobs at once is reached; try again when one has ended"
    shown = told if debug else "Too many of these are running. Try again later."
    assert (error["kind"], error["message"], error["user"]) == ("limit", shown, False)
    assert "traceback" not in error
    [line] = [record for record in caplog.records if told in record.getMessage()]
    assert line.levelno == logging.INFO, "it is as the app wants it"
    assert "Traceback" not in line.getMessage()
    assert "could not be started" in line.getMessage()
    assert called == []


def test_of_a_limit_that_is_reached_there_is_no_traceback() -> None:
    refused = refusal(LimitReached("full"))
    assert (refused.kind, refused.traceback, refused.user) == ("limit", "", False)


# On the way to a worker


def test_a_worker_that_is_sent_the_callback_gets_none_of_it(app: Dash) -> None:
    options: Any = {"limits": Limit(1, key=lambda host: host), "rate": Rate(1, 1)}
    app.long_callback(OUT, IN, **options, on_limit="refuse", priority=lambda host: 1)(work)
    callback = registry.all()[-1]
    there = callback.by_value(whole=True)().options
    assert (there.limits, there.rate, there.priority, there.on_limit) == ([], [], None, "wait")
