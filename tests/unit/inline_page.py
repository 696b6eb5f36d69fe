"""A page of an app whose jobs run inline: what the renderer posts, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dash

from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.jobs import Job
from dash_long_callback.stores.diskcache import DiskcacheStore


class Ended:
    """A job that has ended, as the page sees it and as the store keeps it."""

    def __init__(self, answer: dict[str, Any], store: DiskcacheStore) -> None:
        loaded = store.load(answer["job"])
        assert loaded is not None
        self.job: Job = loaded
        self.news: dict[str, Any] = answer["news"]
        self.state: str = self.news["state"]
        self.error: dict[str, str] = self.news.get("error", {})
        self.updates: list[Any] = self.news.get("updates", [])

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """``{component id: {property: value}}``; empty if nothing is to change."""
        return self.news["response"].get("response", {})


#: See the fixture ``click``.
Click = Callable[..., Ended]


def payload(
    callback: LongCallback, values: tuple[Any, ...], ids: Mapping[str, list[Any]] | None = None
) -> dict[str, Any]:
    """The JSON that the renderer posts for a callback whose first input has changed."""
    spec, entry = callback.registration.spec, callback.registration.entry
    own = len(spec["state"]) - callback.registration.more_states
    wanted = [*spec["inputs"], *spec["state"][:own]]
    filled = [_fill(one, value, ids or {}) for one, value in zip(wanted, values, strict=True)]
    inputs = filled[: len(spec["inputs"])]
    outputs = entry["output"]
    body: dict[str, Any] = {
        "output": callback.registration.callback_id,
        "inputs": inputs,
        "state": filled[len(inputs) :],
        "changedPropIds": ["{id}.{property}".format(**spec["inputs"][0])],
    }
    if isinstance(outputs, (list, tuple)):
        if outputs:
            body["outputs"] = [_output(one) for one in outputs]
    else:
        body["outputs"] = _output(outputs)
    return body


def _fill(one: dict[str, Any], value: Any, ids: Mapping[str, list[Any]]) -> Any:
    found = ids.get(one["id"])
    if found is None:
        return {**one, "value": value}
    return [{**one, "id": i, "value": v} for i, v in zip(found, value, strict=True)]


def _output(output: dash.Output) -> dict[str, Any]:
    return {"id": output.component_id, "property": output.component_property}
