"""Starts worker processes, each with what its manager's process is like at that moment."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dash_long_callback import by_value, changed_values, notebook, unsendable
from dash_long_callback.executors.local import logging_setup, preload
from dash_long_callback.executors.local.messages import Ready, Start, WorkerOptions
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.executors.local.pool_worker import PoolWorker
from dash_long_callback.executors.local.worker import worker_main
from dash_long_callback.executors.worker_start import refer
from dash_long_callback.fault_log import log
from dash_long_callback.folders.processes import FORK_SERVER, JOB_WORKER
from dash_long_callback.jobs import Changed, Failed, Job
from dash_long_callback.registry import registry
from dash_long_callback.stores.diskcache import DiskcacheStore

#: Peers, threads or values that a warning names.
MAX_NAMES = 5
_CONNECTED = (
    "%s: while it is imported it opens a connection to %s. Workers that are forked after that "
    "would share it, and get each other's answers"
)
_SPAWNED = (
    ", so they are started with start_method='spawn': each imports the app and opens its own. To "
    "save the memory of that, open it in the manager's worker_start instead"
)
_SHARED = (
    ", and start_method='forkserver' was asked for. Open it in the manager's worker_start, or use "
    "start_method='spawn'"
)
_THREADS = (
    "%s: while it is imported it starts a thread (%s). It does not run in the workers, as these "
    "are forked after that, and a lock that it holds then is never released in them. Start it in "
    'the manager\'s worker_start if jobs need it, else below `if __name__ == "__main__"`, or use '
    "start_method='spawn'"
)
_CHANGED = (
    '%s: %s was changed after import (below `if __name__ == "__main__"`?); long callbacks see the '
    "value of the import. Set it above the guard, through an environment variable, or in the "
    "manager's worker_start"
)

_warned: set[str] = set()


class Launcher:
    """Starts the workers of one manager, and knows what these have of the app.

    Args:
        store: where jobs are.
        options: of the pool.
    """

    def __init__(self, store: DiskcacheStore, options: PoolOptions) -> None:
        self._store = store
        self._options = options
        #: Changes if the app can't be forked, and its author has not asked for it.
        self._method = options.start_method
        #: Hashes of the script's values when the first worker was started.
        self._values: dict[str, str] | None = None

    def start(self) -> PoolWorker:
        """Start a worker."""
        if self._values is None:
            self._values = changed_values.read_by_all(c.function for c in registry.all())
        options = self._worker_options()
        context: Any = multiprocessing.get_context(self._method)
        ours, theirs = context.Pipe()
        process = context.Process(
            target=worker_main,
            args=(theirs, options),
            name=JOB_WORKER,
            daemon=False,
        )
        if self._method == "forkserver":
            context.set_forkserver_preload([FORK_SERVER])
            # The fork server, if it is not running yet, inherits what to import.
            os.environ[preload.VARIABLE] = json.dumps(asdict(options.app))
        # Hypercorn's processes are daemonic, which may have no children, as these would outlive
        # them. Ours are meant to: they finish their job and exit.
        current: Any = multiprocessing.current_process()
        config: dict[str, Any] = current._config  # noqa: SLF001
        daemon = config.pop("daemon", None)
        try:
            with preload.without_main(options.app):
                process.start()
        finally:
            os.environ.pop(preload.VARIABLE, None)
            if daemon is not None:
                config["daemon"] = daemon
        theirs.close()
        return PoolWorker(process, ours)

    def accepts(self, ready: Ready) -> bool:
        """Whether a worker may have jobs; logs what its author should know about the app.

        If not, the worker exits by itself, and the next one is started in another way.
        """
        app = preload.app_modules(_modules())
        name = Path([*app.main.values(), *app.names, "the app"][0]).name
        found = ready.inherited
        if found.peers and not self._options.chosen:
            self._method = "spawn"
            _warn(_CONNECTED + _SPAWNED, name, found.peers)
            return False
        if found.peers:
            _warn(_CONNECTED + _SHARED, name, found.peers)
        if found.threads:
            _warn(_THREADS, name, found.threads)
        self._compare(name, ready.values)
        return True

    def start_message(self, job: Job, ready: Ready) -> Start | Failed:
        """What to tell a worker; or how the job ends, as no worker can run it.

        Args:
            job: as it was claimed.
            ready: what the worker has said of itself.
        """
        callback = registry.get(job.callback)
        if callback is None:
            message = f"this app has no long callback {job.callback!r} any more; reload the page"
            return Changed(message=message)
        has_it = ready.digests.get(callback.key) == callback.digest
        of_cell = notebook.is_of_cell(callback.function)
        if has_it and not of_cell:
            return Start(job, callback.key)
        sent = callback.by_value(whole=not job.handler)
        try:
            pickled = by_value.dumps(sent, ready.modules)
            return Start(job, callback.key, pickled, list(sys.path) if of_cell else None)
        except Exception as error:
            if has_it:  # a fork of the kernel
                return Start(job, callback.key)
            is_sendable = functools.partial(by_value.can_be_sent, modules=ready.modules)
            what = unsendable.where(sent.function, sent.kwargs, is_sendable)
            return Failed(
                "NotPickleable",
                f"{callback.name} can't be imported by a worker process, nor sent to one, as it "
                f"refers to {what}: {type(error).__name__}: {error}. "
                f"{unsendable.HELP_IN_NOTEBOOK if of_cell else unsendable.HELP}.",
                kind="unavailable",
            )

    def _worker_options(self) -> WorkerOptions:
        options, start = self._options, self._options.worker_start
        app = preload.app_modules(_modules(), options.app)
        keys = [key for key in list(os.environ) if key != preload.VARIABLE]
        return WorkerOptions(
            directory=str(self._store.directory),
            retention=self._store.retention,
            app=app,
            # Under the development server, and in a notebook, a vanished leader means that the
            # developer is done.
            finish="WERKZEUG_RUN_MAIN" not in os.environ and not notebook.is_kernel(),
            grace=options.grace,
            # In the other two ways a process has the environment of its parent anyway.
            environ={key: value for key in keys if (value := os.environ.get(key)) is not None}
            if self._method == "forkserver"
            else None,
            logging=logging_setup.describe(),
            worker_start=start and refer(start, importable=bool(app.main)),
            may_share=options.chosen,
            log_prefix=options.log_prefix,
        )

    def _compare(self, name: str, theirs: dict[str, str]) -> None:
        """Say which values of the script were changed after the workers' import of it."""
        declared = {key: value for c in registry.all() for key, value in c.reads.items()}
        changed = [
            key
            for key, ours in (self._values or {}).items()
            # One that is as it was when a callback was declared is another in each process: a
            # time, a random number.
            if theirs.get(key, ours) != ours != declared.get(key)
        ]
        if changed:
            _warn(_CHANGED, name, sorted(changed))


def _modules() -> list[str]:
    """The modules whose import declares the callbacks of this process."""
    found = list(registry.modules)
    found += [by_value.source_of(c.function) for c in registry.all()]
    return list(dict.fromkeys(name for name in found if name))


def _warn(message: str, name: str, what: list[str]) -> None:
    """Log a warning, once in this process."""
    names = ", ".join(what[:MAX_NAMES]) + (", …" if len(what) > MAX_NAMES else "")
    text = message % (name, names)
    if text not in _warned:
        _warned.add(text)
        log.warning("%s", text)
