"""What each end of a job says of itself, to its record, to ``on_error`` and to the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from changes import changed

from dash_long_callback.errors import (
    JobEnded,
    JobExpired,
    JobLost,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
)
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import (
    Begin,
    End,
    Expire,
    Expired,
    Failed,
    Job,
    Lost,
    Problem,
    State,
    TimedOut,
    Unfinished,
    outcomes,
)

#: Jobs know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only


def running(**fields: Any) -> Job:
    return changed(Job("id", "out.children", name="work", created=1.0, **fields), Begin())


def reread(job: Job) -> Job:
    return Job.load(job.dump(), job.id)


#: As records of all versions have them.
WORDS = "the words"
STORED: list[tuple[Problem, dict[str, Any], type[JobEnded]]] = [
    (
        Failed("KeyError", WORDS, "Traceback"),
        {"type": "KeyError", "message": WORDS, "traceback": "Traceback"},
        JobNotStarted,
    ),
    (
        Failed("StoreError", WORDS, kind="not_stored"),
        {"type": "StoreError", "message": WORDS, "traceback": "", "kind": "not_stored"},
        JobNotStarted,
    ),
    (
        Failed("NoSales", WORDS, user=True),
        {"type": "NoSales", "message": WORDS, "traceback": "", "user": True},
        JobNotStarted,
    ),
    (
        # The function's own, and not the end of that name.
        Failed("JobLost", WORDS),
        {"type": "JobLost", "message": WORDS, "traceback": ""},
        JobNotStarted,
    ),
    (TimedOut(WORDS), {"type": "JobTimedOut", "message": WORDS}, JobTimedOut),
    (Lost(WORDS), {"type": "JobLost", "message": WORDS}, JobLost),
    (
        Lost(WORDS, "stopped"),
        {"type": "JobStopped", "message": WORDS, "kind": "stopped"},
        JobStopped,
    ),
    (
        Lost(WORDS, "unavailable"),
        {"type": "JobLost", "message": WORDS, "kind": "unavailable"},
        JobLost,
    ),
]


@pytest.mark.parametrize("problem, error, exception", STORED)
def test_an_end_is_stored_and_read_as_by_all_versions(
    problem: Problem, error: dict[str, Any], exception: type[JobEnded]
) -> None:
    job = reread(changed(running(), End(problem)))
    assert (job.state, job.error, job.problem) == (problem.state, error, problem)
    given = job.problem.exception()
    assert (type(given), str(given)) == (exception, WORDS)


@pytest.mark.parametrize(
    "error, reason",
    [
        ({"type": "JobEvicted", "message": "the words", "by": ["whom"]}, "the words"),
        ({"type": ["JobLost"]}, "its record does not say why"),
        ({}, "its record does not say why"),
        (None, "its record does not say why"),
    ],
)
def test_an_end_that_this_version_does_not_know_is_that_of_a_failure_and_stays_as_it_is(
    error: Any, reason: str
) -> None:
    waits = reread(running(handler=True, error=error))
    given = waits.problem.exception()
    assert (type(given), str(given)) == (JobEnded, reason)
    ended = changed(waits, End(Lost("the worker of its on_error died")))
    assert (ended.state, ended.error) == (State.FAILED, error or {})


def test_a_job_that_nobody_began_in_time_says_how_long_it_was_to_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waits = Job("id", "out.children", name="work", created=1.0, start_by=1.1, handles_errors=True)
    job = reread(changed(waits, Expire()))
    words = "the job had not begun within its start_within of 0.1 s"
    assert (job.state, job.error) == (State.EXPIRED, {"type": "JobExpired", "message": words})
    assert job.problem == Expired(words)
    given = job.problem.exception()
    assert (type(given), str(given)) == (JobExpired, words)
    job.ended = 4.0
    log_end(job)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, f"no. {job.ref}: work expired: waited 3.0 s, ran 0.0 s, attempt 1: {words}")
    ]


def test_what_a_newer_version_tells_users_of_a_known_end_is_kept() -> None:
    error = {"type": "JobLost", "message": "x", "kind": "of a newer version"}
    ended = changed(running(handler=True, error=error), End(Lost("y")))
    assert (ended.state, ended.error) == (State.LOST, error)


class JobEvicted(JobEnded):
    """An exception that this package does not have."""


@pytest.fixture
def evicted() -> Iterator[type[Unfinished]]:
    """A new kind of end, but for a state of its own."""

    @dataclass(frozen=True)
    class Evicted(Unfinished):
        state = State.TIMED_OUT
        exceptions = (JobEvicted,)
        verb = "was evicted"

    yield Evicted
    del outcomes.BY_TYPE["JobEvicted"]


def test_a_new_end_is_one_class(
    evicted: type[Unfinished], caplog: pytest.LogCaptureFixture
) -> None:
    waits = reread(changed(running(handles_errors=True), End(evicted("there was no room"))))
    assert waits.error == {"type": "JobEvicted", "message": "there was no room"}
    given = waits.problem.exception()
    assert (type(given), str(given)) == (JobEvicted, "there was no room")
    ended = changed(waits, Begin(), End(Lost("the worker of its on_error died")))
    assert ended.problem == evicted("there was no room")
    assert ended.state is State.TIMED_OUT
    log_end(ended)
    assert caplog.messages[0].startswith(f"no. {ended.ref}: work was evicted: waited ")
    assert caplog.messages[0].endswith(", attempt 1: there was no room")


@pytest.mark.parametrize(
    "problem, level, line",
    [
        (Lost("it died"), logging.ERROR, "was lost: {}: it died"),
        (
            TimedOut.after(2),
            logging.ERROR,
            "timed out: {}: the job ran longer than its timeout of 2 s",
        ),
        (
            Failed("KeyError", "'x'", "Traceback: here\n"),
            logging.ERROR,
            "failed: {}: KeyError: 'x'\nTraceback: here",
        ),
        (
            Failed("StoreError", "no room", kind="refused"),
            logging.ERROR,
            "could not be started: {}: StoreError: no room",
        ),
        (
            Failed("NoSales", "None in May.", "T", user=True),
            logging.INFO,
            "failed: {}: NoSales: None in May.",
        ),
    ],
)
def test_the_log_says_how_a_job_has_ended(
    problem: Problem, level: int, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dash_long_callback")
    job = changed(running(), End(problem))
    job.created, job.queued, job.started, job.ended = 8.0, 9.5, 10.0, 12.0
    log_end(job)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (level, f"no. {job.ref}: work {line}".format("waited 0.5 s, ran 2.0 s, attempt 1"))
    ]
