"""A worker process as the leader sees it."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from dash_long_callback.executors.local import preload
from dash_long_callback.executors.local.messages import Done, Finish, Message, Ready, Start, Stop
from dash_long_callback.jobs import Job
from dash_long_callback.stores.timing import LEASE_SECONDS
from dash_long_callback.worker import processes
from dash_long_callback.worker.limits import Limits

#: Seconds that a worker has to exit by itself when it is to.
EXIT_SECONDS = 2.0
#: Seconds that a silent worker is watched, and the processor time in them that shows that it
#: computes: a function that holds the interpreter's lock keeps its process from saying so.
#: A machine with too much to do gives it little; threads that wait for that lock use less than 1 %.
COMPUTING_SECONDS, COMPUTING_SHARE = 3.0, 0.05


def _unlimited() -> Limits:
    """Those of a worker without a job."""
    return Limits(since=0.0, timeout=None, grace=math.inf)


@dataclass
class PoolWorker:
    """A worker process of the pool.

    Attributes:
        process: of ``multiprocessing``.
        pipe: our end of it.
        ready: what it said when it had imported the app.
        job: what it runs.
        limits: how long it may do so.
        begun: whether its function may have been called.
        retiring: whether it gets no more jobs.
        exit_by: when it is killed, if it has not exited.
        disconnected: whether its end of the pipe is closed.
        killed: why it was killed, if that was not the job's doing.
    """

    process: Any
    pipe: Connection
    ready: Ready | None = None
    job: Job | None = None
    limits: Limits = field(default_factory=_unlimited)
    begun: bool = False
    retiring: bool = False
    exit_by: float = math.inf
    disconnected: bool = False
    killed: str | None = None
    _last_message: float = field(default_factory=time.monotonic)
    #: Processor time at a moment, if it is silent and looked at.
    _sampled: tuple[float, float] | None = None
    _dying: bool = False

    @property
    def idle(self) -> bool:
        """Whether it would begin a job at once."""
        return self.ready is not None and self.job is None and not self.retiring

    def messages(self) -> Iterator[Message]:
        """What it has said since."""
        try:
            while self.pipe.poll():
                message: Message = self.pipe.recv()
                self._last_message, self._sampled = time.monotonic(), None
                yield message
        except (EOFError, OSError):
            # It is dying, and the sentinel will say so, or its function has closed what it had.
            self.disconnected = True
            self.retire()

    def retire(self) -> None:
        """Give it no more jobs: it is about to exit."""
        self.retiring = True
        self.exit_by = min(self.exit_by, time.monotonic() + EXIT_SECONDS)

    def dispatch(self, start: Start, limits: Limits) -> bool:
        """Have it run a job. Returns False if it died a moment ago: then it never saw the job."""
        try:
            self.pipe.send(start)
        except OSError:
            return False
        self.job, self.limits, self.begun = start.job, limits, False
        return True

    def done(self, done: Done) -> None:
        """Its job is over."""
        self.job, self.limits = None, _unlimited()
        if done.spent:
            self.retire()

    def stop(self) -> None:
        """Have its job stop."""
        if self.job is not None and self.limits.stop(time.monotonic()):
            self.send(Stop(self.job.id))

    def send(self, message: Stop | Finish | None) -> None:
        """Tell it something; None: to exit."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def release(self) -> None:
        """Have it finish its job and exit, without this process."""
        self.send(Finish())
        self.pipe.close()
        preload.disown(self.process)

    def due(self) -> float:
        """When it is to be looked at again, as ``time.monotonic`` counts."""
        return math.inf if self._dying else min(self.exit_by, self.limits.next)

    def enforce(self) -> None:
        """Kill it if it has not exited, or not ended its job, as it should have done."""
        now = time.monotonic()
        late = now >= self.exit_by
        if late and self.disconnected:
            self.killed = "closed its connection to the server and was ended"
        self.limits.expire(now)  # its own watchdog tells its function
        if (late or self.limits.overdue(now)) and not self._dying:
            self.kill()

    def check_silence(self, missed: float) -> None:
        """Kill it if it was not heard of for too long, and does not compute either.

        Args:
            missed: seconds that the leader itself was busy or paused, which do not count.
        """
        now = time.monotonic()
        self._last_message = min(now, self._last_message + missed)
        silent = now - self._last_message
        if silent <= LEASE_SECONDS or self.ready is None or self.disconnected or self.killed:
            return
        used = processes.processor_time(self.process.pid)
        if self._sampled is None:
            self._sampled = now, used
            return
        since, before = self._sampled
        if now - since < COMPUTING_SECONDS:
            return
        computes = used - before > COMPUTING_SHARE * (now - since)
        if computes or processes.waits_for_processor(self.process.pid):
            self._sampled = now, used
            return
        self.killed = f"was not heard of for {silent:.0f} s and was ended"
        self.kill()

    def kill(self) -> None:
        """End its process, and those that it has started, if they outlived it."""
        self._dying = True
        processes.kill_tree(self.process.pid)
        if self.process.is_alive():
            self.process.kill()

    def close(self) -> None:
        """Let go of a process that has ended."""
        self.process.join()
        self.pipe.close()

    @property
    def death(self) -> str:
        """How it has died, in words."""
        code: int | None = self.process.exitcode
        if self.killed is not None:
            return self.killed
        if code is None or code >= 0:
            return f"exited with code {code}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"was ended by {name}{hint}"
        return f"was ended by signal {-code}"
