"""A simulated database: others come in between, and now and then it can't be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from scheduler import Scheduler

from dash_long_callback.errors import StoreError
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.memory import MemoryRows
from dash_long_callback.stores.notifier import Subscription, Waker
from dash_long_callback.stores.ports import Ahead, Batch, Cursor, Field, Head, Rows
from dash_long_callback.stores.row_results import RowResults

#: Seconds that jobs are kept.
RETENTION = 3600.0


class Database:
    """What all processes of a simulation share."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.rows = MemoryRows(lambda: scheduler.now)
        #: Whether things go wrong, here and elsewhere.
        self.rough = True
        #: Whether a job that is about to begin is hidden from others, as several look for one.
        self.hides = False
        #: Is shown each batch that was applied, and what its rows held before.
        self.watch: Callable[[Batch, list[bytes | None]], object] = lambda _batch, _before: None

    def store(self) -> JobStore:
        """The store as one process opens it."""
        rows = RoughRows(self)
        return JobStore(rows, RowResults(rows, RETENTION), RETENTION)


class RoughRows(Rows):
    """The rows of a database, as a process sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _step(self) -> None:
        scheduler = self._database.scheduler
        if scheduler.discarding:
            scheduler.switch()
        if scheduler.current is None or not self._database.rough:
            return
        dice = scheduler.random.random()
        if dice < 0.1:
            scheduler.sleep(scheduler.random.choice([0.0, 0.0, 0.01, 0.3]))
        elif dice > 0.995:
            raise StoreError("the disk is full")

    def read(self, names: Iterable[str]) -> list[bytes | None]:
        self._step()
        return self._database.rows.read(names)

    def apply(self, batch: Batch) -> bool:
        self._step()
        before = self._database.rows.read(batch.put)
        done = self._database.rows.apply(batch)
        if done:
            self._database.watch(batch, before)
        return done

    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        self._step()
        return self._database.rows.list(by, value, limit, before)

    def count(self, by: Field, value: str | None) -> int:
        return self._database.rows.count(by, value)

    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:
        self._step()
        return self._database.rows.next_queued(queue, hide if self._database.hides else 0.0)

    def heads(self, queue: str = "") -> list[str]:
        self._step()
        return self._database.rows.heads(queue)

    def ahead(self, job_id: str) -> Ahead | None:
        return self._database.rows.ahead(job_id)

    def waiting(self, queue: str = "") -> int:
        return self._database.rows.waiting(queue)

    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        return self._database.rows.subscribe(waker, cancels=cancels)

    def purge(self) -> None:
        self._step()
        self._database.rows.purge()

    def close(self) -> None:
        """Nothing to let go of."""
