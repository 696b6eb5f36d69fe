"""What the log says of a job: a line when its function is about to be called, and one at its end.

    no. 482193: work (result.children) begins: user 3fa2c1d0, waited 0.1 s, attempt 1
    no. 482193: work (result.children) succeeded: user 3fa2c1d0, waited 0.1 s, ran 3.2 s, attempt 1

The number is the one that the page shows. The user is a part of a hash: logs are kept for longer,
and read by more people, than what an app knows of its users. Each line has the same as fields of
its record, for formatters: see ``_fields``.

An end that ``on_error`` has handled is a success. An answer from the cache is no job, and has no
line.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Job, State

#: Digits of a user's hash that the log has: enough to tell apart all users of an app.
USER_DIGITS = 8


def log_begin(job: Job, *, handler: bool = False) -> None:
    """Say that the function of a job is about to be called. Called by its worker.

    Args:
        job: its record.
        handler: whether it is its ``on_error`` that is called.
    """
    if log.isEnabledFor(logging.INFO):
        fields, verb = _fields(job), "begins with its on_error" if handler else "begins"
        _log(logging.INFO, job, f" {verb}: {_in_words(fields)}", fields)


def log_end(job: Job) -> None:
    """Say how a job, or an attempt at it, has ended. Called by whoever has written it."""
    if not job.state.ended:
        _log_another(job)
        return
    problem = None if job.error is None else job.problem
    level = logging.INFO if problem is None else problem.log_level
    if not log.isEnabledFor(level):
        return
    fields = _fields(job)
    if problem is not None:
        text = f" {problem.verb}: {_in_words(fields)}: {problem.details}"
    else:
        verb = "succeeded" if job.state is State.SUCCEEDED else "was cancelled"
        text = f" {verb}: {_in_words(fields)}"
    _log(level, job, text, fields)


def _log_another(job: Job) -> None:
    """Another attempt is to follow, or another worker is to call its ``on_error``."""
    if job.error is None or not log.isEnabledFor(logging.WARNING):
        return
    wait = max(0.0, (job.not_before or 0.0) - time.time())
    then = "on_error is called" if job.handler else f"it is tried again in {wait:.1f} s"
    # Of the attempt that is over. When it began is not in the record any more.
    over = job.failures if not job.handler else job.failures + 1
    fields = {**_fields(job), "job_waited": None, "job_ran": None, "job_attempt": over}
    _log(logging.WARNING, job, f": {job.problem.reason}; {then}", fields)


def _fields(job: Job) -> dict[str, Any]:
    """What a record has besides its message.

    job_ref       its number
    job_callback  its function, and what that updates
    job_user      of whom it is, as ``user_hash`` gives it; None: nobody's
    job_waited    seconds that it has waited for a worker, since it was put into the queue
    job_ran       seconds that its function has run, in this attempt; None: it begins
    job_attempt   which attempt this is or was, or would have been, from 1 on
    job_outcome   the state in which it has ended; None: it has not
    """
    now = job.ended or time.time()
    began = now if job.started is None else job.started
    return {
        "job_ref": job.ref,
        "job_callback": job.name,
        "job_user": None if job.owner is None else job.owner[:USER_DIGITS],
        "job_waited": round(max(0.0, began - (job.queued or job.created)), 3),
        "job_ran": round(max(0.0, now - began), 3) if job.state.ended else None,
        "job_attempt": job.failures + 1,
        "job_outcome": job.state.value if job.state.ended else None,
    }


def _in_words(fields: dict[str, Any]) -> str:
    user, ran = fields["job_user"], fields["job_ran"]
    parts = [
        *([] if user is None else [f"user {user}"]),
        f"waited {fields['job_waited']:.1f} s",
        *([] if ran is None else [f"ran {ran:.1f} s"]),
        f"attempt {fields['job_attempt']}",
    ]
    return ", ".join(parts)


def _log(level: int, job: Job, text: str, fields: dict[str, Any]) -> None:
    path, line, function, _ = log.findCaller()
    args = (job.ref, job.name, text)
    record = log.makeRecord(log.name, level, path, line, "no. %s: %s%s", args, None, function)
    # Not as `extra`, which must not name what a record has, as it has some of these from its job.
    record.__dict__.update(fields)
    log.handle(record)
