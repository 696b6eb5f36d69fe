"""A callback, the values of its inputs, and whose it is → a job: for code, and for HTTP clients."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import dash

from dash_long_callback.calls.request import context_of
from dash_long_callback.checks import is_finite
from dash_long_callback.dash import internals, plain_apps
from dash_long_callback.dash.app import manager_of
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import LongCallbackError
from dash_long_callback.managers.base import Manager, Receipt
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.terms import terms_of


def start(
    callback: LongCallback,
    values: list[Any],
    *,
    owner: str | None,
    request: dict[str, Any] | None,
    not_before: float | None = None,
    job_id: str | None = None,
) -> Receipt:
    """Start a job, or find out what answers the call in its place.

    Args:
        callback: what is called.
        values: of its inputs and states, in Dash's order.
        owner: whose the job is.
        request: the web request in which it is called; see ``internals.context_of_call``.
        not_before: seconds since 1970, before which it is not to begin.
        job_id: which the job is to have; None: a new one.

    Returns:
        The job's id, or the result that was kept in its place.

    Raises:
        BadCall: if a value does not fit its pattern.
        LimitReached: if a limit is reached and the callback has ``on_limit="refuse"``.
        OptionFailed: if a function for ``cache_by``, ``priority`` or a limit fails.
        StoreError: if the job can't be stored, or the broker can't be reached.
    """
    _, manager = home(callback)
    context = context_of(callback, values, request)
    travel = manager.context if callback.options.context is None else callback.options.context
    call = callback.call(
        internals.plain_json(internals.context_fields(context, travel)),
        sharing_of(callback, manager, context),
        owner,
        job_id,
        terms=terms_of(callback, context, owner),
        not_before=not_before,
    )
    call.job.ends_with_page = False  # there is none
    return manager.submit(call)


def home(callback: LongCallback) -> tuple[dash.Dash | None, Manager]:
    """The app of a callback, and what runs its jobs.

    Raises:
        LongCallbackError: if this process has made no app.
    """
    app, manager = internals.app_of(callback.registration), callback.options.manager
    if manager is not None:
        return app, manager
    if app is None:
        raise LongCallbackError(
            f"submit({callback.function_name}): no app was made in this process, so it is not "
            "known where the job is to run. Import the module that makes the app"
        )
    plain_apps.ensure(app)
    return app, manager_of(app)


def moment(delay: float | None, at: datetime | None, call: str = "submit") -> float | None:
    """When a job may begin, in seconds since 1970; None: now.

    Args:
        delay: seconds from now.
        at: the moment itself.
        call: who is told if these are wrong.

    Raises:
        TypeError: if both are given, or one is not what it should be.
    """
    if delay is not None and at is not None:
        raise TypeError(f"{call}: delay= and at= both say when the job may begin; give one of them")
    if delay is not None:
        if not is_finite(delay) or delay < 0:
            raise TypeError(f"{call}: delay={delay!r} must be a number of seconds from 0 on")
        return time.time() + delay if delay > 0 else None
    if at is None:
        return None
    if not isinstance(at, datetime) or at.utcoffset() is None:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"{call}: at={at!r} must be a datetime with a time zone, as it means another moment in "
            "each: pass tzinfo, as in datetime(2030, 1, 31, 12, tzinfo=timezone.utc)"
        )
    begins = at.timestamp()
    return begins if begins > time.time() else None
