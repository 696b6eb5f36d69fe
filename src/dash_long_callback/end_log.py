"""What the log says of the end of a job: once for each that is not a success.

An end that ``on_error`` has handled is a success. The line has the number that the page shows.
"""

from __future__ import annotations

import time

from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Job


def log_end(job: Job) -> None:
    """Say how a job, or an attempt at it, has ended. Called by who has written it."""
    if job.error is None:
        return
    problem = job.problem
    if not job.state.ended:
        wait = max(0.0, (job.not_before or 0.0) - time.time())
        then = "on_error is called" if job.handler else f"it is tried again in {wait:.1f} s"
        log.warning("no. %s: %s: %s; %s", job.ref, job.name, problem.reason, then)
        return
    seconds = (job.ended or time.time()) - (job.started or job.created)
    log.log(problem.log_level, "no. %s: %s", job.ref, problem.log_line(job.name, seconds))
