"""How a job may end, and what its record, its ``on_error`` and the log say of that.

A new end without success is a subclass of ``Unfinished``, with a state of its own: nothing else has
a list of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, cast

from dash_long_callback.errors import (
    JobEnded,
    JobExpired,
    JobLost,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
)
from dash_long_callback.jobs.states import State

#: What the page tells a user, where the state alone does not say it; empty: it does. Of these and
#: of the states without success, ``server.failures.SENTENCES`` has the words.
Kind: TypeAlias = Literal[
    "", "changed", "limit", "not_stored", "refused", "session", "stopped", "unavailable"
]
#: Of a click or a job whose function was not called.
_NOT_STARTED = ("changed", "limit", "refused", "session")


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

    def error(self) -> None:
        """What the record says of it."""


@dataclass(frozen=True)
class Cancelled:
    """The user cancelled, or a newer run replaced this one."""

    state = State.CANCELLED

    def error(self) -> None:
        """What the record says of it."""


@dataclass(frozen=True)
class Failed:
    """The function raised, or what it returned could not be used.

    Attributes:
        error_type: name of the exception.
        message: what it says.
        traceback: where it was raised.
        kind: what the page tells a user.
        user: whether the message is a ``UserError``'s, for the user to read.
        retry: whether another attempt may do better, if the job may have one.
    """

    error_type: str
    message: str
    traceback: str = ""
    kind: Kind = ""
    user: bool = False
    retry: bool = False
    state = State.FAILED

    def error(self) -> dict[str, Any]:
        """What the record says of it."""
        return {
            "type": self.error_type,
            "message": self.message,
            "traceback": self.traceback,
            **({"kind": self.kind} if self.kind else {}),
            **({"user": True} if self.user else {}),
        }

    @classmethod
    def read(cls, error: Mapping[str, Any]) -> Failed:
        """The reverse of ``error``."""
        return cls(
            str(error.get("type")),
            _message_in(error),
            str(error.get("traceback")),
            _kind_in(error),
            user=error.get("user") is True,
        )

    @property
    def reason(self) -> str:
        """What happened, in a line."""
        return f"{self.error_type}: {self.message}"

    def exception(self) -> JobEnded:
        """What ``on_error`` is given, if the worker of the job could not call it."""
        return JobNotStarted(self.message)

    @property
    def log_level(self) -> int:
        """How serious it is to who runs the app."""
        return logging.INFO if self.user or self.kind == "limit" else logging.ERROR

    @property
    def verb(self) -> str:
        """What the log says that the job did."""
        return "could not be started" if self.kind in _NOT_STARTED else "failed"

    @property
    def details(self) -> str:
        """What the log says of the reason. A user's own mistake needs no traceback."""
        traceback = self.traceback.rstrip() if not self.user else ""
        return f"{self.reason}\n{traceback}" if traceback else self.reason


@dataclass(frozen=True)
class Changed(Failed):
    """The request is not for the callback as it is declared now; its function was not called."""

    error_type: str = "AppChanged"
    message: str = "The app has changed since this page was loaded. Reload the page."
    kind: Kind = "changed"


#: Which end a record means by the type of its ``error``. Each enters itself.
BY_TYPE: dict[str, type[Unfinished]] = {}


@dataclass(frozen=True)
class Unfinished:
    """The job has ended, and its function has neither returned nor raised.

    Each subclass has a state of its own, and says here what else there is to know of it.

    Attributes:
        reason: what happened, as far as it is known.
        kind: what the page tells a user.
    """

    reason: str
    kind: Kind = ""
    state: ClassVar[State]
    #: What ``on_error`` may be given; a record has the name of the one that it is given.
    exceptions: ClassVar[tuple[type[JobEnded], ...]]
    #: What the log says that the job did.
    verb: ClassVar[str]
    log_level: ClassVar[int] = logging.ERROR

    def __init_subclass__(cls) -> None:
        BY_TYPE.update((exception.__name__, cls) for exception in cls.exceptions)

    def error(self) -> dict[str, Any]:
        """What the record says of it."""
        name = type(self.exception()).__name__
        kind = {"kind": self.kind} if self.kind else {}
        return {"type": name, "message": self.reason, **kind}

    @classmethod
    def read(cls, error: Mapping[str, Any]) -> Unfinished:
        """The reverse of ``error``."""
        return cls(_message_in(error), _kind_in(error))

    def exception(self) -> JobEnded:
        """What ``on_error`` is given."""
        return self.exceptions[0](self.reason)

    @property
    def details(self) -> str:
        """What the log says of the reason."""
        return self.reason


@dataclass(frozen=True)
class TimedOut(Unfinished):
    """The job ran longer than its callback allows."""

    state = State.TIMED_OUT
    exceptions = (JobTimedOut,)
    verb = "timed out"

    @classmethod
    def after(cls, seconds: float) -> TimedOut:
        """It had a timeout of so many seconds."""
        return cls(f"the job ran longer than its timeout of {seconds:g} s")


@dataclass(frozen=True)
class Expired(Unfinished):
    """No worker began the job in time. No ``on_error`` is called, as for any that has not begun."""

    state = State.EXPIRED
    exceptions = (JobExpired,)
    verb = "expired"

    @classmethod
    def after(cls, seconds: float) -> Expired:
        """It was to begin within so many seconds."""
        # Rounded, as they are the difference of two moments.
        return cls(f"the job had not begun within its start_within of {round(seconds, 3):g} s")


@dataclass(frozen=True)
class Lost(Unfinished):
    """The worker died, or none could be started."""

    state = State.LOST
    exceptions = (JobLost, JobStopped)
    verb = "was lost"

    def exception(self) -> JobEnded:
        """What ``on_error`` is given."""
        return (JobStopped if self.kind == "stopped" else JobLost)(self.reason)


@dataclass(frozen=True)
class Unknown(Unfinished):
    """An end that this version does not know, as a newer one has written it.

    Attributes:
        stored: what the record says of it, which stays as it is.
    """

    stored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    # A state that every version knows.
    state = State.FAILED
    exceptions = (JobEnded,)
    verb = "ended"

    def error(self) -> dict[str, Any]:
        """What the record says of it."""
        return dict(self.stored)

    @classmethod
    def read(cls, error: Mapping[str, Any]) -> Unknown:
        """The reverse of ``error``."""
        return cls(_message_in(error), _kind_in(error), error)


#: An end that ``on_error`` may be called for.
Problem: TypeAlias = Failed | Unfinished
Outcome: TypeAlias = Succeeded | Cancelled | Problem


def problem_of(error: Mapping[str, Any] | None) -> Problem:
    """The end that a record's ``error`` is of."""
    error = error or {}
    # Its type is that of any exception, ours included. Only an exception has a traceback.
    if "traceback" in error:
        return Failed.read(error)
    return BY_TYPE.get(str(error.get("type")), Unknown).read(error)


def _message_in(error: Mapping[str, Any]) -> str:
    return str(error.get("message", "its record does not say why"))


def _kind_in(error: Mapping[str, Any]) -> Kind:
    # Or one that a newer version knows: it is kept, and told as ``server.failures`` does.
    return cast("Kind", str(error.get("kind", "")))
