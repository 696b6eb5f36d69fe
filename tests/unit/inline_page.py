"""A page of an app whose jobs run inline: what the renderer posts, and what it gets."""

from __future__ import annotations

from collections.abc import Callable
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
    callback: LongCallback, values: tuple[Any, ...], changed: str | None, ids: dict[str, Any]
) -> dict[str, Any]:
    """The JSON that the renderer posts for a callback."""
    spec, entry = callback.registration.spec, callback.registration.entry
    own = len(spec["state"]) - callback.registration.more_states
    wanted = [*spec["inputs"], *spec["state"][:own]]
    filled = [_fill(one, value, ids) for one, value in zip(wanted, values, strict=True)]
    inputs = filled[: len(spec["inputs"])]
    outputs = entry["output"]
    body: dict[str, Any] = {
        "output": callback.registration.callback_id,
        "inputs": inputs,
        "state": filled[len(inputs) :],
        "changedPropIds": [changed or "{id}.{property}".format(**spec["inputs"][0])],
    }
    if isinstance(outputs, (list, tuple)):
        if outputs:
            body["outputs"] = [_output(one, ids) for one in outputs]
    else:
        body["outputs"] = _output(outputs, ids)
    return body


def _fill(one: dict[str, Any], value: Any, ids: dict[str, Any]) -> Any:
    if one["id"] in ids:
        found = ids[one["id"]]
        prop = one["property"]
        if isinstance(found, list):
            return [
                {"id": i, "property": prop, "value": v} for i, v in zip(found, value, strict=True)
            ]
        return {"id": found, "property": prop, "value": value}
    return {**one, "value": value}


def _output(output: dash.Output, ids: dict[str, Any]) -> Any:
    found = ids.get(output.component_id_str(), output.component_id)
    if isinstance(found, list):
        return [{"id": i, "property": output.component_property} for i in found]
    return {"id": found, "property": output.component_property}
