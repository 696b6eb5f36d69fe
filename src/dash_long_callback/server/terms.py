"""When a click's job may begin: its priority, and the keys of its limits and rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash_long_callback.checks import is_finite
from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.limits import USER, Bound, Terms, numbers, record_key
from dash_long_callback.server.functions import value_of


def terms_of(callback: LongCallback, context: Any, owner: str | None) -> Terms | None:
    """What the record of a request's job says of when it may begin; None if that is any time.

    Args:
        callback: what was asked for.
        context: Dash's callback context of the request.
        owner: who asks.

    Raises:
        OptionFailed: if a function for it raises, or returns what is not JSON, or not a number.
        UserError: if such a function raises that.
    """
    options = callback.options
    if options.priority is None and not options.limits and not options.rate:
        return None
    arguments = internals.grouped_arguments(callback.registration, context)

    def priority() -> float:
        if not callable(options.priority):
            return float(options.priority or 0)
        value = value_of(
            "priority", options.priority, callback, context, arguments, check=_check_number
        )
        return float(value)

    def value(bound: Bound) -> Any:
        key = bound.key
        if key is None:
            return None
        if key == USER:
            return owner
        if callable(key):
            return value_of("key", key, callback, context, arguments)
        if isinstance(arguments, dict):
            return arguments[key]
        return arguments[callback.argument_names.index(key)]

    def entries(bounds: Sequence[Bound]) -> list[list[Any]] | None:
        return [
            [record_key(bound, callback.key, value(bound)), *numbers(bound)] for bound in bounds
        ] or None

    return Terms(
        priority(), entries(options.limits), entries(options.rate), options.on_limit == "refuse"
    )


def _check_number(value: Any) -> None:
    if not is_finite(value):
        raise TypeError(f"it must return a number, got {value!r:.80}")
