"""What a background callback was declared with, found out from what Dash keeps of it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import dash
from dash import Input, Output, State

#: Arguments of Dash's that are kept as they are.
_OF_SPEC = ("optional", "hidden", "websocket", "persistent")
_OF_ENTRY = ("mcp_enabled", "mcp_expose_docstring")
#: All of them.
PASSED_ON = frozenset({*_OF_SPEC, *_OF_ENTRY})


def declared_with(
    spec: dict[str, Any], entry: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The function, and the arguments that it was declared with, as far as Dash keeps them.

    Args:
        spec: what the renderer would get.
        entry: what Dash's dispatch would use.

    Returns:
        the function, the arguments by position, and those by name.

    Raises:
        LookupError: if what stands in its place is not Dash's.
    """
    # Dash keeps what no request changes in the closure of its wrapper.
    held = dict(inspect.getclosurevars(entry["callback"]).nonlocals)
    kwargs = {**_of_background(entry["background"]), "on_error": held["on_error"]}
    kwargs["prevent_initial_call"] = _prevented(spec, entry)
    kwargs["running"] = _running(spec.get("running"))
    flat = [*entry["raw_inputs"], *(_parsed(State, one) for one in entry["state"])]
    inputs, args = _regrouped(entry["inputs_state_indices"], flat), ()
    if isinstance(inputs, Input):
        args = (inputs,)  # by name, Dash would take it for a list of one
    else:
        kwargs["inputs"] = inputs
    if not spec["no_output"]:
        kwargs["output"] = held["output"]
    kwargs |= {key: spec[key] for key in _OF_SPEC if spec.get(key)}
    kwargs |= {key: entry[key] for key in _OF_ENTRY if key in entry}
    if spec["dynamic_creator"]:
        kwargs["_allow_dynamic_callbacks"] = True
    return held["func"], args, {key: value for key, value in kwargs.items() if value is not None}


def _of_background(background: dict[str, Any]) -> dict[str, Any]:
    cancel = background.get("cancel_inputs")  # until the first request
    cancel = cancel or [_parsed(Input, one) for one in background.get("cancel", [])] or None
    same = ("manager", "interval", "progress", "cache_args_to_ignore", "cache_ignore_triggered")
    kwargs = {key: background.get(key) for key in same}
    return {**kwargs, "progress_default": background.get("progressDefault"), "cancel": cancel}


def _prevented(spec: dict[str, Any], entry: dict[str, Any]) -> bool | str:
    outputs = entry["output"] if isinstance(entry["output"], (list, tuple)) else [entry["output"]]
    if not spec["prevent_initial_call"] and any(one.allow_duplicate for one in outputs):
        return "initial_duplicate"  # or it would have been refused
    return spec["prevent_initial_call"]


def _regrouped(indices: Any, flat: list[Any]) -> Any:
    """A grouping by its indices. Not Dash's, whose dicts Dash does not take for dicts."""
    if isinstance(indices, dict):
        return {key: _regrouped(part, flat) for key, part in indices.items()}
    if isinstance(indices, (list, tuple)):
        return [_regrouped(part, flat) for part in indices]
    return flat[indices]


def _running(running: dict[str, dict[str, Any]] | None) -> list[tuple[Output, Any, Any]] | None:
    if not running:
        return None
    return [
        (_output(name), value, running["runningOff"][name])
        for name, value in running["running"].items()
    ]


def _output(name: str) -> Output:
    component_id, _, prop = name.rpartition(".")
    return _parsed(Output, {"id": component_id, "property": prop})


def _parsed(kind: Any, dependency: dict[str, Any]) -> Any:
    """A dependency, from what the renderer gets of it."""
    component_id: Any = dependency["id"]
    if isinstance(component_id, str) and component_id.startswith("{"):
        component_id = {
            key: _WILDCARDS[value[0]] if isinstance(value, list) else value
            for key, value in json.loads(component_id).items()
        }
    made = kind(component_id, dependency["property"])
    if dependency.get("allow_optional"):
        made.allow_optional = True
    return made


_WILDCARDS: dict[str, Any] = {
    "MATCH": dash.MATCH,
    "ALL": dash.ALL,
    "ALLSMALLER": dash.ALLSMALLER,
}
