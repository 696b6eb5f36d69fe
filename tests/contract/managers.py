"""The managers that the contract tests ask: each pair of a store and an executor.

Another pair is one more line in ``POOLS``.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import psutil
from celery import Celery
from celery_worker import CeleryWorker
from services import RabbitMQ, RedisServer, Service

from dash_long_callback import CeleryLongCallbackManager
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.executors.local import LocalExecutor
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

WORKERS = 2
#: Seconds after which a test gives up: a machine that is busy with others may take its time.
PATIENCE = 60.0
GRACE = 0.5


class Services:
    """Servers that are started when a test first needs them, and end with the session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[type[Service], Any] = {}

    def get(self, kind: type[Service]) -> Any:
        """The running server of a kind."""
        if kind not in self._running:
            self._running[kind] = kind(self._folder / kind.__name__).start()
        return self._running[kind]

    def stop(self) -> None:
        """End all of them."""
        for service in self._running.values():
            service.stop()


class Opened:
    """A manager with what runs its jobs."""

    def __init__(self, manager: Manager, worker: CeleryWorker | None = None) -> None:
        self.manager = manager
        self.worker = worker

    def pids(self) -> list[int]:
        """The processes that are ready for jobs."""
        if self.worker is not None:
            return self.worker.pids()
        election = getattr(self.manager.executor, "_election", None)
        if election is None or election.supervisor is None:
            return []
        return [w.process.pid for w in election.supervisor._workers if w.ready is not None]


def inline(folder: Path, services: Services) -> Opened:
    store = DiskcacheStore(folder, retention=600)
    return Opened(Manager(store, InlineExecutor(store), cache_by=[]))


def local(folder: Path, services: Services) -> Opened:
    store = DiskcacheStore(folder, retention=600)
    pool = PoolOptions(WORKERS, "forkserver", grace=GRACE)
    return Opened(Manager(store, LocalExecutor(store, pool, Machine(store, pool)), cache_by=[]))


def celery_manager(broker: str, backend: str, **options: Any) -> CeleryLongCallbackManager:
    """What a web process has."""
    app = Celery("contract", broker=broker, backend=backend)
    options = {"cache_by": [], "grace": GRACE, "retention": 600, **options}
    return CeleryLongCallbackManager(app, **options)


def _celery(folder: Path, broker: str, backend: str) -> Opened:
    folder.mkdir(parents=True)
    queue = f"q{secrets.token_hex(4)}"
    env = {"CONTRACT_BROKER": broker, "CONTRACT_BACKEND": backend, "CONTRACT_QUEUE": queue}
    for name in ("contract_celery", "contract_callbacks", "sharing_callbacks"):
        (folder / f"{name}.py").symlink_to(Path(__file__).with_name(f"{name}.py"))
    worker = CeleryWorker(folder, "contract_celery", env, "--concurrency", str(WORKERS)).start()
    return Opened(celery_manager(broker, backend, queue=queue), worker)


def celery_redis(folder: Path, services: Services) -> Opened:
    url = services.get(RedisServer).url
    return _celery(folder, url, url)


def celery_rabbitmq(folder: Path, services: Services) -> Opened:
    return _celery(folder, services.get(RabbitMQ).url, services.get(RedisServer).url)


Make: TypeAlias = "Callable[[Path, Services], Opened]"
#: What only the embedded engine does: functions by value, jobs that begin in their order.
LOCAL: dict[str, Make] = {"diskcache+local": local}
#: What has worker processes.
POOLS: dict[str, Make] = {
    **LOCAL,
    "redis+celery over redis": celery_redis,
    "redis+celery over rabbitmq": celery_rabbitmq,
}
#: What runs in this process.
INLINE: dict[str, Make] = {"diskcache+inline": inline}


@contextmanager
def opened(
    make: Callable[[Path, Services], Opened], folder: Path, services: Services
) -> Generator[Opened]:
    """A manager, and the end of all that it started."""
    one = make(folder, services)
    try:
        yield one
    finally:
        used = one.pids()
        election = getattr(one.manager.executor, "_election", None)
        one.manager.stop()
        if one.worker is not None:
            one.worker.stop()
        wait_until(lambda: not any(map(alive, used)))
        assert election is None or not election._thread.is_alive()


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
