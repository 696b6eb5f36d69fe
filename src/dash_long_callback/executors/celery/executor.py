"""What becomes of jobs that Celery workers run: when one is sent again, and when it is lost."""

from __future__ import annotations

import time

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.celery.broker import Broker
from dash_long_callback.fault_log import FaultLog, log
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
from dash_long_callback.stores.job_store import JobStore

#: Seconds after which a job that has not begun is looked at, and how long it may wait until its
#: message is sent again; that doubles with each time.
UNKNOWN_SECONDS, RESEND_SECONDS = 2.0, 60.0
#: Times that a job is sent again at once, if its worker dies before it begins.
BEGIN_TRIES = 2


class CeleryExecutor(Executor):
    """Runs jobs in Celery workers.

    Args:
        store: keeps the jobs.
        broker: sends them to workers.
    """

    supervised = False

    def __init__(self, store: JobStore, broker: Broker) -> None:
        self.broker = broker
        self._store = store
        self._send_faults = FaultLog("a job can't be sent to a worker again")
        self._store_faults = FaultLog("the end of a job can't be stored; its lease will run out")

    def start(self, job: Job) -> None:
        try:
            self.broker.send(job)
        except Exception:
            # It will not run, and nobody is to wait for it, or to join it. The click says so.
            lost = Lost("the broker could not be reached", "refused")
            self._store.change(job.id, End(lost))
            raise

    def _send_again(self, job: Job) -> None:
        """As ``start``. If that fails, somebody who looks at the job tries once more later."""
        try:
            self.broker.send(job)
        except StoreError as error:
            self._send_faults.failed(error)
        else:
            self._send_faults.succeeded()

    def check_liveness(self, job: Job) -> None:
        if job.state is State.QUEUED:
            self._check_waiting(job)
        elif job.state is State.RUNNING and not self._store.leased(job.id):
            self.lose(job, Lost("its Celery worker has not been heard of any more"))
            # If it is alive and only stuck, it must not go on.
            try:
                self.broker.revoke(job)
            except StoreError as error:
                self._send_faults.failed(error)

    def _check_waiting(self, job: Job) -> None:
        waited = time.time() - (job.queued or job.created)
        if waited > UNKNOWN_SECONDS and (message := self.broker.refused(job)):
            end(self._store, job.id, Failed("CallbackNotFound", message, kind="unavailable"))
        elif waited > RESEND_SECONDS * 2**job.resends:
            self._resend(job)

    def _resend(self, job: Job) -> None:
        again = self._store.change(job.id, Resend(job.attempt, job.resends))
        if again is not None:
            waited = time.time() - (job.queued or job.created)
            text = "no. %s: %s has waited for %.0f s; its message is sent again"
            log.warning(text, job.ref, job.name, waited)
            self._send_again(again)

    def lose(self, job: Job, outcome: Unfinished) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        again = end(self._store, job.id, outcome, job.attempt)
        if again is not None and again.state is State.QUEUED:
            self._send_again(again)

    def cancel(self, job_id: str) -> None:
        """The worker hears of it from the store; if the job waits for one, it ends now."""
        self._store.change(job_id, Cancel())

    def stop(self) -> None:
        """Jobs go on in the workers; let go of the broker."""
        self.broker.close()

    def process_died(self, job_id: str, outcome: Unfinished, for_handler: bool) -> None:
        """The main process of a worker has seen one of its processes die.

        Args:
            job_id: of the message that the process had.
            outcome: how it died.
            for_handler: whether that message was for the job's ``on_error``.
        """
        try:
            job = self._store.load(job_id)
            if job is None or job.state.ended:
                return
            # A second attempt, for `on_error`, has a message of its own: then this one's process
            # may die late.
            second = job.attempt + (job.state is State.QUEUED) > 1
            if second is not for_handler:
                return
            if job.state is State.RUNNING:
                if isinstance(outcome, TimedOut) and job.timeout is not None:
                    outcome = TimedOut.after(job.timeout)  # it held out; else Celery's own limit
                self.lose(job, outcome)
            elif job.resends < BEGIN_TRIES:
                # It died before the job began: another may begin it.
                self._resend(job)
        except StoreError as error:
            self._store_faults.failed(error)
