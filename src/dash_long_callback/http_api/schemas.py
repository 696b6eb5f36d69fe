"""Type hints → JSON Schema: by pydantic, if it is installed; else what is plain."""

from __future__ import annotations

import importlib.util
import inspect
import json
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from dash_long_callback.http_api.service import Served

Schema: typing.TypeAlias = "dict[str, Any]"

#: Where OpenAPI has the schemas that others refer to.
REF = "#/components/schemas/{model}"
_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    types.NoneType: {"type": "null"},
    list: {"type": "array", "items": {}},
    tuple: {"type": "array", "items": {}},
    dict: {"type": "object"},
}
_YIELDS = (abc.Generator, abc.Iterator, abc.Iterable, abc.AsyncGenerator, abc.AsyncIterator)


class Schemas:
    """The schemas of callbacks.

    Args:
        served: the callbacks.

    Attributes:
        shared: schemas that others refer to, by name.
    """

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._hints = {name: hints_of(one.callback.function) for name, one in served.items()}
        wanted: dict[tuple[str, str], Any] = {}
        for name, one in served.items():
            hints = self._hints[name]
            wanted |= {(name, p): hints[p] for p in one.parameters if p in hints}
            if "return" in hints:
                wanted[name, "return"] = hints["return"]
        self._found, self.shared = (_by_pydantic if _has_pydantic() else _plainly)(wanted)

    def of(self, name: str, part: str) -> Schema:
        """That of a parameter, or of ``"return"``; ``{}``, anything, where it is not known."""
        return dict(self._found.get((name, part), {}))

    def arguments(self, served: Served) -> Schema:
        """That of a callback's arguments."""
        properties: dict[str, Schema] = {}
        for name, parameter in served.parameters.items():
            properties[name] = self.of(served.name, name)
            if parameter.default is not parameter.empty and _is_json(parameter.default):
                properties[name]["default"] = parameter.default
        required = [n for n, p in served.parameters.items() if p.default is p.empty]
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**schema, "required": required} if required else schema


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's type hints; of one that yields, as what it returns the type of each value."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # a name that is known to type checkers only
        return {}
    yields = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if yields and "return" in hints:
        args = get_args(hints["return"])
        known = get_origin(hints["return"]) in _YIELDS and args
        hints["return"] = args[0] if known else Any
    return hints


def _has_pydantic() -> bool:
    return importlib.util.find_spec("pydantic") is not None


_Found: typing.TypeAlias = "tuple[dict[tuple[str, str], Schema], dict[str, Schema]]"


def _by_pydantic(wanted: Mapping[tuple[str, str], Any]) -> _Found:
    from pydantic import TypeAdapter

    adapters: list[tuple[tuple[str, str], Literal["validation", "serialization"], Any]] = []
    for key, hint in wanted.items():
        mode: Any = "serialization" if key[1] == "return" else "validation"
        try:
            adapter = TypeAdapter(hint)
            adapter.json_schema(mode=mode)
        except Exception:  # noqa: S112 - a type of the app's own, of which nothing is known
            continue
        adapters.append((key, mode, adapter))
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template=REF)
    schemas: dict[tuple[str, str], Any] = {key: schema for (key, _), schema in found.items()}
    return schemas, definitions.get("$defs", {})


def _plainly(wanted: Mapping[tuple[str, str], Any]) -> _Found:
    return {key: plain(hint) for key, hint in wanted.items()}, {}


def plain(hint: Any) -> Schema:
    """The schema of a plain type, or of several in a list, a dict or a union; else ``{}``."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is typing.Annotated:
        return plain(args[0])
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        parts = [plain(one) for one in args]
        return {"anyOf": parts} if all(parts) else {}
    if origin in (list, abc.Sequence) and args:
        return {"type": "array", "items": plain(args[0])}
    if origin in (dict, abc.Mapping) and args:
        return {"type": "object", "additionalProperties": plain(args[1])}
    try:
        return dict(_PLAIN.get(origin or hint, {}))
    except TypeError:  # not hashable
        return {}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
