"""When a job that runs is to be told to stop, and when its process is to be ended.

    since ───────────── timeout ──► told to stop ───────── grace ──► the process is ended
              └── cancel, revoked ──────┘

The watchdog in the job's own process goes by it; so does the leader of the embedded engine, with
more of a grace, for workers that can't do it themselves any more.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from dash_long_callback.errors import JobCancelled, JobTimedOut
from dash_long_callback.jobs import Cancelled, Job, TimedOut


@dataclass
class Limits:
    """How long one attempt may go on.

    Attributes:
        since: when it began. All times are in seconds, as ``time.monotonic`` counts.
        timeout: how long it may take; None: for ever.
        grace: how long it has to end once it was told to.
        stopped: when it was told to stop.
        timed_out: whether that was as it took too long.

    Examples:
        >>> limits = Limits(since=0.0, timeout=10.0, grace=2.0)
        >>> limits.next
        10.0
        >>> limits.expire(now=10.5)
        True
        >>> limits.next, limits.outcome
        (12.5, TimedOut(reason='the job ran longer than its timeout of 10 s', kind=''))
    """

    since: float
    timeout: float | None
    grace: float
    stopped: float = math.inf
    timed_out: bool = False

    @classmethod
    def of(cls, job: Job, grace: float) -> Limits:
        """Those of a job that begins now."""
        return cls(time.monotonic(), job.timeout, grace)

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self.stopped < math.inf

    def stop(self, now: float) -> bool:
        """It is to stop. Returns whether its function is to be told: once."""
        if self.stopping:
            return False
        self.stopped = now
        return True

    def expire(self, now: float) -> bool:
        """See whether it takes too long. Returns whether its function is to be told: once.

        The grace begins when that is seen: who was paused itself has told nobody.
        """
        if self.stopping or not self.timeout or now - self.since < self.timeout:
            return False
        self.stopped, self.timed_out = now, True
        return True

    def overdue(self, now: float) -> bool:
        """Whether it had its grace, so that its process is to be ended."""
        return now - self.stopped >= self.grace

    @property
    def next(self) -> float:
        """When to look again."""
        if self.stopping:
            return self.stopped + self.grace
        return self.since + self.timeout if self.timeout else math.inf

    @property
    def reason(self) -> JobCancelled | JobTimedOut:
        """What its function is told."""
        outcome = self.outcome
        return JobTimedOut(outcome.reason) if isinstance(outcome, TimedOut) else JobCancelled()

    @property
    def outcome(self) -> Cancelled | TimedOut:
        """How the job ends, if its function can't end it."""
        return TimedOut.after(self.timeout or 0) if self.timed_out else Cancelled()
