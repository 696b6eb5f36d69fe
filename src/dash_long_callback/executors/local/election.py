"""Which web process leads: the one that holds a file lock, which the system frees at its death."""

from __future__ import annotations

import atexit
import os
import threading
from multiprocessing.util import Finalize

from dash_long_callback import notebook
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.leader_lock import LeaderLock
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.pool_options import Ending, PoolOptions
from dash_long_callback.executors.local.supervisor import Supervisor
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.stores.job_store import JobStore

#: Seconds between two tries to become the leader; also the longest time without one.
TRY_SECONDS = 0.5

#: Whether this process is a development server. Its author is done, or has changed the code: jobs
#: of the old code are of no use.
development = False


class Election:
    """A thread that waits to lead, then runs the supervisor until told to stop."""

    def __init__(self, store: JobStore, options: PoolOptions, machine: Machine) -> None:
        self._store = store
        self.options = options
        self._machine = machine
        self._stopping = threading.Event()
        self.pid = os.getpid()
        #: What runs the jobs, while this process leads.
        self.supervisor: Supervisor | None = None
        self._finalize: Finalize | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="long-callbacks")

    def start(self) -> None:
        """Stand for election. Everything ends with the process."""
        atexit.register(self.stop)
        # A process of multiprocessing, such as Hypercorn's, has no atexit, but this.
        self._finalize = Finalize(None, self.stop, exitpriority=10)
        self._thread.start()

    @property
    def stands(self) -> bool:
        """Whether it was not stopped."""
        return not self._stopping.is_set()

    def stop(self, ending: Ending | None = None) -> None:
        """Free the lock, and end the workers.

        Args:
            ending: what becomes of running jobs; None: as the options say.
        """
        atexit.unregister(self.stop)
        if self._finalize is not None:
            self._finalize.cancel()
        self._stopping.set()
        if (supervisor := self.supervisor) is not None:
            default: Ending = "end" if development or notebook.is_kernel() else "finish"
            supervisor.stop(ending or self.options.stop or default)
        if self._thread.is_alive():
            self._thread.join()

    def _log_place(self) -> None:
        workers = self.options.workers
        log.info(
            "long callbacks run in up to %d worker process%s on this machine; jobs are kept in %s",
            workers,
            "es" if workers > 1 else "",
            self._machine.name,
        )

    def _run(self) -> None:
        faults = FaultLog("no jobs can run; trying again")
        told = False
        while not self._stopping.is_set():
            lock: LeaderLock | None = None
            try:
                lock = self._machine.lead()
                if lock is not None:
                    faults.succeeded()
                    self.supervisor = Supervisor(
                        self._store, self.options, self._machine, lock.holds
                    )
                    if not told:
                        self._log_place()
                        told = True
                    if not self._stopping.is_set():
                        self.supervisor.run()
            except Exception as error:
                faults.failed(error, traceback=not isinstance(error, (OSError, StoreError)))
            finally:
                self.supervisor = None
                if lock is not None:
                    lock.release()
            self._stopping.wait(TRY_SECONDS)
