"""What a Celery worker does before its first job: it makes the app, and calls ``worker_start``."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from dash_long_callback.jobs import Failed
from dash_long_callback.worker.failures import failed

#: What billiard raises into a process that gets one of these signals.
EXIT_CODES = tuple(
    -(256 - getattr(signal, name)) for name in ("SIGTERM", "SIGQUIT") if hasattr(signal, name)
)


class Preparation:
    """Something that is done in each process until it has succeeded once.

    Args:
        act: does it; None: there is nothing to do.
        what: is done, for messages.
        error_type: of jobs that need it, if it has failed.
    """

    def __init__(self, act: Callable[[], object] | None, what: str, error_type: str) -> None:
        self._act = act
        self._what = what
        self._error_type = error_type
        self._lock = threading.Lock()
        self._done_in = 0  # a process

    def problem(self) -> Failed | None:
        """Do it, if it is time. Returns how a job ends that needs it, if it has failed."""
        with self._lock:
            if self._act is None or self._done_in == os.getpid():
                return None
            try:
                self._act()
            except (Exception, SystemExit) as error:
                if isinstance(error, SystemExit) and error.code in EXIT_CODES:
                    raise
                cause = failed(error)
                text = f"{self._what} raised {cause.reason}. It is called again for the next job."
                return Failed(self._error_type, text, cause.traceback, "unavailable")
            self._done_in = os.getpid()
        return None
