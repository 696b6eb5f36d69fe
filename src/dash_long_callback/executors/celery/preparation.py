"""What a Celery worker does before its first job: it makes the app, and calls ``worker_start``."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable

from dash_long_callback.executors import app_factory
from dash_long_callback.executors.worker_start import name_of
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Failed

#: What billiard raises into a process that gets one of these signals.
EXIT_CODES = tuple(
    -(256 - getattr(signal, name)) for name in ("SIGTERM", "SIGQUIT") if hasattr(signal, name)
)


class WorkerStart:
    """Calls the app's ``worker_start`` in each process until it has succeeded once."""

    def __init__(self, function: Callable[[], object] | None) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._done_in = 0  # a process

    def problem(self) -> Failed | None:
        """Call the function, if it is time. Returns how a job ends if it has failed."""
        with self._lock:
            if self._function is None or self._done_in == os.getpid():
                return None
            try:
                self._function()
            except (Exception, SystemExit) as error:
                if isinstance(error, SystemExit) and error.code in EXIT_CODES:
                    raise
                return self._failed(error)
            self._done_in = os.getpid()
        return None

    def _failed(self, error: Exception | SystemExit) -> Failed:
        name = name_of(self._function)
        return Failed(
            "WorkerStartFailed",
            f"worker_start={name} raised {described(error)}. It is called again for the next job.",
            "".join(traceback.format_exception(error)),
            "unavailable",
        )


class AppFactory:
    """Makes the app in a worker, by the function that was named to the manager."""

    def __init__(self, named: str | None) -> None:
        self._named = named
        self._lock = threading.Lock()

    def call(self) -> None:
        """Call the function, unless it has made the app here already."""
        if (problem := self.problem()) is not None:
            log.error("%s\n%s", problem.message, problem.traceback)

    def problem(self) -> Failed | None:
        """The same. Returns how a job ends that needs it, if it has failed."""
        if self._named is None:
            return None
        with self._lock:
            try:
                app_factory.call(self._named)
            except (Exception, SystemExit) as error:
                return Failed(
                    "CallbackNotFound",
                    f"the function that makes the app, app={self._named!r}, raised "
                    f"{described(error)} in the Celery worker. It is called again for the next "
                    "job.",
                    "".join(traceback.format_exception(error)),
                )
        return None


def described(error: BaseException) -> str:
    """An exception, for messages."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
