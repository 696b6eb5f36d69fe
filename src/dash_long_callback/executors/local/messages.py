"""What the leader and its workers tell each other, and what a worker is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dash_long_callback.executors.local.inherited import Inherited
from dash_long_callback.executors.local.preload import AppModules
from dash_long_callback.executors.worker_start import Reference
from dash_long_callback.jobs import Failed, Job


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker is told when it starts.

    Attributes:
        directory: where the store is.
        retention: seconds that the store keeps a job.
        app: what to import.
        finish: whether to finish the job when the leader has vanished.
        grace: seconds that a function has to end before its process is ended.
        environ: environment variables of the manager's process; None: this process has them.
        logging: logging settings of the manager's process.
        worker_start: the author's function to call before the first job.
        may_share: whether to use connections that other workers have, too.
        log_prefix: whether what a job prints and logs begins with its number.
    """

    directory: str
    retention: float
    app: AppModules
    finish: bool
    grace: float
    environ: dict[str, str] | None = None
    logging: dict[str, Any] | None = None
    worker_start: Reference | None = None
    may_share: bool = True
    log_prefix: bool = False


@dataclass(frozen=True)
class Ready:
    """Worker to leader: the app is imported.

    Attributes:
        digests: the code of each callback that was found, by key.
        errors: tracebacks of modules that could not be imported.
        inherited: what it has from the fork server. With connections that it may not share, it
            has exited.
        values: hashes of values of the script that callbacks read, by name.
        modules: the names in each module of the app that was imported.
    """

    digests: dict[str, str]
    errors: list[str]
    inherited: Inherited = field(default_factory=Inherited)
    values: dict[str, str] = field(default_factory=dict[str, str])
    modules: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(frozen=True)
class Unready:
    """Worker to leader, in the place of ``Ready``: why it can't run jobs, and is about to exit."""

    problem: str


@dataclass(frozen=True)
class Start:
    """Leader to worker: run this job.

    Attributes:
        job: its record.
        callback: its key.
        pickled: the callback by value, if the worker can't have it by import.
        sys_path: where to find the modules that it needs, if a cell of a notebook may have changed
            that since the worker was started.
    """

    job: Job
    callback: str
    pickled: bytes | None = None
    sys_path: list[str] | None = None


@dataclass(frozen=True)
class Stop:
    """Leader to worker: end this job. Of its timeout the worker's own watchdog knows."""

    job_id: str


@dataclass(frozen=True)
class Finish:
    """Leader to worker: I am about to go; finish the job that you have, and exit."""


@dataclass(frozen=True)
class Alive:
    """Worker to leader, if there is nothing else to say: this process is not stuck."""


@dataclass(frozen=True)
class Begun:
    """Worker to leader: this job's function is about to be called."""

    job_id: str


@dataclass(frozen=True)
class Done:
    """Worker to leader: this job has ended, or why its outcome could not be stored.

    Attributes:
        spent: whether the worker exits, because an exception was injected into it.
        unloaded: how it ends if the worker could not load the callback.
    """

    job_id: str
    problem: str | None = None
    spent: bool = False
    unloaded: Failed | None = None


#: What a worker tells the leader.
Message: TypeAlias = Ready | Unready | Begun | Done | Alive
