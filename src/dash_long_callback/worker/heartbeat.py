"""Renews the leases of the jobs that run in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.stores import timing
from dash_long_callback.worker.run import Run


class Heartbeat:
    """One thread per process. Not the watchdog's, which a store that is stuck must not hold up."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._faults = FaultLog("leases can't be renewed")

    @contextmanager
    def of(self, run: Run) -> Generator[None]:
        """Keep the job's lease while the block runs."""
        with self._lock:
            self._runs[run.job.id] = run
            if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
                self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._runs[run.job.id]

    def _beat(self) -> None:
        while True:
            time.sleep(timing.HEARTBEAT_SECONDS)
            self._renew_all()

    def _renew_all(self) -> None:
        # A function of its own: variables of the loop would keep the last run until the next beat
        # of another, and with it all that its callback refers to.
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            try:
                if not run.renew():
                    run.revoke()
                elif run.deserted:
                    text = "no. %s: %s is cancelled, as its page has gone"
                    log.info(text, run.ref, run.name)
                    run.store.ask_cancel(run.job.id)
                self._faults.succeeded()
            except Exception as error:
                # Whatever it is, the leases of other jobs are renewed by this thread, too.
                self._faults.failed(error, traceback=not isinstance(error, StoreError))


#: The heartbeat of this process.
heartbeat = Heartbeat()
