"""What a store does. Everything a job is, is in its store; nobody keeps job state in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from dash_long_callback.jobs import Event, Job, Result
    from dash_long_callback.stores.news import Bell, Watch

#: Seconds without a heartbeat before a job counts as Lost. Long enough for a function that holds
#: the interpreter's lock for some seconds in C code, short enough for a user who waits.
LEASE_SECONDS = 10.0
#: Seconds between two heartbeats: several may be missed before the lease runs out.
HEARTBEAT_SECONDS = 2.0
#: Bytes of a result that is kept with the record, so that a quick job takes no read more. A larger
#: one would be read by all who only want the record. diskcache, too, puts larger values apart.
INLINE_BYTES = 32 * 1024
#: Bytes of a large result that are read in one go: few reads, and little memory.
PIECE_BYTES = 256 * 1024


def divide(job: Job, response: bytes | None) -> tuple[bytes | None, bytes | None]:
    """A result as what is kept with the record, and what apart; the record gets the size of that.

    One of the two is None.
    """
    if response is None or len(response) <= INLINE_BYTES:
        return response, None
    job.result_size = len(response)
    return None, response


@dataclass(frozen=True)
class LargeResult:
    """A result that is kept apart from the record of its job, and is read when it is sent.

    Attributes:
        store: where it is.
        job_id: whose it is.
        size: bytes of it.
    """

    store: Store
    job_id: str
    size: int

    def pieces(self) -> Iterator[bytes]:
        """The JSON, piece by piece; opened with the first.

        Raises:
            StoreError: if it can't be read, or is not there any more, or not all of it.
        """
        found = 0
        with closing(self.store.pieces(self.job_id)) as pieces:
            for piece in pieces:
                found += len(piece)
                yield piece
        if found != self.size:
            raise StoreError(
                f"a result of {self.size} bytes could not be sent: {found} bytes of it are there; "
                "it has expired meanwhile, or was damaged"
            )

    def whole(self) -> bytes:
        """The JSON at once. Raises StoreError as ``pieces`` does."""
        return b"".join(self.pieces())


class Joined(NamedTuple):
    """What an asker has joined.

    Attributes:
        job_id: the job.
        owner: the asker's, as ``Job.owner`` is that of who asked first.
    """

    job_id: str
    owner: str | None


class Store(ABC):
    """Keeps jobs. Safe to use from several threads and processes at once.

    Reads delete nothing: time does, ``retention`` seconds after a row was last written.

    Attributes:
        retention: seconds that a job and its outcome are kept.
    """

    retention: float

    @abstractmethod
    def exclusive(self, key: str | None) -> AbstractContextManager[object]:
        """Keep others out who pass the same cache key; None keeps nobody out.

        Where the store can, what is written inside happens together or not at all.
        """

    @abstractmethod
    def create(self, job: Job, request: bytes) -> bool:
        """Keep a new job and the JSON of its arguments and context.

        Returns False, and writes nothing, if there is a job with this id.
        """

    @abstractmethod
    def load(self, job_id: str) -> Job | None:
        """The record of a job, or None if it never existed or has expired."""

    @abstractmethod
    def request(self, job_id: str) -> bytes | None:
        """The JSON that the job was created with, until it ends: cookies and headers are in it."""

    @abstractmethod
    def change(self, job_id: str, event: Event, response: bytes | None = None) -> Job | None:
        """Read a record, change it as ``jobs.transition`` says, and write it, in one step.

        ``response`` is kept as the job's result if the record was changed; one above
        ``INLINE_BYTES`` apart from it, and the record gets its size. Who sees the record finds it.
        Returns the changed record; None if that was refused, or there is none.
        """

    @abstractmethod
    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        """Write a running job's record and slots, as its worker.

        Returns False, and writes nothing, if the job is not running any more, or another worker
        was given it.
        """

    @abstractmethod
    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        """The JSON values in these slots; None where a newer one has replaced it."""

    @abstractmethod
    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """The record, and the JSON result of a job that succeeded, as its worker wrote it.

        A result that is kept apart (see ``Job.result_size``) is left out.
        """

    @abstractmethod
    def has_result(self, job_id: str) -> bool:
        """Whether there is a result that is kept apart from its record."""

    @abstractmethod
    def pieces(self, job_id: str) -> Generator[bytes]:
        """Such a result, as a rule ``PIECE_BYTES`` at a time; nothing if there is none."""

    @abstractmethod
    def renew(self, job: Job) -> bool:
        """A heartbeat: extend the lease on a running job, and keep its rows from expiring.

        Returns False, and extends nothing, if the job is not running any more, or another worker
        was given it.
        """

    @abstractmethod
    def leased(self, job_id: str) -> bool:
        """Whether a worker holds the job and has been heard of lately."""

    @abstractmethod
    def ask_cancel(self, job_id: str) -> None:
        """Note that the user wants the job cancelled."""

    @abstractmethod
    def cancel_asked(self, job_id: str) -> bool:
        """Whether ``ask_cancel`` was called."""

    @abstractmethod
    def want(self, job_id: str, seconds: float) -> None:
        """A page's claim on a job: note that it is wanted for so long from now, and not longer."""

    @abstractmethod
    def wanted(self, job_id: str) -> bool:
        """Whether what ``want`` was told last has not run out."""

    @abstractmethod
    def keep(self, job: Job, response: bytes) -> None:
        """Keep what a running job gives the page, for the next who asks (see ``jobs.Result``)."""

    @abstractmethod
    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        """What was kept under a key, if it is still there; a use of it, so it expires later."""

    @abstractmethod
    def clear(self, callback: str | None = None) -> None:
        """Drop what was kept: all of it, or that of one callback."""

    @abstractmethod
    def flight(self, cache_key: str) -> Job | None:
        """The job that has not ended and will give the outcome of this key, if there is one."""

    @abstractmethod
    def join(self, job: Job, asker: str, owner: str | None = None) -> None:
        """Give a job another asker, whose id can be used as the job's is, by the asker's owner."""

    @abstractmethod
    def leave(self, job: Job, asker: str) -> bool:
        """Take an asker away from a job. Returns whether it was the last."""

    @abstractmethod
    def joined(self, asker: str) -> Joined | None:
        """The job that an asker has joined."""

    @abstractmethod
    def has_left(self, asker: str) -> bool:
        """Whether ``leave`` was called for this asker."""

    @abstractmethod
    def watch(self, bell: Bell | None = None) -> AbstractContextManager[Watch]:
        """Wait for news of jobs, as long as the block runs; ``bell`` may be that of others, too."""

    @abstractmethod
    def watch_cancel(self) -> AbstractContextManager[Watch]:
        """As ``watch``, for the wishes to cancel jobs."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""
