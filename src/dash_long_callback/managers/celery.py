"""The Celery engine's manager: any number of machines, behind a message broker."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dash_long_callback.checks import CacheBy
from dash_long_callback.errors import RegistrationError
from dash_long_callback.executors import app_factory
from dash_long_callback.executors import worker_start as worker_starts
from dash_long_callback.fault_log import log
from dash_long_callback.managers.base import Manager
from dash_long_callback.registry import registry
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.key_value import KeyValueStore

if TYPE_CHECKING:
    import celery

#: Seconds that a job and its outcome are kept in Redis, which is memory.
RETENTION = 3600.0
#: Seconds that a connection to Redis may take, if Celery's settings do not say.
CONNECT_SECONDS = 2.0
#: Seconds that a web process waits for an answer of Redis, at most.
READ_SECONDS = 2.5
#: Seconds between two tries to reach Redis, and how long web processes and workers try.
RETRY_SECONDS, WEB_SECONDS, WORKER_SECONDS = 0.2, 0.4, 120.0
#: Seconds that a cancelled function has to clean up before its process is ended.
GRACE = 5.0


class CeleryLongCallbackManager(Manager):
    """Runs long callbacks in Celery workers, on this machine or on others.

    Jobs are kept in the app's Celery result backend. Workers are started as Celery users do, with
    the module of the Dash app: ``celery -A app:celery_app worker``.

    Args:
        celery_app: a ``celery.Celery`` with a broker and a result backend. Redis serves as both;
            RabbitMQ as broker.
        cache_by: a function of no arguments, or a list of them, that run in the web request.
            Results are kept, and given to the next who asks with equal arguments while the values
            of these functions are equal. None: nothing is kept. A callback may have its own.
        expire: seconds after its last use to drop a kept result; None: ``retention``.
        queue: the Celery queue for callbacks that name none. None: as Celery routes the task
            ``dash_long_callback.run``.
        grace: seconds that a cancelled function has to clean up before its process is ended.
        retention: seconds that a job and its outcome are kept after the last change.
        user: a function of no arguments that returns who has sent a web request, for example
            ``lambda: flask.session.get("user_id")``: a string, or other JSON; None if nobody is
            logged in. Jobs are told to their own user only. It is called in each web request, as
            ``cache_by`` is, and may use ``dash.ctx``. None: users of Flask-Login and dash-auth are
            recognised; in other apps a job is told to whoever knows its id.
        fair: whether the users that wait take turns, so that the job of one does not wait for all
            that another has asked for before. Users that are not known count as one.
        worker_start: a function of no arguments, called once in each worker process before its
            first job, for example to open a database engine. If it raises, that job fails as
            ``WorkerStartFailed``, and it is called again for the next. Never called in the web
            process.
        app: the function that makes the app, as ``"module:function"``, if the import of the
            worker's module does not make it. Workers call it when they start. Arguments may be
            given, as gunicorn takes them: ``"app:create_server('prod')"``. The manager itself is
            to be made by the import.
        log_prefix: whether each line that a function prints or logs begins with the number of its
            job, as in ``no. 482193: 20 of 100 rows``.

    Raises:
        RegistrationError: if an argument is of the wrong type or value, or the result backend
            can't keep jobs.
        ImportError: if Celery is not installed.

    Examples:
        >>> from celery import Celery
        >>> from dash_long_callback import CeleryLongCallbackManager, Dash
        >>> redis = "redis://localhost:6379/0"
        >>> celery_app = Celery(__name__, broker=redis, backend=redis)
        >>> app = Dash(__name__, long_callback_manager=CeleryLongCallbackManager(celery_app))
    """

    #: What of a request is on the way to a worker, unless a callback asks for more.
    context = frozenset({"path"})
    has_queues = True
    sends_functions = False

    def __init__(
        self,
        celery_app: celery.Celery,
        cache_by: CacheBy | None = None,
        expire: float | None = None,
        *,
        queue: str | None = None,
        grace: float = GRACE,
        retention: float = RETENTION,
        worker_start: Callable[[], object] | None = None,
        user: Callable[[], Any] | None = None,
        fair: bool = True,
        app: str | None = None,
        log_prefix: bool = False,
    ) -> None:
        try:
            import celery

            from dash_long_callback.executors.celery import engine
        except ImportError as error:
            raise ImportError(
                f"CeleryLongCallbackManager needs Celery and redis ({error}): "
                "pip install 'celery[redis]>=5.4'"
            ) from error
        if not isinstance(celery_app, celery.Celery):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise RegistrationError(
                f"celery_app={celery_app!r} is not a celery.Celery; pass "
                'Celery(__name__, broker="redis://...", backend="redis://...")'
            )

        store = _store(celery_app, retention)
        executor = engine(
            celery_app,
            store,
            queue,
            grace,
            worker_starts.given(worker_start),
            app_factory.check(app),
            log_prefix=log_prefix,
        )
        self._celery_app, self._broker = celery_app, executor.broker
        #: Who has said where jobs run, by the process.
        self._told: dict[int, object] = {}
        super().__init__(store, executor, cache_by, expire, user, fair=fair)

    @property
    def handle(self) -> celery.Celery:
        """The Celery app, as in Dash 2.

        With ``handle = manager.handle`` in ``app.py``, workers are started by
        ``celery -A app:handle worker``.
        """
        return self._celery_app

    def ensure_running(self) -> None:
        """Say once where jobs run: others start the workers."""
        super().ensure_running()
        told = object()
        # Once in each process: a fork copies this.
        if self._told.setdefault(os.getpid(), told) is told and log.isEnabledFor(logging.INFO):
            self._log_place()

    def waiting(self) -> dict[str, int]:
        """How many jobs wait in each queue.

        With a result backend other than Redis it is the number of messages, without those that a
        worker has reserved (see Celery's ``worker_prefetch_multiplier``).

        Returns:
            The number, by the name of the queue.

        Raises:
            StoreError: if Redis, or the broker, can't be reached.
        """
        queues = {c.queue for c in registry.all() if c.manager in (None, self)}
        if not self.store.rows.queues:
            return self._broker.waiting(queues)
        names = map(self._broker.queue, queues or {None})
        return {self._broker.name(one): self.store.rows.waiting(one) for one in names}

    def _log_place(self) -> None:
        """Say where jobs run, by the settings: nobody is asked whether that is there."""
        try:
            queues = {c.queue for c in registry.all() if c.manager in (None, self)} or {None}
            names = sorted(self._broker.name(self._broker.queue(queue)) for queue in queues)
            what = "queue" if len(names) == 1 else "queues"
            log.info(
                "long callbacks run in Celery workers of the %s %s of %s; results are kept in %s",
                what,
                ", ".join(map(repr, names)),
                self._broker.url,
                _shown(self._celery_app.conf.result_backend),
            )
        except Exception:  # a line of the log is no reason to refuse a page
            log.warning("it can't be told which Celery workers run long callbacks", exc_info=True)


#: Result backends of Celery that can't keep jobs, by the beginning of their URL.
_REFUSED = {
    "rpc": "it hands each result to one process only",
    "db+": "it knows tasks, not keys and values",
    "disabled": "none is configured",
}


def _store(celery_app: Any, retention: float) -> JobStore:
    """A store in the result backend of a Celery app.

    Raises:
        RegistrationError: if that is impossible.
    """
    from celery.app.backends import by_url
    from celery.backends.base import KeyValueStoreBackend
    from celery.backends.redis import RedisBackend

    configured = str(celery_app.conf.result_backend or "disabled")

    def refused(why: object) -> RegistrationError:
        return RegistrationError(
            f"the Celery result backend {_shown(configured)!r} can't keep long callbacks: {why}. "
            'Use Redis, as in Celery(..., backend="redis://localhost:6379/0").'
        )

    for start, why in _REFUSED.items():
        if configured.startswith(start):
            raise refused(why)

    def make() -> Any:
        cls, url = by_url(configured, celery_app.loader)
        return cls(app=celery_app, url=url)

    try:
        backend = make()
    except Exception as error:
        raise refused(error) from error
    if isinstance(backend, RedisBackend):
        return _redis_store(backend, make, retention)
    if isinstance(backend, KeyValueStoreBackend):
        return KeyValueStore(make, retention, _prefix(backend))
    raise refused("it is not a store of keys and values")


def _shown(url: object) -> str:
    """A URL, or several of them, as Sentinel has, without passwords."""
    from kombu.utils.url import maybe_sanitize_url

    return ";".join(maybe_sanitize_url(one) for one in str(url).split(";"))


def _redis_store(backend: Any, make: Any, retention: float) -> JobStore:
    import redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    from dash_long_callback.executors.celery.worker import in_worker
    from dash_long_callback.stores.redis import RedisStore

    def connect() -> Any:
        # A backend of our own, from Celery's settings: TLS, password, database and Sentinel are
        # its business. Only patience differs: a user waits for the answer of a web process, but
        # a worker must not lose the work of hours because Redis is started again.
        own = make()
        if own.connparams.get("socket_connect_timeout") is None:
            own.connparams["socket_connect_timeout"] = CONNECT_SECONDS
        if not in_worker():
            limit = own.connparams.get("socket_timeout") or READ_SECONDS
            own.connparams["socket_timeout"] = min(limit, READ_SECONDS)
        client = own.client
        tries = WORKER_SECONDS if in_worker() else WEB_SECONDS
        # Not after a timeout: what did not answer in time is not asked the same again.
        client.set_retry(
            Retry(
                ConstantBackoff(RETRY_SECONDS),
                round(tries / RETRY_SECONDS),
                supported_errors=(redis.ConnectionError,),
            )
        )
        return client

    return RedisStore(connect, retention, _prefix(backend))


def _prefix(backend: Any) -> str:
    """What Celery puts before its own keys, from ``global_keyprefix`` in its settings."""
    from celery.backends.base import KeyValueStoreBackend
    from kombu.utils.encoding import bytes_to_str

    own = bytes_to_str(KeyValueStoreBackend.task_keyprefix)
    return str(bytes_to_str(backend.task_keyprefix)).removesuffix(own)
