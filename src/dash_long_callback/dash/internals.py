"""Every undocumented name of Dash that this package touches, and nothing else.

``tests/contract/test_dash_internals.py`` checks each of them on the oldest and the newest
supported Dash. If Dash changes, this is the only file to change.
"""

# Dash does not declare types for what it does not document.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnnecessaryIsInstance=false
# ruff: noqa: SLF001

from __future__ import annotations

import copyreg
import enum
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dash
import flask

# Where `dash.get_app` looks, and `dash.get_asset_url` and its like: the app that is made sets both.
from dash import _callback_context, _get_app, _get_paths

# The lists in which `dash.callback` collects what no app has taken yet.
from dash._callback import (
    GLOBAL_CALLBACK_LIST,
    GLOBAL_CALLBACK_MAP,
    register_clientside_callback,
)

# Where `dash.ctx` looks: a worker fills it as Dash's own dispatch does.
from dash._callback_context import context_value

# How Dash turns the lists of a request into arguments and into the groupings of `dash.ctx`.
from dash._grouping import grouping_len, map_grouping, update_args_group
from dash._utils import (
    AttributeDict,
    convert_to_AttributeDict,
    inputs_to_dict,
    inputs_to_vals,
    stringify_id,
    to_json,
)

# How `dash.callback` reads its arguments: to know the outputs before it is called.
from dash.dependencies import (
    _Wildcard as Wildcard,
)

from dash_long_callback.errors import ContextNotSent
from dash_long_callback.jobs import CONTEXT

try:
    # Where `dash.get_app` looks first. Older Dash knows the app that was made last only.
    from dash._get_app import app_context
except ImportError:
    app_context: Any = None

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping

#: The clientside namespace that our browser client defines.
NAMESPACE = "long_callback"

if not issubclass(Wildcard, enum.Enum):
    # Before 3.4 MATCH and ALL are compared by identity, which a pickle would lose.
    copyreg.pickle(Wildcard, lambda wildcard: wildcard._name)


@dataclass
class Registration:
    """One callback as Dash keeps it.

    Attributes:
        callback_id: Dash's name for it, unique in its app, the same in every process.
        spec: what the renderer gets; ours to extend until the page is served.
        entry: what Dash's dispatch uses.
        run: Dash's wrapper of the function: it groups the arguments, fills ``dash.ctx``, checks
            the outputs and encodes them.
        app: where it was declared; None if that was without an app, or by value in a worker.
        more_states: how many states of the spec are our browser client's.
    """

    callback_id: str
    spec: dict[str, Any]
    entry: dict[str, Any]
    run: Callable[..., Any]
    app: dash.Dash | None
    more_states: int = 0


def register(
    app: dash.Dash | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    scratch: bool = False,
) -> Registration:
    """Call ``dash.callback`` and hand out what it recorded.

    Args:
        app: register there; None for the list that the next app takes over, as ``dash.callback``.
        function: the function to wrap.
        args: positional arguments of ``dash.callback``.
        kwargs: keyword arguments of ``dash.callback``.
        scratch: record it nowhere; a worker needs the wrapper only.
    """
    # True, False or "initial_duplicate", which prevents nothing but allows duplicates.
    prevent = False if app is None else app.config.prevent_initial_callbacks
    callbacks: list[dict[str, Any]] = []
    by_id: dict[str, dict[str, Any]] = {}
    dash.callback(
        *args,
        **kwargs,
        callback_list=callbacks,
        callback_map=by_id,
        config_prevent_initial_callbacks=prevent,
    )(function)
    [spec], [entry] = callbacks, by_id.values()
    if spec["no_output"]:
        spec["output"] = _id_without_outputs(spec, function)
    registration = Registration(spec["output"], spec, entry, entry["callback"], app)
    if not scratch:
        add(registration)
    return registration


def _id_without_outputs(spec: dict[str, Any], function: Any) -> str:
    """An id for a callback without outputs: Dash's is a hash of the inputs, so two would be one."""
    inputs = [(i["id"], i["property"]) for i in spec["inputs"]]
    name = getattr(function, "__qualname__", "")
    return hashlib.sha256(json.dumps([name, *inputs]).encode()).hexdigest()


def add(registration: Registration) -> None:
    """Put a callback where its app, or the next one, finds it; in the place of one of its id."""
    callbacks, by_id = _lists(registration.app)
    by_id[registration.callback_id] = registration.entry
    callbacks.append(registration.spec)


def rename(registration: Registration, callback_id: str) -> None:
    """Give a callback without outputs another id, before it is added: it has no other meaning."""
    registration.callback_id = registration.spec["output"] = callback_id


def remove(registration: Registration) -> None:
    """Take a callback away, if it is still there."""
    callbacks, by_id = _lists(registration.app)
    callbacks[:] = [spec for spec in callbacks if spec["output"] != registration.callback_id]
    if by_id.get(registration.callback_id) is registration.entry:
        del by_id[registration.callback_id]


def remove_helpers() -> None:
    """Take away what our browser client needs for callbacks without an app."""
    for one in wired(None):
        if one.helper:
            GLOBAL_CALLBACK_MAP.pop(one.callback_id, None)
    helpers = {one.callback_id for one in wired(None) if one.helper}
    GLOBAL_CALLBACK_LIST[:] = [s for s in GLOBAL_CALLBACK_LIST if s["output"] not in helpers]


def same_without_outputs(registration: Registration) -> int:
    """How many others without outputs have the same inputs, for a callback that has none."""
    spec = registration.spec
    if not spec["no_output"]:
        return 0
    others = [one for one in _lists(registration.app)[0] if one is not spec and one["no_output"]]
    return sum(one["inputs"] == spec["inputs"] for one in others)


def is_there(registration: Registration) -> bool:
    """Whether the callback is still the one of its id where it was declared."""
    return _lists(registration.app)[1].get(registration.callback_id) is registration.entry


def _lists(app: dash.Dash | None) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    if app is None:
        return GLOBAL_CALLBACK_LIST, GLOBAL_CALLBACK_MAP
    return app._callback_list, app.callback_map


def register_clientside(
    app: dash.Dash | None, function_name: str, *args: Any, **kwargs: Any
) -> None:
    """Register a function of our browser client, unless the same callback is there already."""
    function = dash.ClientsideFunction(NAMESPACE, function_name)
    ours, by_id = _lists(app)
    taken = {spec["output"] for spec in [*GLOBAL_CALLBACK_LIST, *ours]}
    callbacks: list[dict[str, Any]] = []
    found: dict[str, dict[str, Any]] = {}
    prevent = False if app is None else app.config.prevent_initial_callbacks
    # Not the app's own method: its class may do something else than to register.
    register_clientside_callback(callbacks, found, prevent, [], function, *args, **kwargs)
    [spec] = callbacks
    if spec["output"] not in taken:  # two long callbacks may share a cancel button or a bar
        ours.append(spec)
        by_id.update(found)


@dataclass(frozen=True)
class Wired:
    """A callback of an app as the renderer sees it.

    Attributes:
        callback_id: Dash's name for it.
        name: for messages: of the function that it calls.
        inputs: id and property of each input. A wildcard in an id is a list of its name.
        outputs: the same of its outputs. Behind an ``@`` in a property stands what tells apart
            callbacks that share it.
        long: whether it is a long callback.
        helper: whether it is one of those that our browser client adds.
    """

    callback_id: str
    name: str
    inputs: list[tuple[Any, str]]
    outputs: list[tuple[Any, str]]
    long: bool
    helper: bool


def is_dash_s(value: Any) -> bool:
    """Whether a value is no dependency, or one of Dash's own classes."""
    dependency = isinstance(value, dash.dependencies.DashDependency)
    return not dependency or type(value).__module__.startswith("dash.")


def wired(app: dash.Dash | None) -> list[Wired]:
    """All callbacks of an app, or of the list that the next app takes over."""
    callbacks, by_id = _lists(app)
    return [wired_as(spec, by_id.get(spec["output"], {})) for spec in callbacks]


def wired_as(spec: dict[str, Any], entry: dict[str, Any]) -> Wired:
    """How the renderer sees one callback."""
    client = spec.get("clientside_function") or {}
    ours = _is_ours(spec)
    function = getattr(entry.get("callback"), "__qualname__", None)
    return Wired(
        spec["output"],
        str(function or f"a clientside callback of {spec['output']}"),
        [(_parsed(one["id"]), one["property"]) for one in spec["inputs"]],
        _outputs_of(spec),
        ours and client.get("function_name") == spec["output"],
        ours and client.get("function_name") != spec["output"],
    )


def _outputs_of(spec: dict[str, Any]) -> list[tuple[Any, str]]:
    if spec.get("no_output"):
        return []
    output: str = spec["output"]
    parts = output[2:-2].split("...") if output.startswith("..") else [output]
    pairs = [part.rpartition(".") for part in parts]
    return [(_parsed(one.replace("\\.", ".")), prop) for one, _, prop in pairs]


def id_as_wired(dependency: Any) -> Any:
    """The id of a dependency as ``Wired`` has it."""
    return _parsed(dependency.component_id_str())


def _parsed(component_id: str) -> Any:
    return json.loads(component_id) if component_id.startswith("{") else component_id


def background_callbacks(app: dash.Dash) -> list[tuple[str, Any]]:
    """The function of each ``background=True`` callback of an app, and the manager it would use."""
    return [
        (
            getattr(entry.get("callback"), "__qualname__", callback_id),
            entry["background"].get("manager") or background_manager(app),
        )
        for callback_id, entry in app.callback_map.items()
        if entry.get("background")
    ]


def background_manager(app: dash.Dash) -> Any:
    """What the app was given as ``background_callback_manager``."""
    return getattr(app, "_background_manager", None)


def has_started(app: dash.Dash) -> bool:
    """Whether an app has got its first request, and taken over what was declared without one."""
    return bool(getattr(app, "_got_first_request", {}).get("setup_server"))


def long_callback_ids(app: dash.Dash) -> list[str]:
    """The ids of all callbacks of the app that our browser client serves."""
    return [spec["output"] for spec in app._callback_list if _is_ours(spec)]


def waits_for_an_app() -> bool:
    """Whether a long callback was declared without an app, and none has taken it over yet."""
    return any(map(_is_ours, GLOBAL_CALLBACK_LIST))


def _is_ours(spec: dict[str, Any]) -> bool:
    return (spec.get("clientside_function") or {}).get("namespace") == NAMESPACE


class _NotSent:
    """In the place of a mapping that did not travel to the job: says so when it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _say(self, *_: Any) -> Any:
        raise ContextNotSent(self._name)

    __getitem__ = __iter__ = __len__ = __contains__ = __str__ = __repr__ = _say

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._say()


class _NoResponse:
    """In the place of ``ctx.response``: says so when it is used."""

    def _say(self, *_: Any) -> Any:
        raise ContextNotSent(
            "response",
            "is not there in a long callback, as the click has been answered before its function "
            "runs; set cookies and headers in an ordinary callback, with the result as its Input",
        )

    __repr__ = __str__ = __bool__ = __eq__ = __hash__ = __setattr__ = _say  # pyright: ignore[reportAssignmentType]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._say()


#: What of ``dash.ctx`` asks the web server for the request that it answers.
_TIMING = ("record_timing", "timing_information")


def explained(error: BaseException) -> BaseException:
    """An error of a function in words, if ``dash.ctx`` has raised it for want of a request."""
    tb = error.__traceback__
    while tb is not None:
        code = tb.tb_frame.f_code
        if code.co_name in _TIMING and code.co_filename == _callback_context.__file__:
            why = "belongs to the answer to the click, which has been given; use the log"
            words = ContextNotSent(code.co_name, why).with_traceback(error.__traceback__)
            words.__suppress_context__ = True
            return words
        tb = tb.tb_next
    return error


def pop_header(context: Any, name: str) -> str | None:
    """Take a header out of a request's context: what is left is what the browser sent itself."""
    headers: dict[str, str] = context.get("headers") or {}
    # Servers differ in how they write names.
    return next((headers.pop(key) for key in list(headers) if key.lower() == name), None)


def context_fields(context: Any, travel: Collection[str] = CONTEXT) -> dict[str, Any]:
    """The part of a request that a job needs, ready for JSON.

    Args:
        context: Dash's callback context of the request.
        travel: which of ``CONTEXT`` are part of it.
    """
    fields: dict[str, Any] = {name: context.get(name) for name in CONTEXT if name in travel}
    fields["inputs"] = context.inputs_list
    fields["states"] = context.states_list
    fields["outputs"] = context.outputs_list
    fields["changed"] = [trigger["prop_id"] for trigger in context.triggered_inputs]
    if "args" in fields:
        fields["args"] = dict(fields["args"] or {})
    elif "path" in fields:
        fields["path"] = str(fields["path"] or "").partition("?")[0]  # Dash's has the query in it
    return fields


def run_in_context(
    registration: Registration, fields: dict[str, Any], updated_props: dict[str, Any]
) -> str | bytes:
    """Run a registered function as Dash's dispatch would, from ``context_fields``.

    ``updated_props`` is where ``dash.set_props`` puts what it is given. Returns Dash's JSON.
    """
    inputs, states = fields["inputs"], fields["states"] or []
    outputs = fields["outputs"]
    entry = registration.entry
    context = AttributeDict({name: fields.get(name) for name in CONTEXT})
    context.custom_data = AttributeDict(fields.get("custom_data") or {})
    for name in ("cookies", "headers", "custom_data", "args"):
        if name not in fields:
            context[name] = _NotSent(name)
    context.inputs_list = inputs
    context.states_list = states
    context.outputs_list = [] if entry.get("no_output") else outputs
    context.input_values = inputs_to_dict(inputs)
    context.state_values = inputs_to_dict(states)
    context.triggered_inputs = [
        {"prop_id": prop_id, "value": context.input_values.get(prop_id)}
        for prop_id in fields["changed"]
    ]
    context.updated_props = updated_props
    context.dash_response = _NoResponse()
    # Pages are registered by the web process, once.
    context.ignore_register_page = True

    everything = convert_to_AttributeDict(inputs + states)
    for group in everything:
        for one in group if isinstance(group, list) else [group]:
            update_args_group(one, fields["changed"])
    context.args_grouping, context.using_args_grouping = _group(
        everything, entry["inputs_state_indices"]
    )
    flat_outputs = outputs if isinstance(outputs, list) else [outputs]
    context.outputs_grouping, context.using_outputs_grouping = (
        _group(flat_outputs, entry["outputs_indices"]) if context.outputs_list else ([], False)
    )
    app = _app(registration)
    with _as_current(app):
        return registration.run(
            *inputs_to_vals(inputs + states),
            outputs_list=context.outputs_list,
            callback_context=context,
            app=app,
        )


def declared(registration: Registration) -> dict[str, list[tuple[str, str]]]:
    """Id and property of each of a callback's inputs, states and outputs; of patterns, as JSON."""
    entry = registration.entry
    outputs = entry["output"] if isinstance(entry["output"], (list, tuple)) else [entry["output"]]
    parts = {
        "inputs": entry["inputs"],
        "states": entry["state"],
        "outputs": [] if entry.get("no_output") else [output.to_dict() for output in outputs],
    }
    return {
        part: [(one["id"], one["property"].partition("@")[0]) for one in dependencies]
        for part, dependencies in parts.items()
    }


def sent(registration: Registration, fields: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What ``context_fields`` has in the place of each: id and property, or a list of these."""
    entry, outputs = registration.entry, fields["outputs"]
    if entry.get("no_output"):
        outputs = []
    elif isinstance(entry["outputs_indices"], int):
        outputs = [outputs]
    return {"inputs": fields["inputs"], "states": fields["states"] or [], "outputs": outputs or []}


def outputs_of_call(*, single: bool) -> list[Any]:
    """Id and property of each output of the callback that runs, flat; a list for one with ALL."""

    def target(output: Any) -> Any:
        if isinstance(output, list):
            return [target(one) for one in output]
        # Behind an @ stands what tells apart callbacks that share an output.
        return stringify_id(output["id"]), output["property"].partition("@")[0]

    outputs: Any = context_value.get()["outputs_list"]
    return [target(outputs)] if single else target(outputs)


def grouped_arguments(registration: Registration, context: Any) -> list[Any] | dict[str, Any]:
    """The values of a request's inputs and states as the function gets them: by place or name."""
    values = inputs_to_vals(context.inputs_list + (context.states_list or []))
    indices = registration.entry["inputs_state_indices"]
    if isinstance(indices, int):
        return [values[indices]]
    grouped = map_grouping(lambda index: values[index], indices)
    return grouped if isinstance(grouped, dict) else list(grouped)


def request_context(app: dash.Dash) -> Any:
    """The parts of ``dash.ctx`` that any web request has, on whichever server the app runs."""
    # Before Dash 4.1 there was Flask only.
    request: Any = app.backend.request_adapter() if hasattr(app, "backend") else flask.request
    context: Any = AttributeDict()
    context.cookies = dict(request.cookies)
    context.headers = dict(request.headers)
    context.args = request.args
    context.path = request.full_path
    context.remote = request.remote_addr
    context.origin = request.origin
    return context


@contextmanager
def callback_context(context: Any) -> Generator[None]:
    """Let ``dash.ctx`` tell of this request while the block runs."""
    token = context_value.set(context)
    try:
        yield
    finally:
        context_value.reset(token)


def add_route(
    app: dash.Dash, name: str, view: Callable[..., Any], methods: tuple[str, ...]
) -> None:
    """Add a route below the app's prefix, on whichever server the app runs."""
    app._add_url(name, view, methods)


def stop_serving(app: dash.Dash, paths: Collection[str]) -> None:
    """Serve scripts and styles of this package no more, if they were appended."""
    for appended in (app.scripts, app.css):
        listed = appended._resources._resources
        listed[:] = [one for one in listed if one.get("relative_package_path") not in paths]


def shows_errors(app: dash.Dash) -> bool:
    """Whether the app's dev tools are on, as ``debug`` or ``dev_tools_ui`` says.

    Then its pages show errors to who develops it. Dash itself has no other mark that stays.
    """
    # Environment variables other than "true" and "false" come as they are: "0" must not count.
    return getattr(getattr(app, "_dev_tools", None), "ui", False) is True


def backend_of(app: dash.Dash) -> str:
    """``"flask"``, ``"fastapi"`` or ``"quart"``: the kind of server that the app runs on."""
    # Before Dash 4.1 there was Flask only.
    return str(getattr(getattr(app, "backend", None), "server_type", "flask"))


async def fastapi_body(request: Any, limit: int) -> bytes:
    """The body of a request to a FastAPI app, cut at ``limit`` bytes."""
    if request.headers.get("content-type", "").startswith("application/json"):
        # Dash's middleware has read it, and keeps what it parsed: None if that is not JSON.
        parsed = getattr(request.state, "json_body", None)
        try:
            return b"" if parsed is None else json.dumps(parsed).encode()[:limit]
        except RecursionError:  # nested so deeply that it could just be read
            return b""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def app_error_handler(registration: Registration) -> Callable[[Exception], Any] | None:
    """The ``on_error`` of the callback's app, if there is an app and it has one."""
    return getattr(_app(registration), "_on_error", None)


def plain_json(value: Any) -> bytes:
    """JSON that carries all that JSON from a browser may hold, in ASCII.

    Dash's own way refuses integers beyond 64 bit and halves of surrogate pairs, which Python makes
    of file names that are not UTF-8, and turns NaN into null.
    """
    try:
        return json.dumps(value, separators=(",", ":"), default=_encoded).encode()
    except TypeError:  # keys that are no strings, such as dates
        return to_json_bytes(value)


def _encoded(value: Any) -> Any:
    """What is not plain, as Dash writes it."""
    return json.loads(to_json_bytes(value))


def to_json_bytes(value: Any) -> bytes:
    """JSON as Dash writes it: components, figures, arrays and dates included."""
    return str(to_json(value)).encode()


def join_patches(patches: list[bytes]) -> bytes:
    """The JSON of a ``Patch`` that does what all of these do, one after the other.

    ``lengths`` says how many operations are of each: one that can't be applied is left out as a
    whole, and alone.
    """
    if len(patches) == 1:
        return patches[0]
    loaded = [json.loads(patch) for patch in patches]
    operations = [one["operations"] for one in loaded]
    joined = {
        **loaded[0],
        "operations": [step for steps in operations for step in steps],
        "lengths": [len(steps) for steps in operations],
    }
    return json.dumps(joined, separators=(",", ":")).encode()


def app_of(registration: Registration) -> dash.Dash | None:
    """The callback's app; without its own the one that was made last, if there is one."""
    return _app(registration)


def provide_app(app: dash.Dash | None) -> None:
    """Let ``dash.get_app``, ``dash.get_asset_url`` and their like work where no app was made."""
    if app is None:
        return
    if _get_app.APP is None:
        _get_app.APP = app
    if not _get_paths.CONFIG:
        _get_paths.CONFIG.update(app.config)


def _group(flat: list[Any], indices: Any) -> tuple[Any, bool]:
    using = not isinstance(indices, int) and indices != list(range(grouping_len(indices)))
    return map_grouping(lambda index: flat[index], indices), using


def _app(registration: Registration) -> dash.Dash | None:
    """The callback's app. Without its own that is the app made last, as ``dash.get_app`` says."""
    if registration.app is not None:
        return registration.app
    try:
        return dash.get_app()
    except Exception:
        return None


@contextmanager
def _as_current(app: dash.Dash | None) -> Generator[None]:
    """Let ``dash.get_app`` give this app while the block runs, as it does in Dash's dispatch."""
    if app_context is None:
        yield
        return
    token = app_context.set(app)
    try:
        yield
    finally:
        app_context.reset(token)
