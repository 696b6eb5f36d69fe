"""One test for each undocumented name of Dash that ``dash/internals/`` touches.

If one fails on a new Dash, that is the package to change.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import ast
import datetime as dt
import importlib
import inspect
import json
import pickle
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import dash
import flask
import pytest
from dash import (
    ALL,
    ALLSMALLER,
    MATCH,
    Input,
    Output,
    Patch,
    State,
    _callback,
    _get_app,
    ctx,
    html,
)
from dash import _callback_context as callback_context
from dash import _configs as configs
from dash import _get_app as get_app
from dash import _get_paths as get_paths
from dash import _grouping as grouping
from dash import _utils as utils
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.dependencies import _Wildcard as Wildcard

from dash_long_callback import Dash
from dash_long_callback.dash import internals
from dash_long_callback.dash.app_reference import AbsentApp
from dash_long_callback.errors import AppNotInWorker
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import CONTEXT
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore

OUT, IN = Output("out", "children"), Input("in", "value")

INTERNALS = Path(internals.__file__).parent
#: The environment variables that Dash reads.
SETTINGS = configs.load_dash_env_vars()

#: Every name that is imported from a module of Dash that is not documented.
NAMES = {
    "dash._callback": {
        "GLOBAL_CALLBACK_LIST",
        "GLOBAL_CALLBACK_MAP",
        "register_clientside_callback",
    },
    "dash._callback_context": {"context_value"},
    "dash._grouping": {"flatten_grouping", "grouping_len", "map_grouping", "update_args_group"},
    "dash._utils": {
        "AttributeDict",
        "convert_to_AttributeDict",
        "inputs_to_dict",
        "inputs_to_vals",
        "stringify_id",
        "to_json",
    },
    "dash._get_app": {"app_context"},
    "dash.background_callback.managers": {"BaseBackgroundCallbackManager"},
    "dash.dependencies": {"_Wildcard"},
}


@pytest.fixture
def app() -> dash.Dash:
    app = dash.Dash("app")
    app.layout = html.Div()
    return app


def identity(*args: Any) -> Any:
    return args[0]


def registered(*args: Any) -> internals.Registration:
    """A callback that its app, or the next one, has."""
    registration = internals.register(*args)
    internals.add(registration)
    return registration


def imported_from_dash(file: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dash."):
            found.setdefault(node.module or "", set()).update(a.name for a in node.names)
    return found


def test_every_name_that_is_imported_is_tested_here() -> None:
    unknown = {
        (path.name, module, name)
        for path in INTERNALS.glob("*.py")
        for module, names in imported_from_dash(path).items()
        for name in names - NAMES.get(module, set())
    }
    assert unknown == set()


def test_no_other_module_imports_what_dash_does_not_document() -> None:
    package = INTERNALS.parents[1]
    private = {
        (path.name, module, name)
        for path in package.rglob("*.py")
        if path.parent != INTERNALS
        for module, names in imported_from_dash(path).items()
        for name in names
        if module.startswith("dash._") or name.startswith("_")
    }
    assert private == set()


# dash.callback and the lists behind it


def test_callbacks_without_an_app_are_collected_in_global_callback_list_and_map() -> None:
    dash.callback(OUT, IN)(identity)
    assert _callback.GLOBAL_CALLBACK_LIST[-1]["output"] == "out.children"
    assert "out.children" in _callback.GLOBAL_CALLBACK_MAP


def test_an_app_takes_over_what_was_collected_with_what_we_changed(app: dash.Dash) -> None:
    found = registered(None, identity, (OUT, IN), {})
    found.spec["state"] = [{"id": "more", "property": "id"}]
    app.server.test_client().get("/")
    assert [s["state"] for s in app._callback_list if s["output"] == "out.children"] == [
        [{"id": "more", "property": "id"}]
    ]
    assert app.callback_map["out.children"] is found.entry


def test_an_app_keeps_its_own_in_callback_list_and_callback_map(app: dash.Dash) -> None:
    app.callback(OUT, IN)(identity)
    assert app._callback_list[-1]["output"] == "out.children"
    assert "out.children" in app.callback_map


def test_dash_callback_takes_the_lists_to_register_in() -> None:
    callbacks: list[Any] = []
    by_id: dict[str, Any] = {}
    options: Any = {
        "callback_list": callbacks,
        "callback_map": by_id,
        "config_prevent_initial_callbacks": True,
    }
    dash.callback(OUT, IN, **options)(identity)
    assert [spec["output"] for spec in callbacks] == ["out.children"]
    assert list(by_id) == ["out.children"]
    assert callbacks[0]["prevent_initial_call"] is True
    assert _callback.GLOBAL_CALLBACK_LIST == []


@pytest.mark.parametrize(
    "key", ["output", "inputs", "state", "clientside_function", "prevent_initial_call"]
)
def test_a_registered_spec_has_the_key_that_the_renderer_reads(key: str) -> None:
    found = registered(None, identity, (OUT, IN, State("s", "v")), {})
    assert key in found.spec
    assert found.spec["inputs"] == [{"id": "in", "property": "value"}]
    assert found.spec["state"] == [{"id": "s", "property": "v"}]
    assert found.spec["clientside_function"] is None


@pytest.mark.parametrize(
    "args,kwargs,outputs,inputs",
    [
        ((OUT, IN), {}, 0, 0),
        (([OUT], IN), {}, [0], 0),
        ((IN,), {}, [], 0),
        ((), {"output": {"a": OUT}, "inputs": {"b": IN, "c": (State("s", "v"),)}}, {"a": 0}, None),
    ],
    ids=["one", "list", "none", "dicts"],
)
def test_an_entry_says_how_outputs_and_inputs_are_grouped(
    args: Any, kwargs: Any, outputs: Any, inputs: Any
) -> None:
    entry = registered(None, identity, args, kwargs).entry
    assert entry["outputs_indices"] == outputs
    assert entry["inputs_state_indices"] == (
        {"b": 0, "c": (1,)} if inputs is None else inputs
    ) or entry["inputs_state_indices"] == {"b": 0, "c": [1]}
    assert bool(entry.get("no_output")) is (outputs == [])


def test_an_entry_has_what_was_declared_and_keeps_it_when_the_spec_is_extended() -> None:
    each = {"index": ALL, "type": "t"}
    outputs = [OUT, Output("more", "title", allow_duplicate=True)]
    args = (outputs, Input(each, "value"), State("s", "v"))
    found = registered(None, identity, args, {"prevent_initial_call": True})
    found.spec["state"] = [*found.spec["state"], {"id": "another", "property": "id"}]
    assert internals.declared(found) == {
        "inputs": [('{"index":["ALL"],"type":"t"}', "value")],
        "states": [("s", "v")],
        "outputs": [("out", "children"), ("more", "title")],
    }
    single = internals.register(None, identity, (OUT, IN), {})
    assert internals.declared(single)["outputs"] == [("out", "children")]
    none = internals.register(None, identity, (IN,), {})
    assert internals.declared(none)["outputs"] == []


def test_the_callback_of_an_entry_can_be_exchanged_before_the_first_request(
    app: dash.Dash,
) -> None:
    found = registered(app, identity, (OUT, IN), {})

    def entry(*_args: Any, callback_context: Any, app: Any, **_kwargs: Any) -> bytes:
        return json.dumps(
            [type(app).__name__, internals.context_fields(callback_context)["inputs"]]
        ).encode()

    found.entry["callback"] = entry
    answer = post(app)
    assert json.loads(answer.data) == [
        "Dash",
        [{"id": "in", "property": "value", "value": 5}],
    ]


def post(app: dash.Dash, **kwargs: Any) -> Any:
    body = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": 5}],
        "state": [],
        "changedPropIds": ["in.value"],
    }
    client = app.server.test_client()
    client.set_cookie("a", "b")
    return client.post("/_dash-update-component", json=body, **kwargs)


def test_a_scratch_registration_is_kept_nowhere(app: dash.Dash) -> None:
    before = list(app._callback_list)
    found = internals.register(None, identity, (OUT, IN), {})
    assert found.callback_id == "out.children"
    assert app._callback_list == before
    assert _callback.GLOBAL_CALLBACK_LIST == []
    assert _callback.GLOBAL_CALLBACK_MAP == {}


def test_a_clientside_callback_is_in_the_same_list(app: dash.Dash) -> None:
    internals.register_clientside(app, "cancel", OUT, IN)
    spec = app._callback_list[-1]
    assert spec["clientside_function"] == {"namespace": "long_callback", "function_name": "cancel"}


def test_a_clientside_callback_without_an_app_is_in_the_global_list() -> None:
    internals.register_clientside(None, "cancel", OUT, IN)
    spec = _callback.GLOBAL_CALLBACK_LIST[-1]
    assert spec["clientside_function"]["namespace"] == "long_callback"


@pytest.mark.parametrize("own", [True, False], ids=["app", "no app"])
def test_the_same_clientside_callback_is_registered_once(own: bool, app: dash.Dash) -> None:
    for _ in range(2):
        internals.register_clientside(app if own else None, "cancel", OUT, IN)
    specs = app._callback_list if own else _callback.GLOBAL_CALLBACK_LIST
    assert [spec["output"] for spec in specs] == ["out.children"]


def test_what_is_removed_is_in_no_list_and_another_of_its_id_is_left_alone(app: dash.Dash) -> None:
    found = registered(app, identity, (OUT, IN), {})
    assert internals.is_there(found)
    app.callback(OUT, IN)(identity)
    assert not internals.is_there(found)
    internals.remove(found)
    assert (app._callback_list, list(app.callback_map)) == ([], ["out.children"])


def test_an_app_s_callbacks_are_seen_as_the_renderer_sees_them(app: dash.Dash) -> None:
    row, every = {"type": "a.b", "i": MATCH}, {"type": "c", "i": ALL}
    app.callback([Output(row, "x"), Output(row, "y")], Input(every, "z"))(identity)
    app.callback(Output("out", "x", allow_duplicate=True), IN, prevent_initial_call=True)(identity)
    app.callback(IN)(identity)
    app.clientside_callback("function(x) { return x; }", Output("c", "d"), IN)
    internals.register_clientside(app, "cancel", OUT, IN)
    many, shared, none, client, helper = internals.wired(app)
    parsed = {"type": "a.b", "i": ["MATCH"]}
    assert many.outputs == [(parsed, "x"), (parsed, "y")]
    assert many.inputs == [({"type": "c", "i": ["ALL"]}, "z")]
    assert many.name == "identity"
    [(component_id, prop)] = shared.outputs
    assert component_id == "out"
    assert prop.startswith("x@")
    assert (none.outputs, none.inputs) == ([], [("in", "value")])
    assert client.name == "a clientside callback of c.d"
    assert [one.helper for one in (many, shared, none, client, helper)] == [False] * 4 + [True]


def test_callbacks_without_outputs_have_an_id_for_each_function(app: dash.Dash) -> None:
    one = registered(app, identity, (IN,), {})
    other = registered(app, post, (IN,), {})
    assert len({one.callback_id, other.callback_id, *app.callback_map}) == 2
    assert registered(app, identity, (IN,), {}).callback_id == one.callback_id


def test_long_callbacks_are_those_of_our_namespace(app: dash.Dash) -> None:
    app.callback(Output("a", "b"), IN)(identity)
    app.clientside_callback("function(x) { return x; }", Output("c", "d"), IN)
    assert not internals.has_long_callbacks(app)
    internals.register_clientside(app, "cancel", OUT, IN)
    assert internals.has_long_callbacks(app)


# Callbacks with background=True


def test_a_manager_in_dash_s_list_is_told_of_each_background_callback(app: dash.Dash) -> None:
    told: list[Any] = []
    internals.on_background(told.append)
    try:
        dash.callback(OUT, IN, background=True)(identity)
        app.callback(OUT, IN, background=True)(post)
        app.callback(OUT, IN)(identity)
    finally:
        BaseBackgroundCallbackManager.managers.pop()
    assert told == [identity, post]


def test_the_manager_of_a_callback_is_known_while_it_is_declared(app: dash.Dash) -> None:
    seen: list[Any] = []
    internals.on_background(lambda _: seen.append(internals.named_managers(app)))
    one: Any = object()
    try:
        app.callback(OUT, IN, background=True)(identity)
        app.callback(Output("b", "c"), IN, background=True, manager=one)(identity)
    finally:
        BaseBackgroundCallbackManager.managers.pop()
    assert seen == [[], [one]]


def test_an_app_tells_before_it_takes_over_what_has_no_app() -> None:
    seen: list[Any] = []

    def look(one: dash.Dash) -> None:
        seen.append((one, internals.has_started(one), list(_callback.GLOBAL_CALLBACK_MAP)))

    with hook("setup", lambda one: internals.before_setup(one, look)):
        app = dash.Dash("app", server=False)
    app.layout = html.Div()
    app.init_app(flask.Flask("app"))
    dash.callback(OUT, IN)(identity)
    for _ in range(2):
        app.server.test_client().get("/")
    assert seen == [(app, False, ["out.children"])]


def test_an_app_that_has_its_server_calls_before_each_request(app: dash.Dash) -> None:
    seen: list[Any] = []
    dash.callback(OUT, IN)(identity)
    internals.before_requests(app, lambda one: seen.append((one, [*one.callback_map])))
    internals.before_requests(dash.Dash("app", server=False), seen.append)
    for _ in range(2):
        copy_context().run(app.server.test_client().get, "/_dash-dependencies")
    assert seen == [(app, ["out.children"])] * 2


@contextmanager
def hook(kind: Any, function: Callable[..., Any]) -> Generator[None]:
    hooks = dash.hooks.get_hooks(kind)
    getattr(dash.hooks, kind)()(function)
    try:
        yield
    finally:
        hooks[:] = [one for one in dash.hooks.get_hooks(kind) if one.func is not function]


#: What a background callback is declared with, and what of that is found out.
DECLARED: dict[str, Any] = {
    "inputs": {"x": IN, "y": [State({"type": "t", "i": ALL}, "v"), State("s", "v")]},
    "output": [OUT, Output("more", "title", allow_duplicate=True)],
    "running": [
        (Output("a.b".replace(".", "-"), "disabled"), True, False),
        (Output({"i": 1, "type": "t"}, "x"), {"k": [1]}, None),
    ],
    "cancel": [Input("stop", "n_clicks")],
    "progress": [Output("bar", "value")],
    "progress_default": [5],
    "interval": 70,
    "cache_args_to_ignore": ["x"],
    "cache_ignore_triggered": False,
    "on_error": identity,
    "prevent_initial_call": True,
    "_allow_dynamic_callbacks": True,
}


def test_what_a_background_callback_was_declared_with_is_found_out(app: dash.Dash) -> None:
    newer = inspect.signature(dash.callback).parameters.keys() & internals.PASSED_ON
    declared = {**DECLARED, **dict.fromkeys(newer, True)}
    app.callback(**declared, background=True)(post)
    [found] = internals.background_callbacks(app)
    function, args, kwargs = found.declaration()
    assert (function, args) == (post, ())
    assert found.name == "post"
    assert repr(kwargs) == repr({key: declared[key] for key in kwargs})
    assert kwargs.keys() == declared.keys()
    # Declared with that once more, it is the same.
    found.take_out()
    assert internals.background_callbacks(app) == []
    app.callback(**kwargs, background=True)(post)
    [again] = internals.background_callbacks(app)
    assert again.callback_id == found.callback_id
    assert again.spec == found.spec
    assert again.entry["outputs_indices"] == found.entry["outputs_indices"]
    assert again.entry["inputs_state_indices"] == found.entry["inputs_state_indices"]


@pytest.mark.parametrize(
    "args",
    [
        (OUT, IN),
        ([OUT], [IN]),
        (OUT, State("s", "v"), IN),
        (IN,),
        (OUT, Input({"i": MATCH}, "x"), State({"i": ALLSMALLER}, "y")),
    ],
    ids=["one", "lists", "state first", "no output", "wildcards"],
)
def test_dependencies_are_found_out_in_each_form(args: Any, app: dash.Dash) -> None:
    app.callback(*args, background=True)(identity)
    [found] = internals.background_callbacks(app)
    found.take_out()
    _, positional, kwargs = found.declaration()
    app.callback(*positional, **kwargs, background=True)(identity)
    [again] = internals.background_callbacks(app)
    assert again.spec == found.spec
    for key in ("outputs_indices", "inputs_state_indices", "no_output"):
        assert again.entry[key] == found.entry[key]


def test_an_output_that_others_share_is_declared_again_without_a_complaint(app: dash.Dash) -> None:
    shared = Output("out", "x", allow_duplicate=True)
    app.callback(shared, IN, background=True, prevent_initial_call="initial_duplicate")(identity)
    [found] = internals.background_callbacks(app)
    assert found.declaration()[2]["prevent_initial_call"] == "initial_duplicate"
    found.take_out()
    found.put_back()
    assert internals.background_callbacks(app) == [found]


def test_the_manager_of_a_background_callback_is_its_own_or_its_app_s() -> None:
    own, of_app = Any, Ellipsis
    theirs: Any = {"background_callback_manager": of_app}
    app = dash.Dash("app", **theirs)
    app.callback(OUT, IN, background=True)(identity)
    manager: Any = own
    app.callback(Output("a", "b"), IN, background=True, manager=manager)(identity)
    dash.callback(Output("c", "d"), IN, background=True)(identity)
    found = internals.background_callbacks(app) + internals.background_callbacks(None)
    assert [one.manager(app) for one in found] == [of_app, own, of_app]
    assert found[-1].manager(None) is None


def test_cancel_is_known_also_after_dash_has_registered_its_own(app: dash.Dash) -> None:
    app.callback(OUT, IN, background=True, cancel=[Input("stop", "n")])(identity)
    app.server.test_client().get("/")
    [found] = internals.background_callbacks(app)
    assert repr(found.declaration()[2]["cancel"]) == repr([Input("stop", "n")])


def test_what_dash_asks_of_managers_is_known() -> None:
    methods = {"call_job_fn", "terminate_job", "get_result", "get_progress", "job_running"}
    assert methods | {"register", "build_cache_key", "result_ready"} <= internals.MANAGER_METHODS
    assert internals.INTERVAL == 1000


def test_the_page_of_an_error_is_one_of_the_debugger() -> None:
    page = internals.error_page(ValueError("<broken>"))
    assert page.lower().startswith("<!doctype html")
    assert '<p class="errormsg">ValueError: &lt;broken&gt;' in page


@pytest.mark.newest_only
def test_mcp_takes_the_names_of_a_job_that_it_was_given(app: dash.Dash) -> None:
    tasks = importlib.import_module("dash.mcp.tasks.tasks")
    names = internals.task_names(app, "a-job")
    task = f"tool:{names['job']}:{names['cacheKey']}:1"
    assert tasks.parse_task_id(task)[:3] == ("tool", "a-job", "a-job")


@pytest.mark.skipif("DASH_SECRET_KEY" not in SETTINGS, reason="Dash knows it since 4.5")
def test_with_a_key_of_the_environment_all_web_processes_sign_alike(
    app: dash.Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASH_SECRET_KEY", "of the platform")
    names = internals.task_names(app, "a-job")
    assert names == internals.task_names(dash.Dash("elsewhere"), "a-job")
    monkeypatch.setenv("DASH_SECRET_KEY", "another")
    assert names != internals.task_names(app, "a-job")


@pytest.mark.newest_only
def test_the_secret_is_that_of_an_entry_s_manager(app: dash.Dash) -> None:
    class Secretive:
        def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> bytes:
            assert generate()
            return b"secret"

    found = registered(app, identity, (OUT, IN), {})
    found.entry["manager"] = Secretive()
    assert getattr(app, "_get_signing_secret")() == b"secret"  # noqa: B009 - new


@pytest.mark.parametrize(
    "path, dispatch",
    [
        ("/_dash-update-component", True),
        ("/prefix/_dash-update-component?a=b", True),
        ("/_mcp", False),
        ("", False),
    ],
)
def test_a_click_comes_to_dash_s_dispatch(path: str, dispatch: bool) -> None:
    assert internals.is_dispatch({"path": path}) is dispatch


def test_what_a_callback_sets_reaches_the_page_that_has_called_it(app: dash.Dash) -> None:
    seen: list[bool] = []
    app.callback(OUT, IN)(lambda _value: seen.append(internals.answers_page()))
    body = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "changedPropIds": ["in.value"],
    }
    client = app.server.test_client()
    copy_context().run(lambda: client.post("/_dash-update-component", json=body))
    assert seen == [True]
    with app.server.test_request_context("/_dash-layout"):
        assert not internals.answers_page()
    # A callback by WebSocket has no path.
    with internals.callback_context({"updated_props": {}, "dash_websocket": object()}):
        assert internals.answers_page()
    with internals.callback_context({"updated_props": {}, "path": "/_mcp"}):
        assert not internals.answers_page()


# Context


def test_context_value_is_where_dash_ctx_looks() -> None:
    def look() -> Any:
        assert callback_context.context_value.get(None) is None
        callback_context.context_value.set(utils.AttributeDict(triggered_inputs=[], marker=1))
        return ctx.triggered_id

    assert Context().run(look) is None


@pytest.mark.parametrize("name", ["cookies", "headers", "path", "remote", "origin"])
def test_the_context_of_a_request_has_the_field_that_a_job_needs(name: str, app: dash.Dash) -> None:
    seen: dict[str, Any] = {}
    found = registered(app, identity, (OUT, IN), {})

    def entry(*_args: Any, callback_context: Any, **_kwargs: Any) -> bytes:
        seen.update(internals.context_fields(callback_context))
        return b"{}"

    found.entry["callback"] = entry
    post(app, headers={"Origin": "http://here"})
    assert seen[name]
    json.dumps(seen)


def test_context_fields_have_the_lists_as_the_renderer_sent_them(app: dash.Dash) -> None:
    seen: dict[str, Any] = {}
    found = registered(app, identity, (OUT, IN), {})

    def entry(*_args: Any, callback_context: Any, **_kwargs: Any) -> bytes:
        seen.update(internals.context_fields(callback_context))
        return b"{}"

    found.entry["callback"] = entry
    post(app)
    assert seen["inputs"] == [{"id": "in", "property": "value", "value": 5}]
    assert seen["states"] == []
    assert seen["outputs"] == {"id": "out", "property": "children"}
    assert seen["changed"] == ["in.value"]


FIELDS: dict[str, Any] = {
    "inputs": [{"id": "in", "property": "value", "value": 5}],
    "states": [],
    "outputs": {"id": "out", "property": "children"},
    "changed": ["in.value"],
    "cookies": {"a": "b"},
    "headers": {},
}


def run(function: Callable[..., Any], **fields: Any) -> Any:
    found = internals.register(None, function, (OUT, IN), {})
    props: dict[str, Any] = {}
    answer = copy_context().run(internals.run_in_context, found, {**FIELDS, **fields}, props)
    return json.loads(answer), props


def test_dash_s_wrapper_groups_calls_and_encodes() -> None:
    def add(value: int) -> Any:
        return html.B(value + 1)

    answer, _ = run(add)
    assert answer["response"]["out"]["children"]["props"] == {"children": 6}


def test_set_props_writes_where_updated_props_says() -> None:
    def side(value: int) -> None:
        dash.set_props("a", {"b": 1})

    _, props = run(side)
    assert props == {"a": {"b": 1}}


def test_ctx_has_all_it_has_in_a_request() -> None:
    seen: dict[str, Any] = {}

    def look(value: int) -> None:
        seen.update(
            triggered=list(ctx.triggered),
            inputs=dict(ctx.inputs),
            states=dict(ctx.states),
            cookies=dict(ctx.cookies),
            grouping=ctx.args_grouping,
            outputs=ctx.outputs_list,
        )

    run(look)
    assert seen["triggered"] == [{"prop_id": "in.value", "value": 5}]
    assert seen["inputs"] == {"in.value": 5}
    assert seen["states"] == {}
    assert seen["cookies"] == {"a": "b"}
    assert seen["outputs"] == FIELDS["outputs"]


# Helpers


def test_attribute_dict_gives_items_as_attributes() -> None:
    one = utils.AttributeDict({"a": 1})
    one.b = 2
    assert (one.a, one["b"], one.get("c")) == (1, 2, None)


def test_convert_to_attribute_dict_goes_into_lists() -> None:
    one, many = utils.convert_to_AttributeDict([{"id": "a"}, [{"id": "b"}]])
    assert (one.id, many[0].id) == ("a", "b")


def test_inputs_to_dict_names_values_by_component_and_property() -> None:
    inputs = [
        {"id": "a", "property": "p", "value": 1},
        [{"id": {"i": 2}, "property": "p", "value": 3}],
    ]
    assert utils.inputs_to_dict(inputs) == {"a.p": 1, '{"i":2}.p': 3}


def test_stringify_id_writes_ids_as_the_renderer_does() -> None:
    assert utils.stringify_id("out") == "out"
    assert utils.stringify_id({"type": "out", "index": 1}) == '{"index":1,"type":"out"}'


def test_inputs_to_vals_gives_a_list_for_all() -> None:
    inputs = [{"id": "a", "value": 1}, [{"id": "b", "value": 2}, {"id": "c"}]]
    assert utils.inputs_to_vals(inputs) == [1, [2, None]]


@pytest.mark.parametrize("value", [html.Div("x", id="a"), {"a": [1, None]}, "☃", Patch()])
def test_to_json_writes_what_dash_s_renderer_reads(value: Any) -> None:
    encoded: Any = utils.to_json(value)
    assert isinstance(json.loads(encoded), (dict, str))
    assert json.loads(internals.to_json_bytes(value)) == json.loads(encoded)


def test_to_json_refuses_what_is_not_json() -> None:
    with pytest.raises(TypeError):
        utils.to_json(object())


def test_flatten_grouping_and_its_length() -> None:
    assert grouping.flatten_grouping({"a": [1, 2], "b": 3}) == [1, 2, 3]
    assert grouping.grouping_len({"a": [1, 2], "b": 3}) == 3


def test_map_grouping_keeps_the_shape() -> None:
    assert grouping.map_grouping(lambda x: x + 1, {"a": [0, 1]}) == {"a": [1, 2]}


def test_update_args_group_says_what_was_triggered() -> None:
    one = utils.AttributeDict({"id": "in", "property": "value", "value": 5})
    grouping.update_args_group(one, ["in.value"])
    assert one.triggered is True
    grouping.update_args_group(one, ["other.value"])
    assert one.triggered is False


@pytest.mark.parametrize("wildcard", [MATCH, ALL, ALLSMALLER])
def test_a_wildcard_keeps_its_identity_in_a_pickle(wildcard: Any) -> None:
    assert isinstance(wildcard, Wildcard)
    assert pickle.loads(pickle.dumps(wildcard)) is wildcard
    dependency = pickle.loads(pickle.dumps(Output({"i": wildcard}, "p")))
    assert dependency.component_id["i"] is wildcard


# App


def test_add_url_adds_a_route_below_the_prefix() -> None:
    app = dash.Dash("app", url_base_pathname="/below/")
    app.layout = html.Div()
    internals.add_route(app, "_ours/x", lambda: flask.Response("here"))

    def view(rest: str) -> flask.Response:
        return flask.Response(rest)

    internals.add_route(app, "_ours/<path:rest>", view, ("PUT",))
    client = app.server.test_client()
    assert client.post("/below/_ours/x").data == b"here"
    assert client.get("/below/_ours/x").data != b"here"
    assert client.post("/_ours/x").data != b"here"
    assert client.put("/below/_ours/a/b").data == b"a/b"


def test_the_kind_of_server_is_known() -> None:
    assert internals.backend_of(dash.Dash("app")) == "flask"


@pytest.mark.newest_only
@pytest.mark.parametrize("kind", ["fastapi", "quart"])
def test_another_kind_of_server_is_known(kind: str) -> None:
    app: Any = dash.Dash
    assert internals.backend_of(app("app", backend=kind)) == kind


@pytest.mark.newest_only
def test_the_fastapi_middleware_keeps_the_json_that_it_has_read() -> None:
    """Who reads the body again would wait for ever."""
    source = inspect.getsource(importlib.import_module("dash.backends._fastapi"))
    source = "".join(source.split())  # 4.5 has it on fewer lines
    assert 'request.headers.get("content-type","").startswith("application/json")' in source
    assert re.search(r"json_body=\(?(awaitrequest\.json\(\)|json\.loads\(body\))", source)


@pytest.mark.newest_only
def test_a_fastapi_app_can_be_told_which_request_it_answers() -> None:
    """It looks at its own paths only."""
    module = importlib.import_module("dash.backends._fastapi")
    request: Any = object()
    with internals.fastapi_request(request):
        assert module.get_current_request() is request
    with pytest.raises(RuntimeError):
        module.get_current_request()


def test_the_on_error_is_that_of_the_callback_s_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_get_app, "APP", None)
    nobody_s = internals.register(None, identity, (OUT, IN), {})
    assert internals.app_error_handler(nobody_s) is None
    first = dash.Dash("first", on_error=print)
    found = registered(first, identity, (OUT, IN), {})
    dash.Dash("second", on_error=repr)
    assert internals.app_error_handler(found) is print
    assert internals.app_error_handler(nobody_s) is repr


def test_an_app_without_on_error_has_none(app: dash.Dash) -> None:
    found = registered(app, identity, (OUT, IN), {})
    dash.Dash("second", on_error=repr)
    assert internals.app_error_handler(found) is None


@pytest.mark.newest_only  # before, dash.get_app knows the last app only, also in Dash itself
def test_get_app_gives_the_callback_s_app_while_it_runs() -> None:
    first = dash.Dash("first")
    found = registered(first, lambda _: dash.get_app().config.name, (OUT, IN), {})
    dash.Dash("second")
    answer = internals.run_in_context(found, dict(FIELDS), {})
    assert json.loads(answer)["response"]["out"]["children"] == "first"
    assert dash.get_app().config.name == "second"


def test_get_app_app_and_get_paths_config_are_where_dash_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = dash.Dash("some", url_base_pathname="/some/", assets_url_path="files")
    other = dash.Dash("other", url_base_pathname="/other/")
    assert get_app.APP is other
    assert get_paths.CONFIG is other.config
    # As in a process without an app.
    monkeypatch.setattr(get_app, "APP", None)
    monkeypatch.setattr(get_paths, "CONFIG", utils.AttributeDict())
    internals.provide_app(None)
    assert get_app.APP is None
    internals.provide_app(app)
    internals.provide_app(other)  # one that has an app keeps to it
    assert dash.get_app() is app
    assert dash.get_asset_url("x.png") == "/some/files/x.png"
    assert dash.get_relative_path("/page") == "/some/page"


def test_a_callback_runs_with_an_app_that_knows_its_settings_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = AbsentApp({"name": "absent", "requests_pathname_prefix": "/some/"})
    found = internals.register(
        None, lambda _: dash.get_app().get_relative_path("/page"), (OUT, IN), {}
    )
    found.app = absent
    monkeypatch.setattr(get_app, "APP", None)
    internals.provide_app(absent)
    answer = internals.run_in_context(found, dict(FIELDS), {})
    assert json.loads(answer)["response"]["out"]["children"] == "/some/page"
    assert internals.app_error_handler(found) is None
    with pytest.raises(AppNotInWorker, match=r"app\.layout is not there"):
        _ = absent.layout


def test_the_page_is_made_by_interpolate_index_with_scripts(tmp_path: Path) -> None:
    assert "scripts" in inspect.signature(dash.Dash.interpolate_index).parameters
    store = DiskcacheStore(tmp_path / "jobs", 60)
    app = Dash("app", long_callback_manager=Manager(store, InlineExecutor(store)))
    app.layout = html.Div()
    page = app.server.test_client().get("/").get_data(as_text=True)
    ours = page.index('<script id="_dash-long-callbacks"')
    assert ours < page.index('<script id="_dash-renderer"')
    assert "long_callback" in page[page.index("</script>", ours) :], "the browser client is loaded"
    store.close()


@pytest.mark.parametrize("value", ["\udcff", 2**70, -(2**64), {"\ud800": [1.5, None, True]}])
def test_plain_json_carries_what_json_from_a_browser_may_hold(value: Any) -> None:
    data = internals.plain_json(value)
    assert data.isascii()
    assert json.loads(data) == value


@pytest.mark.parametrize(
    "value",
    [
        {"at": dt.date(2020, 1, 2)},
        html.B(["x", html.I("y")]),
        {"patch": Patch()},
    ],
    ids=repr,
)
def test_plain_json_of_what_is_not_plain_is_that_of_dash(value: Any) -> None:
    plain = internals.plain_json(value)
    assert json.loads(plain) == json.loads(internals.to_json_bytes(value))


@pytest.mark.parametrize(
    "settings, shown",
    [
        ({"debug": True}, True),
        ({"debug": False}, False),
        ({"debug": False, "dev_tools_ui": True}, True),
        ({"debug": True, "dev_tools_ui": False}, False),
    ],
)
def test_dev_tools_say_whether_the_page_shows_errors(
    settings: dict[str, bool], shown: bool, app: dash.Dash
) -> None:
    assert internals.shows_errors(app) is False
    app.enable_dev_tools(**settings, dev_tools_hot_reload=False)
    assert internals.shows_errors(app) is shown


@pytest.mark.parametrize("value, shown", [("true", True), ("0", False), ("no", False)])
def test_only_true_in_the_environment_shows_errors(
    value: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASH_UI", value)
    assert internals.shows_errors(dash.Dash("app")) is shown


def test_each_name_of_ctx_works_in_a_job_or_says_why_not(app: dash.Dash) -> None:
    def ask(_: Any) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in (n for n in dir(ctx) if not n.startswith("_")):
            try:
                value: Any = getattr(ctx, name)
                if name == "record_timing":
                    value("query", 1.0)
                str(value)
            except BaseException as error:
                found[name] = type(internals.explained(error)).__name__
        return found

    registration = registered(app, ask, (Output("out", "children"), Input("in", "value")), {})
    everything = dict.fromkeys(CONTEXT)
    fields = {
        **everything,
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "states": [],
        "outputs": {"id": "out", "property": "children"},
        "changed": ["in.value"],
    }
    answer = json.loads(internals.run_in_context(registration, fields, {}))
    assert answer["response"]["out"]["children"] == dict.fromkeys(
        ("record_timing", "response", "timing_information"), "ContextNotSent"
    )


def test_the_components_of_an_app_with_pages_are_called_so() -> None:
    container: Any = dash.page_container
    ids = {getattr(one, "id", None) for one in container.children}
    assert {internals.PAGE_CONTENT, internals.PAGE_LOCATION} <= ids
