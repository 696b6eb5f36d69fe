"""Where a job is in its life, and which state may follow which."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """Where a job is in its life.

        QUEUED ──► RUNNING ──► SUCCEEDED
          ▲ │        │ ├─────► FAILED       the function raised, or its result was not usable
          │ ├────────┼─┼─────► CANCELLED    a cancel was requested
          │ │        │ ├─────► TIMED_OUT    the callback's ``timeout`` passed
          │ ├────────┼─┴─────► LOST         the worker died, or none could be started
          │ └────────┼───────► EXPIRED      no worker began it within its ``start_within``
          └──────────┘                      another attempt

    A queued job may also fail: when its function can neither be imported nor be sent. One that
    waits for its ``on_error`` ends for what that is for, if nobody can call it.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    EXPIRED = "expired"
    #: One that only a newer version of this package knows, which runs beside this one while servers
    #: are replaced. The job goes on, and is that version's to change.
    NEWER = "newer"

    @property
    def ended(self) -> bool:
        """Whether a job in this state has its outcome."""
        return not NEXT[self] and self is not State.NEWER


#: How a job may end that waits, or runs.
_WITHOUT_SUCCESS = {State.FAILED, State.CANCELLED, State.TIMED_OUT, State.LOST}
#: Which states may follow which. A job that has ended never changes again.
NEXT: dict[State, set[State]] = {
    **{state: set() for state in State},
    State.QUEUED: {State.RUNNING, State.EXPIRED, *_WITHOUT_SUCCESS},
    State.RUNNING: {State.QUEUED, State.SUCCEEDED, *_WITHOUT_SUCCESS},
}
