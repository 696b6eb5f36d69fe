"""The lines of the log about a job, and their fields."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from changes import changed

from dash_long_callback import user_hash
from dash_long_callback.job_log import log_begin, log_end
from dash_long_callback.jobs import (
    Begin,
    Cancel,
    Cancelled,
    End,
    Failed,
    Finish,
    Job,
    Lost,
    Outcome,
    Succeeded,
)
from dash_long_callback.server.owner import hash_of

ANN = "ann@example.com"
LOG = "dash_long_callback"


def waiting(**fields: Any) -> Job:
    return Job("id", "out.children", name="work", owner=hash_of(ANN), created=1.0, **fields)


def began(job: Job) -> Job:
    return changed(job, Begin()).changed(started=3.0)


def line(caplog: pytest.LogCaptureFixture) -> tuple[int, str, dict[str, Any]]:
    """The one line: its level, its text, and its fields."""
    (record,) = caplog.records
    fields = {k: v for k, v in record.__dict__.items() if k.startswith("job_")}
    return record.levelno, record.getMessage(), fields


def fields(**others: Any) -> dict[str, Any]:
    return {
        "job_ref": "530046",
        "job_callback": "work",
        "job_user": user_hash(ANN),
        "job_waited": 2.0,
        "job_ran": None,
        "job_attempt": 1,
        "job_outcome": None,
        **others,
    }


@pytest.fixture(autouse=True)
def _all(caplog: pytest.LogCaptureFixture) -> None:  # pyright: ignore[reportUnusedFunction]
    caplog.set_level(logging.INFO, LOG)


def test_the_line_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    log_begin(began(waiting()))
    user = user_hash(ANN)
    text = f"no. 530046: work begins: user {user}, waited 2.0 s, attempt 1"
    assert line(caplog) == (logging.INFO, text, fields())


def test_without_a_user_there_is_none_in_the_line(caplog: pytest.LogCaptureFixture) -> None:
    log_begin(began(waiting(failures=1)).changed(owner=None), handler=True)
    text = "no. 530046: work begins with its on_error: waited 2.0 s, attempt 2"
    assert line(caplog) == (logging.INFO, text, fields(job_user=None, job_attempt=2))


@pytest.mark.parametrize(
    "outcome, level, verb, reason, state",
    [
        (Succeeded(b"{}"), logging.INFO, "succeeded", "", "succeeded"),
        (Cancelled(), logging.INFO, "was cancelled", "", "cancelled"),
        (Lost("it died"), logging.ERROR, "was lost", ": it died", "lost"),
        (
            Failed("NoSales", "None in May.", "T", user=True),
            logging.INFO,
            "failed",
            ": NoSales: None in May.",
            "failed",
        ),
    ],
)
def test_the_line_at_the_end(
    outcome: Outcome,
    level: int,
    verb: str,
    reason: str,
    state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_end(changed(began(waiting()), Finish(outcome, 1)).changed(ended=4.5))
    user = user_hash(ANN)
    text = f"no. 530046: work {verb}: user {user}, waited 2.0 s, ran 1.5 s, attempt 1{reason}"
    assert line(caplog) == (level, text, fields(job_ran=1.5, job_outcome=state))


def test_a_job_that_is_cancelled_while_it_waits_has_not_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_end(changed(waiting(), Cancel()).changed(ended=3.0))
    user = user_hash(ANN)
    text = f"no. 530046: work was cancelled: user {user}, waited 2.0 s, ran 0.0 s, attempt 1"
    assert line(caplog) == (logging.INFO, text, fields(job_ran=0.0, job_outcome="cancelled"))


@pytest.mark.parametrize(
    "more, then, attempt",
    [
        ({"waits": [0.0]}, "it is tried again in 0.0 s", 1),
        ({"handles_errors": True}, "on_error is called", 1),
        ({"handles_errors": True, "failures": 1}, "on_error is called", 2),
    ],
)
def test_an_attempt_that_another_follows_is_a_warning(
    more: dict[str, Any], then: str, attempt: int, caplog: pytest.LogCaptureFixture
) -> None:
    job = began(waiting(retried_after=["lost"], **more))
    log_end(changed(job, End(Lost("it died"))))
    text = f"no. 530046: work: it died; {then}"
    over = fields(job_waited=None, job_attempt=attempt)
    assert line(caplog) == (logging.WARNING, text, over)


def test_nothing_is_formatted_for_nobody(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, LOG)
    monkeypatch.setattr("dash_long_callback.job_log._fields", None)
    log_begin(began(waiting()))
    log_end(changed(began(waiting()), Finish(Succeeded(b"{}"), 1)))
    assert caplog.records == []


def test_a_user_is_found_by_the_digits_that_the_log_has() -> None:
    assert user_hash(ANN) == hash_of(ANN)[:8] == "40654fc5"
    assert user_hash(["issuer", "ann"]) != user_hash("ann")
