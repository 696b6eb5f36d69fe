"""Declarations that are repeated, that exclude each other, or that do not fit their function."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import functools
import importlib
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import pytest
from dash import ALL, MATCH, Input, Output, State, no_update
from inline_page import Click, Ended

from dash_long_callback import Dash, RegistrationError, by_value, long_callback
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.managers.base import Manager
from dash_long_callback.testing import LongCallbacks

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")
SHARED = Output("out", "children", allow_duplicate=True)

MakeApp = Callable[..., Dash]


def keys() -> list[str]:
    return [callback.key for callback in registry.all()]


def value_of(ended: Ended) -> Any:
    return ended.outputs["out"]["children"]


def factory(make_app: MakeApp, factor: int, **kwargs: Any) -> Dash:
    app = make_app(**kwargs)

    @app.long_callback(OUT, IN)
    def scale(value: int) -> int:
        return value * factor

    return app


# Keys


def test_each_of_two_apps_with_the_same_ids_runs_its_own_function(
    make_app: MakeApp, long_callbacks: LongCallbacks
) -> None:
    one = factory(make_app, 2, name="one")
    first = registry.all()[0]
    assert first.key == "out.children"
    other = factory(make_app, 3, name="two")
    assert keys() == ["out.children#one", "out.children#two"]
    assert registry.get("out.children") is first, "jobs from before have that key"
    assert long_callbacks.click(one, "in.value", 5).outputs == {"out.children": 10}
    assert long_callbacks.click(other, "in.value", 5).outputs == {"out.children": 15}


def test_a_process_with_one_app_knows_its_callback_by_the_key_of_a_process_with_more(
    make_app: MakeApp,
) -> None:
    factory(make_app, 1, name="pages.reports")
    only = registry.all()[0]
    assert registry.get("out.children#pages.reports") is only
    assert registry.get("out.children#pages.reports~1") is only, "it was made twice there"
    assert registry.get("out.children#reports") is only, "its script runs there"
    assert registry.get("out.children#other.reports") is None
    assert registry.get("out.children#sales") is None
    assert registry.digests().keys() == {"out.children", "out.children#pages.reports"}


def test_an_id_may_have_the_characters_that_keys_use(app: Dash) -> None:
    for name in ("a#b", "a~1", "a#b~2", "a"):
        app.long_callback(Output(name, "children"), IN)(lambda value: value)
    assert keys() == ["a#b.children", "a~1.children", "a#b~2.children", "a.children"]
    assert [registry.get(key) for key in keys()] == registry.all()


def test_apps_of_one_factory_below_two_prefixes_are_two(make_app: MakeApp) -> None:
    one = factory(make_app, 2, url_base_pathname="/one/")
    other = factory(make_app, 3, url_base_pathname="/two/")
    assert keys() == ["out.children#app/one/", "out.children#app/two/"]
    found = [registry.get(key) for key in keys()]
    assert [c.registration.app for c in found if c] == [one, other]


def test_an_app_that_is_made_again_takes_the_key_and_the_first_still_works(
    make_app: MakeApp, click: Click
) -> None:
    one = factory(make_app, 2)
    other = factory(make_app, 3)
    assert keys() == ["out.children~1", "out.children"]
    assert [value_of(click(app, 5)) for app in (one, other)] == [10, 15]


#: In a process of its own: nothing of another test has a hand on the first app.
AGAIN = """
import gc
from dash import Input, Output, dcc, html
from dash_long_callback import Dash
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.testing import LongCallbacks

def make():
    app = Dash("app")
    app.layout = html.Div([dcc.Input(id="in"), html.P(id="out")])
    app.long_callback(Output("out", "children"), Input("in", "value"))(lambda value: value)
    return app

one, other = make(), make()
with LongCallbacks() as page:
    for n in (1, 2):
        assert page.click({1: one, 2: other}[n], "in.value", n).outputs == {"out.children": n}
print(*(callback.key for callback in registry.all()))
del one, page
gc.collect()
print(*(callback.key for callback in registry.all()))
"""


def test_an_app_that_nobody_has_any_more_is_gone_and_so_are_its_callbacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AGAIN], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["out.children~1 out.children", "out.children"], done.stderr


def test_the_digest_chooses_from_apps_whose_key_does_not_say_which(make_app: MakeApp) -> None:
    one = factory(make_app, 2, name="one")
    other = factory(make_app, 3, name="two")
    by_app = {c.registration.app: c for c in registry.all()}
    assert registry.get("out.children", by_app[other].digest) is by_app[other]
    assert registry.get("out.children", by_app[one].digest) is by_app[one]
    assert registry.get("out.children", "of other code") is by_app[one]


MODULE = """
from dash import Input, Output, dcc
from dash_long_callback import Dash, long_callback
app = Dash("made", long_callback_manager=MANAGER)
app.layout = dcc.Input(id="in")

@app.long_callback(Output("out", "children"), Input("in", "value"), cancel=Input("s", "value"))
def work(value):
    return "VERSION"

@long_callback(Output("page", "children"), Input("in", "value"))
def of_a_page(value):
    return "VERSION"
"""


def test_a_module_that_is_run_twice_declares_the_same_callbacks(
    tmp_path: Path, manager: Manager, long_callbacks: LongCallbacks
) -> None:
    file = tmp_path / "made.py"
    file.write_text(MODULE)
    before = runpy.run_path(str(file), {"MANAGER": manager}, "made")
    after = runpy.run_path(str(file), {"MANAGER": manager}, "made")
    assert keys() == ["out.children~1", "out.children", "page.children"]
    assert registry.get("out.children") is registry.all()[1]
    assert registry.all()[1].registration.app is after["app"]
    assert registry.all()[2].function is after["of_a_page"]
    specs = dash._callback.GLOBAL_CALLBACK_LIST
    assert [spec["output"] for spec in specs] == ["page.children"]
    run = long_callbacks.click(after["app"], "in.value", 1, callback=after["of_a_page"])
    assert run.outputs == {"page.children": "VERSION"}
    assert [run.function for run in long_callbacks.runs] == [after["work"], after["of_a_page"]]
    assert before["app"].server.test_client().get("/").status_code == 200


def test_a_reload_of_a_module_replaces_what_it_declared_on_an_app_that_stays(
    tmp_path: Path, app: Dash, monkeypatch: pytest.MonkeyPatch, long_callbacks: LongCallbacks
) -> None:
    text = """
from dash import Input, Output
def declare(app):
    pass
@app.long_callback(Output("out", "children"), Input("in", "value"), cancel=Input("s", "n_clicks"))
def work(value):
    return VERSION
"""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "reloaded.py").write_text("from kept import app\nVERSION = 1" + text)
    (tmp_path / "kept.py").write_text("")
    monkeypatch.setattr(importlib.import_module("kept"), "app", app, raising=False)
    module = importlib.import_module("reloaded")
    (tmp_path / "reloaded.py").write_text("\n\nfrom kept import app\nVERSION = 222" + text)
    importlib.reload(module)
    for name in ("reloaded", "kept"):
        del sys.modules[name]
    assert keys() == ["out.children"]
    assert len(app._callback_list) == 2, "the callback, and its cancel"
    assert long_callbacks.click(app, "in.value", 1).outputs == {"out.children": 222}


def test_a_cell_of_a_notebook_may_be_run_again_after_a_change(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    for version in (1, 2):
        cell = f"""
@app.long_callback(OUT, IN)
def work(value):
    return {version}
"""
        exec(compile(cell, f"<cell {version}>", "exec"), {"app": app, "OUT": OUT, "IN": IN})
    assert keys() == ["out.children"]
    assert len(app._callback_list) == 1
    assert long_callbacks.click(app, "in.value", 1).outputs == {"out.children": 2}


# Outputs that two callbacks have


def work(value: Any) -> Any:
    return value


def other_work(value: Any) -> Any:
    return value


def twice(app: Dash, first: Any, second: Any, **kwargs: Any) -> None:
    app.long_callback(first, IN, **kwargs)(work)
    app.long_callback(second, IN, **kwargs)(other_work)


@pytest.mark.parametrize(
    "first,second",
    [
        (OUT, OUT),
        ([OUT, BAR], OUT),
        ([OUT, BAR], [BAR]),
        (Output({"a.b": MATCH}, "x"), Output({"a.b": MATCH}, "x")),
        (Output({"i": MATCH}, "x"), Output({"i": ALL}, "x")),
        (Output({"i": ALL}, "x"), Output({"i": 1}, "x")),
    ],
)
def test_an_output_of_two_long_callbacks_is_refused(app: Dash, first: Any, second: Any) -> None:
    with pytest.raises(RegistrationError, match=r"other_work and work both set .*allow_duplicate"):
        twice(app, first, second)
    assert len(registry.all()) == 1


def test_a_long_callback_is_refused_the_output_of_an_ordinary_one(app: Dash) -> None:
    app.callback(OUT, IN)(other_work)
    with pytest.raises(RegistrationError, match=r"work and other_work both set out.children"):
        app.long_callback([OUT, BAR], IN)(work)
    app.clientside_callback("function(x) { return x; }", BAR, IN)
    with pytest.raises(RegistrationError, match=r"a clientside callback of bar.value both set"):
        app.long_callback(BAR, IN)(work)
    dash.callback(Output("global", "x"), IN)(other_work)
    with pytest.raises(RegistrationError, match=r"both set global.x"):
        long_callback(Output("global", "x"), IN)(work)


def test_two_functions_of_one_name_are_two(app: Dash) -> None:
    def declare() -> None:
        @app.long_callback(OUT, IN)
        def update(value: Any) -> Any:
            return value

    declare()
    with pytest.raises(RegistrationError, match=r"both set out.children"):
        declare()


def test_what_may_be_shared_is_no_mistake(app: Dash) -> None:
    prevent: Any = {"prevent_initial_call": True}
    app.callback(SHARED, Input("a", "value"), **prevent)(work)
    app.long_callback(SHARED, Input("b", "value"), **prevent)(work)
    app.long_callback(OUT, IN, progress=BAR)(lambda set_progress, value: value)
    app.long_callback(Output("x", "children"), IN, progress=BAR)(lambda set_progress, value: value)
    app.long_callback(Output({"i": 1}, "x"), IN)(work)
    app.long_callback(Output({"i": 2}, "x"), IN)(work)
    app.long_callback(Output({"i": ALL, "j": 1}, "x"), IN)(work)


def test_shared_outputs_of_the_same_inputs_are_refused(app: Dash) -> None:
    with pytest.raises(RegistrationError, match=r"have the same inputs: .*another Input"):
        twice(app, SHARED, SHARED, prevent_initial_call=True)


# Without outputs


def test_all_callbacks_without_outputs_of_one_input_are_called(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    called: list[Any] = []
    for number in range(3):

        @app.long_callback(IN)
        def remember(value: Any, number: int = number) -> None:
            called.append((number, value))

        long_callbacks.click(app, "in.value", 5, callback=remember)

    app.long_callback(IN)(called.append)
    called.clear()
    long_callbacks.click(app, "in.value", 6, callback=called.append)
    assert called == [(0, 6), (1, 6), (2, 6), 6]
    assert len(set(keys())) == 4
    assert "remember (no outputs)" in registry.all()[0].name


def test_a_worker_s_copy_of_a_callback_without_outputs_has_the_same_id(app: Dash) -> None:
    app.long_callback(IN)(other_work)
    callback = registry.all()[0]
    again = by_value.loads(by_value.dumps(callback.by_value(whole=True), {}))()
    assert again.registration.callback_id == callback.registration.callback_id


# What a function takes


def one(value: Any) -> Any: ...
def two(value: Any, other: Any) -> Any: ...
def named(x: Any, y: Any) -> Any: ...
def with_progress(set_progress: Any, value: Any) -> Any: ...
def progress_last(value: Any, set_progress: Any) -> Any: ...
def named_progress_last(x: Any, set_progress: Any) -> Any: ...
def keyword_only(*, value: Any) -> Any: ...


class Model:
    def run(self, value: Any) -> Any: ...

    def __call__(self, value: Any) -> Any: ...


TWO = (IN, State("s", "data"))
NAMED = {"inputs": {"x": IN, "y": State("s", "data")}}


@pytest.mark.parametrize(
    "function,args,kwargs,message",
    [
        (one, TWO, {}, "it gets 2 values of its inputs and states, so write def one(value1, val"),
        (two, (IN,), {}, "it gets 1 value of its inputs and states, so write def two(value)"),
        (keyword_only, (IN,), {}, "too many positional arguments"),
        (one, (), {**NAMED}, "the inputs and states 'x', 'y' by name, so write def one(x, y)"),
        (named, (), {"inputs": {"x": IN}}, "missing a required argument: 'y'"),
        (one, (IN,), {"progress": BAR}, "it gets set_progress, as there is a progress=, and 1 val"),
        (one, (IN,), {"progress": BAR}, "so write def one(set_progress, value)"),
        (
            with_progress,
            (IN,),
            {},
            "has a parameter set_progress, but no progress=: add progress=Output(component_id, pr",
        ),
        (
            progress_last,
            (IN,),
            {"progress": BAR},
            "set_progress must be its first parameter, and is number 2: def progress_last(set_pro",
        ),
        (
            named_progress_last,
            (),
            {"progress": BAR, "inputs": {"x": IN}},
            "number 2: def named_progress_last(set_progress, x)",
        ),
        (Model().run, TWO, {}, "so write def run(self, value1, value2)"),
        (functools.partial(two, 1), TWO, {}, "so write def function(value1, value2)"),
        (lambda: None, (IN,), {}, "so write def function(value)"),
    ],
)
def test_a_function_that_does_not_take_what_it_gets_is_refused(
    function: Any, args: Any, kwargs: Any, message: str
) -> None:
    outputs = {"output": OUT} if kwargs.get("inputs") else {}
    with pytest.raises(RegistrationError) as caught:
        long_callback(*(() if outputs else (OUT,)), *args, **outputs, **kwargs)(function)
    assert message in str(caught.value)


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function("added", *args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "function,args,kwargs",
    [
        (lambda *args: args, TWO, {}),
        (lambda **kwargs: kwargs, (), NAMED),
        (named, (), NAMED),
        (named, TWO, {}),
        (lambda value, more=None: value, (IN,), {}),
        (decorated(two), (IN,), {}),
        (functools.partial(two, 1), (IN,), {}),
        (functools.partial(two, other=1), (IN,), {}),
        (Model().run, (IN,), {}),
        (Model(), (IN,), {}),
        (print, TWO, {}),
        (dict, (), NAMED),
        (str.upper, (IN,), {}),
        (lambda progress, value: value, (IN,), {"progress": BAR}),
        (lambda *args: args, (IN,), {"progress": BAR}),
        (with_progress, (), {"inputs": {"value": IN}, "progress": BAR}),
        (with_progress, (), {"inputs": {"value": IN, "set_progress": State("s", "v")}}),
        (lambda value, set_progress=None: value, (IN,), {}),
        (functools.partial(with_progress), (IN,), {"progress": BAR}),
        (lambda pair: pair, (), {"inputs": [(IN, State("s", "data"))]}),
    ],
)
def test_a_function_that_takes_what_it_gets_is_taken(function: Any, args: Any, kwargs: Any) -> None:
    outputs = {"output": OUT} if kwargs.get("inputs") else {}
    long_callback(*(() if outputs else (OUT,)), *args, **outputs, **kwargs)(function)
    assert len(registry.all()) == 1


def test_a_decorator_without_parentheses_is_refused(app: Dash) -> None:
    with pytest.raises(RegistrationError, match=re.escape("in parentheses, as in @app.long_c")):
        app.long_callback(work)
    with pytest.raises(RegistrationError, match=r"callback work: .* as in @long_callback\(Output"):
        long_callback(work)
    assert registry.all() == []


def test_an_interval_of_nothing_is_as_fast_as_the_server_allows() -> None:
    from dash_long_callback.server.pacing import PACE_MIN, pace

    long_callback(OUT, IN, interval=0)(lambda value: no_update)
    assert registry.all()[0].options.interval == 0
    assert pace(3600, 0.0) == PACE_MIN
