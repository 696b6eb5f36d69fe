"""The one function that decides what may happen to a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from changes import changed
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback.jobs import (
    Begin,
    Cancel,
    Cancelled,
    Effect,
    End,
    Event,
    Expire,
    Failed,
    Finish,
    Handle,
    Job,
    Lost,
    Outcome,
    Problem,
    Requeue,
    Resend,
    State,
    Succeeded,
    TimedOut,
    transition,
)
from dash_long_callback.jobs.states import NEXT

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only

NOW = 1000.0
#: Written out and not derived from the table under test.
ALLOWED = {
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("queued", "timed_out"),
    ("queued", "lost"),
    ("queued", "expired"),
    ("running", "queued"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("running", "timed_out"),
    ("running", "lost"),
}
PROBLEMS: list[Problem] = [
    Failed("ValueError", "no", "Traceback ..."),
    TimedOut.after(2.5),
    Lost("it died"),
    Lost("it was told to end", "stopped"),
]
OUTCOMES: list[Outcome] = [Succeeded(b"{}"), Cancelled(), *PROBLEMS]


def queued(**fields: Any) -> Job:
    return Job("id", "out.children", created=1.0, **fields)


def running(**fields: Any) -> Job:
    return changed(queued(**fields), Begin())


def begun_in_time() -> Job:
    """A job that has begun, and whose deadline has passed since."""
    begun = transition(queued(start_by=NOW - 1, handles_errors=True), Begin(), NOW - 2)
    assert begun is not None
    return begun.job


def handled(problem: Problem = PROBLEMS[0]) -> Job:
    """A job whose function is over, and which waits for a worker that calls its ``on_error``."""
    return changed(running(handles_errors=True), End(problem))


def kind(value: object) -> str:
    return type(value).__name__


def test_every_state_is_in_the_table() -> None:
    assert set(NEXT) == set(State)
    assert {(a.value, b.value) for a in State for b in NEXT[a]} == ALLOWED


def test_only_states_that_nothing_follows_count_as_ended() -> None:
    assert {state.value for state in State if not state.ended} == {"queued", "running", "newer"}


def test_a_job_begins_once() -> None:
    change = transition(queued(), Begin(), NOW)
    assert change is not None
    begun = change.job
    assert (begun.state, begun.started, begun.attempt, begun.seq) == (State.RUNNING, NOW, 1, 1)
    assert change.effects == Effect.START_LEASE | Effect.DEQUEUE
    assert transition(begun, Begin(), NOW) is None


@pytest.mark.parametrize("outcome", OUTCOMES, ids=kind)
def test_its_worker_ends_a_job_that_runs(outcome: Outcome) -> None:
    change = transition(running(), Finish(outcome, 1), NOW)
    assert change is not None
    assert (change.job.state, change.job.ended) == (outcome.state, NOW)
    assert change.job.state.ended
    assert change.effects == Effect.DROP_REQUEST


@pytest.mark.parametrize("outcome", OUTCOMES, ids=kind)
def test_a_job_that_has_ended_takes_no_second_outcome(outcome: Outcome) -> None:
    ended = changed(running(), Finish(Failed("First", "stays"), 1))
    assert transition(ended, Finish(outcome, 1), NOW) is None
    if not isinstance(outcome, Succeeded):
        assert transition(ended, End(outcome), NOW) is None


def test_a_worker_that_is_late_is_refused() -> None:
    again = changed(running(), Requeue(1, begun=False))
    assert transition(again, Finish(Cancelled(), 1), NOW) is None
    assert transition(again, End(Cancelled(), attempt=1), NOW) is None
    begun = changed(again, Begin())
    assert transition(begun, Requeue(1, begun=False), NOW) is None
    assert begun.attempt == 2
    assert transition(begun, Finish(Succeeded(b"1"), 1), NOW) is None
    assert changed(begun, Finish(Succeeded(b"2"), 2)).state is State.SUCCEEDED


def test_a_failure_keeps_type_message_and_traceback() -> None:
    ended = changed(running(), End(Failed("KeyError", "'x'", "Traceback: here")))
    assert ended.error == {"type": "KeyError", "message": "'x'", "traceback": "Traceback: here"}


def test_a_timeout_says_how_long_the_job_was_allowed_to_run() -> None:
    assert changed(running(), End(TimedOut.after(2.5))).error == {
        "type": "JobTimedOut",
        "message": "the job ran longer than its timeout of 2.5 s",
    }


def test_a_lost_job_says_why() -> None:
    ended = changed(running(), End(Lost("out of memory")))
    assert ended.error == {"type": "JobLost", "message": "out of memory"}


@pytest.mark.parametrize("outcome", [Succeeded(b"{}"), Cancelled()], ids=kind)
def test_what_went_as_wished_is_not_an_error(outcome: Outcome) -> None:
    assert changed(running(), Finish(outcome, 1)).error is None


@pytest.mark.parametrize("problem", PROBLEMS, ids=kind)
def test_what_a_record_says_of_an_end_is_read_again(problem: Problem) -> None:
    read = changed(running(), End(problem)).problem
    assert type(read) is type(problem)
    assert changed(running(), End(read)).error == changed(running(), End(problem)).error


# on_error


@pytest.mark.parametrize("problem", PROBLEMS, ids=kind)
def test_a_job_whose_worker_can_not_end_it_waits_for_one_that_calls_on_error(
    problem: Problem,
) -> None:
    change = transition(running(handles_errors=True), End(problem), NOW)
    assert change is not None
    waits = change.job
    assert (waits.state, waits.handler, waits.queued) == (State.QUEUED, True, NOW)
    assert change.effects == Effect.ENQUEUE
    assert waits.problem.state is problem.state
    begun = changed(waits, Begin())
    assert (begun.attempt, begun.handler) == (2, True)
    ended = changed(begun, Finish(Succeeded(b"{}"), 2))
    assert (ended.state, ended.error) == (State.SUCCEEDED, None)


@pytest.mark.parametrize("problem", PROBLEMS, ids=kind)
def test_an_on_error_that_does_not_survive_is_not_called_again(problem: Problem) -> None:
    here = changed(running(handles_errors=True), Handle(problem))
    elsewhere = changed(handled(problem), Begin())
    for job in (here, elsewhere):
        assert transition(job, Requeue(job.attempt, begun=True), NOW) is None
        ended = changed(job, End(Lost("it died, too")))
        assert ended.state is problem.state
        assert ended.error == changed(running(), End(problem)).error


def test_an_on_error_that_was_not_begun_may_be_called_by_another_worker() -> None:
    again = changed(handled(), Begin(), Requeue(2, begun=False))
    assert (again.state, again.handler) == (State.QUEUED, True)


@pytest.mark.parametrize("problem", PROBLEMS, ids=kind)
def test_an_on_error_that_nobody_can_call_leaves_the_first_problem(problem: Problem) -> None:
    ended = changed(handled(problem), End(Lost("no worker could be started")))
    assert ended.state is problem.state


def test_a_job_that_waits_ends_without_its_on_error() -> None:
    ended = changed(queued(handles_errors=True), End(Lost("no worker could be started")))
    assert ended.state is State.LOST


# A deadline for the start


def test_a_job_may_begin_until_its_deadline() -> None:
    for event in (Begin(), Expire()):
        before = transition(queued(start_by=NOW + 0.1), event, NOW)
        after = transition(queued(start_by=NOW), event, NOW)
        assert (before is not None, after is not None) == (
            (True, False) if isinstance(event, Begin) else (False, True)
        )


def test_a_job_that_nobody_began_in_time_expires_without_its_on_error() -> None:
    change = transition(queued(start_by=NOW - 1, handles_errors=True), Expire(), NOW)
    assert change is not None
    assert (change.job.state, change.job.ended, change.job.seq) == (State.EXPIRED, NOW, 1)
    assert change.effects == Effect.DEQUEUE | Effect.DROP_REQUEST
    assert transition(change.job, Begin(), NOW) is None


def test_the_words_of_a_job_that_was_to_begin_later_count_from_then_on() -> None:
    late = queued(not_before=NOW - 2, start_by=NOW - 1)
    assert late.is_scheduled
    change = transition(late, Expire(), NOW)
    assert change is not None
    assert change.job.error is not None
    assert "within its start_within of 1 s" in change.job.error["message"]
    again = queued(not_before=NOW + 1, failures=1)
    assert not again.is_scheduled


def test_a_job_without_a_deadline_does_not_expire() -> None:
    assert transition(queued(), Expire(), NOW) is None


def test_a_job_that_has_begun_does_not_expire_nor_while_it_waits_again() -> None:
    begun = begun_in_time()
    assert transition(begun, Expire(), NOW) is None
    for event in (Requeue(1, begun=True), End(Lost("it died"))):
        waits = changed(begun, event)
        assert waits.state is State.QUEUED
        assert transition(waits, Expire(), NOW) is None
        assert transition(waits, Begin(), NOW) is not None


def test_a_job_that_was_given_to_a_worker_which_never_called_it_keeps_its_deadline() -> None:
    waits = changed(begun_in_time(), Requeue(1, begun=False))
    assert transition(waits, Begin(), NOW) is None
    change = transition(waits, Expire(), NOW)
    assert change is not None
    assert change.job.state is State.EXPIRED


# Cancel, queue again, send again


def test_a_wish_to_cancel_ends_what_waits_and_leaves_the_rest_to_its_worker() -> None:
    for waits in (queued(), handled()):
        change = transition(waits, Cancel(), NOW)
        assert change is not None
        assert (change.job.state, change.job.error) == (State.CANCELLED, None)
        assert change.effects == Effect.DEQUEUE | Effect.NOTIFY_WORKER | Effect.DROP_REQUEST
    assert transition(running(), Cancel(), NOW) is None


def test_a_job_that_queues_again_has_not_started() -> None:
    change = transition(running(), Requeue(1, begun=True), NOW)
    assert change is not None
    assert (change.job.state, change.job.started) == (State.QUEUED, None)
    assert change.effects == Effect.ENQUEUE


def test_a_job_is_sent_again_by_one_of_those_who_see_that_it_waits() -> None:
    seen = queued()
    again = changed(seen, Resend(seen.attempt, seen.resends))
    assert again.resends == 1
    assert transition(again, Resend(seen.attempt, seen.resends), NOW) is None
    assert transition(running(), Resend(1, 0), NOW) is None
    assert handled().resends == 0


# Whatever happens

problems = st.sampled_from(PROBLEMS)
attempts = st.integers(0, 4)
events: st.SearchStrategy[Event] = st.one_of(
    st.just(Begin()),
    st.just(Cancel()),
    st.just(Expire()),
    st.builds(Finish, st.sampled_from(OUTCOMES), attempts),
    st.builds(End, problems | st.just(Cancelled()), st.none() | attempts, st.booleans()),
    st.builds(Requeue, st.booleans()),
    st.builds(Handle, problems),
    st.builds(Resend, attempts, attempts),
)


@given(st.lists(events, max_size=30), st.none() | st.integers(0, 30))
def test_in_any_order_a_job_ends_once_and_its_on_error_is_begun_once(
    given: list[Event], deadline: int | None
) -> None:
    job = queued(cache_key="key", start_by=None if deadline is None else NOW + deadline)
    handlers = ends = called = 0
    for now, event in enumerate(given, int(NOW)):
        before = replace(job, slots=dict(job.slots))
        change = transition(job, event, now)
        assert job == before, "the record that was given stays as it is"
        if change is None:
            continue
        after = change.job
        if after.state is not job.state:
            assert (job.state.value, after.state.value) in ALLOWED
            assert after.seq == job.seq + 1
        assert after.attempt - job.attempt == isinstance(event, Begin)
        ends += after.state.ended and not job.state.ended
        if isinstance(event, Requeue) and not event.begun:
            handlers -= job.handler  # it was not called
        handlers += isinstance(event, Begin) and job.handler
        called += isinstance(event, Begin)
        called -= isinstance(event, Requeue) and not event.begun
        assert not (called and after.state is State.EXPIRED)
        assert handlers <= 1
        assert (Effect.DROP_REQUEST in change.effects) is (after.state.ended and ends == 1)
        job = after
    assert ends == job.state.ended
    assert Job.load(job.dump(), job.id) == job
