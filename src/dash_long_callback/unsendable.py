"""Says why a callback can't be sent to a worker: what it is, and where it is reached from."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any, TypeAlias

from dash_long_callback.code_digest import closure_of

#: Tells whether a value can be sent.
Sendable: TypeAlias = Callable[[Any], bool]

#: Steps from the function to what can't be sent; also ends a circle.
MAX_DEPTH = 20
#: Parts of one object that are tried: each try pickles one of them.
MAX_PARTS = 200

HELP = (
    "Declare the callback at the top level of a module, where workers import it, and open what "
    "can't be sent in the manager's worker_start. If a function makes the app, name it to the "
    'manager, as in DiskcacheLongCallbackManager(app="module:function"). Or use '
    'start_method="fork", which copies the server'
)
HELP_IN_NOTEBOOK = (
    "Make it in the function itself. Or once in each worker: write a module (a cell that begins "
    "with %%writefile does), with a function that makes it, and give the manager that function as "
    "worker_start"
)


def where(function: Any, options: dict[str, Any], is_sendable: Sendable) -> str:
    """Describe what of a callback can't be sent, and by which way it is reached.

    Args:
        function: the function of the callback.
        options: the arguments of its declaration, by name.
        is_sendable: tells whether a value can be sent.

    Returns:
        such as ``"work → self.engine (a sqlalchemy.engine.base.Engine)"``.

    Examples:
        >>> import threading
        >>> lock = threading.Lock()
        >>> def make(lock):
        ...     def work(value):
        ...         with lock:
        ...             return value
        ...     return work
        >>> where(make(lock), {}, lambda value: False)
        'work → lock (a _thread.lock)'
    """
    starts = [(_name(function), function), *options.items()]
    path, value = next((one for one in starts if not is_sendable(one[1])), starts[0])
    for _ in range(MAX_DEPTH):
        for step, part in list(itertools.islice(_parts(value), MAX_PARTS)):
            if not is_sendable(part):
                path, value = path + step, part
                break
        else:
            break
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return f"{path} (a {kind})"


def _name(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    name = getattr(function, "__name__", None) or type(function).__name__  # pyright: ignore[reportUnknownArgumentType]
    return str(name)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value refers to, each with what it is called there."""
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, MethodType):
        yield " → self", value.__self__
        yield "", value.__func__
    elif isinstance(value, functools.partial):
        yield "", value.func  # pyright: ignore[reportUnknownMemberType]
        yield from ((f" → argument {n}", one) for n, one in enumerate(value.args))
        yield from ((f" → argument {name}", one) for name, one in value.keywords.items())
    elif isinstance(value, dict):
        yield from ((f"[{key!r:.40}]", one) for key, one in value.items())  # pyright: ignore[reportUnknownVariableType]
        yield from ((f" → key {key!r:.40}", key) for key in value)  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from ((f"[{number}]", one) for number, one in enumerate(value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        for name, one in list(getattr(value, "__dict__", {}).items()):
            yield f".{name}", inspect.unwrap(one) if isinstance(value, type) else one


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    code = function.__code__
    yield from ((f" → {name}", value) for name, value in closure_of(function).items())
    names = [*code.co_varnames[: code.co_argcount]][::-1]
    for name, default in zip(names, (function.__defaults__ or ())[::-1], strict=False):
        yield f" → default of {name}", default
    for name, default in (function.__kwdefaults__ or {}).items():
        yield f" → default of {name}", default
    for name in code.co_names:
        if name in function.__globals__:
            yield f" → {name}", function.__globals__[name]
    yield from ((f".{name}", one) for name, one in vars(function).items())
