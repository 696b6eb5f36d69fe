"""What the engine needs of Celery: one generic task, and messages that ask workers to run it.

A message says that a job waits, and in which queue. Which job its worker runs is said by the store,
where they wait in order: it may be another one than that which the message was sent for, whose own
message is for whoever is next then. So what counts is that there are as many messages as jobs that
may begin. In a store without a queue, the message says which job to run.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import celery
from celery import signals
from celery.exceptions import NotRegistered, TimeLimitExceeded, WorkerLostError
from celery.utils import uuid
from kombu.exceptions import KombuError
from kombu.pools import ProducerPool

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Job, Lost, TimedOut, Unfinished

#: The one task.
TASK = "dash_long_callback.run"
#: Seconds that connecting to the broker may take: a user waits for the answer.
CONNECT_SECONDS = 2.0
#: Seconds for which a message waits in a worker, at most. Brokers take one that is not acknowledged
#: for long for lost: RabbitMQ after half an hour, Redis after an hour. Then it is sent on.
LONGEST_WAIT = 600.0
#: And at least, as the clocks of a worker and of the store may differ.
SHORTEST_WAIT = 0.05
#: How often a connection that has failed is tried again: Celery's own policy goes on for minutes.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}


class Message(NamedTuple):
    """Asks a worker to run a job.

    Attributes:
        id: Celery's name for it.
        queue: where the job waits.
        job_id: the job that it was sent for; None: for whichever is next.
        delayed: whether it was sent to come later, and so may come too early for that job.
    """

    id: str
    queue: str
    job_id: str | None
    delayed: bool = False


class Broker:
    """Sends jobs to workers.

    Args:
        app: the Celery app; ``serve`` gives it a task.
        queue: where jobs go, if their callback does not say; None: as Celery routes the task.

    Every method but ``serve`` raises StoreError if the broker can't be reached.
    """

    def __init__(self, app: celery.Celery, queue: str | None) -> None:
        self._app: Any = app
        self._queue = queue
        self._task: Any = None
        self._lock = threading.Lock()
        self._pools: _Pools | None = None
        self._queues: dict[str | None, str] = {}

    def serve(
        self,
        run: Callable[[str, Message], None],
        process_died: Callable[[Message, Unfinished], None],
    ) -> None:
        """Give the app its task, for processes that are workers.

        Args:
            run: does what a message asks for, in a worker of this name.
            process_died: is told, in the main process of a worker, of one that has died over a
                message.
        """

        def task(task: Any, queue: str, job_id: str | None, delayed: bool = False) -> None:
            run(task.request.hostname, Message(task.request.id, queue, job_id, delayed))

        def died(
            sender: Any = None, task_id: str = "", exception: Any = None, args: Any = (), **_: Any
        ) -> None:
            if getattr(sender, "name", None) != TASK:
                return
            outcome = _death(exception)
            if outcome is not None:
                process_died(Message(task_id, *args), outcome)

        # Acknowledged when it begins: brokers give up on consumers that take hours to do so.
        self._task = self._app.task(
            name=TASK, bind=True, ignore_result=True, acks_late=False, shared=False
        )(task)
        signals.task_failure.connect(died, weak=False)

    def queue(self, name: str | None) -> str:
        """What the store calls a queue: apps with other brokers may have their jobs there, too.

        Args:
            name: of a callback's queue; None: the one of who names none.
        """
        if name not in self._queues:
            options = {"queue": name or self._queue} if name or self._queue else {}
            routed = self._app.amqp.router.route(options, TASK).get("queue")
            broker = hashlib.sha256(self._app.connection_for_write().as_uri().encode()).hexdigest()
            self._queues[name] = f"{getattr(routed, 'name', routed) or ''}@{broker[:8]}"
        return self._queues[name]

    @property
    def url(self) -> str:
        """Where it is, without its password."""
        return str(self._app.connection_for_write().as_uri())

    @staticmethod
    def name(queue: str) -> str:
        """What Celery calls a queue of the store; nothing if it has no name."""
        return queue.rpartition("@")[0]

    def send(self, job: Job, *, on: bool = False) -> None:
        """Ask a worker to begin a job that waits, when it is time, or whichever is next then.

        Args:
            job: its record.
            on: whether another message for it has come too early. That may have begun another job,
                so this one has a name of its own.
        """
        wait = None
        if job.not_before is not None:
            wait = min(max(SHORTEST_WAIT, job.not_before - time.time()), LONGEST_WAIT)
        message_id = uuid() if on else _id_of(job)
        message = Message(message_id, job.queue or "", job.id, delayed=wait is not None)
        self._send(message, job.callback, wait)

    def ask(self, queue: str, wait: float | None = None) -> None:
        """Ask a worker, in so many seconds, to begin the job of a queue that is next then."""
        self._send(Message(uuid(), queue, None), f"the next of {queue}", wait)

    def _send(self, message: Message, what: str, wait: float | None) -> None:
        with self._producer() as producer:
            self._task.apply_async(
                args=message[1:],
                countdown=wait,
                # The id opens the job to whoever knows it: Celery's logs and monitors see this.
                argsrepr=f"({what!r},)",
                task_id=message.id,
                producer=producer,
                # A connection of the pool may have died since: once more, with another.
                retry=True,
                retry_policy=_RETRY,
                confirm_timeout=CONNECT_SECONDS,
                queue=self.name(message.queue) or None,
            )

    def refused(self, job: Job) -> str | None:
        """Why a worker has dropped the message of a job; None if none has."""
        result = self._app.AsyncResult(_id_of(job))
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
        """End the process that runs a job."""
        with self._producer() as producer:
            self._app.control.revoke(
                job.message,
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


def _id_of(job: Job) -> str:
    """Celery's name for the message that is sent for a job: another one each time.

    Celery ends the process of a task by its id, and drops what comes later with the same. The job's
    own id is a secret between the page and us.
    """
    name = f"{job.id}:{job.attempt}:{job.resends}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _death(exception: Any) -> Unfinished | None:
    """How a task failed that was ended with its process; None if it was not."""
    if isinstance(exception, TimeLimitExceeded):
        return TimedOut.after(exception.args[0])
    if not isinstance(exception, WorkerLostError):
        return None
    message = str(exception).removeprefix("Worker exited prematurely: ").rstrip(".")
    return Lost(f"its worker process died while it ran the job: {message}")
