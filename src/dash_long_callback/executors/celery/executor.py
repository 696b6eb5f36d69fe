"""What becomes of jobs that Celery workers run: when one is sent again, and when it is lost."""

from __future__ import annotations

import time
from collections.abc import Iterable

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.celery.broker import Broker, Message
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.jobs import (
    End,
    Failed,
    Job,
    Lost,
    Resend,
    State,
    TimedOut,
    Unfinished,
)
from dash_long_callback.registry import registry
from dash_long_callback.stores.job_store import JobStore

#: Seconds after which a job that has not begun is looked at, and how long it may wait until its
#: message is sent again; that doubles with each time.
UNKNOWN_SECONDS, RESEND_SECONDS = 2.0, 60.0
#: The same of a job that is next, or that others keep from beginning: a message was lost, or who
#: should have sent one has died. Workers may only be busy: this is not worth a word in the log.
NEXT_SECONDS = 10.0
#: Seconds that a job has above its timeout and the grace, before its process is ended in any case.
#: One that was paused for less is told to stop, as any other, when it goes on.
BACKSTOP_SECONDS = 60.0
#: Times that a job is sent again at once, if its worker dies before it begins.
BEGIN_TRIES = 2


class CeleryExecutor(Executor):
    """Runs jobs in Celery workers.

    Args:
        store: keeps the jobs.
        broker: sends them to workers.
        grace: seconds that a function has to end, before its process is ended.
    """

    supervised = False

    def __init__(self, store: JobStore, broker: Broker, grace: float) -> None:
        self.broker = broker
        self._grace = grace
        self._store = store
        self._send_faults = FaultLog("a job can't be sent to a worker again")
        self._store_faults = FaultLog("the end of a job can't be stored; its lease will run out")

    def queue(self, name: str | None) -> str:
        return self.broker.queue(name)

    def start(self, job: Job) -> None:
        try:
            self.broker.send(job)
        except Exception:
            # It will not run, and nobody is to wait for it, or to join it. The click says so.
            lost = Lost("the broker could not be reached", "refused")
            self._store.change(job.id, End(lost))
            raise

    def send_again(self, job: Job, *, on: bool = False) -> None:
        """As ``start``. If that fails, somebody who looks at the job tries once more later.

        Args:
            job: its record.
            on: see ``Broker.send``.
        """
        try:
            self.broker.send(job, on=on)
        except StoreError as error:
            self._send_faults.failed(error)
        else:
            self._send_faults.succeeded()

    def ask(self, queue: str, wait: float | None = None) -> None:
        """Ask a worker to begin what is next of a queue; as ``send_again`` if that fails."""
        try:
            self.broker.ask(queue, wait)
        except StoreError as error:
            self._send_faults.failed(error)

    def check_liveness(self, job: Job) -> None:
        if job.state is State.QUEUED:
            self._check_waiting(job)
        elif job.state is State.RUNNING:
            self._check_running(job)

    def _check_running(self, job: Job) -> None:
        if self._store.leased(job.id):
            return
        self.lose(job, Lost("its Celery worker has not been heard of any more"))
        # If it is alive and only stuck, it must not go on.
        try:
            self.broker.revoke(job)
        except StoreError as error:
            self._send_faults.failed(error)

    def _check_waiting(self, job: Job) -> None:
        waited = _waited(job)
        if waited > UNKNOWN_SECONDS and (message := self.broker.refused(job)):
            end(self._store, job.id, Failed("CallbackNotFound", message, kind="unavailable"))
            return
        for holder in self._store.holders(job) if job.gate else ():
            # Nobody may wait for that one, but this one does.
            other = self._store.load(holder)
            if other is not None and other.state is State.RUNNING:
                self._check_running(other)
        if waited > RESEND_SECONDS * 2**job.resends:
            self._resend(job, waited)
        elif waited > NEXT_SECONDS * 2**job.resends and self._should_begin(job):
            self._resend(job)

    def _should_begin(self, job: Job) -> bool:
        """Whether a job waits for others, or for nobody, as far as is known."""
        ahead = self._store.rows.ahead(job.id)
        return ahead is not None and (bool(job.gate) or ahead.queue == 0)

    def _resend(self, job: Job, waited: float | None = None) -> None:
        again = self._store.change(job.id, Resend(job.attempt, job.resends))
        if again is not None:
            if waited is not None:
                text = "no. %s: %s has waited for %.0f s; its message is sent again"
                log.warning(text, job.ref, job.name, waited)
            self.send_again(again)

    def lose(self, job: Job, outcome: Unfinished) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        again = end(self._store, job.id, outcome, job.attempt)
        if again is None:
            return
        if again.state is State.QUEUED:
            self.send_again(again)
        self.released(job)

    def released(self, job: Job) -> None:
        """A job does not run any more: have others begin that have waited for that."""
        if job.limits:
            queues = {self.broker.queue(one.queue) for one in registry.all()} | {job.queue or ""}
            for _ in job.limits:  # each may have kept another from beginning
                self.ask_if_any_waits(queues)

    def ask_if_any_waits(self, queues: Iterable[str]) -> None:
        """As ``ask``, of these queues, where a job waits."""
        for queue in queues:
            try:
                waits = self._store.rows.waiting(queue) > 0
            except StoreError as error:
                self._send_faults.failed(error)
            else:
                if waits:
                    self.ask(queue)

    def backstop(self, timeout: float) -> float:
        """Seconds after which the process of a job with this timeout is ended in any case."""
        return timeout + self._grace + BACKSTOP_SECONDS

    def stop(self) -> None:
        """Jobs go on in the workers; let go of the broker."""
        self.broker.close()

    def process_died(self, message: Message, outcome: Unfinished) -> None:
        """The main process of a worker has seen one of its processes die.

        Args:
            message: that the process had.
            outcome: how it died.
        """
        try:
            begun = self._store.begun_by(message.id)
            job_id = begun or message.job_id
            job = None if job_id is None else self._store.load(job_id)
            if job is None or job.state.ended:
                return
            if begun is None:
                # It died before it began a job: another may begin it.
                if job.state is State.QUEUED and job.resends < BEGIN_TRIES:
                    self._resend(job)
            elif job.state is State.RUNNING and job.message == message.id:
                ran = time.time() - (job.started or 0.0)
                if job.timeout is not None and ran > self.backstop(job.timeout):
                    outcome = TimedOut.after(job.timeout)  # it held out
                self.lose(job, outcome)
        except StoreError as error:
            self._store_faults.failed(error)


def _waited(job: Job) -> float:
    """Seconds that a job has waited for a worker."""
    return time.time() - max(job.queued or job.created, job.not_before or 0.0)
