"""Which job the code that asks runs for."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dash_long_callback.worker.run import Run

_run: ContextVar[Run | None] = ContextVar("long_callback_run", default=None)
#: What runs in this process, which a fork of it only seems to run.
_runs: dict[Run, int] = {}


@contextmanager
def running(run: Run) -> Generator[None]:
    """Let the code in the block, and what it calls and starts, be that of a job."""
    token = _run.set(run)
    _runs[run] = os.getpid()
    try:
        yield
    finally:
        del _runs[run]
        _run.reset(token)


def current_run() -> Run | None:
    """The job that this code runs for; None outside of one, and in a process that one has started.

    A thread that a function has started does not know whose it is. If only one job runs in this
    process, as in a worker of the embedded engine or of Celery's prefork pool, it is that one.
    """
    run = _run.get()
    if run is None and len(runs := tuple(_runs)) == 1:
        [run] = runs
    return run if run is not None and _runs.get(run) == os.getpid() else None


def attempt() -> int:
    """Which attempt at its job a function is in: 1, or with ``retry`` more. Outside of a job, 1.

    Examples:
        >>> attempt()
        1
    """
    run = current_run()
    return 1 if run is None else run.job.failures + 1
