"""The author's function that each worker calls once, before its first job: ``worker_start``.

It runs on the worker's own modules, where it sets ``engine = create_engine(...)`` for jobs. A
worker looks for it among those that its own managers were given while the app was imported, then by
name, and then takes a copy that is sent to it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dash_long_callback import by_value
from dash_long_callback.code_digest import code_digest
from dash_long_callback.errors import RegistrationError

WorkerStart = Callable[[], object]

#: What managers of this process were given, in the order of their making, which is the same in
#: each process that imports the app.
_given: list[WorkerStart] = []


def given(function: Any) -> WorkerStart | None:
    """Check a manager's ``worker_start`` and keep it in mind.

    Raises:
        RegistrationError: if it can't be called without arguments.
    """
    if function is None:
        return None
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise RegistrationError(
            f"worker_start={function!r} is not an ordinary function; pass one of no arguments, "
            "which each worker process calls before its first job"
        )
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise RegistrationError(
            f"worker_start={name_of(function)} needs arguments; pass a function of none"
        ) from None
    except ValueError:
        pass  # a function in C, which does not say
    _given.append(function)
    return function


def name_of(function: Any) -> str:
    """The function, for messages."""
    return str(getattr(function, "__qualname__", None) or repr(function))


@dataclass(frozen=True)
class Reference:
    """Says to a worker which function to call.

    Attributes:
        name: for messages.
        digest: the hash of its code.
        number: how many functions with this code were given to managers before it.
        module: where it is, by its qualified name; None if it is not found there.
        pickled: a copy, for one without such a name.
        problem: why it can't be sent, if it can't.
    """

    name: str
    digest: str
    number: int
    module: str | None = None
    pickled: bytes | None = None
    problem: str = ""


def refer(function: WorkerStart, *, importable: bool) -> Reference:
    """Describe a function to workers.

    Args:
        function: what a manager was given.
        importable: whether workers can import ``__main__``; not so in a notebook.
    """
    digest = code_digest(function)
    same = [f for f in _given if code_digest(f) == digest]
    number = next((n for n, f in enumerate(same) if f is function), 0)
    found = Reference(name_of(function), digest, number)
    module = getattr(function, "__module__", None)
    if module and (importable or module != "__main__"):
        named = by_value.named(module, found.name)
        if type(named) is type(function) and named == function:  # a bound method is made anew
            return Reference(found.name, digest, number, module)
    main = {"__main__": vars(sys.modules["__main__"])} if importable else {}
    try:
        pickled = by_value.dumps(function, main)
    except Exception as error:  # a worker may have it by its import
        return Reference(found.name, digest, number, problem=f"{type(error).__name__}: {error}")
    return Reference(found.name, digest, number, pickled=pickled)


def resolve(reference: Reference) -> WorkerStart:
    """Find the function in a worker that has imported the app.

    Raises:
        RegistrationError: if it is not found.
    """
    same = [f for f in _given if code_digest(f) == reference.digest]
    if reference.number < len(same):
        return same[reference.number]
    if reference.module is not None:
        importlib.import_module(reference.module)
        function = by_value.named(reference.module, reference.name)
        if callable(function):
            return function
    if reference.pickled is not None:
        return by_value.loads(reference.pickled)
    raise RegistrationError(
        f"worker_start={reference.name} is not found in a worker process"
        f"{reference.problem and f', nor can it be sent to one ({reference.problem})'}. Define it "
        'at the top level of a module, above `if __name__ == "__main__"`'
    )
