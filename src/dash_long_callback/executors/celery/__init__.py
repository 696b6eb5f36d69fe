"""Celery runs the jobs: one generic task, any number of workers on any number of machines.

    web process                      broker                     Celery worker
    ───────────                      ──────                     ─────────────
    start(job) ──► message: id of the job, version of the code ──► task: record → callback → run_job
                                                                   Watchdog: cancel, timeout
    waits for news ◄──────────────── store ◄──────────────────────── updates, heartbeats, outcome
    check_liveness: lease expired, message lost, task unknown

What a job is, is in the store; a message only says "run it". So a message that comes twice, late,
or not at all does no harm: a job begins once, and one that does not begin is sent again.

A job that can't end by itself, as its worker died or it held out against its timeout, is taken from
its worker and queues for another, which calls its ``on_error``: by a message of its own, which
waits for a worker as the first did.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celery import signals
from celery.exceptions import NotRegistered, TimeLimitExceeded, WorkerLostError
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.celery.worker import MessageRunner
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import (
    Cancel,
    End,
    Failed,
    Job,
    Lost,
    Resend,
    State,
    TimedOut,
    Unfinished,
)
from dash_long_callback.worker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import celery

    from dash_long_callback.stores.job_store import JobStore

log = logging.getLogger("dash_long_callback")

#: The one task.
TASK = "dash_long_callback.run"
#: Seconds after which a job that has not begun is looked at, and how long it may wait until its
#: message is sent again; that doubles with each time.
UNKNOWN_SECONDS, RESEND_SECONDS = 2.0, 60.0
#: Times that a job is sent again at once, if its worker dies before it begins.
BEGIN_TRIES = 2
#: Seconds that connecting to the broker may take: a user waits for the answer.
CONNECT_SECONDS = 2.0
#: How often a connection that has failed is tried again: Celery's own policy goes on for minutes.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
#: Seconds that Celery gives a job above its timeout and the grace, before it ends the process.
BACKSTOP_SECONDS = 10.0
#: More of them, if the process may have to call ``worker_start`` first.
START_SECONDS = 120.0


class CeleryExecutor(Executor):
    """Runs jobs in Celery workers.

    Args:
        app: the Celery app; gets a task.
        store: keeps the jobs.
        queue: where jobs go, if their callback does not say; None: as Celery routes the task.
        grace: seconds that a cancelled function has before its process is ended.
        worker_start: called once in each worker process, before its first job.
        factory: makes the app in a worker, as ``"module:function"``, if an import does not.
    """

    def __init__(
        self,
        app: celery.Celery,
        store: JobStore,
        queue: str | None,
        grace: float,
        worker_start: Callable[[], object] | None = None,
        factory: str | None = None,
    ) -> None:
        self._app: Any = app
        self._store = store
        self._queue = queue
        self._grace = grace
        self._runner = MessageRunner(
            store, Watchdog(store, grace), self._lose, worker_start, factory
        )
        self._backstop = BACKSTOP_SECONDS + (START_SECONDS if worker_start else 0)
        self._send_faults = FaultLog("a job can't be sent to a worker again")
        self._store_faults = FaultLog("the end of a job can't be stored; its lease will run out")
        self._lock = threading.Lock()
        self._pools: _Pools | None = None
        # Acknowledged when it begins: brokers give up on consumers that take hours to do so.
        self._task: Any = self._app.task(
            name=TASK, bind=True, ignore_result=True, acks_late=False, shared=False
        )(self._make_task())
        signals.task_failure.connect(self._task_failed, weak=False)

    # Web process

    def start(self, job: Job) -> None:
        try:
            self._send(job)
        except Exception:
            # It will not run, and nobody is to wait for it, or to join it. The click says so.
            lost = Lost("the broker could not be reached", "refused")
            self._store.change(job.id, End(lost))
            raise

    def _send(self, job: Job) -> None:
        """Ask a worker to run a job, or to call its ``on_error``."""
        error = job.problem.exception() if job.handler else None
        what = None if error is None else [type(error).__name__, str(error)]
        with self._producer() as producer:
            self._task.apply_async(
                args=(job.id, job.digest, what),
                # The id opens the job to whoever knows it: Celery's logs and monitors see a hash.
                argsrepr=f"({job.callback!r},)",
                task_id=_task_id_of(job),
                producer=producer,
                # A connection of the pool may have died since: once more, with another.
                retry=True,
                retry_policy=_RETRY,
                confirm_timeout=CONNECT_SECONDS,
                queue=job.queue or self._queue,
                priority=job.priority,
                time_limit=None
                if job.timeout is None
                else job.timeout + self._grace + self._backstop,
            )

    @contextmanager
    def _producer(self) -> Generator[Any]:
        """A producer of a pool that fails soon when the broker is down.

        Raises:
            StoreError: if the broker can't be reached.
        """
        pools = self._pools
        if pools is None or pools.pid != os.getpid():
            with self._lock:
                pools = self._pools
                if pools is None or pools.pid != os.getpid():
                    pools = self._pools = _Pools(self._app)
        try:
            with pools.producers.acquire(block=True, timeout=CONNECT_SECONDS) as producer:
                yield producer
        except (OSError, KombuError, *pools.errors) as error:
            raise StoreError(
                f"the message broker {pools.name} can't be reached ({error}); "
                "check that it is running"
            ) from error

    def _send_again(self, job: Job) -> None:
        """As ``_send``. If that fails, somebody who looks at the job tries once more later."""
        try:
            self._send(job)
        except StoreError as error:
            self._send_faults.failed(error)
        else:
            self._send_faults.succeeded()

    def check_liveness(self, job: Job) -> None:
        if job.state is State.QUEUED:
            self._check_waiting(job)
        elif not self._store.leased(job.id):
            self._lose(job, Lost("its Celery worker has not been heard of any more"))
            # If it is alive and only stuck, it must not go on.
            self._revoke(job)

    def _check_waiting(self, job: Job) -> None:
        waited = time.time() - (job.queued or job.created)
        if waited > UNKNOWN_SECONDS and (words := self._unknown(job)):
            end(self._store, job.id, Failed("CallbackNotFound", words, kind="unavailable"))
        elif waited > RESEND_SECONDS * 2**job.resends:
            again = self._store.change(job.id, Resend(job.attempt, job.resends))
            if again is not None:
                log.warning(
                    "%s has waited for %.0f s; its message is sent again", job.callback, waited
                )
                self._send_again(again)

    def _unknown(self, job: Job) -> str | None:
        """Whether a worker has dropped the message, as it does not know the task."""
        result = self._app.AsyncResult(_task_id_of(job))
        try:
            if not isinstance(result.result, NotRegistered):
                return None
            result.forget()
        except Exception as error:
            raise StoreError(f"the Celery result backend can't be read ({error})") from error
        return (
            f"a Celery worker does not know the task {TASK}: the module that its command names "
            "does not make the CeleryLongCallbackManager. Start it with the module of the app, "
            "as in `celery -A app:celery_app worker`."
        )

    def _lose(self, job: Job, outcome: Unfinished) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        again = end(self._store, job.id, outcome, job.attempt)
        if again is not None and again.state is State.QUEUED:
            self._send_again(again)

    def cancel(self, job_id: str) -> None:
        """The worker hears of it from the store; if the job waits for one, it ends now."""
        self._store.change(job_id, Cancel())

    def _revoke(self, job: Job) -> None:
        try:
            with self._producer() as producer:
                self._app.control.revoke(
                    _task_id_of(job),
                    terminate=True,
                    signal="SIGKILL",
                    connection=producer.connection,
                )
        except StoreError as error:
            self._send_faults.failed(error)

    def waiting(self, queues: set[str | None]) -> dict[str, int]:
        """How many messages wait in each queue; None is the one of who names none.

        What a worker has reserved is not counted.
        """
        default: str = self._queue or self._app.conf.task_default_queue
        found: dict[str, int] = {}
        with self._producer() as producer:
            for name in sorted({queue or default for queue in queues} or {default}):
                queue = self._app.amqp.queues[name](producer.connection.default_channel)
                found[name] = queue.queue_declare().message_count
        return found

    def ensure_running(self) -> None:
        """Workers are started by their own command."""

    def stop(self) -> None:
        """Jobs go on in the workers; let go of the broker."""
        with self._lock:
            if self._pools is not None and self._pools.pid == os.getpid():
                self._pools.close()
            self._pools = None

    # Worker

    def _make_task(self) -> Callable[..., None]:
        def run(task: Any, job_id: str, digest: str, error: list[str] | None = None) -> None:  # noqa: ARG001 - see _task_failed
            self._runner.run(task.request.hostname, job_id, digest)

        return run

    def _task_failed(
        self, sender: Any = None, exception: Any = None, args: Any = None, **_: Any
    ) -> None:
        """The main process of a worker has seen one of its processes die."""
        ended = isinstance(exception, (WorkerLostError, TimeLimitExceeded))
        if not ended or getattr(sender, "name", None) != TASK:
            return
        job_id, _, error = args
        try:
            job = self._store.load(job_id)
            if job is None or job.state.ended:
                return
            # A second attempt, for `on_error`, has a message of its own, with the error in it: then
            # this one's process may die late.
            second = job.attempt + (job.state is State.QUEUED) > 1
            if second is (error is not None):
                self._process_died(job, exception)
        except StoreError as problem:
            self._store_faults.failed(problem)

    def _process_died(self, job: Job, exception: WorkerLostError | TimeLimitExceeded) -> None:
        if job.state is State.QUEUED:
            # It died before the job began: another may begin it.
            resend = Resend(job.attempt, job.resends)
            if job.resends < BEGIN_TRIES and (again := self._store.change(job.id, resend)):
                self._send_again(again)
        elif isinstance(exception, TimeLimitExceeded):
            # Ours, if the function held out against it; else Celery's own limit.
            self._lose(job, TimedOut.after(job.timeout or exception.args[0]))
        else:
            words = str(exception).removeprefix("Worker exited prematurely: ").rstrip(".")
            self._lose(job, Lost(f"its worker process died while it ran the job: {words}"))


class _Pools:
    """Connections to the broker, and their producers, of one process."""

    def __init__(self, app: Any) -> None:
        self.pid = os.getpid()
        connection = app.connection_for_write(
            connect_timeout=CONNECT_SECONDS,
            transport_options={
                "socket_connect_timeout": CONNECT_SECONDS,
                "socket_timeout": CONNECT_SECONDS,
                # RabbitMQ says that it has the message; else a dead connection would swallow it.
                "confirm_publish": True,
                **app.conf.broker_transport_options,
                **_RETRY,
            },
        )
        limit = app.conf.broker_pool_limit or 10
        self._connections = connection.Pool(limit=limit)
        self.producers: Any = ProducerPool(
            self._connections, limit=limit, Producer=app.amqp.Producer
        )
        self.name = connection.as_uri()
        self.errors: tuple[type[Exception], ...] = connection.connection_errors

    def close(self) -> None:
        """Close all connections."""
        self.producers.force_close_all()
        self._connections.force_close_all()


def task_id(job_id: str) -> str:
    """What Celery calls a job: the job's own id is a secret between the page and us."""
    return hashlib.sha256(job_id.encode()).hexdigest()[:32]


def _task_id_of(job: Job) -> str:
    """The id of a job's message; of one whose function is over, of the one for its ``on_error``.

    Celery ends the process of a task by its id, and drops what comes later with the same.
    """
    return task_id(f"{job.id}:on_error" if job.handler else job.id)
