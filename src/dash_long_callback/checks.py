"""What managers and callbacks are given is checked where they are made: a mistake is said there."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from dash_long_callback.errors import RegistrationError

CacheBy: TypeAlias = Callable[[], Any] | Sequence[Callable[[], Any]]

#: Gets who was given a value, for its message, and the value. Returns it in the shape that is used,
#: or raises RegistrationError.
Check: TypeAlias = Callable[[str, Any], Any]


def check_value(
    option: str, fits: Callable[[Any], bool], message: str, default: Any = None
) -> Check:
    """A check of a value on its own, for which None stands for the default."""

    def check(name: str, value: Any) -> Any:
        if value is None:
            return default
        if not fits(value):
            raise RegistrationError(f"{name}: {option}={value!r} {message}")
        return value

    return check


def is_positive(value: Any, *, or_zero: bool = False) -> bool:
    """Whether a value is a number above 0, or 0, if that will do."""
    return _is_number(value) and (value >= 0 if or_zero else value > 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether a value is a number that a float can be."""
    if not _is_number(value):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


check_expire = check_value("expire", is_positive, "must be a number of seconds above 0")


def listed(value: Any) -> list[Any]:
    """One value or several as a list; None is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def check_cache_by(name: str, cache_by: Any) -> list[Callable[[], Any]] | None:
    """``cache_by`` as a list, or None."""
    if cache_by is None:
        return None
    functions = listed(cache_by)
    for function in functions:
        if not callable(function):
            raise RegistrationError(
                f"{name}: cache_by takes a function of no arguments, or a list of them, "
                f"got {function!r}"
            )
    return functions


def check_user(name: str, user: Any) -> Callable[[], Any] | None:
    """``user``, which is a function that can be called in any web request."""
    if user is not None and not callable(user):
        raise RegistrationError(
            f"{name}: user={user!r} must be a function of no arguments that returns who has sent "
            'the request, as in user=lambda: flask.session.get("user_id")'
        )
    if inspect.iscoroutinefunction(user):
        raise RegistrationError(
            f"{name}: user={user!r} must not be async: it is also called where nothing can be "
            "awaited; let a hook of your server find out who it is, and read that here"
        )
    return user
