"""The arguments of a function → the values of its callback's inputs and states.

submit(work, 3, name="x")          as its author wrote the parameters
    ▼ inspect.signature
by place, or by name               as Dash calls the function, without ``set_progress``
    ▼ the grouping of the inputs
a value for each input and state   JSON, as a browser would send it
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.declaration_checks import argument_names
from dash_long_callback.dash.grouping import leaves, spread
from dash_long_callback.errors import BadCall

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def values_of(callback: LongCallback, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The value of each input and state, in Dash's order.

    Args:
        callback: whose function is called.
        args: positional arguments, without ``set_progress``.
        kwargs: keyword arguments.

    Raises:
        BadCall: if the function can't be called with these, or one is not JSON. The message names
            the function, and the argument.
    """
    grouping = callback.registration.entry["inputs_state_indices"]
    name = f"submit({callback.function_name})"
    call = _Call(callback, name)
    schema: dict[Any, Any]
    if isinstance(grouping, dict):
        schema, given = grouping, call.by_name(list(grouping), args, kwargs)
    else:
        parts = [grouping] if isinstance(grouping, int) else list(grouping)
        schema, given = dict(enumerate(parts)), dict(enumerate(call.by_place(parts, args, kwargs)))
    values: dict[int, Any] = {}
    for key, part in schema.items():
        argument, shown = _argument(callback, key)
        try:
            flat = [_plain(value, shown) for value in spread(given[key], part, shown)]
        except ValueError as error:
            raise BadCall(name, str(error), argument) from error.__cause__
        values |= zip(leaves(part), flat, strict=True)
    return [values[index] for index in range(len(values))]


def parameters_of(callback: LongCallback) -> set[str]:
    """The names of all that a callback's function takes."""
    signature = _signature(callback)
    own = argument_names(callback.registration.entry["inputs_state_indices"])
    return {*(signature.parameters if signature else ()), *filter(_is_name, own)}


def named_arguments(callback: LongCallback) -> dict[str, inspect.Parameter]:
    """The arguments of a callback's function that a call may give by name, in their order.

    Raises:
        TypeError: if some have no name.
    """
    grouping = callback.registration.entry["inputs_state_indices"]
    signature = _signature(callback)
    known = {} if signature is None else signature.parameters
    if isinstance(grouping, dict):
        by_name = inspect.Parameter.KEYWORD_ONLY
        return {
            name: known.get(name, inspect.Parameter(name, by_name))
            for name in argument_names(grouping)
        }
    count = len(argument_names(grouping))
    found = [p for p in known.values() if p.kind is p.POSITIONAL_OR_KEYWORD][:count]
    if len(found) < count or any(p.kind is p.POSITIONAL_ONLY for p in known.values()):
        raise TypeError(
            f"{callback.name}: not each of its arguments can be given by name; write them out as "
            "ordinary parameters, without / and without *args"
        )
    return {p.name: p for p in found}


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


def _signature(callback: LongCallback) -> inspect.Signature | None:
    """What a function takes besides ``set_progress``; None if it can't say."""
    try:
        # As it is called: a decorator may add arguments to the function that it wraps.
        signature = inspect.signature(callback.function, follow_wrapped=False)
    except (ValueError, TypeError):
        return None
    parameters = list(signature.parameters.values())
    if callback.options.progress is not None and parameters[0].kind not in _VARIADIC:
        del parameters[0]
    return signature.replace(parameters=parameters)


class _Call:
    """A call of a callback's function, before it is known whether it fits."""

    def __init__(self, callback: LongCallback, name: str) -> None:
        self._signature = _signature(callback)
        self._name = name

    def by_place(
        self, parts: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[Any]:
        """One value for each of the parts."""
        count = len(parts)
        values = list(args)
        if self._signature is not None:
            bound = self._bound(args, kwargs)
            parameters = self._signature.parameters.values()
            places = [p.name for p in parameters if p.kind not in _VARIADIC]
            by_place = [p.name for p in parameters if p.kind in _POSITIONAL][:count]
            self._refuse([n for n in places if n in bound.arguments and n not in by_place])
            self._refuse(
                [
                    n
                    for p in parameters
                    if p.kind is p.VAR_KEYWORD
                    for n in bound.arguments.get(p.name, ())
                ]
            )
            bound.apply_defaults()
            values = list(bound.args)
            if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
                values = values[:count]  # others have their defaults
        elif kwargs:
            raise self._error(
                f"it can't be told what its arguments are called; give all {count} by position"
            )
        if len(values) != count:
            raise self._error(f"it takes {count} value{'s' * (count != 1)}, got {len(values)}")
        return values

    def by_name(
        self, names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """One value for each of the names."""
        if self._signature is None:
            if args:
                raise self._error(f"give {', '.join(names)} by name")
            found, defaults = dict(kwargs), dict[str, Any]()
        else:
            bound = self._bound(args, kwargs)
            parameters = self._signature.parameters.values()
            found = dict(bound.arguments)
            for parameter in parameters:
                more = found.pop(parameter.name, None) if parameter.kind in _VARIADIC else None
                if parameter.kind is parameter.VAR_KEYWORD:
                    found |= more or {}
                elif more:
                    raise self._error(f"give {', '.join(names)} by name")
            defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._refuse([name for name in found if name not in names])
        missing = [name for name in names if name not in found and name not in defaults]
        if missing:
            raise self._error(f"missing {', '.join(map(repr, missing))}", missing[0])
        return {name: found[name] if name in found else defaults[name] for name in names}

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        assert self._signature is not None
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            culprit = _culprit(self._signature, args, kwargs)
            raise self._error(str(error), culprit) from None

    def _refuse(self, names: list[str]) -> None:
        """Refuse arguments that no input fills: a job would get their defaults instead."""
        if names:
            raise self._error(
                f"the callback has no Input or State for {', '.join(map(repr, names))}, so a job "
                "can't be given that",
                names[0],
            )

    def _error(self, message: str, argument: str | None = None) -> BadCall:
        takes = (
            "" if self._signature is None else f"; its arguments are {_written(self._signature)}"
        )
        return BadCall(self._name, message + takes, argument)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _culprit(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    """The argument that is missing, or that the function does not have, in a call by name."""
    if args:
        return None
    known = signature.parameters.values()
    named = [p for p in known if p.kind not in _VARIADIC]
    missing = [p.name for p in named if p.default is p.empty and p.name not in kwargs]
    more = any(p.kind is p.VAR_KEYWORD for p in known)
    unknown = [name for name in kwargs if not more and name not in signature.parameters]
    return next(iter([*missing, *unknown]), None)


def _written(signature: inspect.Signature) -> str:
    """The arguments, as they are written."""
    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def _argument(callback: LongCallback, key: Any) -> tuple[str | None, str]:
    """The name of an argument, if it has one, and what it is called in messages."""
    if isinstance(key, str):
        return key, repr(key)
    names = callback.argument_names
    return (names[key], repr(names[key])) if key < len(names) else (None, f"argument {key + 1}")


def _plain(value: Any, shown: str) -> Any:
    """A value as a browser would have sent it."""
    try:
        return json.loads(internals.plain_json(value))
    except Exception as error:
        raise ValueError(
            f"{shown} can't be sent to a job as JSON: {value!r:.80} ({error}). Give what is plain, "
            "such as a name or a path by which the function finds it"
        ) from error
