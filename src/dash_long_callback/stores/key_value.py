"""Rows in any Celery result backend that keeps values under keys, such as files or memcached.

A key is ``<prefix>dlc-<kind>-<hash>``, made from a row's name: names come from clients, and are to
be neither paths nor too long. Before each value stands a line: when it expires, its length, its
checksum. Files know no expiry, and who reads one while it is written sees half of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import threading
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash_long_callback.errors import NotListed, StoreError
from dash_long_callback.stores import names as row
from dash_long_callback.stores import timing
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.key_value_notifier import RowNotifier
from dash_long_callback.stores.ports import Ahead, Batch, Cursor, Field, Head, Rows
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker

#: Seconds that a value which somebody is writing may stay half a value: a busy machine may leave a
#: writer without a processor for that long. One that stays so for longer has lost its writer, and
#: counts as missing.
TORN_SECONDS = 2.0
#: Seconds between two searches for expired files, and that a file stays after it has expired: who
#: read it just before may be writing it again.
PURGE_SECONDS = 60.0
#: Part of its time that a value must have spent to be written again when it is touched.
SPENT = 0.1
#: Locks in a process: rows share them.
LOCKS = 64
#: Bytes of a file's beginning in which its first line ends.
_HEAD_BYTES = 64


class KeyValueStore(JobStore):
    """Jobs in a ``celery.backends.base.KeyValueStoreBackend``.

    Such a backend can read, write and delete one value, and nothing in one step. Threads of one
    process keep out of each other's way here. Processes do not: of two that change a row in the
    same moment, the last wins. That is rare, as a job has one writer, its worker, and does little
    harm: a job that is cancelled while a worker begins it hears of the wish as well, and equal
    requests in the same moment may be two jobs. Where that matters, use Redis.

    Args:
        make: makes a backend of our own; called as often as threads need one at once.
        retention: seconds that a job and its outcome are kept.
        prefix: put before each key.
    """

    def __init__(self, make: Callable[[], Any], retention: float, prefix: str = "") -> None:
        rows = KeyValueRows(make, prefix)
        super().__init__(rows, RowResults(rows, retention), retention)


class KeyValueRows(Rows):
    """Rows and news, without an index. Jobs wait in a broker's queue.

    Args:
        make: makes a backend of our own; called as often as threads need one at once.
        prefix: put before each key.
    """

    atomic = queues = False

    def __init__(self, make: Callable[[], Any], prefix: str) -> None:
        self._make = make
        self._prefix = f"{prefix}dlc-"
        self._processes: dict[int, _Process] = {}

    @property
    def _process(self) -> _Process:
        # Of its own after a fork: connections must not cross one, and locks may be taken.
        pid = os.getpid()
        found = self._processes.get(pid)
        return found or self._processes.setdefault(pid, _Process(self._make, self._read))

    def read(self, names: Iterable[str]) -> list[bytes | None]:
        return self._read([self.key(name) for name in names])

    def apply(self, batch: Batch) -> bool:
        with self._process.locked(batch.expect):
            expected = list(batch.expect.values())
            if expected and self.read(batch.expect) != expected:
                return False
            for name, seconds in batch.touch.items():
                self._touch(name, seconds)
            # Before the last one, a record: who sees that must find what it speaks of.
            for name, (value, seconds) in batch.put.items():
                try:
                    self._set(name, value, seconds)
                except StoreError:
                    self._restore(name, batch.expect.get(name), seconds)
                    raise
            for name in batch.drop:
                self._delete(name)
        if batch.entry is not None:
            self._purge()
        return True

    def _restore(self, name: str, old: bytes | None, seconds: float) -> None:
        """Memcached drops what it had when it refuses what is too large."""
        if old is not None:
            with contextlib.suppress(StoreError):
                self._set(name, old, seconds)

    def list(
        self,
        by: Field,  # noqa: ARG002 - whatever it is
        value: str | None,  # noqa: ARG002
        limit: int,  # noqa: ARG002
        before: Cursor | None = None,  # noqa: ARG002
    ) -> list[Cursor]:
        """Raises NotListed: such a backend finds a value by its key only."""
        raise NotListed

    def count(self, by: Field, value: str | None) -> int:  # noqa: ARG002 - whatever it is
        """Raises NotListed, as ``list`` does."""
        raise NotListed

    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:
        """None: jobs wait in the broker's queue."""

    def heads(self, queue: str = "") -> list[str]:  # noqa: ARG002
        """Nothing, for the same reason."""
        return []

    def ahead(self, job_id: str) -> Ahead | None:
        """None: it is not known."""

    def waiting(self, queue: str = "") -> int:  # noqa: ARG002
        """0, for the same reason."""
        return 0

    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        kinds = [row.cancel] if cancels else [row.job, row.left]
        return self._process.news.subscribe(lambda i: [self.key(kind(i)) for kind in kinds], waker)

    def purge(self) -> None:
        """Expired files are deleted with each new job; other backends do this themselves."""

    def close(self) -> None:
        process = self._processes.pop(os.getpid(), None)
        if process is not None:
            process.close()

    def key(self, name: str) -> str:
        """The key of a row."""
        of, _, kind = name.rpartition(":")
        return f"{self._prefix}{kind}-{hashlib.sha256(of.encode()).hexdigest()[:32]}"

    def _find(self, key: str) -> tuple[float, bytes] | None:
        """When a value expires, and what it is; None if it is missing or has expired."""
        torn_until = 0.0
        while True:
            with self._process.backend() as backend:
                data = backend.get(backend.key_t(key))
            if data is None:
                return None
            found = _unpack(_bytes(data))
            if found is not None:
                return found if time.time() < found[0] else None
            now = time.monotonic()
            torn_until = torn_until or now + TORN_SECONDS
            if now > torn_until:
                return None
            time.sleep(0.001)

    def _read(self, keys: list[str]) -> list[bytes | None]:
        """The values under these keys; None for what is missing or has expired."""
        if not keys:
            return []
        with self._process.backend() as backend:
            wanted = [backend.key_t(key) for key in keys]
            rows = backend.mget(wanted)
            # As Celery has it: memcached answers with what there is, others in order.
            rows = [rows.get(key) for key in wanted] if hasattr(rows, "get") else list(rows)
        found: list[bytes | None] = []
        for key, data in zip(keys, rows, strict=True):
            known = None if data is None else _unpack(_bytes(data)) or self._find(key)
            found.append(known[1] if known is not None and time.time() < known[0] else None)
        return found

    def _touch(self, name: str, seconds: float) -> None:
        found = self._find(self.key(name))
        # There is nothing to extend an expiry with but writing it all.
        if found is not None and found[0] - time.time() < (1 - SPENT) * seconds:
            self._set(name, found[1], seconds)

    def _set(self, name: str, value: bytes, seconds: float) -> None:
        seconds = min(seconds, timing.LONGEST_SECONDS)
        data = _pack(time.time() + seconds, value)
        with self._process.backend() as backend:
            # In whole seconds, and memcached's seconds end early. Ours, in the value, are exact.
            backend.expires = min(math.ceil(seconds) + 1, int(timing.LONGEST_SECONDS))
            try:
                stored = backend.set(backend.key_t(self.key(name)), data)
            except OSError:
                raise
            except Exception as error:
                raise StoreError(_refused(len(data), _words(error))) from error
            # Celery hands on what the client says: False or 0 for no, None if it says nothing.
            if stored is not None and not stored:
                raise StoreError(_refused(len(data), "no reason given"))

    def _delete(self, name: str) -> None:
        with self._process.backend() as backend, contextlib.suppress(FileNotFoundError):
            backend.delete(backend.key_t(self.key(name)))

    def _purge(self) -> None:
        process, now = self._process, time.monotonic()
        if now - process.purged < PURGE_SECONDS:
            return
        process.purged = now
        with process.backend() as backend:
            folder = getattr(backend, "path", None)
            if not isinstance(folder, bytes):
                return
            for file in Path(os.fsdecode(folder)).iterdir():
                if file.name.startswith(self._prefix):
                    with contextlib.suppress(FileNotFoundError):
                        _purge_file(file)


class _Process:
    """What a process has of its own: backends to lend to threads, a notifier, and locks."""

    def __init__(
        self, make: Callable[[], Any], rows: Callable[[list[str]], list[bytes | None]]
    ) -> None:
        self._make = make
        self._idle: list[Any] = []
        self.news = RowNotifier(rows)
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self.purged = -math.inf

    @contextmanager
    def locked(self, names: Iterable[str]) -> Generator[None]:
        """Keep out other threads of this process that compare one of these rows."""
        with contextlib.ExitStack() as stack:
            # In order: so two who need the same ones do not wait for each other.
            for number in sorted({zlib.crc32(name.encode()) % LOCKS for name in names}):
                stack.enter_context(self._locks[number])
            yield

    @contextmanager
    def backend(self) -> Generator[Any]:
        """A backend that no other thread uses; says in words what it can't do."""
        try:
            try:
                backend = self._idle.pop()
            except IndexError:
                backend = self._make()
            try:
                yield backend
            except BaseException:
                # An answer may be on its way that the next one would take for its own.
                _close(backend)
                raise
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(
                f"the Celery result backend can't be used ({_words(error)}); "
                "check that it is running, can be written, and is not full"
            ) from error
        self._idle.append(backend)

    def close(self) -> None:
        """Let go of the connections."""
        self.news.close()
        while self._idle:
            _close(self._idle.pop())


def _pack(until: float, value: bytes) -> bytes:
    return b"%.3f %d %d\n%b" % (until, len(value), zlib.crc32(value), value)


def _unpack(data: bytes) -> tuple[float, bytes] | None:
    """When a value expires, and what it is; None if it is half written."""
    head, _, rest = data.partition(b"\n")
    try:
        until, length, checksum = head.split(b" ")
        # Of two who write a file at once, the one with more to write leaves its tail behind.
        value = rest[: int(length)]
        return (float(until), value) if zlib.crc32(value) == int(checksum) else None
    except ValueError:
        return None


def _purge_file(path: Path) -> None:
    with path.open("rb") as file:
        head, end, _ = file.read(_HEAD_BYTES).partition(b"\n")
        # Of one that lost its writer: from when on it was as it is.
        until = os.fstat(file.fileno()).st_mtime
    with contextlib.suppress(ValueError):
        if end:
            until = float(head.split(b" ")[0])
    if until + PURGE_SECONDS < time.time():
        path.unlink()


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):
        return data.encode()
    # A client may have made something else of it, such as a number.
    return bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else b""


def _close(backend: Any) -> None:
    client = backend.__dict__.get("client")
    close = getattr(client, "close", None) or getattr(client, "disconnect_all", None)
    if close is not None:
        with contextlib.suppress(Exception):
            close()


def _refused(size: int, words: str) -> str:
    return (
        f"the Celery result backend did not take a value of {size} bytes ({words}); check that it "
        "is running and not full, and how large a value may be (memcached: 1 MB, see its option -I)"
    )


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
