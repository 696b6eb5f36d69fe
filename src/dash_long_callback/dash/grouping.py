"""Groupings: the nested lists and dicts in which Dash takes outputs and gives values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import dash

from dash_long_callback.dash import internals

#: The type of ``dash.no_update``; Dash documents the value only.
NoUpdate = type(dash.no_update)


def spread(value: Any, schema: Any, where: str) -> list[Any]:
    """Flatten ``value`` in the order of ``schema``'s leaves.

    ``no_update`` may stand for a whole branch. A list is a leaf where the schema has a leaf.

    Raises:
        ValueError: if the shape is wrong; the message says where and what was expected.
    """
    if isinstance(value, NoUpdate):
        return [value] * len(leaves(schema))
    if isinstance(schema, (list, tuple)):
        if not isinstance(value, (list, tuple)):
            raise ValueError(
                f"{where}: expected {len(schema)} values in a list or tuple, got {_a(value)}"
            )
        if len(value) != len(schema):
            raise ValueError(f"{where}: expected {len(schema)} values, got {len(value)}")
        keys: Iterable[Any] = range(len(schema))
    elif isinstance(schema, dict):
        if not isinstance(value, dict):
            raise ValueError(
                f"{where}: expected a dict with the keys {_keys(schema)}, got {_a(value)}"
            )
        if value.keys() != schema.keys():
            raise ValueError(f"{where}: expected the keys {_keys(schema)}, got {_keys(value)}")
        keys = schema
    else:
        return [value]
    return [leaf for key in keys for leaf in spread(value[key], schema[key], f"{where}[{key!r}]")]


def group(values: Iterator[Any], schema: Any) -> Any:
    """The reverse of ``spread``: values in the order of the leaves, in lists and dicts."""
    if isinstance(schema, (list, tuple)):
        return [group(values, part) for part in schema]
    if isinstance(schema, dict):
        return {key: group(values, part) for key, part in schema.items()}
    return next(values)


def fill_no_update(value: Any, schema: Any) -> Any:
    """``value`` with every ``no_update`` that stands for a branch given to each leaf of it.

    Whatever else does not fit is left for Dash to report.
    """
    if isinstance(value, NoUpdate):
        return internals.map_grouping(lambda _: value, schema)
    if isinstance(schema, dict) and isinstance(value, dict):
        return {k: fill_no_update(v, schema[k]) if k in schema else v for k, v in value.items()}
    if (
        isinstance(schema, (list, tuple))
        and isinstance(value, (list, tuple))
        and len(value) == len(schema)
    ):
        return [fill_no_update(v, s) for v, s in zip(value, schema, strict=True)]
    return value


def leaves(schema: Any) -> list[Any]:
    """The leaves of a grouping, in order."""
    if isinstance(schema, (list, tuple)):
        return [leaf for part in schema for leaf in leaves(part)]
    if isinstance(schema, dict):
        return [leaf for part in schema.values() for leaf in leaves(part)]
    return [schema]


def _a(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.80}"


def _keys(mapping: dict[Any, Any]) -> str:
    return ", ".join(map(repr, mapping)) or "(none)"
