"""What happens in a Celery worker: find the callback, run the job, watch for its end.

In a process of a prefork pool a job runs in the main thread: a cancel or a timeout raises inside
its function, and ends the process after a grace period. In other pools nothing can be raised from
outside: the function is told at its next ``set_progress`` or ``set_props``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psutil
from celery import signals

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.executors import app_factory
from dash_long_callback.executors.celery.backstop import ended_after
from dash_long_callback.executors.celery.broker import Message
from dash_long_callback.executors.celery.executor import CeleryExecutor
from dash_long_callback.executors.celery.preparation import EXIT_CODES, Preparation
from dash_long_callback.executors.worker_start import name_of
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Changed, Failed, Job, Lost, State
from dash_long_callback.registry import Callback, registry
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.queue import Begun
from dash_long_callback.worker import processes
from dash_long_callback.worker.failures import failed
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job
from dash_long_callback.worker.watchdog import Watchdog

#: Seconds for which a message waits longer than a rate: who comes too early sets no other alarm.
ALARM_SLACK = 0.05
#: Seconds by which clocks may differ: of the system, which may count the start of a process as
#: before that of its job, and of the store.
CLOCK_SECONDS = 0.5

#: The main process of the Celery worker that this process is or was forked from.
_main: int | None = None


@signals.worker_init.connect
def _remember_main(**_: Any) -> None:
    global _main  # noqa: PLW0603 - one per process
    _main = os.getpid()


def log_ready(sender: Any = None, **_: Any) -> None:
    """Say that a worker takes jobs. Celery calls it with what reads its messages."""
    log.info(
        "the Celery worker %s runs long callbacks, up to %s at once; it knows %d",
        getattr(sender, "hostname", ""),
        getattr(getattr(sender, "pool", None), "num_processes", "?"),
        len(registry.all()),
    )


def in_worker() -> bool:
    """Whether this process belongs to a Celery worker."""
    return _main is not None


def can_interrupt() -> bool:
    """Whether jobs run in the main thread of a process of their own: in a prefork pool."""
    return _main not in (None, os.getpid()) and (
        threading.current_thread() is threading.main_thread()
    )


class MessageRunner:
    """Runs the jobs that messages name.

    Args:
        store: where the jobs are.
        watchdog: ends them when it has to.
        executor: sends messages, and ends jobs that their worker can't end.
        worker_start: called once in each process, before its first job.
        factory: makes the app, as ``"module:function"``, if an import does not.
        log_prefix: whether what a job prints and logs begins with its number.
    """

    def __init__(
        self,
        store: JobStore,
        watchdog: Watchdog,
        executor: CeleryExecutor,
        worker_start: Callable[[], object] | None = None,
        factory: str | None = None,
        *,
        log_prefix: bool = False,
    ) -> None:
        self._log_prefix = log_prefix
        self._store = store
        self._watchdog = watchdog
        self._executor = executor
        what = f"worker_start={name_of(worker_start)}"
        self._start = Preparation(worker_start, what, "WorkerStartFailed")
        make = None if factory is None else functools.partial(app_factory.call, factory)
        what = f"the function that makes the app in the Celery worker, app={factory!r},"
        self._factory = Preparation(make, what, "CallbackNotFound")

    def make_app(self, **_: Any) -> None:
        """Have the app made that was named to the manager, if there is one."""
        if (problem := self._factory.problem()) is not None:
            log.error("%s\n%s", problem.message, problem.traceback)

    def callback(self, job: Job) -> Callback | None:
        """What this process knows as a job's callback."""
        registry.settle()
        return registry.get(job.callback, job.digest)

    def run(self, worker: str, message: Message) -> None:
        """Run the job that is next, if one may begin.

        Args:
            worker: the name of this worker, for messages.
            message: what has asked for it.
        """
        # While the job still waits: these may take longer than a lease lasts.
        made = self._factory.problem()
        problem = self._start.problem()
        if not self._store.rows.queues and self._is_sent_on(message):
            return  # there it would begin the job that it names
        begun = self._store.begin_next(message.queue, message=message.id, named=message.job_id)
        job = begun.job
        if job is None or job.id != message.job_id:
            self._is_sent_on(message, CLOCK_SECONDS)
        if job is None:
            self._look_again(message.queue, begun)
            return
        try:
            if job.rates:
                # One message comes when a rate lets the next job begin; it may let several.
                self._executor.ask_if_any_waits([message.queue])
            request = begun.request or self._store.request(job.id)
            callback = self.callback(job)
            # One that is declared by an import needs no factory.
            problem = problem or (callback is None and made) or None
            problem = problem or _problem(callback, job, request, worker)
            if problem is None:
                assert callback is not None
                self._run(job, callback, request)
            elif callback is not None and job.handles_errors and not job.handler:
                self._run(job, callback, request, problem)
            else:
                self._fail(job, problem)
        except StoreError:
            raise  # nobody can write how it ended; its lease will run out
        except BaseException as error:
            # The function's own errors are not among these. Nobody else would say it.
            self._fail(job, _unexpected(error))
            raise
        finally:
            self._executor.released(job)

    def _is_sent_on(self, message: Message, slack: float = 0.0) -> bool:
        """Whether a message has come before its job may begin: then another is sent for that.

        This one may have begun another job, whose own message finds nothing then.

        Args:
            message: that has come.
            slack: seconds by which the store's clock may be behind this one.
        """
        if not message.delayed or message.job_id is None:
            return False
        job = self._store.load(message.job_id)
        if job is None or job.state is not State.QUEUED:
            return False
        if (job.not_before or 0.0) <= time.time() - slack:
            return False
        self._executor.send_again(job, on=True)
        return True

    def _look_again(self, queue: str, begun: Begun) -> None:
        """No job may begin: see to it that a worker looks when one may."""
        wait = begun.due - time.time()
        if begun.key is not None and self._store.set_alarm(begun.key, max(wait, 0.001)):
            self._executor.ask(queue, max(wait, 0.0) + ALARM_SLACK)

    def _run(
        self, job: Job, callback: Callback, request: bytes | None, problem: Failed | None = None
    ) -> None:
        run = Run(
            *(self._store, job, callback, problem),
            request=request,
            exit_codes=EXIT_CODES,
            lose=self._executor.lose,
            log_prefix=self._log_prefix,
            requeued=self._executor.send_again,
        )
        began = processes.clock() - CLOCK_SECONDS
        with (
            self.backstop(job),
            self._unchanged(),
            self._watchdog.over(run, interrupt=can_interrupt()),
        ):
            run_job(run)
        if run.stopping is not None and can_interrupt():
            _end_children(began)
        if run.ended_by is not None:
            raise run.ended_by

    def backstop(self, job: Job) -> AbstractContextManager[None]:
        """End this process if a job holds out against its timeout, and so does the watchdog."""
        if job.timeout is None or not can_interrupt():
            return contextlib.nullcontext()
        return ended_after(self._executor.backstop(job.timeout))

    def _unchanged(self) -> AbstractContextManager[None]:
        if threading.current_thread() is not threading.main_thread():
            return contextlib.nullcontext()  # threads share what it is about
        # Celery has its processes ignore Ctrl-C, which is the main process's; so does the watchdog.
        return processes.unchanged(self._watchdog.interrupted if can_interrupt() else None)

    def _fail(self, job: Job, outcome: Failed | Lost) -> None:
        if isinstance(outcome, Failed):
            end(self._store, job.id, outcome, job.attempt, final=True)
        else:
            self._executor.lose(job, outcome)


def _unexpected(error: BaseException) -> Failed | Lost:
    if isinstance(error, SystemExit) and error.code in EXIT_CODES:
        return Lost("the worker was stopped while the job ran", "stopped")
    return Failed(
        type(error).__name__,
        f"the worker could not run the job: {failed(error).reason}",
        "".join(traceback.format_exception(error)),
    )


def _end_children(since: float) -> None:
    """End what a function that was stopped has started; older ones may be a library's."""
    for process in processes.descendants(os.getpid()):
        with contextlib.suppress(psutil.Error):
            if process.create_time() >= since:
                process.kill()


def _problem(
    callback: Callback | None, job: Job, request: bytes | None, worker: str
) -> Failed | None:
    if callback is None:
        return Failed(
            "CallbackNotFound",
            f"the Celery worker {worker} has no long callback {job.callback!r}: the module that "
            "its command names does not declare it, or an older version of it is running. "
            "Start it with the module of the app, as in `celery -A app:celery_app worker`.",
            kind="unavailable",
        )
    if job.digest and callback.digest != job.digest:
        if request is not None and not callback.is_current(json.loads(request)):
            return Changed()  # its arguments are others as well: a restart would not help
        return Failed(
            "CallbackOutdated",
            f"the Celery worker {worker} has another version of {callback.name} than the web "
            "server: restart the workers and the web server with the same code and the same "
            "version of Python.",
            kind="unavailable",
        )
    return None
