"""Ids of components: written as text, and matched with the patterns of callbacks.

A pattern is an id in which the name of a wildcard stands in a list: ``{"type": "bar", "n":
["MATCH"]}``. What a wildcard ``MATCH`` stands for is a *binding*: ``{"n": 3}``.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from dash_long_callback.dash import internals

Binding: TypeAlias = "dict[str, Any]"

MATCH, SMALLER = ["MATCH"], ["ALLSMALLER"]
_MANY = (["ALL"], SMALLER)


def prop_id(component_id: str | dict[str, Any], prop: str) -> str:
    """How a property is called where one is named by text, as ``"id.property"``.

    Args:
        component_id: the id of a component; a dict, if it has one.
        prop: the property.

    Examples:
        >>> prop_id("run", "n_clicks")
        'run.n_clicks'
        >>> prop_id({"type": "bar", "index": 3}, "value")
        '{"index":3,"type":"bar"}.value'
    """
    return f"{text_of(component_id)}.{prop}"


def text_of(component_id: Any) -> str:
    """An id as text."""
    if isinstance(component_id, str):
        return component_id
    return json.dumps(component_id, sort_keys=True, separators=(",", ":"))


def parsed(component_id: str) -> Any:
    """An id that may have been a dict."""
    return json.loads(component_id) if component_id.startswith("{") else component_id


def split(name: Any) -> tuple[Any, str]:
    """The id and the property that a name is of.

    Raises:
        ValueError: if it is none.
    """
    text = str(name)  # of an Input or a State, too
    component_id, dot, prop = text.rpartition(".")
    try:
        found = parsed(component_id)
    except ValueError:
        found = None
    if not (dot and found and prop):
        raise ValueError(
            f'{name!r} names no property: write "id.property", and prop_id({{...}}, "property") '
            "for an id that is a dict"
        )
    return found, prop


def matched(pattern: Any, component_id: Any) -> Binding | None:
    """What ``MATCH`` stands for if a pattern is to mean this component; None if it can't."""
    if not isinstance(pattern, dict) or not isinstance(component_id, dict):
        return {} if pattern == component_id else None
    if pattern.keys() != component_id.keys():
        return None
    if any(not isinstance(v, list) and component_id[k] != v for k, v in pattern.items()):
        return None
    return {key: component_id[key] for key, value in pattern.items() if value == MATCH}


def bound(pattern: Any, binding: Binding) -> Any:
    """A pattern with what ``MATCH`` stands for in it."""
    if not isinstance(pattern, dict):
        return pattern
    return {k: binding.get(k, v) if v == MATCH else v for k, v in pattern.items()}


def has_match(pattern: Any) -> bool:
    """Whether it has a ``MATCH`` that is not bound."""
    return isinstance(pattern, dict) and MATCH in pattern.values()


def is_many(pattern: Any) -> bool:
    """Whether it stands for a list of components."""
    return isinstance(pattern, dict) and any(value in _MANY for value in pattern.values())


def is_among(pattern: Any, component_id: Any, binding: Binding) -> bool:
    """Whether a component is one of those that a bound pattern stands for."""
    if matched(pattern, component_id) is None:
        return False
    smaller = [k for k, v in pattern.items() if v == SMALLER] if isinstance(pattern, dict) else []
    return all(key in binding and component_id[key] < binding[key] for key in smaller)


def pattern_of(output: Any) -> Any:
    """The pattern of an ``Output`` or ``Input`` of an option."""
    return internals.id_as_wired(output)
