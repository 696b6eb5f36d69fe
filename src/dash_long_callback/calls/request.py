"""The request of a job that code asks for, as a page would have sent it for the same values."""

from __future__ import annotations

import json
from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.internals import wired_as
from dash_long_callback.errors import BadCall

_ALL = ["ALL"]


def context_of(callback: LongCallback, values: list[Any], request: dict[str, Any] | None) -> Any:
    """Dash's callback context of a call.

    Args:
        callback: what is called.
        values: of its inputs and states.
        request: the web request in which it is called, if it is; see ``internals.current_request``.

    Raises:
        TypeError: if the callback has patterns that only a page can fill.
    """
    parts = callback.declaration.parts
    count = len(parts["inputs"])
    wanted = [*parts["inputs"], *parts["states"]]
    filled = [_filled(callback, *one, value) for one, value in zip(wanted, values, strict=True)]
    outputs = outputs_of(callback)
    return internals.context_of_call(filled[:count], filled[count:], outputs, request)


def check_startable(callback: LongCallback) -> None:
    """Refuse a callback that only a page can start.

    Raises:
        TypeError: if it has patterns that only a page can fill.
    """
    parts = callback.declaration.parts
    for component_id, prop in [*parts["inputs"], *parts["states"]]:
        if any(one != _ALL for one in _wildcards(_parsed(component_id))):
            raise _refusal(callback, component_id, prop)
    outputs_of(callback)


def _filled(callback: LongCallback, component_id: str, prop: str, value: Any) -> Any:
    pattern = _parsed(component_id)
    if not _wildcards(pattern):
        return {"id": pattern, "property": prop, "value": value}
    if any(one != _ALL for one in _wildcards(pattern)):
        raise _refusal(callback, component_id, prop)
    if not isinstance(value, list):
        raise BadCall(
            f"submit({callback.function_name})",
            f"{component_id}.{prop} has ALL, so its argument is a list with a value for each "
            f"component, got {value!r:.80}",
        )
    # Which components there are is the page's: here they are called by their number.
    return [
        {
            "id": {k: n if v == _ALL else v for k, v in pattern.items()},
            "property": prop,
            "value": one,
        }
        for n, one in enumerate(value)
    ]


def outputs_of(callback: LongCallback, caller: str | None = None) -> Any:
    """The outputs as the renderer names them: one, or a list of them.

    Args:
        callback: whose they are.
        caller: who asks, for the message of the error; None: ``submit``.

    Raises:
        TypeError: if only a page can tell them.
    """
    entry = callback.registration.entry
    # With what stands behind an @, which tells callbacks apart that share an output.
    found = wired_as(callback.registration.spec, entry).outputs
    for component_id, prop in found:
        if _wildcards(component_id):
            raise _refusal(callback, json.dumps(component_id), prop, caller)
    outputs = [{"id": component_id, "property": prop} for component_id, prop in found]
    return outputs[0] if isinstance(entry["outputs_indices"], int) and outputs else outputs


def matched_by(callback: LongCallback, outputs: Any) -> list[Any]:
    """The ids that tell whether a callback is on a page: of its outputs, else of its inputs."""
    if outputs:
        return [one["id"] for one in (outputs if isinstance(outputs, list) else [outputs])]
    inputs = [_parsed(component_id) for component_id, _ in callback.declaration.parts["inputs"]]
    return [one for one in inputs if not _wildcards(one)]


def _refusal(
    callback: LongCallback, component_id: str, prop: str, caller: str | None = None
) -> TypeError:
    return TypeError(
        f"{caller or f'submit({callback.function_name})'}: {component_id}.{prop} stands for "
        "components that only a page can tell, so this callback can't be used from code. Declare "
        "another one without MATCH, ALLSMALLER, or ALL in an Output, that calls the same function"
    )


def _parsed(component_id: str) -> Any:
    return json.loads(component_id) if component_id.startswith("{") else component_id


def _wildcards(pattern: Any) -> list[Any]:
    values = pattern.values() if isinstance(pattern, dict) else ()
    return [value for value in values if isinstance(value, list)]
