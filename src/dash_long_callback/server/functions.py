"""Functions that an author gives as options, and that run in the web request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import OptionFailed, UserError


def value_of(
    what: str,
    function: Callable[..., Any],
    callback: LongCallback,
    context: Any,
    arguments: list[Any] | dict[str, Any] | None = None,
    check: Callable[[Any], Any] | None = None,
    failed: type[OptionFailed] = OptionFailed,
) -> Any:
    """What such a function returns, as JSON has it.

    Args:
        what: it is for, such as "cache_by".
        function: to call.
        callback: whose option it is.
        context: Dash's callback context of the request.
        arguments: what it is called with, by place or by name; None: with nothing.
        check: raises if the value can't be used.
        failed: what is raised if that, or the function, fails.

    Raises:
        OptionFailed: if the function raises, or returns what can't be used.
        UserError: if the function raises that.
    """
    name = getattr(function, "__qualname__", repr(function))
    args, kwargs = ([], arguments) if isinstance(arguments, dict) else (arguments or [], {})
    try:
        with internals.callback_context(context):
            value = json.loads(internals.plain_json(function(*args, **kwargs)))
        if check is not None:
            check(value)
    except UserError:
        raise
    except Exception as error:
        raise failed(
            f"the {what} function {name} of {callback.name} failed: {type(error).__name__}: {error}"
        ) from error
    return value
