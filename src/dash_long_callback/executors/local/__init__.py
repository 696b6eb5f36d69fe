"""The embedded engine: worker processes on this machine, a durable queue, nothing to install.

    web process                web process (the leader)                     worker processes
    ───────────                ────────────────────────                     ────────────────
    start(job) ──► queue in    Election: holds the lock file
        │          the store     └─ Supervisor: one thread
        └─ wakes the leader ────────► claim a job ──────── pipe ──────────► listen: run, cancel
           (a UDP datagram)           pass on cancels                       watchdog: stop, timeout
                                      end and replace the dead              main thread: the job
                                                                                │
    waits for news ◄──────────── store (SQLite) ◄───────────────────────────────┘

Any web process may submit, read and cancel; only the leader has workers. If it dies, the system
frees the lock, its workers finish their jobs and exit, and another web process leads.

A job that is submitted in the leading process while a worker is idle and nobody queues goes to the
worker at once, in the thread that submits it.
"""

from __future__ import annotations

import os
import threading

from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.local import earlier_cells, preload
from dash_long_callback.executors.local.election import Election
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.executors.local.supervisor import Supervisor
from dash_long_callback.folders import processes
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import Job, Requeue, State
from dash_long_callback.stores.job_store import JobStore


class LocalExecutor(Executor):
    """Runs jobs in a bounded pool of warm worker processes, shared by all web processes."""

    def __init__(self, store: JobStore, options: PoolOptions, machine: Machine) -> None:
        self._store = store
        self._options = options
        self.workers = options.workers
        self._machine = machine
        self._lock = threading.Lock()
        self._last: Election | None = None

    @property
    def _election(self) -> Election | None:
        """That of this process: a fork, as by gunicorn --preload, copies this, but no thread."""
        last = self._last
        return last if last is not None and last.pid == os.getpid() else None

    @property
    def _supervisor(self) -> Supervisor | None:
        """What runs the jobs, if this process leads."""
        election = self._election
        return None if election is None else election.supervisor

    def is_ready(self) -> bool:
        supervisor = self._supervisor
        return supervisor is not None and supervisor.is_ready()

    def start(self, job: Job) -> None:
        self.ensure_running()
        if job.state is State.RUNNING:
            supervisor = self._supervisor
            if supervisor is not None and supervisor.take(job):
                return
            # The engine was stopped a moment ago.
            after = self._store.change(job.id, Requeue(job.attempt, begun=False))
            if after is not None and after.state.ended:  # it is cancelled
                log_end(after)
        self._wake_leader()

    def cancel(self) -> None:
        self.ensure_running()
        self._wake_leader()

    def ensure_running(self) -> None:
        if processes.is_job_worker():
            return  # a job that starts another: workers end with their jobs, and lead nobody
        with self._lock:
            if self._election is None:
                self._last = earlier_cells.take_over(
                    Election(self._store, self._options, self._machine), self._machine.name
                )

    def called_by_script(self) -> None:
        """Who is about to start a job may be no server: what it runs is no part of the app."""
        if self._election is None:
            preload.leave_main_out()

    def stop(self) -> None:
        with self._lock:
            if (election := self._election) is not None:
                election.stop("end")
                self._last = None

    def _wake_leader(self) -> None:
        if (supervisor := self._supervisor) is not None:
            supervisor.wake()
        elif (port := self._store.port()) is not None:
            self._machine.wake(port)
