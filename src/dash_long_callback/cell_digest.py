"""A hash of all that a function of a notebook's cell depends on: part of the key of its results.

A module is the same until its author deploys another. Cells change one by one, and so does what
they have set: a helper function, a parameter, a data frame. Whatever a function reads of these,
itself or by what it calls, counts here: functions and classes by their code, values as they are
pickled.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

from dash_long_callback import notebook
from dash_long_callback.app_names import MAIN
from dash_long_callback.changed_values import globals_of, plain_text
from dash_long_callback.code_digest import closure_of, code_digest


def of(function: Callable[..., Any]) -> str | None:
    """A hash of a function of a cell and of what it reads; None for one of a module.

    What can't be pickled, such as a connection, counts by its type only. A large value takes as
    long as it takes to pickle it.
    """
    if not notebook.is_of_cell(function):
        return None
    digest = hashlib.sha256()
    todo: list[Any] = [function]
    seen: set[int] = set()
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        parts = sorted(_parts(value), key=lambda part: part[0])
        for name, part in parts:
            digest.update(f"{name}:{type(part).__qualname__};".encode())
        digest.update(_text(value))
        todo += [part for _, part in parts]
    return digest.hexdigest()[:32]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What of the notebook a value refers to, by name."""
    if isinstance(value, FunctionType):
        if value.__globals__.get("__name__") in MAIN:
            names = globals_of(value.__code__)
            yield from ((n, value.__globals__[n]) for n in names if n in value.__globals__)
        yield from closure_of(value).items()
        if (wrapped := getattr(value, "__wrapped__", None)) is not None:
            yield "__wrapped__", wrapped
    elif isinstance(value, MethodType):
        yield from (("self", value.__self__), ("function", value.__func__))
    elif isinstance(value, functools.partial):
        yield "function", value.func  # pyright: ignore[reportUnknownMemberType]
    elif isinstance(value, type):
        if value.__module__ in MAIN:
            own = {name: one for name, one in vars(value).items() if name != "__firstlineno__"}
            yield from ((name, getattr(one, "__func__", one)) for name, one in own.items())
            yield from ((f"base {base.__qualname__}", base) for base in value.__bases__)
    elif isinstance(value, property):
        yield "getter", value.fget
    elif not isinstance(value, ModuleType):
        yield "class", type(value)


def _text(value: Any) -> bytes:
    if isinstance(value, (FunctionType, MethodType, functools.partial)):
        return code_digest(value).encode()
    if isinstance(value, (type, ModuleType)):
        return value.__name__.encode()
    text = plain_text(value)
    if text is not None:
        return text.encode(errors="surrogatepass")
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=5)).digest()
    except Exception:
        return b""
