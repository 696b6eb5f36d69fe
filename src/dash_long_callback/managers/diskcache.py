"""The embedded engine's manager: nothing to install, one machine, any number of web processes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import platformdirs

from dash_long_callback import notebook
from dash_long_callback.checks import CacheBy
from dash_long_callback.errors import RegistrationError
from dash_long_callback.executors import app_factory
from dash_long_callback.executors import worker_start as worker_starts
from dash_long_callback.executors.local import LocalExecutor
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.pool_options import Ending, PoolOptions
from dash_long_callback.folders.claim import DefaultFolder
from dash_long_callback.folders.processes import is_server
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import SIZE_LIMIT, DiskcacheStore

if TYPE_CHECKING:
    import diskcache

#: Seconds that a job and its outcome are kept: a laptop may sleep over night.
RETENTION = 24 * 3600.0
#: Seconds that a cancelled function has to clean up before its process is ended.
GRACE = 5.0
#: Workers at most, if not told otherwise: each holds a copy of what the app has imported.
MAX_WORKERS = 4


class DiskcacheLongCallbackManager(Manager):
    """Runs long callbacks in a bounded pool of worker processes on this machine.

    Jobs queue in a folder below the directory of ``cache``. The web processes that share the
    directory share the queue and the workers.

    Args:
        cache: a ``diskcache.Cache`` or ``diskcache.FanoutCache``. Its directory is used, not the
            object. None: a folder below the user's cache directory, for this server alone: another
            one of the same app file has its own. It is the same again after a restart with the
            same arguments, working directory and environment.
        cache_by: a function of no arguments, or a list of them, that run in the web request.
            Results are kept, and given to the next who asks with equal arguments while the values
            of these functions are equal. None: nothing is kept. A callback may have its own.
        expire: seconds after its last use to drop a kept result.
        workers: jobs that run at the same time, at most. None: as many as there are processors,
            but from 2 to 4.
        start_method: how workers are started: ``"forkserver"`` (the default where it exists:
            the app is imported once and shared), ``"spawn"`` (each worker imports the app), or
            ``"fork"`` (copies the server; deadlocks if a thread holds a lock at that moment).
            None: the default, but ``"spawn"``, with a warning in the log, for an app that opens a
            connection while it is imported, as forked workers would share it.
        grace: seconds that a cancelled function has to clean up before its process is ended.
        retention: seconds that a job and its outcome are kept after the last change.
        stop: what becomes of running jobs when the server is told to end: ``"finish"`` (they go
            on, and the next server has their results), ``"requeue"`` (they are stopped, and begin
            anew when there is a server again) or ``"end"`` (they are stopped, and the page is told
            so). None: ``"end"`` under the development server, else ``"finish"``.
        stop_wait: seconds that a server which is told to end waits for jobs that finish. Where all
            processes end with the server, as in a container, they are lost otherwise.
        size_limit: bytes that kept results may take; the least recently used are dropped first.
        user: a function of no arguments that returns who has sent a web request, for example
            ``lambda: flask.session.get("user_id")``: a string, or other JSON; None if nobody is
            logged in. Jobs are told to their own user only. It is called in each web request, as
            ``cache_by`` is, and may use ``dash.ctx``. None: users of Flask-Login and dash-auth are
            recognised; in other apps a job is told to whoever knows its id.
        fair: whether the users that wait take turns, so that the job of one does not wait for all
            that another has asked for before. Users that are not known count as one.
        worker_start: a function of no arguments that each worker process calls once, after it has
            imported the app and before its first job: open your database engine here. It runs on
            the worker's own modules, so that what it assigns with ``global`` is there in jobs. If
            it raises, the log has the traceback, and the worker is started again, as one whose
            import fails.
        app: the function that makes the app, as ``"module:function"``, if it is not made by an
            import: with ``gunicorn "app:create_server()"`` that is ``"app:create_server"``. Workers
            call it when they start. Arguments may be given, as gunicorn takes them. Without it,
            functions that are declared in a function are sent to the workers.
        log_prefix: whether each line that a function prints or logs begins with the number of its
            job, as in ``no. 482193: 20 of 100 rows``.

    Raises:
        RegistrationError: if an argument is of the wrong type or value.

    Examples:
        >>> import diskcache
        >>> from dash_long_callback import Dash, DiskcacheLongCallbackManager
        >>> cache = diskcache.Cache("./cache")
        >>> app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache))
    """

    def __init__(
        self,
        cache: diskcache.Cache | diskcache.FanoutCache | None = None,
        cache_by: CacheBy | None = None,
        expire: float | None = None,
        *,
        workers: int | None = None,
        start_method: Literal["forkserver", "spawn", "fork"] | None = None,
        grace: float = GRACE,
        retention: float = RETENTION,
        stop: Ending | None = None,
        stop_wait: float = 0.0,
        size_limit: int = SIZE_LIMIT,
        worker_start: Callable[[], object] | None = None,
        user: Callable[[], Any] | None = None,
        fair: bool = True,
        app: str | None = None,
        log_prefix: bool = False,
    ) -> None:
        methods = get_all_start_methods()
        method = start_method or ("forkserver" if "forkserver" in methods else "spawn")
        if method not in methods:
            raise RegistrationError(
                f"start_method={method!r} does not exist here; use one of {', '.join(methods)}"
            )
        if workers is not None and workers < 1:
            raise RegistrationError(f"workers={workers!r}: at least one is needed to run a job")
        if stop not in (None, *get_args(Ending)):
            raise RegistrationError(
                f'stop={stop!r} must be "finish", "requeue", "end" or None, which fits the server'
            )
        if stop_wait < 0:
            raise RegistrationError(
                f"stop_wait={stop_wait!r} must be a number of seconds from 0 on"
            )
        count = workers or min(max(os.cpu_count() or 1, 2), MAX_WORKERS)
        directory = _directory(cache)
        store = DiskcacheStore(directory, retention, size_limit)
        chosen, given = start_method is not None, worker_starts.given(worker_start)
        factory = app_factory.check(app)
        waits = (stop, stop_wait)
        pool = PoolOptions(count, method, grace, *waits, chosen, given, factory, log_prefix)
        executor = LocalExecutor(store, pool, Machine(store, pool))
        self._cache = cache
        self._local, self._file = executor, _caller_file()
        self._folder = directory if isinstance(directory, DefaultFolder) else None
        super().__init__(store, executor, cache_by, expire, user, fair=fair)

    def find_server(self) -> None:
        """Without a ``cache``, use the folder of the server that runs, or of the one that did."""
        if not is_server(self._file):
            self._local.called_by_script()
        if self._folder is not None:
            self._folder.join()

    @property
    def handle(self) -> diskcache.Cache | diskcache.FanoutCache | None:
        """The ``cache`` that the manager was made with, as in Dash 2."""
        return self._cache

    @classmethod
    def of_file(cls, file: str | None) -> DiskcacheLongCallbackManager:
        """A manager as it is without arguments, for an app of this file."""
        token = _app_file.set(file)
        try:
            return cls()
        finally:
            _app_file.reset(token)


#: The file of the app, where it is not the one that makes the manager.
_app_file: ContextVar[str | None] = ContextVar("app_file", default=None)


def _directory(cache: diskcache.Cache | diskcache.FanoutCache | None) -> Path | DefaultFolder:
    app = _caller_file()
    # A folder per app: several apps may share a cache, but none can run the jobs of another. And
    # not among the cache's own rows: those may be evicted or cleared, and a queued job must not.
    name = f"long-callbacks-{hashlib.sha256(app.encode()).hexdigest()[:12]}"
    if cache is None:
        base = Path(platformdirs.user_cache_dir("dash-long-callback", appauthor=False))
        return DefaultFolder(base, name, app)
    directory = getattr(cache, "directory", None)
    if not isinstance(directory, str):
        raise RegistrationError(
            f"cache={cache!r} is not a diskcache.Cache or diskcache.FanoutCache; "
            'pass diskcache.Cache("./cache"), or nothing for the default folder'
        )
    return Path(directory) / name


def _caller_file() -> str:
    """The file of the app: the first one up the stack that is not ours."""
    if (file := _app_file.get()) is not None:
        return os.path.abspath(file)  # noqa: PTH100
    package = str(Path(__file__).parent.parent)
    frame = sys._getframe()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - inspect.stack() would read every file
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and notebook.is_kernel():
            return notebook.file()
        name = frame.f_globals.get("__file__")
        if name and not name.startswith(package):
            return os.path.abspath(name)  # noqa: PTH100 - keeps links: a deployment may move one
        frame = frame.f_back
    return os.getcwd()  # noqa: PTH109 - what is typed has no file
