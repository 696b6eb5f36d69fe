"""What the embedded engine needs of the machine: a lock to lead by, workers, and to be woken."""

from __future__ import annotations

from dash_long_callback.executors.local import inbox
from dash_long_callback.executors.local.inbox import Inbox
from dash_long_callback.executors.local.launch import Launcher
from dash_long_callback.executors.local.leader_lock import LeaderLock
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.stores.diskcache import DiskcacheStore


class Machine:
    """This machine, for the engine of one store.

    The engine asks nothing else of the system but time, threads and ``worker.processes``. So all
    of it can be simulated, and is (see ``tests/simulation``).

    Args:
        store: where jobs are, and where the lock is.
        options: of the pool.
    """

    def __init__(self, store: DiskcacheStore, options: PoolOptions) -> None:
        self._store = store
        self._options = options

    @property
    def name(self) -> str:
        """Of the engine, for messages."""
        return str(self._store.directory)

    def lead(self) -> LeaderLock | None:
        """The right to lead, if no other process has it."""
        return LeaderLock.of(self._store.directory)

    def inbox(self) -> Inbox:
        """Where a leader waits."""
        return Inbox()

    def wake(self, port: int) -> None:
        """Wake a leader that waits at this port. It may not get that."""
        inbox.wake(port)

    def launcher(self) -> Launcher:
        """What starts the workers of a leader."""
        return Launcher(self._store, self._options)
