"""``long_callback()``: arguments → LongCallback, with every mistake reported at import."""

from __future__ import annotations

import asyncio
import difflib
import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

import flask
from dash import ALL, ALLSMALLER, MATCH, Input, Output, State

from dash_long_callback import dash_internals, dash_proxy, runner
from dash_long_callback.callbacks import LongCallback, Options, registry
from dash_long_callback.declaration_checks import (
    check_called,
    check_outputs,
    check_signature,
    repeats,
)
from dash_long_callback.errors import RegistrationError
from dash_long_callback.grouping import leaves, spread
from dash_long_callback.managers.base import Manager, check_cache_by, check_expire
from dash_long_callback.server.client import client_of
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.submit import submit, submit_async

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import dash

    from dash_long_callback.managers.base import CacheBy

F = TypeVar("F", bound="Callable[..., Any]")

#: What a trigger does while a job runs, and what becomes of a job whose page has gone. The first
#: is the default.
Retrigger: TypeAlias = Literal["replace", "ignore", "queue", "parallel"]
Disconnect: TypeAlias = Literal["continue", "cancel"]

#: Keyword arguments of ``dash.callback`` that make sense here, too.
_DASH_KEYWORDS = frozenset(
    {
        "output",
        "inputs",
        "state",
        "prevent_initial_call",
        "optional",
        "hidden",
        "_allow_dynamic_callbacks",
    }
)


#: What they take.
_KINDS: dict[str, tuple[type, ...]] = {
    "output": (Output,),
    "inputs": (Input, State),
    "state": (State,),
}


class _Unset:
    def __repr__(self) -> str:
        return "not given"

    def __reduce__(self) -> str:
        return "UNSET"  # by name: it is told by identity, also in a worker


#: ``progress_default`` was not given; None would be a value.
UNSET = _Unset()


def long_callback(
    *args: Any,
    manager: Manager | None = None,
    running: Sequence[Any] | None = None,
    cancel: Input | Sequence[Input] | None = None,
    progress: Any = None,
    progress_default: Any = UNSET,
    interval: float | None = None,
    on_error: Callable[[Exception], Any] | None = None,
    timeout: float | None = None,
    cache_by: CacheBy | None = None,
    expire: float | None = None,
    cache_args_to_ignore: int | str | Sequence[int | str] | None = None,
    cache_ignore_triggered: bool = True,
    coalesce: bool | None = None,
    context: Sequence[str] | None = None,
    queue: str | None = None,
    priority: int | None = None,
    on_retrigger: Retrigger = "replace",
    on_disconnect: Disconnect = "continue",
    **kwargs: Any,
) -> Callable[[F], F]:
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
        interval: milliseconds between two questions for news, at most. The server may ask sooner.
        on_error: gets the exception of the function; what it returns is the output, None leaves
            the outputs alone. Default: the app's ``on_error``.
        timeout: seconds that a job may run.
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
        queue: the Celery queue that the jobs go to. Default: the manager's.
        priority: of the jobs in the queue, as the Celery broker counts it. Diskcache does not
            use either.
        on_retrigger: what a trigger does while a job for the same outputs runs on the page.
            "replace" cancels it and starts anew; "ignore" does nothing; "queue" starts when it has
            ended; "parallel" starts at once, and each result is shown when it comes.
        on_disconnect: what becomes of a job whose page has gone. It goes on ("continue"), and the
            page finds it again; or it is cancelled ("cancel") unless the page is back in time: see
            ``Pacing``.
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
    options = {
        "manager": manager,
        "running": running,
        "cancel": cancel,
        "progress": progress,
        "progress_default": progress_default,
        "interval": interval,
        "on_error": on_error,
        "timeout": timeout,
        "cache_by": cache_by,
        "expire": expire,
        "cache_args_to_ignore": cache_args_to_ignore,
        "cache_ignore_triggered": cache_ignore_triggered,
        "coalesce": coalesce,
        "context": context,
        "queue": queue,
        "priority": priority,
        "on_retrigger": on_retrigger,
        "on_disconnect": on_disconnect,
    }
    return declare(None, args, {**options, **kwargs})


#: Called when a callback is declared without an app.
without_app: list[Callable[[], object]] = []


def declare(
    app: dash.Dash | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[F], F]:
    """Declare a long callback on an app, or for the next app if there is none."""
    if app is None:
        for tell in without_app:
            tell()
    where = "long_callback" if app is None else "app.long_callback"
    check_called(args, f"@{where}")

    def decorate(function: F) -> F:
        if app is not None and dash_proxy.collects(app):
            name = f"the long callback {_name_of(function)}"
            rest = dash_proxy.check(app, name, function, kwargs)
            _declare(app, function, args, rest)  # what can be wrong is said at once
            dash_proxy.collect(app, function, args, kwargs, register)
        else:
            register(app, function, args, kwargs)
        return function

    return decorate


def register(
    app: dash.Dash | None, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> LongCallback:
    """Declare a long callback, and have Dash and our registry know it."""
    callback = _declare(app, function, args, kwargs)
    callback.arguments = args, kwargs
    name = f"the long callback {_name_of(function)}"
    registration = callback.registration
    former = registry.former(callback)
    if former is not None and repeats(former.function, former.loaded, function):
        registry.remove(former)
    elif former is not None and not dash_internals.wired_as(registration.spec, {}).outputs:
        base, number = registration.callback_id, 1
        while registry.former(callback) is not None:
            number += 1
            dash_internals.rename(registration, f"{base}-{number}")
    ours = dash_internals.wired_as(registration.spec, registration.entry)
    check_outputs(name, ours, dash_internals.wired(app))
    dash_internals.add(registration)
    registry.add(callback)
    registration.entry["callback"] = _entry(callback)
    _extend_client(app, callback)
    return callback


@dataclass(frozen=True)
class Recipe:
    """A long callback by value: what it was declared with. Calling it declares it again."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self) -> LongCallback:
        """Declare the callback in this process, for no app."""
        return _declare(None, self.function, self.args, self.kwargs)

    def without_function(self) -> Recipe:
        """The same but for the function, which may be what can't be sent."""
        return replace(self, function=_NotSent(getattr(self.function, "__qualname__", "")))


class _NotSent:
    """In the place of a function that is not called."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(self.__name__)


def _declare(
    app: dash.Dash | None,
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> LongCallback:
    name = f"the long callback {_name_of(function)}"
    if not callable(function):
        raise RegistrationError(
            f"{name} is not a function: put @long_callback(...) right above a def"
        )
    ours = {key: kwargs[key] for key in _OURS if key in kwargs}
    theirs = {key: value for key, value in kwargs.items() if key not in _OURS}
    _check_keywords(name, theirs)
    options = _options(name, ours)

    @functools.wraps(function)
    def body(*body_args: Any, **body_kwargs: Any) -> Any:
        return runner.call(function, options, outputs, body_args, body_kwargs)

    try:
        registration = dash_internals.register(app, body, args, theirs, scratch=True)
    except RegistrationError:
        raise
    except Exception as error:
        raise RegistrationError(f"{name}: {type(error).__name__}: {error}") from error
    outputs = registration.entry["outputs_indices"]
    grouping = registration.entry["inputs_state_indices"]
    _check_ignored(name, options.cache_args_to_ignore, grouping)
    if all(map(dash_internals.is_dash_s, leaves([args, *theirs.values()]))):
        # Else somebody else's class decides what the function gets.
        check_signature(name, function, grouping, progress=options.progress is not None)
    # The manager and what it keeps belong to the web process, and so does the app, which stays
    # there, too: all but its on_error.
    on_error = options.on_error or dash_internals.app_error_handler(registration)
    travel = {**kwargs, "manager": None, "cache_by": None, "on_error": on_error}
    recipe = Recipe(function, args, travel)
    return LongCallback(function, options, registration, recipe)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def _entry(callback: LongCallback) -> Callable[..., Any]:
    def entry(*_args: Any, callback_context: Any, app: Any, **_kwargs: Any) -> Any:
        manager, pacer = app.long_callback_manager, pacer_of(app)
        client = client_of(app)
        if _in_event_loop():  # there, Dash's dispatch awaits what it gets
            room = pacer.room_asgi()
            return submit_async(callback, callback_context, manager, pacer, room, client)
        room = pacer.room_wsgi(flask.request.environ)
        return submit(callback, callback_context, manager, pacer, room, client)

    entry.__qualname__ = _name_of(callback.function)  # for messages that name it
    return entry


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


# Options: check each, and bring it into one shape


def _check_keywords(name: str, kwargs: dict[str, Any]) -> None:
    for keyword in kwargs:
        if keyword not in _DASH_KEYWORDS:
            close = difflib.get_close_matches(keyword, [*_DASH_KEYWORDS, *_OURS], n=1)
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


def _options(name: str, given: dict[str, Any]) -> Options:
    manager = given.get("manager")
    if manager is not None and not isinstance(manager, Manager):
        raise RegistrationError(
            f"{name}: manager={manager!r} is not a manager; pass a DiskcacheLongCallbackManager"
        )
    for option in ("interval", "timeout"):
        value = given.get(option)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # 0 milliseconds: as fast as the server allows.
        least = "from 0 on" if option == "interval" else "above 0"
        if value is not None and not (
            number and (value > 0 or (value == 0 and option == "interval"))
        ):
            raise RegistrationError(f"{name}: {option}={value!r} must be a number {least}")
    if (on_error := given.get("on_error")) is not None and not callable(on_error):
        raise RegistrationError(f"{name}: on_error={on_error!r} must be a function of one argument")
    progress = given.get("progress")
    if progress is not None:
        _all_of(name, "progress", leaves(progress), Output)
    return Options(
        manager=manager,
        running=_running(name, given.get("running")),
        cancel=_cancel(name, given.get("cancel")),
        progress=progress,
        progress_default=_progress_default(name, progress, given.get("progress_default", UNSET)),
        interval=None if given.get("interval") is None else given["interval"] / 1000,
        on_error=on_error,
        timeout=given.get("timeout"),
        cache_by=check_cache_by(name, given.get("cache_by")),
        expire=check_expire(name, given.get("expire")),
        cache_args_to_ignore=_ignored(name, given.get("cache_args_to_ignore")),
        cache_ignore_triggered=bool(given.get("cache_ignore_triggered", True)),
        coalesce=given.get("coalesce"),
        context=_context(name, given.get("context")),
        queue=_queue(name, given.get("queue")),
        priority=_priority(name, given.get("priority")),
        on_retrigger=_one_of(name, "on_retrigger", given.get("on_retrigger"), Retrigger),
        on_disconnect=_one_of(name, "on_disconnect", given.get("on_disconnect"), Disconnect),
    )


def _one_of(name: str, option: str, value: Any, choices: Any) -> str:
    words = get_args(choices)
    if value is None:
        return words[0]
    if value not in words:
        raise RegistrationError(
            f"{name}: {option}={value!r} must be one of {', '.join(map(repr, words))}"
        )
    return value


def _ignored(name: str, ignored: Any) -> list[int | str]:
    if ignored is None:
        return []
    values: list[Any] = list(ignored) if isinstance(ignored, (list, tuple)) else [ignored]
    if not all(isinstance(value, (int, str)) for value in values):
        raise RegistrationError(
            f"{name}: cache_args_to_ignore={ignored!r} takes indices, or names if the inputs are "
            "a dict"
        )
    return values


def _context(name: str, context: Any) -> list[str] | None:
    if context is None:
        return None
    names: list[Any] = [context] if isinstance(context, str) else list(context)
    for value in names:
        if value not in dash_internals.CONTEXT:
            raise RegistrationError(
                f"{name}: context takes names of {', '.join(map(repr, dash_internals.CONTEXT))}, "
                f"got {value!r}"
            )
    return names


def _queue(name: str, queue: Any) -> str | None:
    if queue is not None and (not isinstance(queue, str) or not queue):
        raise RegistrationError(f"{name}: queue={queue!r} must be the name of a Celery queue")
    return queue


def _priority(name: str, priority: Any) -> int | None:
    if priority is not None and (type(priority) is not int or priority < 0):
        raise RegistrationError(f"{name}: priority={priority!r} must be a whole number from 0 on")
    return priority


def _check_ignored(name: str, ignored: list[int | str], grouping: Any) -> None:
    if isinstance(grouping, dict):
        known: list[Any] = list(grouping)
    else:
        known = list(range(1 if isinstance(grouping, int) else len(grouping)))
    for value in ignored:
        if value not in known:
            raise RegistrationError(
                f"{name}: cache_args_to_ignore names {value!r}, but the arguments are "
                f"{', '.join(map(repr, known))} (set_progress is not counted)"
            )


def _running(name: str, running: Any) -> list[tuple[Output, Any, Any]]:
    if running is None:
        return []
    if _is_triple(running):
        running = [running]
    if not isinstance(running, (list, tuple)) or not all(map(_is_triple, running)):
        raise RegistrationError(
            f"{name}: running={running!r} must be (Output, value while running, value after), "
            "or a list of such tuples"
        )
    _all_of(name, "running", [one[0] for one in running], Output)
    return [(one[0], one[1], one[2]) for one in running]


def _is_triple(value: Any) -> bool:
    match value:
        case [Output(), _, _] if isinstance(value, (list, tuple)):
            return True
        case _:
            return False


def _cancel(name: str, cancel: Any) -> list[Input]:
    if cancel is None:
        return []
    inputs: list[Any] = list(cancel) if isinstance(cancel, (list, tuple)) else [cancel]
    _all_of(name, "cancel", inputs, Input)
    return inputs


def _progress_default(name: str, progress: Any, default: Any) -> list[Any] | None:
    if default is UNSET:
        return None
    if progress is None:
        raise RegistrationError(
            f"{name}: progress_default without progress; add progress=Output(...)"
        )
    try:
        return spread(default, progress, "progress_default")
    except ValueError as error:
        raise RegistrationError(f"{name}: {error}") from None


def _all_of(name: str, option: str, values: list[Any], kind: type) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise RegistrationError(
                f"{name}: {option} takes {kind.__name__}s, got {value!r}; "
                f"write {kind.__name__}(component_id, property)"
            )
        if isinstance(value.component_id, dict) and ALLSMALLER in value.component_id.values():  # pyright: ignore[reportAttributeAccessIssue]
            raise RegistrationError(f"{name}: {option} takes MATCH and ALL, not ALLSMALLER")


_OURS = (
    "manager",
    "running",
    "cancel",
    "progress",
    "progress_default",
    "interval",
    "on_error",
    "timeout",
    "cache_by",
    "expire",
    "cache_args_to_ignore",
    "cache_ignore_triggered",
    "coalesce",
    "context",
    "queue",
    "priority",
    "on_retrigger",
    "on_disconnect",
)


# What the browser gets


def _extend_client(app: dash.Dash | None, callback: LongCallback) -> None:
    """Have the renderer call our browser client, and give that what it needs to know."""
    spec = callback.registration.spec
    spec["clientside_function"] = {
        "namespace": dash_internals.NAMESPACE,
        "function_name": callback.registration.callback_id,
    }
    # The renderer knows which components an ALL stands for, and tells only its callbacks: extra
    # states carry their ids to the client, which takes them off again.
    every = [output for output in _targets(callback) if _has(output, ALL)]
    spec["state"] = spec["state"] + [State(o.component_id, "id").to_dict() for o in every]
    # Old renderers take callbacks without outputs for one if they depend on the same.
    twins = dash_internals.same_without_outputs(callback.registration)
    spec["state"] += spec["inputs"][:1] * twins
    callback.registration.more_states = len(every) + twins
    for stop in callback.options.cancel:
        # As Dash's own cancel: an output is needed for MATCH to have a meaning, and none changes.
        output = Output(stop.component_id, "id", allow_duplicate=True)
        dash_internals.register_clientside(app, "cancel", output, stop, prevent_initial_call=True)
    for output, value in zip(
        callback.progress_outputs, callback.options.progress_default or (), strict=False
    ):
        # The default of a component that appears, on the page or later.
        name = "default " + dash_internals.to_json_bytes(value).decode()
        dash_internals.register_clientside(
            app,
            name,
            Output(output.component_id, output.component_property, allow_duplicate=True),
            Input(output.component_id, "id"),
            prevent_initial_call="initial_duplicate",
        )


def client_config(callback: LongCallback, *, cached: bool = False) -> dict[str, Any]:
    """What the browser client knows of a callback.

    Args:
        callback: the callback.
        cached: whether its manager keeps results.
    """
    options, spec = callback.options, callback.registration.spec
    every = [output for output in _targets(callback) if _has(output, ALL)]

    def target(output: Output) -> dict[str, Any]:
        return {
            "id": _id(output),
            "property": output.component_property,
            **({"all": every.index(output)} if output in every else {}),
        }

    return {
        "states": len(spec["state"]) - callback.registration.more_states,
        "running": [{**target(o), "on": on, "off": off} for o, on, off in options.running],
        "progress": [target(output) for output in callback.progress_outputs],
        "defaults": options.progress_default,
        "cached": callback.options.cache_by is not None or cached,
        "cancel": [{"id": _id(i), "property": i.component_property} for i in options.cancel],
        "retrigger": options.on_retrigger,
        "leave": options.on_disconnect == "cancel",
        "declared": callback.declaration.fingerprint,
    }


def _targets(callback: LongCallback) -> list[Output]:
    return [*(output for output, _, _ in callback.options.running), *callback.progress_outputs]


def _has(output: Output, wildcard: Any) -> bool:
    return isinstance(output.component_id, dict) and wildcard in output.component_id.values()


def _id(dependency: Any) -> Any:
    if not isinstance(dependency.component_id, dict):
        return dependency.component_id_str()
    wild = {MATCH: ["MATCH"], ALL: ["ALL"]}
    return {
        key: wild[value] if isinstance(value, type(MATCH)) else value
        for key, value in dependency.component_id.items()
    }
