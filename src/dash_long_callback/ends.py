"""Ends jobs whose function can't, and says in the log how."""

from __future__ import annotations

import traceback

from dash_long_callback.errors import (
    LimitReached,
    OptionFailed,
    OwnerChanged,
    OwnerUnknown,
    StoreError,
    UserError,
)
from dash_long_callback.fault_log import log
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import Cancelled, End, Expire, Failed, Job, Kind, Problem
from dash_long_callback.stores.job_store import JobStore


def end(
    store: JobStore,
    job_id: str,
    outcome: Problem | Cancelled,
    attempt: int | None = None,
    *,
    final: bool = False,
) -> Job | None:
    """End a job that has not ended, from outside of its function, or have its ``on_error`` called.

    Args:
        store: where the job is.
        job_id: which.
        outcome: how it ends.
        attempt: as for ``jobs.End``.
        final: the same.

    Returns:
        The record, which waits for a worker if ``on_error`` is to be called; None if it had ended,
        or is another worker's.

    Raises:
        StoreError: if it can't be written.
    """
    job = store.change(job_id, End(outcome, attempt, final))
    if job is None:
        return None
    if job.state.ended and job.handler and not isinstance(outcome, Cancelled):
        # The job ends for what it was to handle.
        log.error("the on_error of no. %s did not run to its end: %s", job.ref, outcome.reason)
    log_end(job)
    return job


def expire(store: JobStore, job_id: str) -> Job | None:
    """End a job that still waits, though its ``start_by`` has passed.

    Args:
        store: where the job is.
        job_id: which.

    Returns:
        The record; None if it may still begin, or has begun or ended.

    Raises:
        StoreError: if it can't be written.
    """
    job = store.change(job_id, Expire())
    if job is not None:
        log_end(job)
    return job


def refusal(error: Exception) -> Failed:
    """How a click ends that was refused: there is no job."""
    # What these say is all there is to know, or is in the log already; of others it matters where
    # they come from.
    known = (LimitReached, OwnerChanged, OwnerUnknown, StoreError, UserError)
    is_known = isinstance(error, known)
    text = "" if is_known else _text(error)
    kind: Kind = "refused"
    if isinstance(error, OwnerChanged):
        kind = "session"
    elif isinstance(error, LimitReached):
        kind = "limit"
    return Failed(type(error).__name__, str(error), text, kind, user=isinstance(error, UserError))


def _text(error: BaseException) -> str:
    if isinstance(error, OptionFailed) and error.__cause__ is not None:
        # Our own frames say nothing; its message names the function.
        lines = traceback.format_exception(error.__cause__)
        return "".join([*lines, *traceback.format_exception_only(error)])
    return "".join(traceback.format_exception(error))
