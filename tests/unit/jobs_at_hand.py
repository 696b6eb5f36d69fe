"""A job that code of a test runs for, and what it reports."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dash_long_callback.jobs import TRACKED, Begin, Job, new_job_id
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.worker.current import running
from dash_long_callback.worker.run import Run


class AtHand:
    """A job whose reports are noted."""

    def __init__(self) -> None:
        store = MemoryStore(retention=60)
        job = Job(new_job_id(), "callback")
        store.create(job, b"{}")
        begun = store.change(job.id, Begin())
        assert begun is not None
        nothing: Any = None
        self.run = Run(store, begun, nothing)
        self.tracking = self.run.tracking
        self.reports: list[dict[str, Any]] = []
        put = self.run.reporter.put

        def note(updates: Any) -> None:
            for update in updates:
                assert update.target == TRACKED
                self.reports.append(json.loads(update.value))
            put(updates)

        self.tracking._put = note  # pyright: ignore[reportPrivateUsage]

    @property
    def now(self) -> dict[str, Any]:
        """What would be reported now."""
        return self.tracking.state()

    @property
    def fraction(self) -> Any:
        return self.now["fraction"]


@contextmanager
def job_at_hand() -> Iterator[AtHand]:
    """Let the block be the function of a job."""
    job = AtHand()
    with running(job.run):
        try:
            yield job
        finally:
            job.tracking.end()
            job.run.reporter.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
