"""What jobs gave the page, for the next who asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dash_long_callback.jobs import Result
from dash_long_callback.stores import names, timing
from dash_long_callback.stores.parse import read_result, read_time
from dash_long_callback.stores.ports import Batch

if TYPE_CHECKING:
    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.ports import Results, Rows


class KeptResults:
    """Keeps and clears results.

    Args:
        rows: where the jobs are.
        results: where the results are.
    """

    def __init__(self, rows: Rows, results: Results) -> None:
        self._rows = rows
        self._results = results

    def keep(self, job: Job, response: bytes) -> None:
        """Keep what a running job gives the page."""
        slots = [(n, slot) for n, slot in job.since(0) if not isinstance(slot.target, int)]
        values = self._rows.read([names.update(job.id, n) for n, _ in slots])
        updates = [(s.target, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        data = Result(updates, response).dump()
        key = job.cache_key or ""
        self._results.put(key, data, job.expire, job.callback, lambda: not self.is_cleared(job))

    def get(self, cache_key: str, expire: float | None) -> Result | None:
        """What was kept under a key; it expires that many seconds later."""
        data = self._results.get(cache_key, expire)
        return None if data is None else read_result(data)

    def clear(self, callback: str | None) -> None:
        """Drop what was kept: all of it, or that of one callback."""
        # Jobs that run may work on what is out of date: see is_cleared().
        now = str(time.time()).encode(), timing.LONGEST_SECONDS
        self._rows.apply(Batch(put={names.cleared(callback or ""): now}))
        self._results.clear(callback)

    def is_cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        rows = self._rows.read([names.cleared(), names.cleared(job.callback)])
        return any(read_time(at, "when results were cleared") >= job.created for at in rows)
