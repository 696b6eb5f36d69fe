"""The store of the embedded engine: jobs in SQLite, kept results in diskcache, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dash_long_callback.stores.diskcache_results import DiskcacheResults
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.sqlite import SqliteRows

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

#: Seconds to wait for a lock that another process holds: in a web process somebody waits for the
#: answer, and a thread waits with them; in a worker the result of hours may depend on it.
WEB_SECONDS, WORKER_SECONDS = 3.0, 60.0
#: Bytes that kept results may take, if not told otherwise.
SIZE_LIMIT = 1 << 30


class DiskcacheStore(JobStore):
    """Jobs in a directory of their own, shared by the processes of one machine.

    Args:
        directory: made on first use, readable by its owner only; or a function that says it.
        retention: seconds that a job and its outcome are kept.
        size_limit: bytes that kept results may take.
        patience: seconds to wait for a lock that another process holds.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | Callable[[], Path],
        retention: float,
        size_limit: int = SIZE_LIMIT,
        patience: float = WEB_SECONDS,
    ) -> None:
        self._directory = directory if callable(directory) else Path(directory)
        rows = SqliteRows(lambda: self.directory, patience)
        results = DiskcacheResults(lambda: self.directory / "results", size_limit, patience)
        super().__init__(rows, results, retention)

    @property
    def directory(self) -> Path:
        """Where the store is. The default folder is chosen when this is first read.

        Raises:
            StoreError: if it can't be chosen.
        """
        return self._directory if isinstance(self._directory, Path) else self._directory()
