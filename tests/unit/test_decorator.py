# pyright: reportPrivateUsage=false
from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dash
import pytest
from dash import ALL, ALLSMALLER, MATCH, Input, Output, State, dcc, html, no_update
from ids import plain

from dash_long_callback import (
    Dash,
    Limit,
    LongCallbackError,
    Rate,
    RegistrationError,
    Retry,
    long_callback,
    plug,
)
from dash_long_callback.dash.app import _config_tag
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.dash.client_config import client_config
from dash_long_callback.dash.options import OPTIONS, Options
from dash_long_callback.managers.base import Manager

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


def work(*args: Any, **kwargs: Any) -> Any:
    return no_update


#: Keyword arguments, and what the message says besides the callback's name.
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "progress_default without progress": (
        {"progress_default": 0},
        "progress_default without progress; add progress=Output(...)",
    ),
    "progress_default None without progress": (
        {"progress_default": None},
        "progress_default without progress; add progress=Output(...)",
    ),
    "progress_default too short": (
        {"progress": [BAR, OUT], "progress_default": [0]},
        "progress_default: expected 2 values, got 1",
    ),
    "progress_default a scalar": (
        {"progress": [BAR, OUT], "progress_default": 0},
        "progress_default: expected 2 values in a list or tuple, got int 0",
    ),
    "progress_default None for a list": (
        {"progress": [BAR, OUT], "progress_default": None},
        "progress_default: expected 2 values in a list or tuple, got NoneType None",
    ),
    "progress_default with other keys": (
        {"progress": {"bar": BAR}, "progress_default": {"baz": 0}},
        "progress_default: expected the keys 'bar', got 'baz'",
    ),
    "progress_default wrong inside": (
        {"progress": {"bar": [BAR, OUT]}, "progress_default": {"bar": [1]}},
        "progress_default['bar']: expected 2 values, got 1",
    ),
    "progress takes Outputs": (
        {"progress": Input("bar", "value")},
        "progress takes Outputs, got <Input `bar.value`>; write Output(component_id, property)",
    ),
    "progress takes no strings": (
        {"progress": ["bar.value"]},
        "progress takes Outputs, got 'bar.value'; write Output(component_id, property)",
    ),
    "cancel takes Inputs": (
        {"cancel": Output("stop", "n_clicks")},
        "cancel takes Inputs, got <Output `stop.n_clicks`>; write Input(component_id, property)",
    ),
    "cancel takes no States": (
        {"cancel": [State("stop", "n_clicks")]},
        "cancel takes Inputs, got <State `stop.n_clicks`>; write Input(component_id, property)",
    ),
    "cancel takes no strings": (
        {"cancel": "stop"},
        "cancel takes Inputs, got 'stop'; write Input(component_id, property)",
    ),
    "progress with ALLSMALLER": (
        {"progress": Output({"i": ALLSMALLER}, "value")},
        "progress takes MATCH and ALL, not ALLSMALLER",
    ),
    "cancel with ALLSMALLER": (
        {"cancel": Input({"i": ALLSMALLER}, "n_clicks")},
        "cancel takes MATCH and ALL, not ALLSMALLER",
    ),
    "running with ALLSMALLER": (
        {"running": (Output({"i": ALLSMALLER}, "disabled"), True, False)},
        "running takes MATCH and ALL, not ALLSMALLER",
    ),
    "running a pair": (
        {"running": [(OUT, True)]},
        "must be (Output, value while running, value after), or a list of such tuples",
    ),
    "running with an Input": (
        {"running": [(IN, True, False)]},
        "must be (Output, value while running, value after), or a list of such tuples",
    ),
    "running of strings": (
        {"running": "out.disabled"},
        "running='out.disabled' must be (Output, value while running, value after)",
    ),
    "running a bare Output": (
        {"running": OUT},
        "running=<Output `out.children`> must be (Output, value while running, value after)",
    ),
    "running one of two wrong": (
        {"running": [(OUT, True, False), (OUT, True, False, None)]},
        "must be (Output, value while running, value after), or a list of such tuples",
    ),
    "a typo": ({"proges": BAR}, "has no argument 'proges'; did you mean 'progress'?"),
    "another typo": ({"runing": []}, "has no argument 'runing'; did you mean 'running'?"),
    "a typo of Dash's": (
        {"prevent_inital_call": True},
        "has no argument 'prevent_inital_call'; did you mean 'prevent_initial_call'?",
    ),
    "no such argument": ({"xyz": 1}, "has no argument 'xyz'"),
    "background": (
        {"background": True},
        "has no argument 'background'; leave it out: a long callback always runs in the background",
    ),
    "manager of another kind": (
        {"manager": "redis://"},
        "manager='redis://' is not a manager; pass a DiskcacheLongCallbackManager",
    ),
    "on_error no function": (
        {"on_error": "ignore"},
        "on_error='ignore' must be a function of one argument",
    ),
    **{
        f"{option} {value!r}": ({option: value}, f"{option}={value!r} must be a number {least}")
        for option, least in (
            ("interval", "from 0 on"),
            ("timeout", "above 0"),
            ("debounce", "above 0"),
            ("start_within", "of seconds above 0"),
        )
        for value in (-1, "5", float("nan"), True, [1])
    },
    **{
        f"debounce {value!r}": (
            {"debounce": value},
            f"debounce={value!r} must be a number above 0, in milliseconds, and at most 2147483647",
        )
        for value in (0, False, float("inf"), 2**31)
    },
    **{
        f"retry {value!r}": (
            {"retry": value},
            f"retry={value!r} must be a number of further attempts, from 1 to 100, or a Retry",
        )
        for value in (0, -1, 1.5, True, "3", 101)
    },
    **{
        f"priority {value!r}": (
            {"priority": value},
            f"priority={value!r} must be a number, or a function of the arguments",
        )
        for value in ("high", True, float("nan"), float("inf"))
    },
    "limits of another kind": (
        {"limits": Rate(1, 60)},
        "limits takes a Limit(...) or a list of them, got Rate(times=1, per=60",
    ),
    "a number of limits": ({"limits": [2]}, "limits takes a Limit(...) or a list of them, got 2"),
    "rate of another kind": (
        {"rate": [Rate(1, 60), Limit(1)]},
        "rate takes a Rate(...) or a list of them, got Limit(count=1",
    ),
    "on_limit": ({"on_limit": "fail"}, "on_limit='fail' must be one of 'wait', 'refuse'"),
    "on_limit without limits": (
        {"on_limit": "refuse"},
        'on_limit="refuse" without limits; add limits=Limit(...) or rate=Rate(...)',
    ),
    **{
        f"the same limit twice, {number}": ({"limits": limits, "rate": rates}, "same limit twice")
        for number, (limits, rates) in enumerate(
            [
                ([Limit(1), Limit(1)], None),
                ([Limit(1), Limit(2)], None),
                ([Limit(1, "user"), Limit(2, "user")], None),
                ([Limit(1, lambda _: 1), Limit(2, lambda _: 2)], None),  # of one name
                ([Limit(1, name="db"), Limit(1, "user", name="db")], None),
                (Limit(1, name="db"), Rate(1, 1, name="db")),
                (None, [Rate(1, 60), Rate(2, 60)]),
            ]
        )
    },
    "a key that is no argument": (
        {"limits": Limit(1, key="host")},
        "Limit: key='host' is none of its arguments, which have no names (it takes *args, or is",
    ),
}


@pytest.mark.parametrize("kwargs,message", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_reported_where_the_callback_is_declared(
    kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistrationError) as caught:
        long_callback(OUT, IN, **kwargs)(work)
    text = str(caught.value)
    assert text.startswith("the long callback work")
    assert message in text
    assert registry.all() == []


@pytest.mark.parametrize(
    "args,kwargs,message",
    [
        ((), {"output": IN, "inputs": IN}, "output takes Outputs, got <Input `in.value`>"),
        ((), {"output": [IN], "inputs": IN}, "output takes Outputs, got <Input `in.value`>"),
        ((), {"output": OUT, "inputs": OUT}, "inputs takes Inputs and States, got <Output"),
        ((), {"output": OUT, "inputs": {"a": [OUT]}}, "inputs takes Inputs and States, got"),
        ((), {"output": OUT, "inputs": "in.value"}, "inputs takes Inputs and States, got 'in.val"),
        ((), {"output": OUT, "inputs": IN, "state": IN}, "state takes States, got <Input"),
        ((IN, OUT), {}, "you must provide all Outputs first"),
        ((OUT, "in.value"), {}, "'in.value'"),
        ((OUT, IN, 5), {}, "5"),
        ((Output("a.b", "children"), IN), {}, "a.b"),
        ((Output("out", "children", allow_duplicate=True), IN), {}, "prevent_initial_call"),
    ],
)
def test_a_dependency_of_the_wrong_kind_or_place_is_reported(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistrationError, match=re.escape(message)) as caught:
        long_callback(*args, **kwargs)(work)
    assert str(caught.value).startswith("the long callback work: ")


@pytest.mark.parametrize("thing", [5, None, "work", OUT], ids=plain)
def test_what_is_not_callable_is_not_a_long_callback(thing: Any) -> None:
    with pytest.raises(RegistrationError, match=r"is not a function: put @long_callback\(...\)"):
        long_callback(OUT, IN)(thing)


def test_a_registration_error_is_a_type_error_of_this_package() -> None:
    assert issubclass(RegistrationError, LongCallbackError)
    assert issubclass(RegistrationError, TypeError)


def test_the_manager_of_an_app_must_be_one() -> None:
    manager: Any = "redis://"
    with pytest.raises(RegistrationError, match="long_callback_manager='redis://' is not a man"):
        Dash("app", long_callback_manager=manager)


def test_notices_are_served_unless_they_are_not_wanted(manager: Manager) -> None:
    def served(app: dash.Dash) -> list[bool]:
        app.layout = html.Div()
        index = app.server.test_client().get("/").get_data(as_text=True)
        return [f"browser/{name}." in index for name in ("long_callback", "notice")]

    assert served(Dash("with", long_callback_manager=manager)) == [True, True]
    without = Dash("without", long_callback_manager=manager, long_callback_notices=False)
    assert served(without) == [True, False]
    assert served(plug(dash.Dash("plugged"), manager, long_callback_notices=False)) == [True, False]
    for wrong in (None, 0, "no"):
        given: Any = {"long_callback_notices": wrong}
        with pytest.raises(
            RegistrationError, match=f"long_callback_notices={wrong!r} must be True"
        ):
            Dash("wrong", **given)
        with pytest.raises(
            RegistrationError, match=f"long_callback_notices={wrong!r} must be True"
        ):
            plug(dash.Dash("wrong"), **given)


def test_only_a_dash_app_can_be_plugged(manager: Manager) -> None:
    thing: Any = object()
    with pytest.raises(RegistrationError, match=r"plug\(\) takes a dash.Dash"):
        plug(thing, manager)


@pytest.mark.parametrize("make", [Dash, dash.Dash])
def test_an_app_can_be_plugged_once(make: Callable[..., dash.Dash], manager: Manager) -> None:
    ours = make is Dash
    app = make("app", long_callback_manager=manager) if ours else plug(make("app"), manager)
    with pytest.raises(RegistrationError, match="leave plug"):
        plug(app, manager)


# What is accepted

THREE = (IN, State("s", "value"))
FORMS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "positional": ((OUT, IN), {}),
    "positional lists": (([OUT], [IN], [State("s", "value")]), {}),
    "positional flat": ((OUT, BAR, IN, State("s", "value")), {}),
    "keywords": ((), {"output": OUT, "inputs": IN, "state": State("s", "value")}),
    "keywords, lists": ((), {"output": [OUT], "inputs": [IN], "state": [State("s", "value")]}),
    "keywords, tuples": ((), {"output": (OUT, BAR), "inputs": THREE}),
    "dicts": ((), {"output": {"a": OUT, "b": BAR}, "inputs": {"x": IN, "y": State("s", "v")}}),
    "nested": ((), {"output": {"a": [OUT, BAR]}, "inputs": {"x": (IN, {"y": State("s", "v")})}}),
    "no output": ((IN,), {}),
    "no output, keywords": ((), {"inputs": [IN]}),
    "interleaved": ((), {"output": OUT, "inputs": [State("s", "v"), IN, State("t", "v")]}),
    "duplicate": (
        (Output("out", "children", allow_duplicate=True), IN),
        {"prevent_initial_call": True},
    ),
    "MATCH": ((Output({"i": MATCH}, "children"), Input({"i": MATCH}, "value")), {}),
    "ALL": ((Output({"i": ALL}, "children"), Input({"i": ALL}, "value")), {}),
    "component objects": ((Output(dcc.Store(id="store"), "data"), IN), {}),
}


@pytest.mark.parametrize("args,kwargs", FORMS.values(), ids=FORMS)
def test_every_form_of_arguments_that_dash_takes_is_taken(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert long_callback(*args, **kwargs)(work) is work
    assert len(registry.all()) == 1


@pytest.mark.parametrize(
    "kwargs",
    [
        {"running": None},
        {"running": []},
        {"running": (OUT, True, False)},
        {"running": [OUT, True, False]},
        {"running": [(OUT, True, False), [BAR, 1, 0]]},
        {"cancel": []},
        {"cancel": Input("stop", "n_clicks")},
        {"cancel": (Input("stop", "n_clicks"), Input("out", "data"))},
        {"progress": BAR},
        {"progress": BAR, "progress_default": 0},
        {"progress": BAR, "progress_default": None},
        {"progress": BAR, "progress_default": [1, 2]},
        {"progress": [BAR, OUT], "progress_default": (0, "")},
        {"progress": {"a": BAR}, "progress_default": {"a": False}},
        {"interval": 500},
        {"interval": 0.5, "timeout": 1.5},
        {"debounce": None},
        {"debounce": 300},
        {"debounce": 0.5},
        {"start_within": 0.5},
        {"retry": 3},
        {"retry": Retry(on=OSError)},
        {"on_error": print},
        {"priority": -1.5},
        {"priority": len},
        {"limits": Limit(1)},
        {"limits": [Limit(1), Limit(2, "user"), Limit(3, name="db"), Limit(4, name="disk")]},
        {"rate": Rate(1, 0.5)},
        {"rate": (Rate(10, 1), Rate(100, 60))},
        {"limits": Limit(1), "rate": Rate(1, 60), "on_limit": "refuse"},
    ],
    ids=plain,
)
def test_every_option_is_taken_in_each_of_its_forms(kwargs: dict[str, Any]) -> None:
    long_callback(OUT, IN, **kwargs)(work)
    assert len(registry.all()) == 1


def with_progress(set_progress: Any, host: Any, depth: Any = 1, more: Any = 2) -> Any:
    return no_update


def named(**named: Any) -> Any:
    return no_update


@pytest.mark.parametrize(
    "function, kwargs, names",
    [
        (with_progress, {"inputs": [IN, IN], "progress": BAR}, ["host", "depth"]),
        (named, {"inputs": {"host": IN, "depth": IN}}, ["host", "depth"]),
        (lambda host, /, *depth: None, {"inputs": [IN, IN]}, ["host"]),
    ],
)
def test_a_key_is_the_name_of_an_argument(
    function: Any, kwargs: dict[str, Any], names: list[str]
) -> None:
    for name in (*names, "user"):
        long_callback(Output(name, "x"), **kwargs, limits=Limit(1, key=name))(function)
    with pytest.raises(RegistrationError) as caught:
        long_callback(OUT, **kwargs, rate=Rate(1, 1, key="more"))(function)
    known = ", ".join(map(repr, names))
    assert f"Rate: key='more' is none of its arguments {known} (set_progress is" in str(
        caught.value
    )


def test_the_function_is_returned_unchanged(app: Dash) -> None:
    before = dict(vars(work))
    assert app.long_callback(OUT, IN)(work) is work
    assert vars(work) == before
    assert registry.all()[0].function is work


def test_the_three_ways_to_declare_take_the_same_arguments(manager: Manager) -> None:
    plugged: Any = plug(dash.Dash("plugged"), manager)
    ours = Dash("ours", long_callback_manager=manager)
    options: Any = {"running": [(OUT, 1, 0)], "progress": BAR, "progress_default": 7, "timeout": 3}
    for declare in (long_callback, ours.long_callback, plugged.long_callback):
        declare(OUT, IN, **options)(work)
    one, *others = [c.options for c in registry.all()]
    assert others == [one, one]
    assert one.timeout == 3


def test_interval_is_kept_in_seconds() -> None:
    long_callback(OUT, IN, interval=250)(work)
    assert registry.all()[0].options.interval == 0.25


def test_several_callbacks_may_share_a_cancel_button_and_a_progress_bar(app: Dash) -> None:
    for name in "ab":
        app.long_callback(
            Output(name, "children"),
            IN,
            cancel=Input("stop", "n_clicks"),
            progress=BAR,
            progress_default=0,
        )(work)
    ids = [spec["output"] for spec in app._callback_list]
    assert len(ids) == len(set(ids))


# What the browser gets


def config(*args: Any, **kwargs: Any) -> dict[str, Any]:
    long_callback(*args, **kwargs)(work)
    manager: Any = SimpleNamespace(cache_by=None)
    return client_config(registry.all()[-1], manager)


def test_the_client_of_a_plain_callback_is_told_that_there_is_nothing_else() -> None:
    assert (
        config(OUT, IN, State("s", "value")).items()
        >= {
            "states": 1,
            "running": [],
            "progress": [],
            "defaults": None,
            "cancel": [],
        }.items()
    )


def test_the_client_is_told_of_running_progress_and_cancel() -> None:
    found = config(
        OUT,
        IN,
        running=(Output("run", "disabled"), True, False),
        progress=[BAR, Output("bar", "max")],
        progress_default=[0, 100],
        cancel=Input("stop", "n_clicks"),
    )
    assert (
        found.items()
        >= {
            "states": 0,
            "running": [{"id": "run", "property": "disabled", "on": True, "off": False}],
            "progress": [{"id": "bar", "property": "value"}, {"id": "bar", "property": "max"}],
            "defaults": [0, 100],
            "cancel": [{"id": "stop", "property": "n_clicks"}],
        }.items()
    )


def test_the_client_is_told_for_how_long_a_trigger_waits_for_the_next() -> None:
    assert config(OUT, IN)["debounce"] is None
    assert config(BAR, IN, debounce=300)["debounce"] == 300


def test_a_default_of_none_is_told_from_no_default() -> None:
    assert config(OUT, IN, progress=BAR, progress_default=None)["defaults"] == [None]
    assert config(BAR, IN, progress=BAR)["defaults"] is None


def test_the_client_is_told_which_keys_of_an_id_are_match() -> None:
    found = config(
        Output({"i": MATCH}, "children"),
        Input({"i": MATCH}, "value"),
        running=(Output({"type": "run", "i": MATCH}, "disabled"), True, False),
        cancel=Input({"type": "stop", "i": MATCH}, "n_clicks"),
    )
    assert found["running"][0]["id"] == {"type": "run", "i": ["MATCH"]}
    assert found["cancel"][0]["id"] == {"type": "stop", "i": ["MATCH"]}
    assert "all" not in found["running"][0]


def test_the_ids_behind_an_all_come_as_states_that_the_client_can_count() -> None:
    found = config(
        OUT,
        IN,
        State("s", "value"),
        running=(Output({"type": "run", "i": ALL}, "disabled"), True, False),
        progress=[BAR, Output({"type": "bar", "i": ALL}, "value")],
    )
    assert found["running"][0]["all"] == 0
    assert "all" not in found["progress"][0]
    assert found["progress"][1]["all"] == 1
    assert found["states"] == 1
    spec = registry.all()[0].registration.spec
    assert [(s["id"], s["property"]) for s in spec["state"]] == [
        ("s", "value"),
        ('{"i":["ALL"],"type":"run"}', "id"),
        ('{"i":["ALL"],"type":"bar"}', "id"),
    ]


def test_the_renderer_is_pointed_at_the_browser_client() -> None:
    config(OUT, IN)
    assert registry.all()[0].registration.spec["clientside_function"] == {
        "namespace": "long_callback",
        "function_name": "out.children",
    }


def test_the_config_in_the_page_can_not_close_its_script_element(app: Dash) -> None:
    evil = "</script><script>alert(1)</script><!--"
    long_callback(OUT, IN, running=(Output("run", "children"), evil, evil.upper()))(work)
    tag = _config_tag(app, registry.all())
    opening = '<script id="_dash-long-callbacks" type="application/json">'
    assert tag.startswith(opening)
    assert tag.lower().count("</script") == 1
    data = tag.removeprefix(opening).removesuffix("</script>\n")
    assert json.loads(data)["callbacks"]["out.children"]["running"][0]["on"] == evil


def test_the_page_of_an_app_has_the_config_of_its_own_callbacks_only(
    make_app: Callable[..., Dash],
) -> None:
    one, other = make_app(), make_app()
    one.long_callback(Output("mine", "children"), IN)(work)
    other.long_callback(Output("theirs", "children"), IN)(work)
    page = one.server.test_client().get("/").get_data(as_text=True)
    assert "mine.children" in page
    assert "theirs.children" not in page


@pytest.mark.parametrize(
    "config, prevented", [(False, False), (True, True), ("initial_duplicate", False)]
)
def test_app_wide_prevention_of_initial_calls_means_what_it_means_for_dash(
    config: Any, prevented: bool
) -> None:
    app = Dash(__name__, prevent_initial_callbacks=config)
    app.long_callback(Output("out", "children"), Input("in", "value"))(work)
    assert app._callback_list[0]["prevent_initial_call"] is prevented


def test_every_option_has_a_type_a_check_and_a_meaning() -> None:
    assert tuple(one.name for one in dataclasses.fields(Options)) == OPTIONS
    arguments = (inspect.getdoc(long_callback) or "").partition("\nReturns:")[0]
    told = re.findall(r"^    (\w+): ", arguments, re.MULTILINE)
    assert tuple(told) == OPTIONS
    for function in (long_callback, Dash.long_callback):
        assert set(OPTIONS) < set(inspect.signature(function).parameters)
