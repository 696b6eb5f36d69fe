"""Celery runs the jobs: one generic task, any number of workers on any number of machines.

    web process                      broker                     Celery worker
    ───────────                      ──────                     ─────────────
    start(job) ──► message: id of the job, version of the code ──► task: record → callback → runner
                                                                   Watchdog: cancel, timeout
    waits for news ◄──────────────── store ◄──────────────────────── updates, heartbeats, outcome
    look(job): lease expired, message lost, task unknown

What a job is, is in the store; a message only says "run it". So a message that comes twice, late,
or not at all does no harm: a job begins once, and one that does not begin is sent again.
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

from dash_long_callback.callbacks import registry
from dash_long_callback.errors import JobEnded, JobLost, JobTimedOut, StoreError
from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.celery.worker import Watchdog, run_message
from dash_long_callback.jobs import Failed, Job, Lost, Outcome, State, TimedOut, ending

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import celery

    from dash_long_callback.stores.base import Store

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


class CeleryExecutor(Executor):
    """Runs jobs in Celery workers.

    Args:
        app: the Celery app; gets a task.
        store: keeps the jobs.
        queue: where jobs go, if their callback does not say; None: as Celery routes the task.
        grace: seconds that a cancelled function has before its process is ended.
    """

    def __init__(self, app: celery.Celery, store: Store, queue: str | None, grace: float) -> None:
        self._app: Any = app
        self._store = store
        self._queue = queue
        self._grace = grace
        self._watchdog = Watchdog(store, grace, self._lose)
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
            # It will not run, and nobody is to wait for it, or to join it.
            self._end(job, Lost("the broker could not be reached"))
            raise

    def started(self, job: Job) -> None:
        """The message is on its way already."""

    def _send(self, job: Job, error: JobEnded | None = None) -> None:
        callback = registry.get(job.callback)
        digest = "" if callback is None else callback.digest
        options = None if callback is None else callback.options
        timeout = None if options is None else options.timeout
        what = None if error is None else [type(error).__name__, str(error)]
        with self._producer() as producer:
            self._task.apply_async(
                args=(job.id, digest, what),
                # The id opens the job to whoever knows it: Celery's logs and monitors see a hash.
                argsrepr=f"({job.callback!r},)",
                task_id=task_id(job.id),
                producer=producer,
                # A connection of the pool may have died since: once more, with another.
                retry=True,
                retry_policy=_RETRY,
                confirm_timeout=CONNECT_SECONDS,
                queue=(options and options.queue) or self._queue,
                priority=options and options.priority,
                time_limit=None if timeout is None else timeout + self._grace + BACKSTOP_SECONDS,
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

    def look(self, job: Job) -> None:
        if job.state is State.QUEUED:
            self._look_at_queued(job)
        elif not self._store.leased(job.id):
            self._lose(job, Lost("its Celery worker has not been heard of any more"))
            # If it is alive and only stuck, it must not go on.
            self._revoke(job)

    def _look_at_queued(self, job: Job) -> None:
        waited = time.time() - job.created
        if waited > UNKNOWN_SECONDS and (words := self._unknown(job)):
            self._end(job, Failed("CallbackNotFound", words))
        elif waited > RESEND_SECONDS * 2**job.resent:
            again = self._store.change(job.id, _resend(job.resent))
            if again is not None:
                log.warning(
                    "%s has waited for %.0f s; its message is sent again", job.callback, waited
                )
                self._send(again)

    def _unknown(self, job: Job) -> str | None:
        """Whether a worker has dropped the message, as it does not know the task."""
        result = self._app.AsyncResult(task_id(job.id))
        if not isinstance(result.result, NotRegistered):
            return None
        result.forget()
        return (
            f"a Celery worker does not know the task {TASK}: the module that its command names "
            "does not make the CeleryLongCallbackManager. Start it with the module of the app, "
            "as in `celery -A app:celery_app worker`."
        )

    def _lose(self, job: Job, outcome: Lost | TimedOut) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        kind = JobTimedOut if isinstance(outcome, TimedOut) else JobLost
        callback = registry.get(job.callback)
        if callback is not None and callback.handles_errors and not job.handed_over:
            again = self._store.change(job.id, _hand_over)
            if again is not None:
                self._store.renew(again)  # until the other worker does
                self._send(again, kind(outcome.reason))
            return
        log.error("%s: %s", job.callback, outcome.reason)
        self._end(job, outcome)

    def cancel(self, job_id: str) -> None:
        """The worker hears of it from the store."""

    def _revoke(self, job: Job) -> None:
        try:
            with self._producer() as producer:
                self._app.control.revoke(
                    task_id(job.id),
                    terminate=True,
                    signal="SIGKILL",
                    connection=producer.connection,
                )
        except StoreError:
            log.exception("the worker of %s could not be told to end", job.callback)

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

    def _end(self, job: Job, outcome: Outcome) -> None:
        self._store.change(job.id, ending(outcome))

    # Worker

    def _make_task(self) -> Callable[..., None]:
        def run(task: Any, job_id: str, digest: str, error: list[str] | None = None) -> None:
            run_message(self._store, self._watchdog, task.request.hostname, job_id, digest, error)

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
            if job is not None and job.state is State.QUEUED:
                # It died before the job began: another may begin it.
                if job.resent < BEGIN_TRIES and self._store.change(job.id, _resend(job.resent)):
                    self._send(job)
            elif job is not None and job.state is State.RUNNING:
                if job.handed_over and error is None:
                    return  # its on_error runs, or is about to, in another process
                if isinstance(exception, TimeLimitExceeded):
                    # Ours, if the function held out against it; else Celery's own limit.
                    self._lose(job, TimedOut(_timeout(job) or exception.args[0]))
                else:
                    words = str(exception).removeprefix("Worker exited prematurely: ").rstrip(".")
                    self._lose(job, Lost(f"its worker process died while it ran the job: {words}"))
        except StoreError:
            log.exception("the end of a job could not be stored; its lease will run out")


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


def _timeout(job: Job) -> float:
    callback = registry.get(job.callback)
    return (callback.options.timeout if callback else None) or 0


def _resend(times: int) -> Any:
    def change(job: Job) -> bool:
        if job.state is not State.QUEUED or job.resent != times:
            return False
        job.resent += 1
        return True

    return change


def _hand_over(job: Job) -> bool:
    if job.state is not State.RUNNING or job.handed_over:
        return False
    job.handed_over = True
    return True
