"""What may happen to a job, and what that entails. Nothing else decides it.

    transition(record, event, now) ──► the record after it, and what is to be done beside it
                                  └──► None: refused, and nothing changes

Pure: it reads neither clock nor store, and leaves the record that it is given as it is. Stores do
what it says in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, TypeAlias

from dash_long_callback.jobs.outcomes import Cancelled, Outcome, Problem
from dash_long_callback.jobs.record import Job
from dash_long_callback.jobs.states import NEXT, State


@dataclass(frozen=True)
class Begin:
    """A worker takes a job that waits, to call its function, or its ``on_error``."""


@dataclass(frozen=True)
class Finish:
    """The worker of a job says how it has ended.

    Attributes:
        outcome: how.
        attempt: the worker's number. One that is late is refused.
    """

    outcome: Outcome
    attempt: int


@dataclass(frozen=True)
class End:
    """Somebody else ends a job, as its worker can't, or nobody is to begin it.

    If the attempt was its ``on_error``'s, the job ends for what that was to handle.

    Attributes:
        outcome: how.
        attempt: which attempt to end; None: any.
        final: whether no ``on_error`` is to be called. Else a running job that has one waits for a
            worker that calls it, unless it was called before.
    """

    outcome: Problem | Cancelled
    attempt: int | None = None
    final: bool = False


@dataclass(frozen=True)
class Cancel:
    """A cancel was requested of a job that waits: one that runs is its worker's to end."""


@dataclass(frozen=True)
class Requeue:
    """A running job goes back to the queue.

    Attributes:
        attempt: the one that is over. One that another has followed is refused.
        begun: whether its worker may have called the function. An ``on_error`` that was called is
            not called again.
    """

    attempt: int
    begun: bool


@dataclass(frozen=True)
class Handle:
    """The worker of a job is about to call its ``on_error``.

    Attributes:
        problem: what for.
    """

    problem: Problem


@dataclass(frozen=True)
class Resend:
    """A worker is asked once more to begin a job that waits.

    Attributes:
        attempt: as whoever asks has seen it.
        resends: the same. Of several who ask, one does it.
    """

    attempt: int
    resends: int


Event: TypeAlias = Begin | Finish | End | Cancel | Requeue | Handle | Resend


class Effect(Flag):
    """What a change of a record entails in its store."""

    NONE = 0
    #: Its worker has a lease from now on.
    START_LEASE = auto()
    #: It waits again, before all others.
    ENQUEUE = auto()
    #: It waits no more.
    DEQUEUE = auto()
    #: A worker that begins it in this very moment is to hear that it was cancelled.
    NOTIFY_WORKER = auto()
    #: Its arguments, with cookies and headers, are not needed any more; nor is a lease.
    DROP_REQUEST = auto()


@dataclass(frozen=True)
class Transition:
    """A change of a record.

    Attributes:
        job: the record after it.
        effects: what goes with it, in the same step.
    """

    job: Job
    effects: Effect = Effect.NONE


def transition(job: Job, event: Event, now: float) -> Transition | None:
    """The record after an event, and what that entails.

    Args:
        job: the record; it stays as it is.
        event: what happens.
        now: seconds since 1970.

    Returns:
        None if that may not happen to this job.

    Examples:
        >>> job = Job("id", "out.children")
        >>> running = transition(job, Begin(), now=0.0).job
        >>> running.state, running.attempt
        (<State.RUNNING: 'running'>, 1)
        >>> transition(running, Begin(), now=0.0) is None
        True
    """
    match event:
        case Begin():
            return _enter(job, State.RUNNING, attempt=job.attempt + 1, started=now)
        case Finish(outcome, attempt):
            mine = job.state is State.RUNNING and job.attempt == attempt
            return _ended(job, outcome, now) if mine else None
        case End():
            return _end(job, event, now)
        case Cancel():
            return _ended(job, Cancelled(), now) if job.state is State.QUEUED else None
        case Requeue(attempt, begun):
            again = job.attempt == attempt and not (begun and job.handler)
            return _enter(job, State.QUEUED, queued=now) if again else None
        case Handle(problem):
            if job.state is not State.RUNNING:
                return None
            changes = {"handler": True, "error": problem.error()}
            return Transition(job.changed(seq=job.seq + 1, **changes))
        case Resend(attempt, resends):
            seen = (job.state, job.attempt, job.resends) == (State.QUEUED, attempt, resends)
            return Transition(job.changed(resends=resends + 1)) if seen else None


def _end(job: Job, event: End, now: float) -> Transition | None:
    running, outcome = job.state is State.RUNNING, event.outcome
    if event.attempt is not None and not (running and job.attempt == event.attempt):
        return None
    if isinstance(outcome, Cancelled):
        return _ended(job, outcome, now)
    if job.handler:
        return _ended(job, job.problem, now)
    if running and job.handles_errors and not event.final:
        error = outcome.error()
        return _enter(job, State.QUEUED, queued=now, handler=True, error=error, resends=0)
    return _ended(job, outcome, now)


def _ended(job: Job, outcome: Outcome, now: float) -> Transition | None:
    return _enter(job, outcome.state, ended=now, error=outcome.error())


def _enter(job: Job, state: State, **changes: Any) -> Transition | None:
    """Enter another state, if the table allows it."""
    if state not in NEXT[job.state]:
        return None
    effects = Effect.NONE
    if state is State.RUNNING:
        effects |= Effect.START_LEASE
    if state is State.QUEUED:
        effects |= Effect.ENQUEUE
        changes["started"] = None
    elif job.state is State.QUEUED:
        effects |= Effect.DEQUEUE
        if state is State.CANCELLED:
            effects |= Effect.NOTIFY_WORKER
    if state.ended:
        effects |= Effect.DROP_REQUEST
    return Transition(job.changed(state=state, seq=job.seq + 1, **changes), effects)
