"""Writes what changes all the time, now and then."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

from dash_long_callback.fault_log import FaultLog

#: Seconds between two writes: numbers that change ten times a second can just be read.
REST_SECONDS = 0.1

_faults = FaultLog("progress can't be reported")


class Flusher:
    """Calls a function soon after something has changed, in a thread of its own.

    The first change is written at once, the last a rest later at most. Who changes something looks
    at ``marked`` first, and calls ``mark`` if that is not set: so most changes cost nothing.

    Attributes:
        marked: whether a write is due.

    Args:
        write: writes what there is then.
    """

    def __init__(self, write: Callable[[], object]) -> None:
        self.marked = False
        self._write = write
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        # A queue, as unlike an event it can't be left locked by an exception from a signal.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._over = threading.Event()

    def mark(self) -> None:
        """A write is due."""
        if self.marked:
            return
        self.marked = True
        if self._pid != os.getpid():
            return  # a fork has no thread, and writes nothing
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._over.is_set():
                    self._thread = threading.Thread(target=self._run, daemon=True, name="progress")
                    self._thread.start()
        self._wake.put(None)

    def _run(self) -> None:
        while True:
            self._wake.get()
            if self._over.is_set():
                return
            self.marked = False
            try:
                self._write()
                _faults.succeeded()
            except Exception as error:  # numbers may come from any library
                _faults.failed(error, traceback=True)
            if self._over.wait(REST_SECONDS):
                return

    def end(self) -> None:
        """Write nothing any more. Returns when nothing is being written."""
        with self._lock:
            self._over.set()
            thread = self._thread
        self._wake.put(None)
        if thread is not None:
            thread.join()
        self.marked = True
