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
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dash

# The lists in which `dash.callback` collects what no app has taken yet.
from dash._callback import GLOBAL_CALLBACK_LIST, GLOBAL_CALLBACK_MAP

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

try:
    # Where `dash.get_app` looks first. Older Dash knows the app that was made last only.
    from dash._get_app import app_context
except ImportError:
    app_context: Any = None

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping

#: The clientside namespace that our browser client defines.
NAMESPACE = "long_callback"

#: What of a request may travel to the job beside its inputs, as `dash.ctx` calls it.
CONTEXT = ("cookies", "headers", "path", "remote", "origin", "custom_data", "args")

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
    """

    callback_id: str
    spec: dict[str, Any]
    entry: dict[str, Any]
    run: Callable[..., Any]
    app: dash.Dash | None


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
    if scratch:
        callbacks, by_id = [], {}
    elif app is None:
        callbacks, by_id = GLOBAL_CALLBACK_LIST, GLOBAL_CALLBACK_MAP
    else:
        callbacks, by_id = app._callback_list, app.callback_map
    # True, False or "initial_duplicate", which prevents nothing but allows duplicates.
    prevent = False if app is None else app.config.prevent_initial_callbacks
    dash.callback(
        *args,
        **kwargs,
        callback_list=callbacks,
        callback_map=by_id,
        config_prevent_initial_callbacks=prevent,
    )(function)
    spec = callbacks[-1]
    entry = by_id[spec["output"]]
    return Registration(spec["output"], spec, entry, entry["callback"], app)


def register_clientside(
    app: dash.Dash | None, function_name: str, *args: Any, **kwargs: Any
) -> None:
    """Register a function of our browser client, unless the same callback is there already."""
    function = dash.ClientsideFunction(NAMESPACE, function_name)
    lists = [GLOBAL_CALLBACK_LIST] + ([] if app is None else [app._callback_list])
    taken = {spec["output"] for specs in lists for spec in specs}
    if app is None:
        dash.clientside_callback(function, *args, **kwargs)
    else:
        app.clientside_callback(function, *args, **kwargs)
    specs = lists[-1]
    if specs[-1]["output"] in taken:  # two long callbacks share a cancel button or a bar
        specs.pop()


def long_callback_ids(app: dash.Dash) -> list[str]:
    """The ids of all callbacks of the app that our browser client serves."""
    return [
        spec["output"]
        for spec in app._callback_list
        if (spec.get("clientside_function") or {}).get("namespace") == NAMESPACE
    ]


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


def backend_of(app: dash.Dash) -> str:
    """``"flask"``, ``"fastapi"`` or ``"quart"``: the kind of server that the app runs on."""
    # Before Dash 4.1 there was Flask only.
    return str(getattr(getattr(app, "backend", None), "server_type", "flask"))


async def fastapi_body(request: Any, limit: int) -> bytes:
    """The body of a request to a FastAPI app, cut at ``limit`` bytes."""
    if request.headers.get("content-type", "").startswith("application/json"):
        # Dash's middleware has read it, and keeps what it parsed: None if that is not JSON.
        parsed = getattr(request.state, "json_body", None)
        return b"" if parsed is None else json.dumps(parsed).encode()[:limit]
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
