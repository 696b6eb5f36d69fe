"""What the engine needs of Celery: one generic task, and messages that ask workers to run it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import celery
from celery import signals
from celery.exceptions import NotRegistered, TimeLimitExceeded, WorkerLostError
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Job, Lost, TimedOut, Unfinished

#: The one task.
TASK = "dash_long_callback.run"
#: Seconds that connecting to the broker may take: a user waits for the answer.
CONNECT_SECONDS = 2.0
#: How often a connection that has failed is tried again: Celery's own policy goes on for minutes.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
#: Seconds that Celery gives a job above its timeout and the grace, before it ends the process.
BACKSTOP_SECONDS = 10.0
#: More of them, if the process may have to call ``worker_start`` first.
START_SECONDS = 120.0


class Broker:
    """Sends jobs to workers.

    Args:
        app: the Celery app; ``serve`` gives it a task.
        queue: where jobs go, if their callback does not say; None: as Celery routes the task.
        grace: seconds that a cancelled function has before its process is ended.
        starts: whether workers call a ``worker_start`` before their first job.

    Every method but ``serve`` raises StoreError if the broker can't be reached.
    """

    def __init__(
        self, app: celery.Celery, queue: str | None, grace: float, *, starts: bool = False
    ) -> None:
        self._app: Any = app
        self._queue = queue
        self._beyond_timeout = grace + BACKSTOP_SECONDS + (START_SECONDS if starts else 0)
        self._task: Any = None
        self._lock = threading.Lock()
        self._pools: _Pools | None = None

    def serve(
        self,
        run: Callable[[str, str, str], None],
        process_died: Callable[[str, Unfinished, bool], None],
    ) -> None:
        """Give the app its task, for processes that are workers.

        Args:
            run: runs a job in a worker of this name: ``run(worker, job_id, digest)``.
            process_died: is told, in the main process of a worker, of one that has died: see
                ``CeleryExecutor.process_died``.
        """

        def task(task: Any, job_id: str, digest: str, error: list[str] | None = None) -> None:  # noqa: ARG001 - see died
            run(task.request.hostname, job_id, digest)

        def died(sender: Any = None, exception: Any = None, args: Any = None, **_: Any) -> None:
            if getattr(sender, "name", None) != TASK:
                return
            outcome = _death(exception)
            if outcome is not None:
                job_id, _, error = args
                process_died(job_id, outcome, error is not None)

        # Acknowledged when it begins: brokers give up on consumers that take hours to do so.
        self._task = self._app.task(
            name=TASK, bind=True, ignore_result=True, acks_late=False, shared=False
        )(task)
        signals.task_failure.connect(died, weak=False)

    def send(self, job: Job) -> None:
        """Ask a worker to run a job, or to call its ``on_error``."""
        error = job.problem.exception() if job.handler else None
        what = None if error is None else [type(error).__name__, str(error)]
        limit = None if job.timeout is None else job.timeout + self._beyond_timeout
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
                time_limit=limit,
            )

    def refused(self, job: Job) -> str | None:
        """Why a worker has dropped the message of a job; None if none has."""
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

    def revoke(self, job: Job) -> None:
        """End the process that runs a job, and drop its message."""
        with self._producer() as producer:
            self._app.control.revoke(
                _task_id_of(job),
                terminate=True,
                signal="SIGKILL",
                connection=producer.connection,
            )

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

    def close(self) -> None:
        """Let go of the connections of this process."""
        with self._lock:
            if self._pools is not None and self._pools.pid == os.getpid():
                self._pools.close()
            self._pools = None

    @contextmanager
    def _producer(self) -> Generator[Any]:
        """A producer of a pool that fails soon when the broker is down."""
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


def _death(exception: Any) -> Unfinished | None:
    """How a task failed that was ended with its process; None if it was not."""
    if isinstance(exception, TimeLimitExceeded):
        return TimedOut.after(exception.args[0])
    if not isinstance(exception, WorkerLostError):
        return None
    message = str(exception).removeprefix("Worker exited prematurely: ").rstrip(".")
    return Lost(f"its worker process died while it ran the job: {message}")
