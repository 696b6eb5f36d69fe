"""Has the engine's modules run on simulated time, threads and processes."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
from types import ModuleType
from typing import Any, cast

from scheduler import Queue, Threading, Time, running
from system import PerProcess, Processes

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.celery import worker as celery_worker
from dash_long_callback.executors.local import election, pool_worker
from dash_long_callback.worker import run_job, watchdog
from dash_long_callback.worker.heartbeat import Heartbeat


def install() -> None:
    """Change the modules of this process."""
    log = logging.getLogger("dash_long_callback")
    log.handlers, log.propagate = [_Stumbles()], False
    instead: dict[ModuleType, Any] = {time: Time, threading: Threading, queue: Queue}
    for name, module in list(sys.modules.items()):
        if not name.startswith("dash_long_callback."):
            continue
        for real, simulated in instead.items():
            if vars(module).get(real.__name__) is real:
                setattr(module, real.__name__, simulated)
        if vars(module).get("processes") is sys.modules["dash_long_callback.worker.processes"]:
            cast("Any", module).processes = Processes
    changed: Any = watchdog
    changed.interrupt_main_thread = lambda: running().interrupt_main_thread()
    changed = run_job
    changed.heartbeat = PerProcess("heartbeat", Heartbeat)
    changed = election
    changed.atexit = changed.Finalize = _NoExit
    changed = pool_worker
    changed.preload = _NoExit
    changed = celery_worker
    changed.can_interrupt = lambda: True


class _Stumbles(logging.Handler):
    """The engine logs with a traceback what it did not expect, and goes on. Here it never does."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, StoreError):
            running().failures.append(error)


class _NoExit:
    """A simulated process has no functions that are called when it exits."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def cancel(self) -> None:
        pass

    @staticmethod
    def register(_: object) -> None:
        pass

    unregister = disown = register
