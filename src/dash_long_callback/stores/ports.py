"""What a store of jobs needs of a database. Each kind of database has an adapter.

    JobStore ──► Rows      named values that change together, each with an expiry; an index of jobs,
                           a queue, and news of what has changed
             └─► Results   what is kept for the next who asks

A row is bytes under a name. Reading deletes nothing: time does. There are no locks: who changes
something says what it has read, and the change is refused if that is not true any more.

An adapter passes ``tests/contract``: that is all that it has to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker

#: What the index finds jobs by; ``"all"`` finds any.
Field: TypeAlias = Literal["all", "state", "callback", "owner"]
#: A job in a list: when it was created, and its id. Newer ones are greater.
Cursor: TypeAlias = tuple[float, str]
#: Up to how many jobs are counted one by one.
COUNTED = 100


class Entry(NamedTuple):
    """What the index knows of a job. It is there as long as the job's record.

    Attributes:
        id: its id.
        state: the value of its ``State``.
        callback: its callback's key.
        owner: whose it is; None if that is not known.
        created: seconds since 1970: lists have the newest first.
    """

    id: str
    state: str
    callback: str
    owner: str | None
    created: float


class Place(NamedTuple):
    """A job's place in the queue.

    Higher priorities come first. Among equal ones lanes take turns: a job's turn is one more than
    the last that waits in its lane, but not less than the turn of whoever is next (so start-time
    fair queueing gives flows their tags). Those of one turn are in order of arrival.

    Attributes:
        queue: who takes jobs from another does not see it.
        priority: higher ones come first.
        lane: whose turn it takes.
        gate: names what may keep it from being taken: then all of this gate are passed over.
        front: before all others of its priority instead, the last one first.
        not_before: seconds since 1970, before which it is not taken. It has its turn all the time.
        stays: if it has a place in the queue, it keeps that one, but for the time.
    """

    queue: str = ""
    priority: float = 0.0
    lane: str = ""
    gate: str = ""
    front: bool = False
    not_before: float = 0.0
    stays: bool = False


class Ahead(NamedTuple):
    """How many jobs are to be taken before another, if nothing keeps them from it.

    Attributes:
        queue: of its queue.
        gate: of these, those of its gate. Above ``COUNTED`` it may be less than there are.
    """

    queue: int
    gate: int


class Head(NamedTuple):
    """The job that is to be taken next, as it is in the database.

    Attributes:
        id: its id.
        record: the row of its record; None if that is missing.
        request: the row of its request, where it takes no time to read that, too; else None.
    """

    id: str
    record: bytes | None
    request: bytes | None


@dataclass
class Batch:
    """Changes that happen together, or not at all.

    Attributes:
        expect: rows and what they must hold, None for one that is missing; else nothing happens.
        put: rows to write, in order, each with the seconds until it expires.
        touch: rows that expire later, each with the seconds; one that is missing stays so.
        drop: rows to delete.
        entry: a job's entry in the index. The same batch writes or touches its record.
        place: its place in the queue; None if it does not wait.
        dequeue: a job that waits no more, whatever its entry is.
        news: an id of which there are news.
        cancel: a job that is to be cancelled, which is news for its worker.
        timely: whether nothing is to happen if the database comes to it after whoever has asked
            was told that it can't be used. Else it may happen then.
    """

    expect: dict[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])
    put: dict[str, tuple[bytes, float]] = field(default_factory=dict[str, tuple[bytes, float]])
    touch: dict[str, float] = field(default_factory=dict[str, float])
    drop: list[str] = field(default_factory=list[str])
    entry: Entry | None = None
    place: Place | None = None
    dequeue: str | None = None
    news: str | None = None
    cancel: str | None = None
    timely: bool = False


class Rows(ABC):
    """Named values, an index, a queue, and news. Safe to use from several threads and processes.

    Attributes:
        atomic: whether a batch is one step for other processes, too.
        queues: whether there is a queue.

    Every method raises StoreError, in words, if the database can't be used.
    """

    atomic = True
    queues = True

    @abstractmethod
    def read(self, names: Iterable[str]) -> list[bytes | None]:
        """What these rows hold; None for one that is missing or has expired.

        One that holds what this package did not write counts as missing, or as any bytes.
        """

    @abstractmethod
    def apply(self, batch: Batch) -> bool:
        """Do what a batch says. Returns whether what it expects was true; else nothing is done."""

    @abstractmethod
    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        """Jobs, the newest first.

        Args:
            by: what to find them by.
            value: what that must be; None with ``"all"``, and only there.
            limit: how many at most.
            before: only such as are older than this one, which need not exist.

        Raises:
            NotListed: if there is no index.
        """

    @abstractmethod
    def count(self, by: Field, value: str | None) -> int:
        """How many jobs ``list`` would find without a limit."""

    @abstractmethod
    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:
        """The job of a queue that is to be taken next; it stays there. None if none may be.

        Args:
            queue: which.
            hide: seconds for which others are not told of it, if it has no gate. An adapter may
                leave that, if nobody else looks at the same time.
        """

    @abstractmethod
    def heads(self, queue: str = "") -> list[str]:
        """The job that is next of each gate; those first that are to be taken first."""

    @abstractmethod
    def ahead(self, job_id: str) -> Ahead | None:
        """How many jobs are ahead of one that waits; None if it does not, or not yet."""

    @abstractmethod
    def waiting(self, queue: str = "") -> int:
        """How many jobs wait in a queue, and may be taken if nothing keeps them from it."""

    @abstractmethod
    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        """Hear of news, or of the wishes to cancel, as long as the block runs."""

    @abstractmethod
    def purge(self) -> None:
        """Delete what has expired, if that does not happen by itself."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections. The next use opens them again."""


class Results(ABC):
    """What jobs gave the page, kept for the next who asks. It may be lost any time."""

    @abstractmethod
    def get(self, key: str, expire: float | None) -> bytes | None:
        """What is kept under a key; it expires that many seconds later."""

    @abstractmethod
    def put(
        self,
        key: str,
        value: bytes,
        expire: float | None,
        callback: str,
        is_current: Callable[[], bool],
    ) -> None:
        """Keep a value.

        Args:
            key: what it is found by.
            value: what to keep.
            expire: seconds after its last use to drop it; None: as long as possible.
            callback: whose it is.
            is_current: whether it may be kept: whatever ``clear`` drops after that was asked, it
                drops this, too.
        """

    @abstractmethod
    def clear(self, callback: str | None) -> None:
        """Drop what was kept: that of one callback, or all."""

    def purge(self) -> None:  # noqa: B027 - nothing to do where it happens by itself
        """Delete what has expired."""

    def close(self) -> None:  # noqa: B027 - nothing to do where it has no files of its own
        """Let go of files and connections."""
