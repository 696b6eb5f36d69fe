"""The options of a long callback: what each takes, what it is without, and what can be wrong.

A new option is a line in ``OptionsDict``, for editors, and one in ``Options``, with its check; its
meaning is told in ``long_callback``. Then it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from dash import ALLSMALLER, Input, Output

from dash_long_callback.checks import (
    CacheBy,
    Check,
    check_cache_by,
    check_expire,
    check_value,
    is_finite,
    is_positive,
    listed,
)
from dash_long_callback.dash.grouping import leaves, spread
from dash_long_callback.errors import RegistrationError
from dash_long_callback.jobs import CONTEXT
from dash_long_callback.limits import Bound, Limit, Rate, identity
from dash_long_callback.managers.base import Manager
from dash_long_callback.retry import MAX_TIMES, Retry

#: What a trigger does while a job runs, and what becomes of a job whose page has gone.
Retrigger: TypeAlias = Literal["replace", "ignore", "queue", "latest", "parallel"]
Disconnect: TypeAlias = Literal["continue", "cancel"]
#: What becomes of a click while a limit is reached.
OnLimit: TypeAlias = Literal["wait", "refuse"]
#: A number, or a function of the arguments that returns one.
Priority: TypeAlias = float | Callable[..., float]

#: Milliseconds, about 25 days: a browser takes a longer timer for one of no time at all.
DEBOUNCE_MAX = 2**31 - 1


class OptionsDict(TypedDict, total=False):
    """The keyword arguments of ``long_callback`` that Dash's own ``callback`` does not have."""

    manager: Manager | None
    running: Sequence[Any] | None
    cancel: Input | Sequence[Input] | None
    progress: Any
    progress_default: Any
    status: Output | None
    indicator: bool | str | dict[str, Any] | Output | None
    cancelable: bool
    track_tqdm: bool
    interval: float | None
    on_error: Callable[[Exception], Any] | None
    timeout: float | None
    retry: int | Retry | None
    start_within: float | None
    cache_by: CacheBy | None
    expire: float | None
    cache_args_to_ignore: int | str | Sequence[int | str] | None
    cache_ignore_triggered: bool
    coalesce: bool | None
    context: Sequence[str] | None
    queue: str | None
    priority: Priority | None
    limits: Limit | Sequence[Limit] | None
    rate: Rate | Sequence[Rate] | None
    on_limit: OnLimit
    on_retrigger: Retrigger
    on_disconnect: Disconnect
    debounce: float | None


class Keywords(OptionsDict, total=False):
    """All keyword arguments of ``long_callback``: options, and what ``dash.callback`` takes."""

    output: Any
    inputs: Any
    state: Any
    prevent_initial_call: bool | Literal["initial_duplicate"] | None
    optional: bool | None
    hidden: bool | None
    _allow_dynamic_callbacks: bool | None


class _NotGiven:
    def __repr__(self) -> str:
        return "not given"


#: In place of None, where that is a value.
NOT_GIVEN = _NotGiven()


def _option(check: Check, default: Any = None) -> Any:
    """An option.

    Args:
        check: brings what was given, or the default, into the shape that ``Options`` has.
        default: what is taken if nothing is given.
    """
    return field(metadata={"check": check, "default": default})


def _choice(option: str, choices: Any) -> Check:
    known = get_args(choices)
    message = f"must be one of {', '.join(map(repr, known))}"
    return check_value(option, lambda value: value in known, message, known[0])


_manager = check_value(
    "manager",
    lambda value: isinstance(value, Manager),
    "is not a manager; pass a DiskcacheLongCallbackManager",
)
_on_error = check_value("on_error", callable, "must be a function of one argument")
_milliseconds = check_value(
    "interval", lambda value: is_positive(value, or_zero=True), "must be a number from 0 on"
)
_timeout = check_value("timeout", is_positive, "must be a number above 0")
_debounce = check_value(
    "debounce",
    lambda value: is_positive(value) and value <= DEBOUNCE_MAX,
    f"must be a number above 0, in milliseconds, and at most {DEBOUNCE_MAX}",
)
_start_within = check_value("start_within", is_positive, "must be a number of seconds above 0")
_queue = check_value(
    "queue",
    lambda value: isinstance(value, str) and value != "",
    "must be the name of a Celery queue",
)
_priority = check_value(
    "priority",
    lambda value: is_finite(value) or (callable(value) and not inspect.iscoroutinefunction(value)),
    "must be a number, or a function of the arguments that returns one and is not async",
)


def _retry(name: str, retry: Any) -> Retry | None:
    if retry is None or isinstance(retry, Retry):
        return retry
    try:
        return Retry(retry)
    except RegistrationError:
        raise RegistrationError(
            f"{name}: retry={retry!r} must be a number of further attempts, from 1 to {MAX_TIMES}, "
            "or a Retry(...)"
        ) from None


def _interval(name: str, interval: Any) -> float | None:
    given = _milliseconds(name, interval)
    return None if given is None else given / 1000


def _progress(name: str, progress: Any) -> Any:
    if progress is not None:
        _all_of(name, "progress", leaves(progress), Output)
    return progress


def _status(name: str, status: Any) -> Output | None:
    if status is not None:
        _all_of(name, "status", [status], Output)
    return status


def _indicator(name: str, indicator: Any) -> bool | Output | None:
    if indicator is None or isinstance(indicator, bool):
        return indicator
    output = indicator_output(indicator)
    if output is None:
        raise RegistrationError(
            f"{name}: indicator={indicator!r} must be True, False, or the id of a component"
        )
    _all_of(name, "indicator", [output], Output)
    return output


def indicator_output(indicator: Any) -> Output | None:
    """A component that an indicator is to be shown on, as an output; None if it is no id."""
    if isinstance(indicator, Output):
        return indicator
    if isinstance(indicator, (str, dict)) and indicator:
        return Output(indicator, "id")
    return None


def _flag(option: str) -> Check:
    return check_value(
        option, lambda value: isinstance(value, bool), "must be True or False", default=False
    )


def _ignored(name: str, ignored: Any) -> list[int | str]:
    values = listed(ignored)
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
        if value not in CONTEXT:
            raise RegistrationError(
                f"{name}: context takes names of {', '.join(map(repr, CONTEXT))}, got {value!r}"
            )
    return names


def _bounds(option: str, kind: type[Bound]) -> Check:
    def check(name: str, given: Any) -> list[Any]:
        bounds = listed(given)
        for bound in bounds:
            if not isinstance(bound, kind):
                raise RegistrationError(
                    f"{name}: {option} takes a {kind.__name__}(...) or a list of them, "
                    f"got {bound!r}"
                )
        return bounds

    return check


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
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], Output)  # noqa: PLR2004 - as its name says


def _cancel(name: str, cancel: Any) -> list[Input]:
    inputs = listed(cancel)
    _all_of(name, "cancel", inputs, Input)
    return inputs


def _all_of(name: str, option: str, values: list[Any], kind: type) -> None:
    for value in values:
        if not isinstance(value, kind):
            raise RegistrationError(
                f"{name}: {option} takes {kind.__name__}s, got {value!r}; "
                f"write {kind.__name__}(component_id, property)"
            )
        if isinstance(value.component_id, dict) and ALLSMALLER in value.component_id.values():  # pyright: ignore[reportAttributeAccessIssue]
            raise RegistrationError(f"{name}: {option} takes MATCH and ALL, not ALLSMALLER")


@dataclass(frozen=True)
class Options:
    """The options of a long callback, each checked and in one shape.

    Those that belong together are checked together in ``of``.
    """

    manager: Manager | None = _option(_manager)
    running: list[tuple[Output, Any, Any]] = _option(_running)
    cancel: list[Input] = _option(_cancel)
    progress: Any = _option(_progress)
    #: Values for the flat outputs of ``progress``; None if none were given.
    progress_default: list[Any] | None = _option(lambda *_: None, default=NOT_GIVEN)
    #: What gets the job's status.
    status: Output | None = _option(_status)
    #: Whether there is an indicator, or on which component; None: as the app says.
    indicator: bool | Output | None = _option(_indicator)
    #: Whether it has a button that cancels.
    cancelable: bool = _option(_flag("cancelable"))
    track_tqdm: bool = _option(_flag("track_tqdm"))
    #: In seconds, unlike what is given.
    interval: float | None = _option(_interval)
    on_error: Callable[[Exception], Any] | None = _option(_on_error)
    timeout: float | None = _option(_timeout)
    retry: Retry | None = _option(_retry)
    start_within: float | None = _option(_start_within)
    cache_by: list[Callable[[], Any]] | None = _option(check_cache_by)
    expire: float | None = _option(check_expire)
    cache_args_to_ignore: list[int | str] = _option(_ignored)
    cache_ignore_triggered: bool = _option(lambda _, value: bool(value), default=True)
    coalesce: bool | None = _option(lambda _, value: value)
    context: list[str] | None = _option(_context)
    queue: str | None = _option(_queue)
    priority: Priority | None = _option(_priority)
    limits: list[Limit] = _option(_bounds("limits", Limit))
    rate: list[Rate] = _option(_bounds("rate", Rate))
    on_limit: OnLimit = _option(_choice("on_limit", OnLimit), default="wait")
    on_retrigger: Retrigger = _option(_choice("on_retrigger", Retrigger), default="replace")
    on_disconnect: Disconnect = _option(_choice("on_disconnect", Disconnect), default="continue")
    #: In milliseconds, as the page takes it.
    debounce: float | None = _option(_debounce)

    @classmethod
    def of(cls, name: str, given: Mapping[str, Any]) -> Options:
        """The options that were given, and the defaults of the others.

        Args:
            name: of the callback, for messages.
            given: keyword arguments; those that are no options are left alone.

        Raises:
            RegistrationError: if one is of the wrong type or value. The message has the fix.
        """
        made: dict[str, Any] = {
            one.name: one.metadata["check"](name, given.get(one.name, one.metadata["default"]))
            for one in fields(cls)
        }
        default = given.get("progress_default", NOT_GIVEN)
        if default is not NOT_GIVEN:
            made["progress_default"] = _progress_default(name, made["progress"], default)
        _check_limits(name, [*made["limits"], *made["rate"]], made["on_limit"])
        return cls(**made)


def _check_limits(name: str, bounds: list[Bound], on_limit: OnLimit) -> None:
    if on_limit == "refuse" and not bounds:
        raise RegistrationError(
            f'{name}: on_limit="refuse" without limits; add limits=Limit(...) or rate=Rate(...)'
        )
    for index, bound in enumerate(bounds):
        for other in bounds[:index]:
            if identity(other) == identity(bound):
                raise RegistrationError(
                    f"{name} has the same limit twice, {other} and {bound}: leave one out, or give "
                    "them names that differ"
                )


def _progress_default(name: str, progress: Any, default: Any) -> list[Any]:
    if progress is None:
        raise RegistrationError(
            f"{name}: progress_default without progress; add progress=Output(...)"
        )
    try:
        return spread(default, progress, "progress_default")
    except ValueError as error:
        raise RegistrationError(f"{name}: {error}") from None


#: The names of the options, and those of ``dash.callback`` that make sense here, too.
OPTIONS = tuple(OptionsDict.__annotations__)
DASH_KEYWORDS = frozenset(Keywords.__annotations__) - frozenset(OPTIONS)


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function with ``**kwargs``, with each option by its name.

    For notebooks and ``help()``, which know nothing of ``Unpack``.
    """
    signature = inspect.signature(function)
    *positional, rest = signature.parameters.values()
    hints: dict[str, Any] = OptionsDict.__annotations__
    options = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.metadata["default"],
            annotation=hints[one.name].__forward_arg__,
        )
        for one in fields(Options)
    ]
    return signature.replace(parameters=[*positional, *options, rest.replace(annotation=Any)])
