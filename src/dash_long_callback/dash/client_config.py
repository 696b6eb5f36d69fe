"""What the browser client gets of a callback: the renderer calls it, and it knows what to set."""

from __future__ import annotations

from typing import Any

import dash
from dash import ALL, Input, Output, State

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.managers.base import Manager


def extend_client(app: dash.Dash | None, callback: LongCallback) -> None:
    """Have the renderer call our browser client, and give that what it needs to know."""
    spec = callback.registration.spec
    spec["clientside_function"] = {
        "namespace": internals.NAMESPACE,
        "function_name": callback.registration.callback_id,
    }
    # The renderer knows which components an ALL stands for, and tells only its callbacks: extra
    # states carry their ids to the client, which takes them off again.
    every = _with_all(callback)
    spec["state"] = spec["state"] + [State(o.component_id, "id").to_dict() for o in every]
    # Old renderers take callbacks without outputs for one if they depend on the same.
    twins = internals.same_without_outputs(callback.registration)
    spec["state"] += spec["inputs"][:1] * twins
    callback.registration.more_states = len(every) + twins
    for stop in callback.options.cancel:
        # As Dash's own cancel: an output is needed for MATCH to have a meaning, and none changes.
        output = Output(stop.component_id, "id", allow_duplicate=True)
        internals.register_clientside(app, "cancel", output, stop, prevent_initial_call=True)
    shown = callback.options.progress_default if callback.conventions.begins_with_default else ()
    for output, value in zip(callback.progress_outputs, shown or (), strict=False):
        # The default of a component that appears, on the page or later.
        name = "default " + internals.to_json_bytes(value).decode()
        internals.register_clientside(
            app,
            name,
            Output(output.component_id, output.component_property, allow_duplicate=True),
            Input(output.component_id, "id"),
            prevent_initial_call="initial_duplicate",
        )


def client_config(
    callback: LongCallback, manager: Manager, *, indicator: bool = False
) -> dict[str, Any]:
    """What the browser client knows of a callback.

    Args:
        callback: the callback.
        manager: of its app, if it has none of its own.
        indicator: whether its jobs have an indicator, if it does not say so itself.
    """
    options, spec = callback.options, callback.registration.spec
    shown = indicator if options.indicator is None else options.indicator
    cached = options.cache_by is not None or (options.manager or manager).cache_by is not None
    every = _with_all(callback)

    def target(output: Output) -> dict[str, Any]:
        return {
            "id": internals.id_as_wired(output),
            "property": output.component_property,
            **({"all": every.index(output)} if output in every else {}),
        }

    return {
        "states": len(spec["state"]) - callback.registration.more_states,
        "running": [{**target(o), "on": on, "off": off} for o, on, off in options.running],
        "progress": [target(output) for output in callback.progress_outputs],
        "defaults": options.progress_default,
        "keeps": options.progress_default is None and callback.conventions.keeps_progress,
        "cached": cached,
        "cancel": [
            {"id": internals.id_as_wired(i), "property": i.component_property}
            for i in options.cancel
        ],
        "retrigger": options.on_retrigger,
        "debounce": options.debounce,
        # None: there is no indicator. An empty list: on the outputs.
        "indicator": ([target(shown)] if isinstance(shown, Output) else []) if shown else None,
        "cancelable": options.cancelable,
        "status": None if options.status is None else target(options.status),
        "leave": options.on_disconnect == "cancel",
        "declared": callback.declaration.fingerprint,
    }


def _with_all(callback: LongCallback) -> list[Output]:
    """What ``running``, ``progress`` and their like set that has an ``ALL`` in its id."""
    options = callback.options
    targets = [*(output for output, _, _ in options.running), *callback.progress_outputs]
    targets += [one for one in (options.status, options.indicator) if isinstance(one, Output)]
    return [
        output
        for output in targets
        if isinstance(output.component_id, dict) and ALL in output.component_id.values()
    ]
