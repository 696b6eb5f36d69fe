"""How the pool of workers is set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from dash_long_callback.executors.worker_start import WorkerStart

#: What becomes of running jobs when a server is told to end.
Ending: TypeAlias = Literal["finish", "requeue", "end"]


@dataclass(frozen=True)
class PoolOptions:
    """How the pool of workers is set up.

    Attributes:
        workers: jobs that run at the same time, at most.
        start_method: ``"forkserver"``, ``"spawn"`` or ``"fork"``.
        grace: seconds that a cancelled function has to end before its process is ended.
        stop: what becomes of running jobs when the server is told to end; None: ``"end"`` under
            a development server, else ``"finish"``.
        stop_wait: seconds that a server which ends waits for jobs that finish.
        chosen: whether the author asked for that start method.
        worker_start: what each worker calls before its first job.
        app: the function that makes the app, as ``"module:function"``, for workers to call.
        log_prefix: whether what a job prints and logs begins with its number.
    """

    workers: int
    start_method: str
    grace: float
    stop: Ending | None = None
    stop_wait: float = 0.0
    chosen: bool = True
    worker_start: WorkerStart | None = None
    app: str | None = None
    log_prefix: bool = False
