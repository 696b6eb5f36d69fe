"""Whether a request's outcome may answer others, and what makes them equal."""

from __future__ import annotations

from typing import Any

from dash_long_callback import cell_digest
from dash_long_callback.cache_key import cache_key
from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import CacheByFailed
from dash_long_callback.jobs import Sharing
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.functions import value_of


def sharing_of(callback: LongCallback, manager: Manager, context: Any) -> Sharing | None:
    """How a request shares its outcome; None if it does not.

    The decorator's ``cache_by`` and ``expire`` override the manager's.

    Args:
        callback: what was asked for.
        manager: what will run it.
        context: Dash's callback context of the request.

    Raises:
        CacheByFailed: if a ``cache_by`` function raises, or returns what is not JSON.
        UserError: if a ``cache_by`` function raises that.
    """
    options = callback.options
    cache_by = manager.cache_by if options.cache_by is None else options.cache_by
    coalesce = cache_by is not None if options.coalesce is None else options.coalesce
    if cache_by is None and not coalesce:
        return None
    key = cache_key(
        callback.key,
        cell_digest.of(callback.function) or callback.digest,
        _arguments(callback, context),
        [
            value_of("cache_by", function, callback, context, failed=CacheByFailed)
            for function in cache_by or ()
        ],
        None
        if options.cache_ignore_triggered
        else [trigger["prop_id"] for trigger in context.triggered_inputs],
        components=[context.outputs_list, _every_id(context)],
    )
    expire = manager.expire if options.expire is None else options.expire
    return Sharing(key, keep=cache_by is not None, coalesce=coalesce, expire=expire)


def _arguments(callback: LongCallback, context: Any) -> Any:
    arguments = internals.grouped_arguments(callback.registration, context)
    ignored = callback.options.cache_args_to_ignore
    if isinstance(arguments, dict):
        return {name: value for name, value in arguments.items() if name not in ignored}
    return [value for index, value in enumerate(arguments) if index not in ignored]


def _every_id(context: Any) -> list[Any]:
    """The components behind each ``ALL``: equal values of others are not the same question."""
    groups = context.inputs_list + (context.states_list or [])
    return [[part["id"] for part in group] for group in groups if isinstance(group, list)]
