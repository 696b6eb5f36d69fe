"""The stores that the contract tests ask. Another store is one more entry in ``STORES``."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery import Celery
from services import Memcached, RedisServer, Service

from dash_long_callback.jobs import Begin, Job, new_job_id
from dash_long_callback.managers.celery import _store
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.large_results import LargeResult
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.stores.ports import Rows

REQUEST = b'{"inputs":[]}'


@dataclass(frozen=True)
class Kind:
    """A kind of store.

    Attributes:
        open: makes a handle on it: of a place, and the seconds that a job is kept.
        service: the server that it needs.
        url: where it is, in a folder if it needs no server.
        atomic: what it reads, changes and writes is one step, whoever else writes.
        shared: other processes can use it.
        listed: it has an index.
        queues: it has a queue.
    """

    open: Callable[[Place, float], JobStore]
    service: type[Service] | None = None
    url: str = "{folder}"
    atomic: bool = False
    shared: bool = True
    listed: bool = False
    queues: bool = False


#: What is in the memory of this process, by the URL of a place.
_memories: dict[str, Rows] = {}


def _memory(place: Place, retention: float) -> JobStore:
    rows = _memories.setdefault(place.url, MemoryStore(retention).rows)
    return JobStore(rows, RowResults(rows, retention), retention)


def _celery(place: Place, retention: float) -> JobStore:
    return celery_store(place.url, place.prefix, retention)


STORES: dict[str, Kind] = {
    "memory": Kind(_memory, atomic=True, shared=False, listed=True, queues=True),
    "diskcache": Kind(
        lambda place, retention: DiskcacheStore(place.url, retention),
        atomic=True,
        listed=True,
        queues=True,
    ),
    "redis": Kind(_celery, RedisServer, atomic=True, listed=True, queues=True),
    "celery-filesystem": Kind(_celery, url="file://{folder}"),
    "celery-memcached": Kind(_celery, Memcached),
}


def having(**attributes: bool) -> list[str]:
    """The names of the stores of which this is true, such as ``atomic=True``; of all, without."""
    return [
        name
        for name, kind in STORES.items()
        if all(getattr(kind, one) is value for one, value in attributes.items())
    ]


@dataclass(frozen=True)
class Place:
    """Where a store is: all that another process needs to open it, too."""

    name: str
    url: str
    prefix: str

    @property
    def kind(self) -> Kind:
        """What sort of store it is."""
        return STORES[self.name]

    def open(self, retention: float = 60.0) -> JobStore:
        """A handle of its own on this store."""
        return self.kind.open(self, retention)


def place(name: str, folder: Path, services: Any) -> Place:
    """An empty store of a kind, which shares its server with others."""
    kind = STORES[name]
    if kind.service is not None:
        return Place(name, services.get(kind.service).url, f"{new_job_id()}-")
    folder.mkdir(parents=True, exist_ok=True)
    return Place(name, kind.url.format(folder=folder), "some-")


def celery_store(url: str, prefix: str = "", retention: float = 60.0) -> Any:
    """The store that a Celery manager makes for a result backend."""
    app = Celery("stores", broker="memory://", backend=url)
    app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
    return _store(app, retention)


def new(store: JobStore, **fields: Any) -> Job:
    """A job that waits."""
    job = Job(new_job_id(), "out.children", interval=0.5, **fields)
    store.create(job, REQUEST)
    return job


def started(store: JobStore, **fields: Any) -> Job:
    """A job that runs."""
    job = store.change(new(store, **fields).id, Begin())
    assert job is not None
    return job


def response(store: JobStore, job_id: str) -> bytes | None:
    """A job's result."""
    found = store.load_all(job_id)
    if found is None or found[0].result_size is None:
        return None if found is None else found[1]
    return LargeResult(store, found[0]).whole()


def put(
    store: JobStore,
    job: Job,
    target: Any,
    value: bytes,
    *,
    patch: bool = False,
    event: bool = False,
) -> bool:
    """An update, as a worker writes it."""
    slot, stale = job.put(target, patch=patch, event=event)
    return store.write(job, {slot: value}, stale)


def wait_until(condition: Callable[[], object], timeout: float = 20) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
