"""What ``Retry`` takes, and when a job is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from dash_long_callback import DoNotRetry, JobTimedOut, RegistrationError, Retry, UserError, attempt
from dash_long_callback.jobs import (
    Begin,
    Cancel,
    Cancelled,
    Effect,
    End,
    Failed,
    Finish,
    Job,
    Lost,
    Outcome,
    State,
    Succeeded,
    TimedOut,
    transition,
)

NOW = 100.0
UNLUCKY = Failed("ValueError", "no luck", "Traceback", retry=True)


def running(**fields: Any) -> Job:
    fields = {"waits": [2.0, 4.0], **fields}
    change = transition(Job("id", "out.children", **fields), Begin(), NOW)
    assert change is not None
    return change.job


@pytest.mark.parametrize(
    "options, message",
    [
        ({"times": 0}, "times=0 must be a whole number from 1 to 100"),
        ({"times": True}, "times=True must be"),
        ({"times": 101}, "times=101 must be"),
        ({"on": ()}, r"on=\(\) must be an exception class"),
        ({"on": (ValueError, "KeyError")}, "must be an exception class, or a tuple of them"),
        ({"on": int}, "must be an exception class"),
        ({"backoff": -1}, "backoff=-1 must be a number of seconds from 0 on"),
        ({"max_backoff": float("inf")}, "max_backoff=inf must be"),
        ({"backoff": "1"}, "backoff='1' must be"),
    ],
)
def test_what_can_not_be_a_policy_is_refused_in_words(options: Any, message: str) -> None:
    with pytest.raises(RegistrationError, match=message):
        Retry(**options)


def test_waits_double_up_to_a_limit_and_are_shortened_by_up_to_a_half() -> None:
    assert Retry(5, backoff=1, max_backoff=5, jitter=False).waits() == [1.0, 2.0, 4.0, 5.0, 5.0]
    waits = Retry(100, backoff=8, max_backoff=8).waits()
    assert len(set(waits)) > 10
    assert all(4 <= wait <= 8 for wait in waits)


def test_a_policy_says_after_which_errors() -> None:
    policy = Retry(on=(ConnectionError, TimeoutError))
    assert policy.after(ConnectionResetError())
    assert policy.after(TimeoutError())
    assert not policy.after(ValueError())
    assert not Retry().after(DoNotRetry("the file is empty"))
    assert not Retry().after(UserError("There are no sales in May."))
    assert not Retry().after(KeyboardInterrupt())


def test_timeouts_and_deaths_only_if_that_is_asked_for() -> None:
    assert Retry().states == []
    assert Retry(on=(ValueError, JobTimedOut)).states == ["timed_out"]
    assert Retry(lost=True).states == ["lost"]


def test_a_job_that_fails_waits_for_its_next_attempt() -> None:
    job = running()
    job.put(0)
    change = transition(job, Finish(UNLUCKY, 1), NOW)
    assert change is not None
    assert Effect.ENQUEUE in change.effects
    again = change.job
    assert (again.state, again.not_before, again.waits) == (State.QUEUED, NOW + 2, [4.0])
    assert (again.failures, again.slots, again.started) == (1, {}, None)
    begun = transition(again, Begin(), NOW + 2)
    assert begun is not None
    assert (begun.job.attempt, begun.job.not_before) == (2, None)


def test_the_last_attempt_ends_the_job() -> None:
    job = running(waits=[2.0])
    again = transition(job, Finish(UNLUCKY, 1), NOW)
    assert again is not None
    last = transition(again.job, Begin(), NOW)
    assert last is not None
    change = transition(last.job, Finish(UNLUCKY, 2), NOW)
    assert change is not None
    assert (change.job.state, change.job.failures) == (State.FAILED, 1)


@pytest.mark.parametrize(
    "outcome, retried_after, tried_again",
    [
        (Failed("E", "m"), None, False),
        (Succeeded(b"{}"), ["succeeded"], False),
        (Cancelled(), ["cancelled"], False),
        (Lost("x"), None, False),
        (Lost("x"), ["lost"], True),
        (TimedOut("x"), ["lost"], False),
        (TimedOut("x"), ["timed_out"], True),
    ],
)
def test_not_every_end_is_followed_by_another_attempt(
    outcome: Outcome, retried_after: list[str] | None, tried_again: bool
) -> None:
    job = running(retried_after=retried_after)
    change = transition(job, Finish(outcome, 1), NOW)
    assert change is not None
    assert (change.job.state is State.QUEUED) is tried_again
    if isinstance(outcome, (Lost, TimedOut)):
        change = transition(job, End(outcome, 1), NOW)
        assert change is not None
        assert (change.job.state is State.QUEUED) is tried_again
        change = transition(job, End(outcome, 1, final=True), NOW)
        assert change is not None
        assert change.job.state is outcome.state


def test_what_on_error_does_is_not_tried_again() -> None:
    job = running(handler=True, error=Lost("x").error())
    change = transition(job, Finish(UNLUCKY, 1), NOW)
    assert change is not None
    assert change.job.state is State.FAILED


def test_a_job_that_waits_for_its_next_attempt_can_be_cancelled() -> None:
    again = transition(running(), Finish(UNLUCKY, 1), NOW)
    assert again is not None
    change = transition(again.job, Cancel(), NOW)
    assert change is not None
    assert (change.job.state, change.job.error) == (State.CANCELLED, None)


@pytest.mark.parametrize("waits", [["2"], [-1.0], [True], [1e999], 3])
def test_a_record_with_waits_that_are_none_can_not_be_read(waits: Any) -> None:
    data = Job("id", "cb", waits=waits).dump()
    assert Job.load(data, "id").state is State.FAILED


def test_a_job_without_retries_has_none_of_this_in_its_record() -> None:
    for name in (b"waits", b"retried_after", b"failures", b"not_before"):
        assert name not in Job("id", "cb").dump()


def test_outside_of_a_job_it_is_the_first_attempt() -> None:
    assert attempt() == 1
