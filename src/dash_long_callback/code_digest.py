"""A hash of a function's code: tells whether two processes have the same."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any


def code_digest(function: Callable[..., Any]) -> str:
    """A hash of what a function does: its bytecode, defaults and plain closed-over values.

    Line numbers and file names do not count: a comment does not make another function.
    """
    digest = hashlib.sha256()
    code: Any = getattr(function, "__wrapped__", function)
    if not isinstance(code, (FunctionType, MethodType, functools.partial)):
        # An object that can be called: what that does is written in its class.
        call: Any = type(code).__call__
        code = call if isinstance(call, FunctionType) else code
    _feed(digest.update, code, 0, set())
    return digest.hexdigest()[:32]


#: How deep functions and containers are followed; what is deeper counts by its type.
_DEPTH = 12


def _feed(update: Callable[[bytes], object], value: Any, depth: int, seen: set[int]) -> None:
    if isinstance(value, (str, bytes, int, float, complex, type(None), type(...))):
        update(f"{type(value).__name__}:{value!r};".encode())
        return
    # The brackets tell ((1, 2), 3) from (1, (2, 3)).
    update(f"{type(value).__qualname__}(".encode())
    # Closures that refer to each other are followed once. Not so tuples: whether two equal ones
    # are the same object is up to the process.
    again = isinstance(value, (FunctionType, list, dict)) and id(value) in seen  # pyright: ignore[reportUnknownArgumentType]
    seen.add(id(value))  # pyright: ignore[reportUnknownArgumentType]
    for part in _parts(value) if depth < _DEPTH and not again else ():
        _feed(update, part, depth + 1, seen)
    update(b")")


def _parts(value: Any) -> list[Any]:
    """What a value that is not plain is made of, as far as that says what a function does."""
    if isinstance(value, FunctionType):
        # None for what is not filled yet, as in a function that refers to itself.
        cells = map(closure_of(value).get, value.__code__.co_freevars)
        return [value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
    if isinstance(value, CodeType):
        return [
            value.co_code,
            value.co_flags,
            # `def f(a, b)` and `def f(a, *, b)` have the same bytecode.
            (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount),
            (value.co_names, value.co_varnames, value.co_freevars),
            value.co_consts,
        ]
    if isinstance(value, MethodType):
        return [value.__func__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]  # pyright: ignore[reportUnknownMemberType]
    if isinstance(value, (list, tuple)):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (set, frozenset)):
        # Their order differs from process to process.
        return sorted(map(repr, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]  # pyright: ignore[reportUnknownVariableType]
    return []


def closure_of(function: FunctionType) -> dict[str, Any]:
    """What a function closes over, by name; without what is not filled yet."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):
            found[name] = cell.cell_contents
    return found
