"""How a job has ended, as code sees it: a value, or an exception."""

from __future__ import annotations

import json
from typing import Any

from dash_long_callback.calls.updates import Reader, Reports
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import JobEnded, JobFailed, JobNotStarted, JobWasCancelled
from dash_long_callback.jobs import Failed, Job, State


def value_of(callback: LongCallback, reports: Reports, response: bytes | None) -> Any:
    """What the outputs have when a page has applied all that a job gave it.

    Args:
        callback: whose job it is.
        reports: what it has reported.
        response: the JSON of its result.
    """
    answer: dict[str, Any] = json.loads(response or b"{}").get("response", {})
    reader = Reader(callback)
    for _ in reader.read(reports):
        pass
    targets = callback.declaration.parts["outputs"]
    if not targets:
        return None
    # Of what was yielded, the last is the result, and is not in the answer again.
    values = [
        answer.get(component_id, {}).get(prop, before)
        for (component_id, prop), before in zip(targets, reader.outputs(), strict=True)
    ]
    if not answer and all(value is None for value in values):
        return None
    return reader.grouped(values)


def exception_of(job: Job) -> JobEnded:
    """How a job that has not succeeded is told to who waits for it."""
    if job.state is State.CANCELLED:
        return JobWasCancelled(f"no. {job.ref}: {job.name} was cancelled")
    problem = job.problem
    if not isinstance(problem, Failed):
        return problem.exception()
    if problem.verb != "failed" or problem.kind == "unavailable":
        return JobNotStarted(problem.message)
    return JobFailed(problem.error_type, problem.message, problem.traceback, user=problem.user)
