"""What can be wrong with a declaration besides its options: each is said at import, in words."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dash import ClientsideFunction
from dash.development.base_component import Component

from dash_long_callback.dash.internals import Wired
from dash_long_callback.errors import RegistrationError

#: What the parameter is called in all documentation.
SET_PROGRESS = "set_progress"


def check_called(args: tuple[Any, ...], example: str) -> None:
    """Refuse a decorator without its parentheses, which gets the function as its argument.

    Args:
        args: positional arguments of the decorator.
        example: how it is written.

    Raises:
        RegistrationError: if one is a function.
    """
    for value in args:
        if callable(value) and not isinstance(value, (Component, ClientsideFunction)):
            function = getattr(value, "__qualname__", repr(value))
            raise RegistrationError(
                f"the long callback {function}: the decorator needs its outputs and inputs in "
                f'parentheses, as in {example}(Output("result", "children"), '
                'Input("run", "n_clicks"))'
            )


def check_signature(name: str, function: Any, grouping: Any, *, progress: bool) -> None:
    """Refuse a function that can't be called with what it will get.

    Args:
        name: of the callback, for the message.
        function: what the author wrote. If it can't say what it takes, it is believed.
        grouping: the shape of its inputs and states, as Dash has it.
        progress: whether it gets ``set_progress``.

    Raises:
        RegistrationError: if the number or the names of its parameters do not fit, or
            ``set_progress`` is not the first.
    """
    try:
        # As it is called: a decorator may add arguments to the function that it wraps.
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return
    names = list(signature.parameters)
    kinds = {p.kind for p in signature.parameters.values()}
    own = argument_names(grouping)
    by_name = isinstance(grouping, dict)
    asks = SET_PROGRESS in names and not (by_name and SET_PROGRESS in own)
    first = [SET_PROGRESS] if progress else []
    wanted = [*first, *_parameters(own)]
    if (
        asks
        and not progress
        and signature.parameters[SET_PROGRESS].default is inspect.Parameter.empty
    ):
        raise RegistrationError(
            f"{name} has a parameter {SET_PROGRESS}, but no progress=: add "
            f"progress=Output(component_id, property), or leave the parameter out"
        )
    if (
        asks
        and progress
        and names[0] != SET_PROGRESS
        and inspect.Parameter.VAR_POSITIONAL not in kinds
    ):
        raise RegistrationError(
            f"{name}: {SET_PROGRESS} must be its first parameter, and is number "
            f"{names.index(SET_PROGRESS) + 1}: def {_def(function, wanted)}"
        )
    args, kwargs = (first, dict.fromkeys(own)) if by_name else ([*first, *own], {})
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        values = f"{len(own)} value{'' if len(own) == 1 else 's'} of its inputs and states"
        if by_name:
            values = f"the inputs and states {', '.join(map(repr, own))} by name"
        more = f"{SET_PROGRESS}, as there is a progress=, and " if progress else ""
        raise RegistrationError(
            f"{name} can't be called with what it gets ({error}): it gets {more}{values}, so write "
            f"def {_def(function, wanted)}"
        ) from None


def argument_names(grouping: Any) -> list[Any]:
    """What tells the arguments of a function apart: their names, or their indices."""
    if isinstance(grouping, dict):
        return list(grouping)
    return list(range(1 if isinstance(grouping, int) else len(grouping)))


def parameter_names(function: Any, grouping: Any, *, progress: bool) -> list[str]:
    """What the arguments of a function are called, in their order, as far as they have names.

    Args:
        function: what the author wrote.
        grouping: the shape of its inputs and states, as Dash has it.
        progress: whether it gets ``set_progress``, which is left out.
    """
    own = argument_names(grouping)
    if isinstance(grouping, dict):
        return own
    try:
        # Not of a function that is wrapped: it may get other arguments.
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return []
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in by_place]
    return names[progress:][: len(own)]


def _parameters(names: list[Any]) -> list[str]:
    """Names for the parameters of a function, where they are only counted."""
    if names == [0]:
        return ["value"]
    return [f"value{name + 1}" if isinstance(name, int) else str(name) for name in names]


def _def(function: Any, parameters: list[str]) -> str:
    name = getattr(function, "__name__", "function")
    own = ["self"] if inspect.ismethod(function) else []
    return f"{name if name.isidentifier() else 'function'}({', '.join(own + parameters)})"


def repeats(former: Any, loaded: Any, function: Any) -> bool:
    """Whether a function is an earlier one once more: a cell or a module that ran again.

    Two functions of one file that runs once are two, even if they have one name.

    Args:
        former: the earlier function.
        loaded: what ``module_load`` said of it then.
        function: the later one.
    """
    one, other = _plain(former), _plain(function)
    if _name(one) != _name(other):
        return False
    code = getattr(other, "__code__", None)
    if code is None:
        return one is other
    if not Path(code.co_filename).is_file():  # of a notebook, or a console
        return True
    # Each run of a file by `runpy` has its own globals; a reload keeps them.
    return one.__globals__ is not other.__globals__ or loaded is not module_load(function)


def module_load(function: Any) -> Any:
    """What is another object after the function's module was loaded again."""
    module = sys.modules.get(getattr(_plain(function), "__module__", None) or "")
    return getattr(module, "__spec__", None)


def _plain(function: Any) -> Any:
    while True:
        if isinstance(function, functools.partial):
            function = function.func  # pyright: ignore[reportUnknownMemberType]
        elif inspect.ismethod(function):
            function = function.__func__
        elif (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        else:
            return function  # pyright: ignore[reportUnknownVariableType]


def _name(function: Any) -> tuple[Any, Any]:
    return getattr(function, "__module__", None), getattr(function, "__qualname__", repr(function))


def check_outputs(name: str, ours: Wired, others: Iterable[Wired]) -> None:
    """Refuse outputs that another callback has, as Dash's dev tools do when a page is loaded.

    Raises:
        RegistrationError: if there is one that both set.
    """
    for other in others:
        if other.helper:
            continue
        both = [o for o in ours.outputs if any(overlap(o, theirs) for theirs in other.outputs)]
        if not both:
            continue
        message = f"{name} and {other.name} both set {shown(both[0])}"
        if "@" in both[0][1]:
            raise RegistrationError(
                f"{message}, and have the same "
                "inputs: with allow_duplicate, Dash tells callbacks apart by their inputs. Make "
                "them one function, or give one of them another Input"
            )
        raise RegistrationError(
            f"{message}: give both outputs "
            "allow_duplicate=True, or make them one function that asks ctx.triggered_id"
        )


def shown(dependency: tuple[Any, str]) -> str:
    """A dependency as its author wrote it."""
    component_id, prop = dependency
    if not isinstance(component_id, str):
        parts = (
            f"{key!r}: {value[0] if isinstance(value, list) else repr(value)}"
            for key, value in component_id.items()
        )
        component_id = "{" + ", ".join(parts) + "}"
    return f"{component_id}.{prop.partition('@')[0]}"


def overlap(one: tuple[Any, str], other: tuple[Any, str]) -> bool:
    """Whether two dependencies may be the same property of the same component."""
    (one_id, one_prop), (other_id, other_prop) = one, other
    if one_prop != other_prop or isinstance(one_id, str) or isinstance(other_id, str):
        return one == other
    return one_id.keys() == other_id.keys() and all(
        value == other_id[key] or isinstance(value, list) or isinstance(other_id[key], list)
        for key, value in one_id.items()
    )
