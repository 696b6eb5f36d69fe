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

from dash_long_callback.jobs.outcomes import (
    Cancelled,
    Expired,
    Failed,
    Outcome,
    Problem,
    Unfinished,
)
from dash_long_callback.jobs.record import Job
from dash_long_callback.jobs.states import NEXT, State


@dataclass(frozen=True)
class Begin:
    """A worker takes a job that waits, to call its function, or its ``on_error``.

    Refused once its ``start_by`` has passed.

    Attributes:
        message: Celery's name for the message that has asked for it.
    """

    message: str | None = None


@dataclass(frozen=True)
class Expire:
    """Somebody sees that a job waits, and that its ``start_by`` has passed. Refused before that."""


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
        final: whether there is to be no other attempt, and no ``on_error`` is to be called. Else a
            running job that may have the one or has the other waits for a worker, unless that was
            called before.
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
            not called again, and a function that was called has begun in time.
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


Event: TypeAlias = Begin | Expire | Finish | End | Cancel | Requeue | Handle | Resend


class Effect(Flag):
    """What a change of a record entails in its store."""

    NONE = 0
    #: Its worker has a lease from now on.
    START_LEASE = auto()
    #: It waits again: before all others, unless it is to wait for a while.
    ENQUEUE = auto()
    #: It waits on, where it is; if its place was lost, it gets another.
    KEEP_PLACE = auto()
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
        case Begin(message):
            return _begin(job, message, now)
        case Expire():
            return _expire(job, now)
        case Finish():
            return _finish(job, event, now)
        case End():
            return _end(job, event, now)
        case Cancel():
            return _ended(job, Cancelled(), now) if job.state is State.QUEUED else None
        case Requeue(attempt, begun):
            again = job.attempt == attempt and not (begun and job.handler)
            start_by = None if begun else job.start_by
            return _enter(job, State.QUEUED, queued=now, start_by=start_by) if again else None
        case Handle(problem):
            if job.state is not State.RUNNING:
                return None
            changes = {"handler": True, "error": problem.error()}
            return Transition(job.changed(seq=job.seq + 1, **changes))
        case Resend(attempt, resends):
            seen = (job.state, job.attempt, job.resends) == (State.QUEUED, attempt, resends)
            again = Transition(job.changed(resends=resends + 1), Effect.KEEP_PLACE)
            return again if seen else None


def _begin(job: Job, message: str | None, now: float) -> Transition | None:
    if job.is_late(now):
        return None
    changes = {"attempt": job.attempt + 1, "message": message, "not_before": None}
    return _enter(job, State.RUNNING, started=now, **changes)


def _expire(job: Job, now: float) -> Transition | None:
    if job.start_by is None or not job.is_late(now):
        return None
    since = max(job.created, job.not_before or 0.0)
    return _ended(job, Expired.after(job.start_by - since), now)


def _finish(job: Job, event: Finish, now: float) -> Transition | None:
    if job.state is not State.RUNNING or job.attempt != event.attempt:
        return None
    if retries(job, event.outcome):
        return _again(job, event.outcome, now)
    return _ended(job, event.outcome, now)


def _end(job: Job, event: End, now: float) -> Transition | None:
    running, outcome = job.state is State.RUNNING, event.outcome
    if event.attempt is not None and not (running and job.attempt == event.attempt):
        return None
    if isinstance(outcome, Cancelled):
        return _ended(job, outcome, now)
    if job.handler:
        return _ended(job, job.problem, now)
    if running and not event.final and retries(job, outcome):
        return _again(job, outcome, now)
    if running and job.handles_errors and not event.final:
        error = outcome.error()
        return _enter(job, State.QUEUED, queued=now, handler=True, error=error, resends=0)
    return _ended(job, outcome, now)


def retries(job: Job, outcome: Outcome) -> bool:
    """Whether a running job that ends so has another attempt."""
    if not job.waits or job.handler:
        return False
    if isinstance(outcome, Failed):
        return outcome.retry
    return isinstance(outcome, Unfinished) and outcome.state.value in (job.retried_after or ())


def _again(job: Job, outcome: Outcome, now: float) -> Transition | None:
    """It waits for its next attempt. What the one before has reported is of no use then."""
    assert job.waits
    wait, *waits = job.waits
    return _enter(
        job,
        State.QUEUED,
        queued=now,
        not_before=now + wait,
        waits=waits,
        failures=job.failures + 1,
        slots={},
        error=outcome.error(),
        resends=0,
    )


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
        # It has begun, unless whoever has it wait again says that it has not.
        changes = {"started": None, "start_by": None, **changes}
    elif job.state is State.QUEUED:
        effects |= Effect.DEQUEUE
        if state is State.CANCELLED:
            effects |= Effect.NOTIFY_WORKER
    if state.ended:
        effects |= Effect.DROP_REQUEST
    return Transition(job.changed(state=state, seq=job.seq + 1, **changes), effects)
