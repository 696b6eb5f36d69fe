"""Finds module-level values of a script that were changed after its import, so that jobs lack it.

A worker imports ``__main__``, but does not run what is below ``if __name__ == "__main__"``: there
``settings["mode"] = args.mode`` sets it in the web process alone, and nothing fails. So each
process hashes the plain values that the script's long callbacks read, and these are compared.

Plain: str, bytes, numbers, bool, None, and lists, tuples, sets and dicts of them. Nothing of the
user's is called, as no ``__eq__``, ``__hash__`` or ``__repr__`` is but those of these types.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import Any

from dash_long_callback.app_names import MAIN

#: Parts of a value. A larger one is not compared, which keeps all of this below milliseconds.
MAX_PARTS = 1000
#: Characters of a string, or bytes, of a value that is compared.
MAX_LENGTH = 10_000
#: Containers in containers; also ends a list that contains itself.
MAX_DEPTH = 8
#: Functions that are followed from one callback.
MAX_FUNCTIONS = 100

_ATOMS = (str, bytes, int, float, complex, bool, type(None))


def read_by(function: Any) -> dict[str, str]:
    """Hash the plain values that a function of ``__main__`` reads, itself or by others of it.

    Returns:
        the hash of each, by the name in the module. Nothing for a function of another module:
        that is imported in the web process as in a worker.
    """
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, FunctionType) or function.__module__ not in MAIN:
        return {}
    try:
        return _hashes(function.__globals__, function.__code__)
    except Exception:  # another thread changes a dict meanwhile: no reason to fail
        return {}


def read_by_all(functions: Iterable[Any]) -> dict[str, str]:
    """The same for many functions, which share their module."""
    found: dict[str, str] = {}
    for function in functions:
        found |= read_by(function)
    return found


def _hashes(values: dict[str, Any], code: CodeType) -> dict[str, str]:
    found: dict[str, str] = {}
    todo, seen = [code], {code}
    while todo:
        for name in globals_of(todo.pop()):
            value = values.get(name)
            if isinstance(value, FunctionType) and value.__globals__ is values:
                if value.__code__ not in seen and len(seen) < MAX_FUNCTIONS:
                    seen.add(value.__code__)
                    todo.append(value.__code__)
            elif name in values and name not in found and not name.startswith("__"):
                text = plain_text(value)
                if text is not None:
                    found[name] = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return found


def plain_text(value: Any) -> str | None:
    """A plain value as text, the same in each process; None if it is not plain, or too large."""
    return _text(value, MAX_DEPTH, [MAX_PARTS])


def globals_of(code: CodeType) -> set[str]:
    """The names of module-level values that a function with this code reads."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names |= globals_of(const)
    return names


def _text(value: Any, depth: int, budget: list[int]) -> str | None:
    """A plain value as text, the same in each process; None if it is not plain, or too large."""
    kind: type[Any] = type(value)  # exactly: a subclass may have an odd repr
    budget[0] -= 1
    if budget[0] < 0:
        return None
    if kind in _ATOMS:
        return None if kind in (str, bytes) and len(value) > MAX_LENGTH else repr(value)
    if kind not in (list, tuple, set, frozenset, dict) or not depth or len(value) > budget[0]:
        return None
    parts = [_text(part, depth - 1, budget) for part in (value.items() if kind is dict else value)]
    if None in parts:
        return None
    # The order of a set differs from process to process; that of a dict is no difference.
    if kind not in (list, tuple):
        parts.sort(key=str)
    return f"{kind.__name__}({','.join(map(str, parts))})"
