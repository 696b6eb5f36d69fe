"""Another attempt at a job whose function has raised: when, how often, and after which errors."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dash_long_callback.checks import is_positive
from dash_long_callback.errors import DoNotRetry, JobTimedOut, RegistrationError, UserError
from dash_long_callback.jobs import State

Errors: TypeAlias = type[BaseException] | Sequence[type[BaseException]]

#: The most attempts that a job may ask for: its record has the wait before each.
MAX_TIMES = 100


@dataclass(frozen=True)
class Retry:
    """When a job is tried again. Between two attempts it waits in the queue, and holds no worker.

    A cancel, a ``PreventUpdate``, a ``DoNotRetry`` and a ``UserError`` are never tried again; nor
    is a timeout, unless ``on`` has ``JobTimedOut``.

    Args:
        times: further attempts after the first, at most 100.
        on: the exceptions after which there is another attempt.
        backoff: seconds before the second attempt; doubles with each that follows.
        max_backoff: the longest of these waits, in seconds.
        jitter: whether each wait is shortened by up to a half, at random, so that jobs which
            failed together do not come back together.
        lost: whether a job whose worker died, or was stopped, is tried again. What its function had
            done by then happens twice: it must be made for that.

    Raises:
        RegistrationError: if an argument is of the wrong type or value.

    Examples:
        >>> Retry(3, on=(ConnectionError, TimeoutError), backoff=2.0, jitter=False).waits()
        [2.0, 4.0, 8.0]
    """

    times: int = 3
    on: Errors = Exception
    backoff: float = 1.0
    max_backoff: float = 60.0
    jitter: bool = True
    lost: bool = False

    def __post_init__(self) -> None:
        if type(self.times) is not int or not 0 < self.times <= MAX_TIMES:
            raise self._refused("times", f"must be a whole number from 1 to {MAX_TIMES}")
        if not self._errors or not all(map(_is_exception, self._errors)):
            raise self._refused("on", "must be an exception class, or a tuple of them")
        for name in ("backoff", "max_backoff"):
            seconds: Any = getattr(self, name)
            if not is_positive(seconds, or_zero=True) or seconds == math.inf:
                raise self._refused(name, "must be a number of seconds from 0 on")

    def _refused(self, name: str, message: str) -> RegistrationError:
        return RegistrationError(f"Retry: {name}={getattr(self, name)!r} {message}")

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        return tuple(self.on) if isinstance(self.on, Sequence) else (self.on,)

    @property
    def states(self) -> list[str]:
        """Those, besides that of a function that has raised, after which a job is tried again."""
        timeouts = any(issubclass(error, JobTimedOut) for error in self._errors)
        found = {State.TIMED_OUT: timeouts, State.LOST: self.lost}
        return [state.value for state, retried in found.items() if retried]

    def after(self, error: BaseException) -> bool:
        """Whether there is another attempt after an exception of the function."""
        return isinstance(error, self._errors) and not isinstance(error, (DoNotRetry, UserError))

    def waits(self) -> list[float]:
        """Seconds before each further attempt, for a new job."""
        waits = [min(self.backoff * 2.0**n, self.max_backoff) for n in range(self.times)]
        return [random.uniform(wait / 2, wait) for wait in waits] if self.jitter else waits


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)
