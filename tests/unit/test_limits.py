"""When a job is to be told to stop, and when its process is to be ended."""

from __future__ import annotations

import math

from dash_long_callback import JobCancelled, JobTimedOut
from dash_long_callback.jobs import Cancelled, TimedOut
from dash_long_callback.worker.limits import Limits


def test_a_job_without_a_timeout_goes_on_until_its_end_is_wished_for() -> None:
    limits = Limits(since=0.0, timeout=None, grace=2.0)
    assert limits.next == math.inf
    assert not limits.expire(1e9)
    assert not limits.overdue(1e9)
    assert limits.stop(10.0)
    assert (limits.next, limits.outcome) == (12.0, Cancelled())
    assert isinstance(limits.reason, JobCancelled)
    assert not limits.overdue(11.9)
    assert limits.overdue(12.0)


def test_a_job_that_takes_too_long_is_told_once_and_has_its_grace() -> None:
    limits = Limits(since=5.0, timeout=10.0, grace=2.0)
    assert limits.next == 15.0
    assert not limits.expire(14.9)
    assert limits.expire(15.0)
    assert not limits.expire(15.1)
    assert not limits.stop(15.1)
    assert (limits.next, limits.outcome) == (17.0, TimedOut.after(10.0))
    assert isinstance(limits.reason, JobTimedOut)


def test_the_grace_begins_when_it_is_seen_that_a_job_is_late() -> None:
    """Who looks may have been paused, together with the worker."""
    limits = Limits(since=0.0, timeout=10.0, grace=2.0)
    assert limits.expire(1000.0)
    assert not limits.overdue(1001.0)
    assert limits.overdue(1002.0)


def test_a_cancel_that_came_first_stays() -> None:
    limits = Limits(since=0.0, timeout=10.0, grace=5.0)
    assert limits.stop(8.0)
    assert not limits.expire(11.0)
    assert limits.outcome == Cancelled()
