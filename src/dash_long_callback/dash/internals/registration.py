"""How Dash keeps the callbacks of an app, and those that no app has taken yet."""

# Dash does not declare types for what it does not document.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
# pyright: reportUnnecessaryIsInstance=false
# ruff: noqa: SLF001

from __future__ import annotations

import copyreg
import enum
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dash

# The lists in which `dash.callback` collects what no app has taken yet.
from dash._callback import (
    GLOBAL_CALLBACK_LIST,
    GLOBAL_CALLBACK_MAP,
    register_clientside_callback,
)

# How `dash.callback` reads its arguments: to know the outputs before it is called.
from dash.dependencies import (
    _Wildcard as Wildcard,
)

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
) -> Registration:
    """Call ``dash.callback`` and hand out what it would have recorded; see ``add``.

    Args:
        app: where it is declared; None: without an app.
        function: the function to wrap.
        args: positional arguments of ``dash.callback``.
        kwargs: keyword arguments of ``dash.callback``.
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
    return Registration(spec["output"], spec, entry, entry["callback"], app)


def _id_without_outputs(spec: dict[str, Any], function: Any) -> str:
    """An id for a callback without outputs: Dash's is a hash of the inputs, so two would be one."""
    inputs = [(i["id"], i["property"]) for i in spec["inputs"]]
    name = getattr(function, "__qualname__", "")
    return hashlib.sha256(json.dumps([name, *inputs]).encode()).hexdigest()


def add(registration: Registration) -> None:
    """Put a callback where its app, or the next one, finds it; in the place of one of its id."""
    callbacks, by_id = lists(registration.app)
    by_id[registration.callback_id] = registration.entry
    callbacks.append(registration.spec)


def rename(registration: Registration, callback_id: str) -> None:
    """Give a callback without outputs another id, before it is added: it has no other meaning."""
    registration.callback_id = registration.spec["output"] = callback_id


def remove(registration: Registration) -> None:
    """Take a callback away, if it is still there."""
    callbacks, by_id = lists(registration.app)
    callbacks[:] = [spec for spec in callbacks if spec["output"] != registration.callback_id]
    if by_id.get(registration.callback_id) is registration.entry:
        del by_id[registration.callback_id]


def remove_helpers() -> None:
    """Take away what our browser client needs for callbacks without an app."""
    helpers = {one.callback_id for one in wired(None) if one.helper}
    for callback_id in helpers:
        GLOBAL_CALLBACK_MAP.pop(callback_id, None)
    GLOBAL_CALLBACK_LIST[:] = [s for s in GLOBAL_CALLBACK_LIST if s["output"] not in helpers]


def same_without_outputs(registration: Registration) -> int:
    """How many others without outputs have the same inputs, for a callback that has none."""
    spec = registration.spec
    if not spec["no_output"]:
        return 0
    others = [one for one in lists(registration.app)[0] if one is not spec and one["no_output"]]
    return sum(one["inputs"] == spec["inputs"] for one in others)


def is_there(registration: Registration) -> bool:
    """Whether the callback is still the one of its id where it was declared."""
    return lists(registration.app)[1].get(registration.callback_id) is registration.entry


def lists(app: dash.Dash | None) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """What the renderer gets of the callbacks of an app, and what dispatch uses, by id.

    Without an app: those that the next one takes over.
    """
    if app is None:
        return GLOBAL_CALLBACK_LIST, GLOBAL_CALLBACK_MAP
    return app._callback_list, app.callback_map


def register_clientside(
    app: dash.Dash | None, function_name: str, *args: Any, **kwargs: Any
) -> None:
    """Register a function of our browser client, unless the same callback is there already."""
    function = dash.ClientsideFunction(NAMESPACE, function_name)
    ours, by_id = lists(app)
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
    callbacks, by_id = lists(app)
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


def has_long_callbacks(app: dash.Dash | None) -> bool:
    """Whether an app, or the list that the next app takes over, has long callbacks."""
    return any(map(_is_ours, lists(app)[0]))


def _is_ours(spec: dict[str, Any]) -> bool:
    return (spec.get("clientside_function") or {}).get("namespace") == NAMESPACE
