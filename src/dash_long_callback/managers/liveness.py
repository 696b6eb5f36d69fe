"""When it is time to see whether a job that nobody supervises can still end.

Whoever waits for such a job has it checked. Requests come and go, and many may wait for the same
job; so a process remembers when it has checked which.
"""

from __future__ import annotations

import threading
import time

from dash_long_callback.jobs import Job
from dash_long_callback.stores import timing


def every() -> float:
    """Seconds between two checks of a job."""
    return timing.LEASE_SECONDS / 2


class Checks:
    """The checks of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: When a job may be checked again, by its id.
        self._next: dict[str, float] = {}
        self._forget = 0.0

    def due(self, job: Job) -> bool:
        """Whether to check a job now: whoever asks is to do it."""
        # Most have ended before it would be of use. The clock may be another machine's.
        age = time.time() - (job.started or job.queued or job.created)
        if 0 <= age < every():
            return False
        now = time.monotonic()
        with self._lock:
            if self._next.get(job.id, now) > now:
                return False
            if now >= self._forget:
                self._next = {job_id: at for job_id, at in self._next.items() if at > now}
                self._forget = now + every()
            self._next[job.id] = now + every()
        return True
