"""Which web process leads: the one that holds a file lock, which the system frees at its death."""

from __future__ import annotations

import atexit
import logging
import threading
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

import filelock

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.supervisor import Supervisor

if TYPE_CHECKING:
    from dash_long_callback.executors.local.supervisor import PoolOptions
    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.diskcache import DiskcacheStore

log = logging.getLogger("dash_long_callback")

#: Seconds between two tries to become the leader; also the longest time without one.
TRY_SECONDS = 0.5


class Election:
    """A thread that waits to lead, then runs the supervisor until told to stop."""

    def __init__(self, store: DiskcacheStore, options: PoolOptions) -> None:
        self._store = store
        self._options = options
        self._stopping = threading.Event()
        self._supervisor: Supervisor | None = None
        self._finalize: Finalize | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="long-callbacks")

    def start(self) -> None:
        """Stand for election. Everything ends with the process."""
        atexit.register(self.stop)
        # A process of multiprocessing, such as Hypercorn's, has no atexit, but this.
        self._finalize = Finalize(None, self.stop, exitpriority=10)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether this process leads, and a worker would begin a new job at once."""
        return self._supervisor is not None and self._supervisor.is_ready()

    def take(self, job: Job) -> bool:
        """Have a job run that is marked as running already. Returns whether this process leads."""
        return self._supervisor is not None and self._supervisor.take(job)

    def wake(self) -> bool:
        """Have the supervisor look for news, if this process leads. Returns whether it does."""
        if self._supervisor is None:
            return False
        self._supervisor.wake()
        return True

    def stop(self) -> None:
        """End the workers and their jobs, and free the lock."""
        atexit.unregister(self.stop)
        if self._finalize is not None:
            self._finalize.cancel()
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        lock: filelock.BaseFileLock | None = None
        try:
            while lock is None:
                lock = self._try()
                if lock is None and self._stopping.wait(TRY_SECONDS):
                    return
            self._supervisor = Supervisor(self._store, self._options)
            if not self._stopping.is_set():
                self._supervisor.run()
        except Exception:
            log.exception("the engine of %s stopped", self._store.directory)
        finally:
            if lock is not None:
                lock.release()

    def _try(self) -> filelock.BaseFileLock | None:
        try:
            directory = self._store.directory  # the default folder may be chosen now
        except StoreError as error:
            log.error("no jobs can run: %s", error)  # noqa: TRY400
            self._stopping.wait(TRY_SECONDS * 10)
            return None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(directory / "leader.lock", thread_local=False)
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return None
        except OSError as error:
            log.error("no jobs can run: %s can't be written (%s)", directory, error)  # noqa: TRY400
            self._stopping.wait(TRY_SECONDS * 10)
            return None
        return lock
