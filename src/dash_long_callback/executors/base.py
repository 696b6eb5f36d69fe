"""What an executor does: it runs jobs that a store keeps, and ends them when asked to."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dash_long_callback.jobs import Job


class Executor(ABC):
    """Starts and terminates jobs. All it knows of a job is in the store.

    Attributes:
        supervised: whether it sees to it by itself that each job ends: then nobody who waits for
            one need have it checked.
        workers: how many jobs run at once, at most; None: not known.
    """

    supervised = True
    workers: int | None = None

    def is_ready(self) -> bool:
        """Whether a worker would begin a new job at once: then it is stored as running."""
        return False

    def queue(self, name: str | None) -> str:  # noqa: ARG002 - there is one
        """What the store calls the queue of this name; None: of jobs that name none."""
        return ""

    @abstractmethod
    def start(self, job: Job) -> None:
        """Have a job run that was stored, soon."""

    def check_liveness(self, job: Job) -> None:  # noqa: B027 - nothing to do where it is supervised
        """Somebody waits for this job: end it if it can't end by itself."""

    def cancel(self) -> None:  # noqa: B027 - nothing to do where workers hear of it from the store
        """The store has been told that a running job is to be cancelled: act on it."""

    def ensure_running(self) -> None:  # noqa: B027 - nothing to do where others start workers
        """Be ready before the first job. Returns at once, and may be called any time."""

    @abstractmethod
    def stop(self) -> None:
        """End everything that was started, running jobs included."""
