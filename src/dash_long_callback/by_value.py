"""Sends to a worker what it can't have by import: functions, and the objects that they refer to.

cloudpickle does the most of it. But it copies the globals of a function, and so a worker would have
each module twice: with settings of another time, and without what can't be copied, such as a lock.
Here a function of a module that the worker has gets that module's own globals; only the code,
the closure and the defaults travel. What is found in a module by its name is not sent at all.

A function of a notebook, which is in no module that a worker could import, is sent as cloudpickle
does it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Collection, Mapping
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, TypeAlias, cast

import cloudpickle

from dash_long_callback.changed_values import globals_of
from dash_long_callback.code_digest import closure_of, code_digest
from dash_long_callback.executors import script

#: The names in each module of the app that a worker has imported. Not among them is a ``__main__``
#: that it can't import, as that of a notebook.
Modules: TypeAlias = Mapping[str, Collection[str]]

#: What knows values that a worker has itself, such as the app: each gets a value, and returns what
#: a worker calls to have its own, and with what; or None.
references: list[Callable[[Any], tuple[Callable[..., Any], tuple[Any, ...]] | None]] = []

#: The name of a function that was made here, until it gets its own with the rest of its state.
_NEW = "<sent>"


def dumps(value: Any, modules: Modules) -> bytes:
    """Pickle a value for a worker, whose ``loads`` reads it.

    Args:
        value: what to send.
        modules: what the worker has imported.

    Raises:
        Exception: of any kind, if it can't be pickled; see ``unsendable.where``.
    """
    with io.BytesIO() as out:
        _Pickler(out, modules).dump(value)
        return out.getvalue()


def can_be_sent(value: Any, modules: Modules) -> bool:
    """Whether ``dumps`` takes a value."""
    try:
        dumps(value, modules)
    except Exception:
        return False
    return True


def loads(data: bytes) -> Any:
    """The reverse of ``dumps``, in a worker."""
    return cloudpickle.loads(data)


class _Pickler(cloudpickle.CloudPickler):
    def __init__(self, file: io.BytesIO, modules: Modules) -> None:
        super().__init__(file)
        self._modules = modules
        # By id, and kept as long as this lives: functions that share a variable go on to share it.
        self._cells: dict[int, tuple[CellType, _Cell]] = {}

    def reducer_override(self, obj: Any) -> Any:
        # Not isinstance, which a proxy of what is not there now may not survive.
        if type(obj) is FunctionType:
            reduced = self._function(obj)
        elif issubclass(type(obj), type):
            reduced = self._class(cast("type[Any]", obj))
        else:
            found = (refer(obj) for refer in references)
            reduced = next((one for one in found if one is not None), None)
        return super().reducer_override(obj) if reduced is None else reduced

    def _class(self, cls: type[Any]) -> Any:
        """By name, if it is found in the script. cloudpickle knows all other modules."""
        name = cls.__qualname__
        if cls.__module__ != "__main__" or not self._has("__main__", name):
            return None
        return (named, ("__main__", name)) if named("__main__", name) is cls else None

    def _function(self, function: FunctionType) -> Any:
        module = self._module(function)
        if module is None or (module != "__main__" and _is_found(function)):
            return None
        code, name = function.__code__, function.__qualname__
        closure = function.__closure__ or ()
        if closure and self._has(module, name) and named(module, name) is function:
            return named, (module, name)  # a decorator may keep there what can't be sent
        cells = tuple(self._cell(cell) for cell in closure)
        state = {
            "values": closure_of(function),
            "globals": self._missing(module, function),
            "vars": dict(vars(function)),
            "slots": {slot: getattr(function, slot) for slot in _SLOTS},
            "annotations": _annotations(function),
        }
        arguments = module, name, code_digest(function), code, cells
        return _function, arguments, state, None, None, _fill

    def _module(self, function: FunctionType) -> str | None:
        """The module whose globals the function has, if the worker has it, too."""
        # Not `__module__`, which a decorator copies from the function that it wraps.
        name = function.__globals__.get("__name__")
        module = sys.modules.get(name) if isinstance(name, str) else None
        if not isinstance(module, ModuleType) or vars(module) is not function.__globals__:
            return None
        if name == "__main__":
            return name if name in self._modules else None
        if module.__spec__ is None or name in cloudpickle.list_registry_pickle_by_value():
            return None
        return name

    def _missing(self, module: str, function: FunctionType) -> dict[str, Any]:
        """Globals of the function that the worker lacks: they are set below the main guard."""
        if module not in self._modules:
            return {}
        values = function.__globals__
        used = sorted(globals_of(function.__code__))
        return {
            name: values[name] for name in used if name in values and not self._has(module, name)
        }

    def _has(self, module: str, name: str) -> bool:
        return name.partition(".")[0] in self._modules.get(module, ())

    def _cell(self, cell: CellType) -> _Cell:
        return self._cells.setdefault(id(cell), (cell, _Cell()))[1]


#: What a function has besides its code, its closure and its globals.
_SLOTS = ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__")


class _Cell:
    """Is sent in the place of a variable of a closure, whose value comes later.

    It may be the function itself, or one that shares the variable.
    """

    def __reduce__(self) -> tuple[type[CellType], tuple[()]]:
        return CellType, ()


def _annotations(function: FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:  # they are computed when asked for, and a name may be missing
        return {}


def _is_found(function: FunctionType) -> bool:
    """Whether cloudpickle sends just the name of this function."""
    name = getattr(function, "__module__", None)
    return bool(name) and name != "__main__" and named(name, function.__qualname__) is function


def named(module: str, name: str) -> Any:
    """What is found in a module under a qualified name; None if nothing is."""
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def source_of(function: Callable[..., Any]) -> str:
    """The module that a worker imports to have a function, a method, or a part of one."""
    while (inner := getattr(function, "func", None)) is not None and callable(inner):
        function = inner  # a functools.partial
    return str(getattr(function, "__module__", None) or "")


# In the worker


def _function(
    module: str, name: str, digest: str, code: CodeType, cells: tuple[CellType, ...]
) -> FunctionType:
    """The worker's own function, if it has the same; else one on the same globals."""
    if module == "__main__":
        namespace = script.namespace()
    else:
        namespace = vars(importlib.import_module(module))
    own = named(module, name)
    if type(own) is FunctionType and own.__code__ == code and code_digest(own) == digest:
        return own
    return FunctionType(code, namespace, _NEW, None, cells)


def _fill(function: FunctionType, state: dict[str, Any]) -> None:
    """Give a function that was made above what it had."""
    own = vars(sys.modules["__main__"]) if function.__globals__ is script.namespace() else {}
    for name, value in state["globals"].items():
        for namespace in (function.__globals__, own):
            namespace.setdefault(name, value)
    if function.__name__ != _NEW:
        return
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name, value in state["values"].items():
        cells[name].cell_contents = value
    vars(function).update(state["vars"])
    for slot, value in state["slots"].items():
        setattr(function, slot, value)
    with contextlib.suppress(Exception):
        function.__annotations__ = state["annotations"]
