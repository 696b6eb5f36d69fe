"""``submit()``: function + arguments → a job, as by a click."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import dash

from dash_long_callback.calls.arguments import parameters_of, values_of
from dash_long_callback.calls.handle import JobHandle
from dash_long_callback.calls.start import home, moment, start
from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.errors import JobNotFound, RegistrationError
from dash_long_callback.executors.local import importing
from dash_long_callback.jobs import is_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.owner import hash_of, owner_of
from dash_long_callback.worker.current import current_run


def submit(
    function: Callable[..., Any],
    /,
    *args: Any,
    delay: float | None = None,
    at: datetime | None = None,
    user: Any = ...,
    **kwargs: Any,
) -> JobHandle:
    """Start a job of a long callback from code: the same queue, limits, cache and log as a click.

    In any process that has imported the app: an ordinary callback, a script, a scheduler, a shell,
    a test, another job. What it sets is kept for who looks at it; ``attach`` shows it on a page.

    Args:
        function: of a long callback: what its author wrote.
        *args: its arguments, without ``set_progress``. They are sent as JSON. That of an input with
            ``ALL`` is a list of values.
        delay: seconds to wait before it may begin. The job is in the store all the time, and
            survives restarts.
        at: as ``delay``: when it may begin. With a time zone, as in ``datetime.now(UTC)``.
        user: whose job it is, as the manager's ``user`` returns it, or None for nobody's. Default:
            in a web request, whoever has sent it; in a job, that job's; else nobody's.
        **kwargs: its arguments by name. If one is called like an option of ``submit``, give it by
            ``functools.partial(function, delay=...)``.

    Returns:
        The job.

    Raises:
        TypeError: if the function is not that of one long callback, or can't be called with these
            arguments, or one is not JSON; or an option is of the wrong type or value.
        LimitReached: if a limit is reached and the callback has ``on_limit="refuse"``.
        OptionFailed: if a function for ``cache_by``, ``priority`` or a limit fails.
        StoreError: if the job can't be stored, or the broker can't be reached.

    Examples:
        >>> job = submit(work, 3, name="x")
        >>> job.result(timeout=60)
    """
    _check_place()
    callback, bound_args, bound_kwargs = called(function)
    given = {"delay": delay is not None, "at": at is not None, "user": user is not ...}
    if not isinstance(function, functools.partial):
        _check_names(callback, [name for name, is_given in given.items() if is_given])
    values = values_of(callback, (*bound_args, *args), {**bound_kwargs, **kwargs})
    not_before = moment(delay, at)
    app, manager = home(callback)
    manager.find_server()
    # A job has a request, too: that of its click.
    asked = None if current_run() is not None else app
    request = None if asked is None else internals.current_request(asked)
    owner = _owner(app if request is not None else None, user)
    receipt = start(callback, values, owner=owner, request=request, not_before=not_before)
    return JobHandle(manager, callback, receipt.job_id, owner, receipt.result)


def find_job(job_id: str) -> JobHandle:
    """A job of ``submit`` again, in another process or later.

    Args:
        job_id: its ``id``.

    Raises:
        JobNotFound: if there is none: it has expired, or was answered by a kept result.
        StoreError: if a store can't be read.

    Examples:
        >>> find_job(job_id).state
        'running'
    """
    for manager in _managers() if is_job_id(job_id) else ():
        manager.find_server()
        joined = manager.store.joined(job_id)
        job = manager.store.load(job_id if joined is None else joined.job_id)
        callback = None if job is None else registry.get(job.callback, job.digest)
        if job is not None and callback is not None:
            owner = job.owner if joined is None else joined.owner
            return JobHandle(manager, callback, job_id, owner)
    raise JobNotFound


def _check_place() -> None:
    if importing.is_importing():
        raise RegistrationError(
            "submit() was called while a worker imports this module: each worker would start the "
            'job again. Call it in a function, or below `if __name__ == "__main__":`'
        )


def called(
    function: Callable[..., Any],
) -> tuple[LongCallback, tuple[Any, ...], dict[str, Any]]:
    """The callback of a function, and what is bound to it already."""
    found = _callbacks_of(function)
    if not found and isinstance(function, functools.partial):
        callback, args, kwargs = called(function.func)
        return callback, (*args, *function.args), {**kwargs, **function.keywords}
    name = getattr(function, "__qualname__", repr(function))
    if not found:
        raise TypeError(
            f"submit({name}): this is not the function of a long callback of this process; give "
            "the function below @app.long_callback, and import the module that declares it"
        )
    if len({one.key for one in found}) > 1:
        raise TypeError(
            f"submit({name}): several long callbacks call this function "
            f"({', '.join(one.callback_id for one in found)}), so it can't be told which is meant; "
            "give each a function of its own"
        )
    return found[-1], (), {}


def _callbacks_of(function: Callable[..., Any]) -> list[LongCallback]:
    def found() -> list[LongCallback]:
        # Equal, as a method is another object each time.
        return [one for one in registry.all() if one.function == function]

    if not found():
        registry.settle()  # apps that register theirs at their first request
    return found()


def _check_names(callback: LongCallback, options: list[str]) -> None:
    """Refuse an option that may be meant for the function."""
    if clash := [name for name in options if name in parameters_of(callback)]:
        function, one = callback.function_name, clash[0]
        raise TypeError(
            f"submit({function}): {one}= is an option of submit, and an argument of the function. "
            f"Give the argument by functools.partial({function}, {one}=...), and submit that: then "
            f"{one}= of submit is the option"
        )


def _managers() -> list[Manager]:
    registry.settle()
    return list(dict.fromkeys(home(callback)[1] for callback in registry.all()))


def _owner(app: dash.Dash | None, user: Any) -> str | None:
    """Whose a job is.

    Args:
        app: that answers the web request in which this is asked; None: there is none.
        user: as ``submit`` was given it.
    """
    if user is not ...:
        return None if user is None else hash_of(user)
    run = current_run()
    if run is not None:
        return run.job.owner
    return None if app is None else owner_of(app)
