"""What a Celery worker does with a message when something around the job breaks."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery_parts import sending
from dash import Input, Output

from dash_long_callback import CeleryLongCallbackManager, Dash, RegistrationError
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.celery.broker import Message
from dash_long_callback.executors.celery.worker import MessageRunner
from dash_long_callback.jobs import Begin, End, Job, Lost, State, TimedOut, Unfinished, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.worker.watchdog import Watchdog

#: What billiard raises into a process that gets SIGTERM.
TERMINATED = SystemExit(-(256 - 15))


class _Breaks(Watchdog):
    """A watchdog that can't begin."""

    def __init__(self, store: DiskcacheStore, error: BaseException) -> None:
        super().__init__(store, 1.0)
        self._error = error

    @contextlib.contextmanager
    def over(self, run: Any, *, interrupt: bool = True) -> Generator[None]:
        raise self._error
        yield


@pytest.fixture
def job(app: Dash, store: DiskcacheStore) -> Job:
    """A job that waits."""
    app.long_callback(Output("out", "children"), Input("in", "value"))(lambda value: value)
    job = registry.all()[-1].call(b"{}").job
    store.create(job, b"{}")
    return job


@pytest.fixture
def handles(job: Job, store: DiskcacheStore) -> Job:
    """One whose callback has an ``on_error``; the other has begun."""
    store.change(job.id, Begin())
    handles = Job(new_job_id(), job.callback, handles_errors=True)
    store.create(handles, b"{}")
    return handles


def message_runner(
    store: DiskcacheStore, error: BaseException, start: Callable[[], object] | None = None
) -> MessageRunner:
    return MessageRunner(store, _Breaks(store, error), sending(store, []), start)


def ended(store: DiskcacheStore, job: Job) -> Job:
    found = store.load(job.id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "error,state,words",
    [
        (
            RuntimeError("can't start new thread"),
            State.FAILED,
            "the worker could not run the job: RuntimeError: can't start new thread",
        ),
        (KeyboardInterrupt(), State.FAILED, "the worker could not run the job: KeyboardInterrupt"),
        (TERMINATED, State.LOST, "the worker was stopped while the job ran"),
    ],
)
def test_whatever_breaks_around_a_job_ends_it_in_words(
    error: BaseException, state: State, words: str, store: DiskcacheStore, job: Job
) -> None:
    with pytest.raises(type(error)):
        message_runner(store, error).run("w@here", Message(new_job_id(), "", job.id))
    found = ended(store, job)
    assert found.state is state
    assert (found.error or {})["message"].startswith(words)


@pytest.mark.parametrize("outcome", [Lost("it was killed"), TimedOut.after(0.5)])
def test_a_handler_that_can_not_run_leaves_the_first_error(
    outcome: Unfinished, store: DiskcacheStore, handles: Job
) -> None:
    store.change(handles.id, Begin())
    store.change(handles.id, End(outcome))
    with pytest.raises(RuntimeError):
        message_runner(store, RuntimeError()).run("w@here", Message(new_job_id(), "", handles.id))
    found = ended(store, handles)
    assert found.state is outcome.state
    assert (found.error or {})["message"] == outcome.reason


def test_a_handler_begins_once_and_with_a_lease(store: DiskcacheStore, handles: Job) -> None:
    store.change(handles.id, Begin())
    store.change(handles.id, End(Lost("it was killed")))
    seen: list[bool] = []

    class _Looks(Watchdog):
        @contextlib.contextmanager
        def over(self, run: Any, *, interrupt: bool = True) -> Generator[None]:
            seen.append(store.leased(run.job.id))
            runner.run("w@here", Message("m", "", handles.id))  # the message comes twice
            raise ZeroDivisionError
            yield

    runner = MessageRunner(store, _Looks(store, 1.0), sending(store, []))
    with pytest.raises(ZeroDivisionError):
        runner.run("w@here", Message("m", "", handles.id))
    assert seen == [True]


def test_a_worker_that_is_stopped_just_before_the_function_leaves_on_error_to_another(
    store: DiskcacheStore, handles: Job
) -> None:
    sent: list[Job] = []
    runner = MessageRunner(store, _Breaks(store, TERMINATED), sending(store, sent))
    with pytest.raises(SystemExit):
        runner.run("w@here", Message(new_job_id(), "", handles.id))
    (again,) = sent
    assert (again.state, again.handler) == (State.QUEUED, True)
    assert again.problem == Lost("the worker was stopped while the job ran", "stopped")


def test_a_message_that_is_late_does_nothing(store: DiskcacheStore, job: Job) -> None:
    store.change(job.id, Begin())
    message_runner(store, RuntimeError()).run("w@here", Message(new_job_id(), "", job.id))
    assert ended(store, job).state is State.RUNNING


def test_a_job_that_is_taken_too_late_expires_and_is_not_run(
    store: DiskcacheStore, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    store.change(job.id, Begin())
    late = Job(new_job_id(), job.callback, name="work", created=1.0, start_by=3.0)
    store.create(late, b"{}")
    for _ in range(2):  # its message may come twice
        message_runner(store, RuntimeError()).run("w@here", Message(new_job_id(), "", late.id))
    assert ended(store, late).state is State.EXPIRED
    (line,) = caplog.messages
    assert line.startswith(f"no. {late.ref}: work expired: waited ")


def test_a_process_that_dies_sends_a_message_only_if_it_had_not_begun_a_job(
    store: DiskcacheStore, job: Job
) -> None:
    sent: list[Job] = []
    executor, message, died = sending(store, sent), Message("m", "", job.id), Lost("it died")
    executor.process_died(message, died)
    assert [one.id for one in sent] == [job.id]
    job_of_two = Job(new_job_id(), job.callback, waits=[0.0], retried_after=["lost"])
    store.change(job.id, Begin())
    store.create(job_of_two, b"{}")
    assert store.begin_next("", message="n").job is not None
    for _ in range(2):  # then it waits for its next attempt, which has a message of its own
        executor.process_died(Message("n", "", job.id), died)
    assert [one.id for one in sent] == [job.id, job_of_two.id]
    assert ended(store, job_of_two).state is State.QUEUED


# worker_start


def test_worker_start_is_called_by_the_first_of_many_threads_while_the_others_wait(
    store: DiskcacheStore,
) -> None:
    begun: list[int] = []

    def start() -> None:
        begun.append(threading.get_ident())
        time.sleep(0.1)
        done.append(True)

    done: list[bool] = []
    runner = message_runner(store, RuntimeError(), start)

    def run(_: int) -> bool:
        runner.run("w@here", Message(new_job_id(), "", "no such job"))
        return bool(done)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(run, range(8)))
    assert len(begun) == 1


def test_worker_start_is_called_again_in_a_process_that_was_forked(
    store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []
    runner = message_runner(store, RuntimeError(), lambda: pids.append(os.getpid()))
    for pid in (1, 1, 2):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        runner.run("w@here", Message(new_job_id(), "", "no such job"))
    assert pids == [1, 2]


def open_engine(name: str = "") -> None:
    raise OSError(f"no database {name}")


@pytest.mark.parametrize(
    "start,words",
    [
        (open_engine, "worker_start=open_engine raised OSError: no database "),
        (functools.partial(open_engine, "x"), "open_engine at"),
        (functools.partial(exit, 3), "raised SystemExit: 3"),
    ],
)
def test_a_job_whose_process_could_not_start_fails_and_the_next_tries_again(
    start: Callable[[], object], words: str, store: DiskcacheStore, job: Job
) -> None:
    runner = message_runner(store, RuntimeError(), start)
    for one in (job, Job(new_job_id(), job.callback)):
        store.create(one, b"{}")
        runner.run("w@here", Message(new_job_id(), "", one.id))
        error = ended(store, one).error or {}
        assert error["type"] == "WorkerStartFailed"
        assert words in error["message"]
        assert "called again for the next job" in error["message"]


def test_a_job_that_lacks_its_callback_as_the_app_could_not_be_made_says_so(
    store: DiskcacheStore, job: Job
) -> None:
    factory = "json:no_such_function"
    runner = MessageRunner(store, _Breaks(store, RuntimeError()), sending(store, []), None, factory)
    with pytest.raises(RuntimeError):  # what is declared by an import does without
        runner.run("w@here", Message(new_job_id(), "", job.id))
    unknown = Job(new_job_id(), "not.declared")
    store.create(unknown, b"{}")
    runner.run("w@here", Message(new_job_id(), "", unknown.id))
    error = ended(store, unknown).error or {}
    assert (error["type"], error["kind"]) == ("CallbackNotFound", "unavailable")
    assert factory in error["message"]
    assert "called again for the next job" in error["message"]


def terminated() -> None:
    raise TERMINATED


@pytest.mark.parametrize("step", [{"worker_start": terminated}, {"factory": "stops:make"}])
def test_a_worker_that_is_stopped_while_it_prepares_ends_and_the_job_waits_for_another(
    step: dict[str, Any], store: DiskcacheStore, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("stops")
    module.make = terminated
    monkeypatch.setitem(sys.modules, "stops", module)
    runner = MessageRunner(store, _Breaks(store, RuntimeError()), sending(store, []), **step)
    with pytest.raises(SystemExit):
        runner.run("w@here", Message(new_job_id(), "", job.id))
    assert ended(store, job).state is State.QUEUED


def test_worker_start_takes_a_function(tmp_path: Path) -> None:
    from celery import Celery

    app = Celery("x", broker="memory://", backend=f"file://{tmp_path}")
    wrong: Any = "open_engine"
    with pytest.raises(RegistrationError, match="is not an ordinary function"):
        CeleryLongCallbackManager(app, worker_start=wrong)


class _Early:
    """A worker that gets messages for a job that begins later; its jobs do not run."""

    def __init__(self, store: Any, delay: float) -> None:
        self.sent: list[Any] = []
        self.late = Job(new_job_id(), "out.children", not_before=time.time() + delay)
        store.create(self.late, b"{}")
        watchdog = _Breaks(store, RuntimeError("it begins"))
        self._runner = MessageRunner(store, watchdog, sending(store, self.sent))

    def gets(self, message: str, *, delayed: bool = True) -> bool:
        """Whether it begins a job over a message for the one that begins later."""
        try:
            self._runner.run("w@here", Message(message, "", self.late.id, delayed))
        except RuntimeError:
            return True
        return False


def test_a_message_that_comes_before_its_time_is_sent_on(store: DiskcacheStore, job: Job) -> None:
    early = _Early(store, 60)
    assert early.gets("a")  # the other job
    assert not early.gets("b")
    assert [one.id for one in early.sent] == [early.late.id] * 2
    assert ended(store, job).state is State.FAILED
    assert ended(store, early.late).state is State.QUEUED
    store.change(early.late.id, End(Lost("over")))
    assert not early.gets("c")
    assert not early.gets("d", delayed=False)
    assert len(early.sent) == 2


def test_where_there_is_no_queue_a_message_does_not_begin_its_job_too_early(
    store: DiskcacheStore, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.rows, "queues", False)
    early = _Early(store, 0.2)
    early.late.callback = job.callback
    assert not early.gets("a")
    assert [one.id for one in early.sent] == [early.late.id]
    time.sleep(0.2)
    early.gets("b")
    assert ended(store, early.late).state is State.FAILED  # it has begun
    assert len(early.sent) == 1
