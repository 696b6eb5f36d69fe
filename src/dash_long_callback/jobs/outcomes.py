"""How a job may end, and what its record says of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from dash_long_callback.errors import (
    JobEnded,
    JobLost,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
)
from dash_long_callback.jobs.states import State


@dataclass(frozen=True)
class Succeeded:
    """The function returned.

    Attributes:
        response: the JSON for the page, ``b"{}"`` for no update.
        lasting: whether the next who asks may get it, too: not what ``on_error`` made of an
            error, and not a ``PreventUpdate``.
    """

    response: bytes
    lasting: bool = True
    state = State.SUCCEEDED


@dataclass(frozen=True)
class Failed:
    """The function raised, or what it returned could not be used.

    Attributes:
        error_type: name of the exception.
        message: what it says.
        traceback: where it was raised.
        kind: what the page tells a user, of ``server.failures.SENTENCES``.
        user: whether the message is a ``UserError``'s, for the user to read.
    """

    error_type: str
    message: str
    traceback: str = ""
    kind: str = "failed"
    user: bool = False
    state = State.FAILED


@dataclass(frozen=True)
class Changed(Failed):
    """The request is not for the callback as it is declared now; its function was not called."""

    error_type: str = "AppChanged"
    message: str = "The app has changed since this page was loaded. Reload the page."
    kind: str = "changed"


@dataclass(frozen=True)
class Cancelled:
    """The user cancelled, or a newer run replaced this one."""

    state = State.CANCELLED


@dataclass(frozen=True)
class TimedOut:
    """The job ran longer than its callback allows.

    Attributes:
        seconds: its timeout.
        words: what happened, as a record says it; empty: made from ``seconds``.
    """

    seconds: float
    words: str = ""
    state = State.TIMED_OUT

    @property
    def reason(self) -> str:
        """What happened, in words."""
        return self.words or f"the job ran longer than its timeout of {self.seconds:g} s"


@dataclass(frozen=True)
class Lost:
    """The worker died; ``reason`` says how, as far as it is known.

    Attributes:
        kind: what the page tells a user, of ``server.failures.SENTENCES``.
    """

    reason: str
    kind: str = "lost"
    state = State.LOST


#: An end that ``on_error`` may be called for.
Problem: TypeAlias = Failed | TimedOut | Lost
Outcome: TypeAlias = Succeeded | Cancelled | Problem


def error_of(outcome: Outcome) -> dict[str, Any] | None:
    """What the record says of an outcome that is not a success."""
    if isinstance(outcome, Failed):
        return {
            "type": outcome.error_type,
            "message": outcome.message,
            "traceback": outcome.traceback,
            **_kind_of(outcome),
            **({"user": True} if outcome.user else {}),
        }
    if isinstance(outcome, TimedOut):
        return {"type": "JobTimedOut", "message": outcome.reason}
    if isinstance(outcome, Lost):
        name = type(as_exception(outcome)).__name__
        return {"type": name, "message": outcome.reason, **_kind_of(outcome)}
    return None


def problem_of(error: Mapping[str, Any] | None) -> Problem:
    """The reverse of ``error_of``."""
    error = error or {}
    words = str(error.get("message", "its worker died"))
    if "traceback" in error:
        return Failed(
            str(error.get("type")),
            words,
            str(error["traceback"]),
            str(error.get("kind", "failed")),
            user=error.get("user") is True,
        )
    if error.get("type") == "JobTimedOut":
        return TimedOut(0, words)
    return Lost(words, str(error.get("kind", "lost")))


def as_exception(problem: Problem) -> JobEnded:
    """What ``on_error`` is given of a job whose worker could not call it."""
    if isinstance(problem, Failed):
        return JobNotStarted(problem.message)
    if isinstance(problem, TimedOut):
        return JobTimedOut(problem.reason)
    return (JobStopped if problem.kind == "stopped" else JobLost)(problem.reason)


def _kind_of(outcome: Failed | Lost) -> dict[str, str]:
    """What the state does not say already."""
    return {} if outcome.kind == outcome.state.value else {"kind": outcome.kind}
