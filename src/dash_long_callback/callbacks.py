"""What a long callback is once it is declared, and where all of them are found."""

from __future__ import annotations

import functools
import hashlib
import threading
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from dash_long_callback import changed_values, dash_internals
from dash_long_callback.grouping import leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash import Input, Output

    from dash_long_callback.dash_internals import Registration
    from dash_long_callback.managers.base import Manager


@dataclass
class Options:
    """The keyword arguments of ``long_callback`` that Dash's own ``callback`` does not have."""

    manager: Manager | None = None
    running: list[tuple[Output, Any, Any]] = field(default_factory=list["tuple[Output, Any, Any]"])
    cancel: list[Input] = field(default_factory=list["Input"])
    progress: Any = None
    progress_default: list[Any] | None = None
    interval: float | None = None
    on_error: Callable[[Exception], Any] | None = None
    timeout: float | None = None
    cache_by: list[Callable[[], Any]] | None = None
    expire: float | None = None
    cache_args_to_ignore: list[int | str] = field(default_factory=list["int | str"])
    cache_ignore_triggered: bool = True
    coalesce: bool | None = None
    context: list[str] | None = None
    queue: str | None = None
    priority: int | None = None
    on_retrigger: str = "replace"
    on_disconnect: str = "continue"


@dataclass
class LongCallback:
    """A function with its dependencies and options.

    Attributes:
        function: what the user wrote.
        options: how to run it.
        registration: how Dash knows it.
        recipe: declares it again when called; can be pickled, for a worker that can't import it.
        key: its name in every process that runs the same app.
        reads: hashes of values of its script when it was declared, by name.
    """

    function: Callable[..., Any]
    options: Options
    registration: Registration
    recipe: Callable[[], LongCallback]
    key: str = ""
    reads: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.reads = changed_values.read_by(self.function)

    @property
    def name(self) -> str:
        """The function and what it updates, for messages."""
        function = getattr(self.function, "__qualname__", repr(self.function))
        return f"{function} ({self.registration.callback_id})"

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the function's code."""
        return code_digest(self.function)

    @property
    def ends_with_page(self) -> bool:
        """Whether its jobs are cancelled when their page has gone."""
        return self.options.on_disconnect == "cancel"

    @property
    def handles_errors(self) -> bool:
        """Whether there is an ``on_error``, its own or the app's."""
        handler = self.options.on_error or dash_internals.app_error_handler(self.registration)
        return handler is not None

    @property
    def progress_outputs(self) -> list[Output]:
        """The outputs of ``progress``, flat; their indices are the targets of updates."""
        return [] if self.options.progress is None else leaves(self.options.progress)


class Registry:
    """All long callbacks of this process, by key.

    Keys are Dash's callback ids, not function names: many apps name every callback ``update``.
    Two apps of one process may use the same id; the later gets a number. Declaring in the same
    order gives the same keys in another process.
    """

    def __init__(self) -> None:
        self._callbacks: dict[str, LongCallback] = {}
        #: Modules that made the apps, in their order: importing them declares the callbacks again.
        self.modules: list[str] = []
        self._lock = threading.Lock()

    def add(self, callback: LongCallback) -> None:
        """Give the callback its key and keep it."""
        base = callback.registration.callback_id
        with self._lock:
            key, number = base, 1
            while key in self._callbacks:
                number += 1
                key = f"{base}#{number}"
            callback.key = key
            self._callbacks[key] = callback

    def get(self, key: str) -> LongCallback | None:
        """The callback with this key."""
        return self._callbacks.get(key)

    def all(self) -> list[LongCallback]:
        """All callbacks, in the order of their declaration."""
        return list(self._callbacks.values())


#: The callbacks of this process.
registry = Registry()


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
    return digest.hexdigest()


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
        return [value.__code__, value.__defaults__, value.__kwdefaults__, *_cells(value)]
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


def _cells(function: FunctionType) -> list[Any]:
    found: list[Any] = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled yet, as in a function that refers to itself
            found.append(None)
    return found
