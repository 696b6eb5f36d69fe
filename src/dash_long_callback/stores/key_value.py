"""Jobs in any Celery result backend that keeps values under keys, such as files or memcached.

Keys, all of them below ``<prefix>dlc-``, all with an expiry. A key ends with a hash of the name
that is given here: names come from clients, and are to be neither paths nor too long. ``<id>`` is
a job's id.

    job-<id>              the record (see ``jobs.Job.dump``) in one line; behind it, a small result
    result-<id>           a large result
    request-<id>          arguments and context, JSON
    u<n>-<id>             the value in slot n, JSON
    lease-<id>            a worker holds this job; JSON: until when, when its rows were last written
    cancel-<id>           the user wants this job cancelled
    wanted-<id>           a page waits for this job; expires unless the page is heard of
    askers-<id>           ids of those who wait for a shared job, JSON
    joined-<id>           the id of the job that this asker waits for, and the asker's owner
    left-<id>             this asker waits no more
    flight-<key>          the id of the job that will give the outcome of a cache key
    kept-<key>            JSON in one line: callback, its generations; behind it, ``jobs.Result``
    generation-<callback> when the results of a callback were cleared, and a random word that names
                          those kept since; of all callbacks if there is no name

Before each value stands a line: when it expires, its length, its checksum. Files know no expiry,
and who reads one while it is written sees half of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import threading
import time
import zlib
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Effect, Job, Result, State, transition
from dash_long_callback.stores.base import LEASE_SECONDS, Store, divide
from dash_long_callback.stores.key_value_news import RowNews
from dash_long_callback.stores.rows import (
    joined_row,
    read_id,
    read_ids,
    read_joined,
    read_json,
    read_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.jobs import Event
    from dash_long_callback.stores.base import Joined
    from dash_long_callback.stores.news import Bell, Watch

#: Seconds that a value which somebody is writing may stay half a value: a busy machine may leave a
#: writer without a processor for that long. One that stays so for longer has lost its writer, and
#: counts as missing.
TORN_SECONDS = 2.0
#: Seconds between two searches for expired files, and that a file stays after it has expired: who
#: read it just before may be writing it again.
PURGE_SECONDS = 60.0
#: The longest that memcached keeps a value; a larger number means a date to it.
LONGEST_SECONDS = 30 * 24 * 3600.0
#: Locks of each kind in a process: names share them.
LOCKS = 64
#: Bytes of a file's beginning in which its first line ends.
_HEAD_BYTES = 64


class KeyValueStore(Store):
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
        self.retention = retention
        self._make = make
        self._prefix = f"{prefix}dlc-"
        self._processes: dict[int, _Process] = {}

    @property
    def _process(self) -> _Process:
        # Of its own after a fork: connections must not cross one, and locks may be taken.
        pid = os.getpid()
        found = self._processes.get(pid)
        return found or self._processes.setdefault(pid, _Process(self._make, self._rows))

    def exclusive(self, key: str | None) -> AbstractContextManager[object]:
        return nullcontext() if key is None else _pick(self._process.keys, key)

    def _writing(self, job_id: str) -> AbstractContextManager[object]:
        return _pick(self._process.jobs, job_id)

    def create(self, job: Job, request: bytes) -> bool:
        self._purge()
        with self._writing(job.id):
            if self._get("job", job.id) is not None:
                return False
            self._set("request", job.id, request)
            self._set("job", job.id, job.dump())
        if job.cache_key is not None:
            self._set("askers", job.id, json.dumps([job.id]).encode())
            self._set("flight", job.cache_key, job.id.encode())
        return True

    def load(self, job_id: str) -> Job | None:
        found = self.load_all(job_id)
        return None if found is None else found[0]

    def request(self, job_id: str) -> bytes | None:
        return self._get("request", job_id)

    def change(self, job_id: str, event: Event, response: bytes | None = None) -> Job | None:
        with self._writing(job_id):
            old = self._get("job", job_id)
            if old is None:
                return None
            change = transition(_load(old, job_id)[0], event, time.time())
            if change is None:
                return None
            job = change.job
            if Effect.DEQUEUE in change.effects and job.state is State.CANCELLED:
                # A worker that begins it in this very moment, and overwrites this, sees the wish.
                self.ask_cancel(job_id)
            small, large = divide(job, response)
            if large is not None:
                # Before the record: who sees "succeeded" must find it.
                self._set("result", job_id, large)
            record = job.dump()
            new = record if small is None else record + b"\n" + small
            self._replace(job_id, old, new)
            if Effect.DROP_REQUEST in change.effects:
                self._delete("request", job_id)
                self._delete("lease", job_id)
            if Effect.RELEASE_KEY in change.effects:
                self._release(job)
            return job

    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        with self._writing(job.id):
            old = self._get("job", job.id)
            if old is None or not _held(old, job):
                return False
            # Before the record: who sees the number of a slot must find its value.
            for slot, value in values.items():
                self._set(f"u{slot}", job.id, value)
            self._replace(job.id, old, job.dump())
            for slot in stale:
                self._delete(f"u{slot}", job.id)
            return True

    def _replace(self, job_id: str, old: bytes, new: bytes) -> None:
        try:
            self._set("job", job_id, new)
        except StoreError:
            # memcached drops what it had when it refuses what is too large.
            with contextlib.suppress(StoreError):
                self._set("job", job_id, old)
            raise

    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        return self._rows([self._key(f"u{slot}", job_id) for slot in slots])

    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        data = self._get("job", job_id)
        return None if data is None else _load(data, job_id)

    def has_result(self, job_id: str) -> bool:
        return self._get("result", job_id) is not None

    def pieces(self, job_id: str) -> Generator[bytes]:
        # Such backends read a value as a whole.
        result = self._get("result", job_id)
        if result is not None:
            yield result

    def renew(self, job: Job) -> bool:
        row = self._get("job", job.id)
        if row is None or not _held(row, job):
            return False
        now = time.time()
        lease = self._get("lease", job.id)
        written = _lease(lease)[1] or job.created
        # Not with each heartbeat: there is nothing to extend an expiry with but writing it all.
        if now - written > self.retention / 2:
            self._rewrite(job)
            written = now
        until = now + LEASE_SECONDS
        self._set("lease", job.id, json.dumps([until, written]).encode())
        return True

    def _rewrite(self, job: Job) -> None:
        names = ("job", "request", "askers", *(f"u{n}" for n in tuple(job.slots)))
        rows = [(name, job.id) for name in names]
        if job.cache_key is not None:
            rows.append(("flight", job.cache_key))
            rows += [("joined", asker) for asker in self._askers(job)]
        for kind, name in rows:
            with self._writing(job.id):
                value = self._get(kind, name)
                if value is not None:
                    self._set(kind, name, value)

    def leased(self, job_id: str) -> bool:
        until = _lease(self._get("lease", job_id))[0]
        if until:
            return time.time() < until
        # A young job has not had its first heartbeat.
        job = self.load(job_id)
        return job is not None and time.time() - (job.started or 0) < LEASE_SECONDS

    def ask_cancel(self, job_id: str) -> None:
        self._set("cancel", job_id, b"")

    def cancel_asked(self, job_id: str) -> bool:
        return self._get("cancel", job_id) is not None

    def want(self, job_id: str, seconds: float) -> None:
        self._set("wanted", job_id, b"", seconds)

    def wanted(self, job_id: str) -> bool:
        return self._get("wanted", job_id) is not None

    def keep(self, job: Job, response: bytes) -> None:
        slots = [(n, slot) for n, slot in job.since(0) if not isinstance(slot.target, int)]
        values = self.values(job.id, [n for n, _ in slots])
        updates = [(s.target, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        words: list[str] = []
        for name, row in zip(("", job.callback), self._generations(job.callback), strict=True):
            cleared, word = _generation(row)
            if cleared >= job.created:
                return
            # One that is lost is made anew: with it, all is cleared that was kept under the old.
            words.append(word or self._begin_generation(name, 0))
        head = json.dumps([job.callback, words]).encode()
        data = b"\n".join([head, Result(updates, response).dump()])
        self._set("kept", job.cache_key or "", data, self._kept_seconds(job.expire))

    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        found = self._find(self._key("kept", cache_key))
        if found is None:
            return None
        until, data = found
        head, _, rest = data.partition(b"\n")
        match read_json(head, "a kept result"):
            case [str(callback), words]:
                result = read_result(rest)
            case _:
                return None
        if result is None or words != [_generation(row)[1] for row in self._generations(callback)]:
            return None
        seconds = self._kept_seconds(expire)
        # Not with each use: there is nothing to extend an expiry with but writing it all.
        if until - time.time() < 0.9 * seconds:
            self._set("kept", cache_key, data, seconds)
        return result

    def _kept_seconds(self, expire: float | None) -> float:
        return self.retention if expire is None else expire

    def clear(self, callback: str | None = None) -> None:
        # Jobs that run may work on what is out of date: see _cleared().
        self._begin_generation(callback or "", time.time())

    def _begin_generation(self, callback: str, cleared: float) -> str:
        word = secrets.token_hex(8)
        row = json.dumps([cleared, word]).encode()
        self._set("generation", callback, row, LONGEST_SECONDS)
        return word

    def _generations(self, callback: str) -> list[bytes | None]:
        return self._rows([self._key("generation", name) for name in ("", callback)])

    def flight(self, cache_key: str) -> Job | None:
        job_id = read_id(self._get("flight", cache_key), "the job of a cache key")
        job = None if job_id is None else self.load(job_id)
        if job is None or job.state.ended or self.cancel_asked(job.id) or self._cleared(job):
            return None
        return job

    def _cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        return any(_generation(row)[0] >= job.created for row in self._generations(job.callback))

    def join(self, job: Job, asker: str, owner: str | None = None) -> None:
        with self._writing(job.id):
            self._set("joined", asker, joined_row(job, owner))
            askers = list(dict.fromkeys([*self._askers(job), asker]))
            self._set("askers", job.id, json.dumps(askers).encode())

    def leave(self, job: Job, asker: str) -> bool:
        with self._writing(job.id):
            left = [one for one in self._askers(job) if one != asker]
            self._set("askers", job.id, json.dumps(left).encode())
            self._set("left", asker, b"")
            return not left

    def joined(self, asker: str) -> Joined | None:
        return read_joined(self._get("joined", asker))

    def has_left(self, asker: str) -> bool:
        return self._get("left", asker) is not None

    def _release(self, job: Job) -> None:
        # Unless it was cancelled and another job has taken its place.
        if self._get("flight", job.cache_key or "") == job.id.encode():
            self._delete("flight", job.cache_key or "")

    def _askers(self, job: Job) -> list[str]:
        return read_ids(self._get("askers", job.id))

    def watch(self, bell: Bell | None = None) -> AbstractContextManager[Watch]:
        return self._process.news.watch(
            lambda job_id: [self._key("job", job_id), self._key("left", job_id)], bell
        )

    def watch_cancel(self) -> AbstractContextManager[Watch]:
        return self._process.news.watch(lambda job_id: [self._key("cancel", job_id)], None)

    def close(self) -> None:
        process = self._processes.pop(os.getpid(), None)
        if process is not None:
            process.close()

    # Rows

    def _get(self, kind: str, name: str) -> bytes | None:
        found = self._find(self._key(kind, name))
        return None if found is None else found[1]

    def _find(self, key: str) -> tuple[float, bytes] | None:
        """When a row expires, and its value; None if it is missing or has expired."""
        torn_until = 0.0
        while True:
            with self._process.backend() as backend:
                row = backend.get(backend.key_t(key))
            if row is None:
                return None
            found = _unpack(_bytes(row))
            if found is not None:
                return found if time.time() < found[0] else None
            now = time.monotonic()
            torn_until = torn_until or now + TORN_SECONDS
            if now > torn_until:
                return None
            time.sleep(0.001)

    def _rows(self, keys: list[str]) -> list[bytes | None]:
        """The values under these keys; None for what is missing or has expired."""
        if not keys:
            return []
        with self._process.backend() as backend:
            wanted = [backend.key_t(key) for key in keys]
            rows = backend.mget(wanted)
            # As Celery has it: memcached answers with what there is, others in order.
            rows = [rows.get(key) for key in wanted] if hasattr(rows, "get") else list(rows)
        found: list[bytes | None] = []
        for key, row in zip(keys, rows, strict=True):
            known = None if row is None else _unpack(_bytes(row)) or self._find(key)
            found.append(known[1] if known is not None and time.time() < known[0] else None)
        return found

    def _set(self, kind: str, name: str, value: bytes, seconds: float | None = None) -> None:
        seconds = min(self.retention if seconds is None else seconds, LONGEST_SECONDS)
        row = _pack(time.time() + seconds, value)
        with self._process.backend() as backend:
            # In whole seconds, and memcached's seconds end early. Ours, in the row, are exact.
            backend.expires = min(math.ceil(seconds) + 1, int(LONGEST_SECONDS))
            try:
                stored = backend.set(backend.key_t(self._key(kind, name)), row)
            except OSError:
                raise
            except Exception as error:
                raise StoreError(_refused(len(row), _words(error))) from error
            # Celery hands on what the client says: False or 0 for no, None if it says nothing.
            if stored is not None and not stored:
                raise StoreError(_refused(len(row), "no reason given"))

    def _delete(self, kind: str, name: str) -> None:
        with self._process.backend() as backend, contextlib.suppress(FileNotFoundError):
            backend.delete(backend.key_t(self._key(kind, name)))

    def _key(self, kind: str, name: str) -> str:
        return f"{self._prefix}{kind}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"

    def _purge(self) -> None:
        """Delete expired files now and then; other backends do this themselves."""
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
    """What a process has of its own: backends to lend to threads, a lookout, and locks."""

    def __init__(
        self, make: Callable[[], Any], rows: Callable[[list[str]], list[bytes | None]]
    ) -> None:
        self._make = make
        self._idle: list[Any] = []
        self.news = RowNews(rows)
        self.jobs = [threading.RLock() for _ in range(LOCKS)]
        self.keys = [threading.RLock() for _ in range(LOCKS)]
        self.purged = -math.inf

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


def _load(data: bytes, job_id: str) -> tuple[Job, bytes | None]:
    record, _, response = data.partition(b"\n")
    return Job.load(record, job_id), response or None


def _held(data: bytes, job: Job) -> bool:
    """Whether the worker that has this record is still the one that was given the job."""
    current = _load(data, job.id)[0]
    return current.state is State.RUNNING and current.attempt == job.attempt


def _generation(row: bytes | None) -> tuple[float, str | None]:
    """When results were last cleared, and the word that names those kept since."""
    match read_json(row, "when results were cleared"):
        case [int() | float() as cleared, str(word)]:
            return cleared, word
        case _:
            return 0.0, None


def _lease(row: bytes | None) -> tuple[float, float]:
    """Until when a lease lasts, and when the rows of its job were last written; 0 if unknown."""
    match read_json(row, "a lease"):
        case [int() | float() as until, int() | float() as written]:
            return until, written
        case _:
            return 0.0, 0.0


def _pick(locks: list[Any], name: str) -> Any:
    return locks[zlib.crc32(name.encode()) % len(locks)]


def _pack(until: float, value: bytes) -> bytes:
    return b"%.3f %d %d\n%b" % (until, len(value), zlib.crc32(value), value)


def _unpack(row: bytes) -> tuple[float, bytes] | None:
    """When a row expires, and its value; None if it is half written."""
    head, _, rest = row.partition(b"\n")
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


def _bytes(row: Any) -> bytes:
    if isinstance(row, str):
        return row.encode()
    # A client may have made something else of it, such as a number.
    return bytes(row) if isinstance(row, (bytes, bytearray, memoryview)) else b""


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
