"""``long_callback()``: arguments → LongCallback, with every mistake reported at import."""

from __future__ import annotations

import asyncio
import difflib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import dash
import flask
from dash import Input, Output, State

from dash_long_callback import notebook
from dash_long_callback.dash import dash_proxy, execution, internals
from dash_long_callback.dash.app_checks import check_importable
from dash_long_callback.dash.app_reference import MANAGER
from dash_long_callback.dash.callbacks import LongCallback, Recipe, registry
from dash_long_callback.dash.client_config import extend_client
from dash_long_callback.dash.conventions import LONG_CALLBACK, Conventions
from dash_long_callback.dash.declaration_checks import (
    argument_names,
    check_called,
    check_outputs,
    check_signature,
    parameter_names,
    repeats,
)
from dash_long_callback.dash.grouping import leaves
from dash_long_callback.dash.options import OPTIONS, Keywords, Options, signature_of
from dash_long_callback.errors import RegistrationError
from dash_long_callback.limits import USER
from dash_long_callback.server import tasks
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.submit import Click

if TYPE_CHECKING:
    from typing_extensions import Unpack

F = TypeVar("F", bound="Callable[..., Any]")

#: What arguments of Dash's take.
_KINDS: dict[str, tuple[type, ...]] = {
    "output": (Output,),
    "inputs": (Input, State),
    "state": (State,),
}


def long_callback(*args: Any, **kwargs: Unpack[Keywords]) -> Callable[[F], F]:
    """Declare a callback that may take seconds to hours, without an app at hand.

    Like ``dash.callback``, for pages and modules; ``app.long_callback`` takes the same arguments.

    The function may be a generator, or an async one: each value that it yields goes to the outputs
    at once, and the last is the result.

    Args:
        *args: outputs, inputs and states, in every form that ``dash.callback`` takes.
        manager: runs the callback, instead of the app's ``long_callback_manager``.
        running: ``(Output, value while running, value after)``, or a list of them. The last value
            is set however the job ends.
        cancel: an ``Input`` or a list of them. A change of any, after the trigger, ends the job;
            outputs stay. What the page sets itself as it is drawn is none.
        progress: an ``Output`` or any grouping of them. The function then gets ``set_progress`` as
            its first argument, which takes one value of that grouping.
        progress_default: value of that grouping when no job runs. Not given: the properties become
            None when a job ends.
        status: an ``Output`` that gets a dict of what the job is at, for those who show it
            themselves. "Show what runs" in the documentation has its keys.
        indicator: whether the page shows that a job waits, runs, how far it is, and how it has
            ended, on the first output that can be seen; or the id of another component to show it
            on. Default: the app's ``long_callback_indicator``.
        cancelable: whether the indicator has a button that cancels.
        track_tqdm: whether the page shows how far the bars of ``tqdm`` are that the function and
            what it calls make, as it does of loops with ``track``. See ``tqdm_progress``.
        interval: milliseconds between two questions for news, at most. The server may ask sooner.
        on_error: gets the exception of the function; what it returns is the output, None leaves
            the outputs alone. Default: the app's ``on_error``.
        timeout: seconds that a job may run.
        retry: how many further attempts a job has whose function raises, after waits in which it
            holds no worker; or a ``Retry``, which says after which errors, and how long to wait.
            ``on_error`` is called after the last. Default: none.
        start_within: seconds that a job may wait for a worker, from the click on. One that has not
            begun by then ends, and the page says so; its function and ``on_error`` are not called.
        cache_by: a function of no arguments, or a list of them, that run in the web request.
            Results are kept, and given to the next who asks with equal arguments while the values
            of these functions are equal. Default: the manager's.
        expire: seconds after its last use to drop a kept result. Default: the manager's.
        cache_args_to_ignore: arguments that do not make a difference: indices, or names if the
            inputs are a dict. ``set_progress`` is not counted.
        cache_ignore_triggered: whether it makes no difference which input triggered.
        coalesce: whether equal requests while a job runs wait for that job. Default: if there is a
            ``cache_by``; without one, each run may have an effect of its own.
        context: which of "cookies", "headers", "path", "remote", "origin", "custom_data" and
            "args" the function finds in ``dash.ctx``. Default: all with Diskcache; with Celery
            "path", as the others may hold secrets and would leave the machine.
        queue: the Celery queue that the jobs go to. Default: the manager's. Diskcache has one for
            all.
        priority: of the jobs that wait those of higher numbers come first. A number, or a function
            that returns one: it is called in the web request with the callback's arguments,
            without ``set_progress``. Default: 0.
        limits: how many jobs may run at once: a ``Limit``, or a list of them.
        rate: how many jobs may start within a time: a ``Rate``, or a list of them.
        on_limit: what becomes of a click while a limit or a rate is reached. Its job waits
            ("wait"), without a worker; or there is no job, and the page says so ("refuse").
        on_retrigger: what a trigger does while a job for the same outputs runs on the page.
            "replace" cancels it and starts anew; "ignore" does nothing; "queue" starts when it has
            ended; "latest" does so, too, and drops those that wait; "parallel" starts at once, and
            each result is shown when it comes.
        on_disconnect: what becomes of a job whose page has gone. It goes on ("continue"), and the
            page finds it again; or it is cancelled ("cancel") unless the page is back in time: see
            ``Pacing``.
        debounce: milliseconds. Of triggers that follow each other within that time, only the last
            one of each set of outputs starts a job. The initial call does not wait.
        **kwargs: ``output``, ``inputs``, ``state``, ``prevent_initial_call`` and further keywords
            of ``dash.callback``.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        RegistrationError: if an argument is of the wrong type, shape or name. The message names
            the callback and the fix.

    Examples:
        >>> @long_callback(
        ...     Output("result", "children"),
        ...     Input("run", "n_clicks"),
        ...     running=[(Output("run", "disabled"), True, False)],
        ...     cancel=Input("stop", "n_clicks"),
        ...     progress=Output("bar", "value"),
        ...     prevent_initial_call=True,
        ... )
        ... def work(set_progress, n_clicks):
        ...     for percent in range(100):
        ...         set_progress(percent)
        ...     return "done"
    """
    return declare(None, args, {**kwargs})


long_callback.__signature__ = signature_of(long_callback)  # type: ignore[attr-defined]


#: Called when a callback is declared without an app.
without_app: list[Callable[[], object]] = []


def declare(
    app: dash.Dash | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[F], F]:
    """Declare a long callback on an app, or for the next app if there is none."""
    if app is None:
        for call in without_app:
            call()
    where = "long_callback" if app is None else "app.long_callback"
    check_called(args, f"@{where}")

    def decorate(function: F) -> F:
        if app is not None and dash_proxy.collects(app):
            name = f"the long callback {_name_of(function)}"
            rest = dash_proxy.check(app, name, function, kwargs)
            _declare(function, args, rest, LONG_CALLBACK, app)  # what can be wrong is said at once
            dash_proxy.collect(app, function, args, kwargs, register)
        else:
            register(app, function, args, kwargs)
        return function

    return decorate


def register(
    app: dash.Dash | None,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    conventions: Conventions = LONG_CALLBACK,
) -> LongCallback:
    """Declare a long callback, and have Dash and our registry know it."""
    callback = _declare(function, args, kwargs, conventions, app)
    check_importable(callback, callback.manager or (app and vars(app).get(MANAGER)))
    name = f"the {conventions.kind} {_name_of(function)}"
    registration = callback.registration
    former = _former(callback)
    if former is not None and repeats(former.function, former.loaded, function):
        registry.remove(former)
    elif former is not None and not internals.wired_as(registration.spec, {}).outputs:
        base, number = registration.callback_id, 1
        while _former(callback) is not None:
            number += 1
            internals.rename(registration, f"{base}-{number}")
    ours = internals.wired_as(registration.spec, registration.entry)
    try:
        check_outputs(name, ours, internals.wired(app))
    except RegistrationError as error:
        if not notebook.is_of_cell(function):
            raise
        again = "If one is an earlier version of the other, run the cell that makes the app again"
        raise RegistrationError(f"{error}. {again}") from None
    internals.add(registration)
    registry.add(callback)
    registration.entry["callback"] = _entry(callback)
    if conventions.tasks:
        tasks.offer(callback)
    extend_client(app, callback)
    return callback


def _former(callback: LongCallback) -> LongCallback | None:
    """The callback that has the same id where this one is declared, if there is one."""
    for other in registry.alike(callback.callback_id):
        same = other.registration.app is callback.registration.app
        if same and internals.is_there(other.registration):
            return other
    return None


def _declare(
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    conventions: Conventions,
    app: dash.Dash | None = None,
) -> LongCallback:
    name = f"the {conventions.kind} {_name_of(function)}"
    if not callable(function):
        raise RegistrationError(
            f"{name} is not a function: put @long_callback(...) right above a def"
        )
    theirs = {key: value for key, value in kwargs.items() if key not in OPTIONS}
    _check_keywords(name, theirs, conventions.keywords)
    options = Options.of(name, kwargs)

    @functools.wraps(function)
    def body(*body_args: Any, **body_kwargs: Any) -> Any:
        return execution.current.get().call(body_args, body_kwargs)

    try:
        registration = internals.register(app, body, args, theirs)
    except Exception as error:
        raise RegistrationError(f"{name}: {type(error).__name__}: {error}") from error
    grouping = registration.entry["inputs_state_indices"]
    _check_ignored(name, options.cache_args_to_ignore, grouping)
    progress = options.progress is not None
    _check_keys(name, options, parameter_names(function, grouping, progress=progress))
    if all(map(internals.is_dash_s, leaves([args, *theirs.values()]))):
        # Else somebody else's class decides what the function gets.
        check_signature(name, function, grouping, progress=progress)
    recipe = Recipe(_declare, function, args, kwargs, conventions)
    return LongCallback(function, options, registration, recipe)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def _entry(callback: LongCallback) -> Callable[..., Any]:
    def entry(*_args: Any, callback_context: Any, app: Any, **_kwargs: Any) -> Any:
        pacer, on_loop = pacer_of(app), _in_event_loop()
        capacity = pacer.capacity_asgi() if on_loop else pacer.capacity_wsgi(flask.request.environ)
        click = Click(callback, callback_context, app, capacity)
        if callback.conventions.tasks and not internals.is_dispatch(callback_context):
            return click.begin()
        # On an event loop, Dash's dispatch awaits what it gets.
        return click.submit_async() if on_loop else click.submit()

    entry.__qualname__ = _name_of(callback.function)  # for messages that name it
    return entry


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _check_keywords(name: str, kwargs: dict[str, Any], known: frozenset[str]) -> None:
    for keyword in kwargs:
        if keyword not in known:
            close = difflib.get_close_matches(keyword, [*known, *OPTIONS], n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            if keyword == "background":
                hint = "; leave it out: a long callback always runs in the background"
            raise RegistrationError(f"{name} has no argument {keyword!r}{hint}")
    # Dash takes them from one list by their kind: an Output among the inputs would be one more
    # output, without a word.
    for keyword, kinds in _KINDS.items():
        for value in leaves(kwargs.get(keyword, [])):
            if not isinstance(value, kinds):
                names = " and ".join(f"{kind.__name__}s" for kind in kinds)
                raise RegistrationError(f"{name}: {keyword} takes {names}, got {value!r}")


def _check_ignored(name: str, ignored: list[int | str], grouping: Any) -> None:
    known = argument_names(grouping)
    for value in ignored:
        if value not in known:
            raise RegistrationError(
                f"{name}: cache_args_to_ignore names {value!r}, but the arguments are "
                f"{', '.join(map(repr, known))} (set_progress is not counted)"
            )


def _check_keys(name: str, options: Options, names: list[str]) -> None:
    for bound in (*options.limits, *options.rate):
        key = bound.key
        if isinstance(key, str) and key not in (USER, *names):
            known = (
                f" {', '.join(map(repr, names))} (set_progress is not counted); write one of these,"
            )
            if not names:
                known = ", which have no names (it takes *args, or is wrapped); write"
            raise RegistrationError(
                f"{name}: {type(bound).__name__}: key={key!r} is none of its arguments{known} "
                f'"{USER}", or a function of the arguments'
            )
