"""How many jobs may run at once, and how many may start within a time: what an author declares.

A job's record has the keys of its limits: hashes, which are the same in every process. Jobs of one
key are counted together.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from dash_long_callback.cache_key import canonical_json
from dash_long_callback.checks import is_finite
from dash_long_callback.errors import RegistrationError

#: ``USER``, the name of an argument, or a function of the arguments.
Key: TypeAlias = str | Callable[..., Any]

#: The key that counts the jobs of each user.
USER = "user"
#: The most starts that a rate may have: each is remembered until its time is over.
MAX_TIMES = 1000


@dataclass(frozen=True)
class Limit:
    """How many jobs may run at once, in all processes and on all machines of a manager together.

    Args:
        count: how many.
        key: which jobs are counted together. None: all. ``"user"``: those of each user; those of
            users who are not known count as one user's. Another string: those with an equal value
            of this argument of the function. A function: those for which it returns an equal
            value, any JSON; it is called in the web request with the arguments of the callback,
            without ``set_progress``, and may use ``dash.ctx``.
        name: callbacks with a limit of this name share it. None: it is the callback's own.

    Raises:
        RegistrationError: if an argument is of the wrong type or value.

    Examples:
        >>> Limit(2, key="user")
        Limit(count=2, key='user', name=None)
    """

    count: int
    key: Key | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise refused(self, "count", "must be a whole number from 1 on")
        _check(self)


@dataclass(frozen=True)
class Rate:
    """How many jobs may start within a time, in all processes and on all machines of a manager.

    Each attempt of a job that is tried again counts as a start.

    Args:
        times: how many, at most 1000.
        per: seconds, which go back from each start.
        key: which jobs are counted together: see ``Limit``.
        name: callbacks with a rate of this name share it. None: it is the callback's own.

    Raises:
        RegistrationError: if an argument is of the wrong type or value.

    Examples:
        >>> Rate(100, per=3600, name="geocoder")
        Rate(times=100, per=3600, key=None, name='geocoder')
    """

    times: int
    per: float
    key: Key | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if type(self.times) is not int or not 0 < self.times <= MAX_TIMES:
            raise refused(self, "times", f"must be a whole number from 1 to {MAX_TIMES}")
        if not is_finite(self.per) or self.per <= 0:
            raise refused(self, "per", "must be a number of seconds above 0")
        _check(self)


Bound: TypeAlias = Limit | Rate


def refused(bound: Bound, argument: str, message: str) -> RegistrationError:
    """An argument that can't be used."""
    value = getattr(bound, argument)
    return RegistrationError(f"{type(bound).__name__}: {argument}={value!r} {message}")


def _check(bound: Bound) -> None:
    key, name = bound.key, bound.name
    if key is not None and not callable(key) and not (isinstance(key, str) and key):  # pyright: ignore[reportUnnecessaryIsInstance]
        message = (
            'must be "user", the name of an argument, a function of the arguments, or None for all'
        )
        raise refused(bound, "key", message)
    if inspect.iscoroutinefunction(key):
        raise refused(bound, "key", "must not be async: it is called in the web request")
    if name is not None and not (isinstance(name, str) and name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused(bound, "name", "must be a string that is not empty, or None")


def key_name(key: Key | None) -> list[str] | None:
    """What tells a key from others, in every process."""
    if key is None:
        return None
    if isinstance(key, str):
        return ["argument", key]
    return ["function", str(getattr(key, "__qualname__", type(key).__qualname__))]


def numbers(bound: Bound) -> list[Any]:
    """What a record has of it besides the key."""
    if isinstance(bound, Limit):
        return [bound.count]
    return [bound.times, float(bound.per)]


def identity(bound: Bound) -> list[Any]:
    """What must differ between two of a callback, as both have the same key else."""
    if bound.name is not None:
        return [bound.name]
    # A second and an hour may each have a rate of their own.
    return [*_kind(bound), key_name(bound.key)]


def record_key(bound: Bound, callback: str, value: Any) -> str:
    """The key of a job's record for one of its limits, 32 hexadecimal digits.

    Args:
        bound: the limit.
        callback: key of the long callback.
        value: JSON of what its ``key`` stands for.

    Examples:
        >>> limit = Limit(2, key="user", name="reports")
        >>> record_key(limit, "one.children", "ada") == record_key(limit, "two.children", "ada")
        True
    """
    whose = ["callback", callback] if bound.name is None else ["name", bound.name]
    parts = [*_kind(bound), whose, key_name(bound.key), value]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()[:32]


def _kind(bound: Bound) -> list[Any]:
    return ["limit"] if isinstance(bound, Limit) else ["rate", bound.per]


@dataclass(frozen=True)
class Terms:
    """What the record of a job says of when it may begin.

    Attributes:
        priority: higher ones come first.
        limits: keys and counts.
        rates: keys, times and seconds.
        reserves: whether it has its part of these from the click on, or is refused.
    """

    priority: float = 0.0
    limits: list[list[Any]] | None = None
    rates: list[list[Any]] | None = None
    reserves: bool = False
