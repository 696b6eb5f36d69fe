"""Jobs in Redis 6.2 or newer, shared by any number of machines.

Keys, all of them below ``<prefix>dlc:``, all with an expiry. ``<id>`` is a job's id.

    job:<id>            hash: the record (see ``jobs.Job.dump``), its state and attempt once more,
                        arguments and context, the value in each slot, a small result
    result:<id>         a large result
    lease:<id>          a worker holds this job; expires unless renewed
    cancel:<id>         the user wants this job cancelled
    wanted:<id>         a page waits for this job; expires unless the page is heard of
    askers:<id>         set: ids of those who wait for a shared job
    joined:<id>         the id of the job that this asker waits for, and the asker's owner
    left:<id>           this asker waits no more
    flight:<key>        the id of the job that will give the outcome of a cache key
    lock:<key>          held while somebody decides whether to join that job
    kept:<key>          ``jobs.Result``
    kept-of:<callback>  set: the keys under which results of this callback are kept
    cleared:<callback>  when the results of a callback were cleared, of all without a name

Channels, see ``redis_news``:

    news:<id>           the record has changed, or its worker is alive
    stop:<id>           the user wants this job cancelled
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import redis
from redis.exceptions import LockNotOwnedError

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Effect, Job, Result, State, transition
from dash_long_callback.stores.base import LEASE_SECONDS, PIECE_BYTES, Store, divide
from dash_long_callback.stores.redis_news import ALIVE, CHANGED, Subscriber
from dash_long_callback.stores.rows import (
    ignored,
    joined_row,
    read_id,
    read_joined,
    read_result,
    read_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.jobs import Event
    from dash_long_callback.stores.base import Joined
    from dash_long_callback.stores.news import Bell, Watch

P = ParamSpec("P")
R = TypeVar("R")

#: How many times longer a job is kept while it waits in a queue: nobody renews it there.
WAITING = 24
#: Seconds that a process may hold the lock of a cache key, and that others wait for it.
LOCK_SECONDS = 10.0

#: Keep a new job, unless there is one with its id.
#: KEYS: job, flight, askers. ARGV: record, state, request, seconds to keep, id if it is shared.
#: A state here is a word, and the attempt behind it. With ``pcall``, a key that holds another type
#: counts as another value, and not as an error that would be raised again and again.
_CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'record', ARGV[1], 'state', ARGV[2], 'request', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[4])
  redis.call('DEL', KEYS[3])
  redis.call('SADD', KEYS[3], ARGV[5])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return 1
"""

#: Replace a record, if it is still the one that was read.
#: KEYS: job, lease, flight, large result. ARGV: old record, new record, state, response, seconds
#: to keep, seconds of a lease if it starts now, id, channel, message, large result, if it ends.
_CHANGE = """
if redis.pcall('HGET', KEYS[1], 'record') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'state', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'response', ARGV[4]) end
if ARGV[10] ~= '' then redis.call('SET', KEYS[4], ARGV[10], 'PX', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if ARGV[6] ~= '' then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[6])
elseif ARGV[11] ~= '' then
  redis.call('HDEL', KEYS[1], 'request')
  redis.call('DEL', KEYS[2])
  -- Unless it was cancelled and another job has taken its place.
  if redis.pcall('GET', KEYS[3]) == ARGV[7] then redis.call('DEL', KEYS[3]) end
end
redis.call('PUBLISH', ARGV[8], ARGV[9])
return 1
"""

#: Write the updates of a running job.
#: KEYS: job. ARGV: record, seconds to keep, channel, message, state, number of stale slots, these,
#: then slots and values.
_WRITE = """
if redis.pcall('HGET', KEYS[1], 'state') ~= ARGV[5] then return 0 end
redis.call('HSET', KEYS[1], 'record', ARGV[1])
local first = 7 + tonumber(ARGV[6])
for i = 7, first - 1 do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = first, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
"""

#: Renew the lease of a worker on a running job.
#: KEYS: job, lease, then what is kept as long as the job. ARGV: state, milliseconds of a lease,
#: milliseconds to keep, channel, message.
_RENEW = """
if redis.pcall('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], '', 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for i = 3, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""

#: Keep a result, unless results were cleared since its job was created.
#: KEYS: cleared of all, cleared of the callback, kept, keys of the callback.
#: ARGV: created, result, seconds to keep, cache key.
_KEEP = """
for i = 1, 2 do
  local at = tonumber(redis.pcall('GET', KEYS[i]) or 0)
  if at and at >= tonumber(ARGV[1]) then return 0 end
end
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
if redis.call('TYPE', KEYS[4]).ok ~= 'set' then redis.call('DEL', KEYS[4]) end
redis.call('SADD', KEYS[4], ARGV[4])
if redis.call('PTTL', KEYS[4]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[4], ARGV[3]) end
return 1
"""


def _guarded(
    method: Callable[Concatenate[RedisStore, P], R],
) -> Callable[Concatenate[RedisStore, P], R]:
    """Have a method raise StoreError for what redis-py raises."""

    @functools.wraps(method)
    def guarded(self: RedisStore, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            raise StoreError(f"Redis can't be used ({error}); check that it is running") from error

    return guarded


class RedisStore(Store):
    """Jobs in Redis.

    Args:
        connect: makes a client; called once in each process.
        retention: seconds that a job and its outcome are kept.
        prefix: put before each key.
    """

    def __init__(
        self, connect: Callable[[], redis.Redis], retention: float, prefix: str = ""
    ) -> None:
        self.retention = retention
        self._connect = connect
        self._prefix = f"{prefix}dlc:"
        self._lock = threading.Lock()
        self._opened: tuple[int, _Connected] | None = None

    @property
    def _connected(self) -> _Connected:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            with self._lock:
                opened = self._opened
                if opened is None or opened[0] != os.getpid():
                    # A client of its own after a fork: a subscription must not cross one.
                    opened = self._opened = (os.getpid(), _Connected(self._connect()))
        return opened[1]

    @property
    def _redis(self) -> Any:
        return self._connected.client

    def _key(self, kind: str, name: str = "") -> str:
        return f"{self._prefix}{kind}:{name}"

    @property
    def _ttl(self) -> int:
        return _ms(self.retention)

    def exclusive(self, key: str | None) -> AbstractContextManager[object]:
        return nullcontext() if key is None else self._exclusive(key)

    @contextmanager
    def _exclusive(self, key: str) -> Generator[None]:
        lock = self._redis.lock(
            self._key("lock", key), timeout=LOCK_SECONDS, blocking_timeout=LOCK_SECONDS, sleep=0.005
        )
        self._acquire(lock)
        try:
            yield
        finally:
            self._release(lock)

    @_guarded
    def _acquire(self, lock: Any) -> None:
        if not lock.acquire():
            raise StoreError("another process holds the lock of this result; try again")

    @_guarded
    def _release(self, lock: Any) -> None:
        # One that has expired was held for too long, but what was done inside is done.
        with suppress(LockNotOwnedError):
            lock.release()

    @_guarded
    def create(self, job: Job, request: bytes) -> bool:
        names = ("job", job.id), ("flight", job.cache_key or ""), ("askers", job.id)
        created = self._connected.create(
            keys=[self._key(*name) for name in names],
            args=[
                job.dump(),
                _state(job),
                request,
                self._ttl * WAITING,
                "" if job.cache_key is None else job.id,
            ],
        )
        return bool(created)

    @_guarded
    def load(self, job_id: str) -> Job | None:
        record = self._fields(job_id, "record")[0]
        return None if record is None else Job.load(record, job_id)

    @_guarded
    def request(self, job_id: str) -> bytes | None:
        return self._fields(job_id, "request")[0]

    @_guarded
    def change(self, job_id: str, event: Event, response: bytes | None = None) -> Job | None:
        key = self._key("job", job_id)
        while (record := self._fields(job_id, "record")[0]) is not None:
            change = transition(Job.load(record, job_id), event, time.time())
            if change is None:
                return None
            job = change.job
            small, large = divide(job, response)
            flight = self._key("flight", job.cache_key or "")
            result = self._key("result", job_id)
            changed = self._connected.change(
                keys=[key, self._key("lease", job_id), flight, result],
                args=[
                    record,
                    job.dump(),
                    _state(job),
                    small or b"",
                    self._ttl * (WAITING if job.state is State.QUEUED else 1),
                    _ms(LEASE_SECONDS) if Effect.START_LEASE in change.effects else "",
                    job_id,
                    self._key("news", job_id),
                    CHANGED,
                    large or b"",
                    "1" if Effect.DROP_REQUEST in change.effects else "",
                ],
            )
            if changed:
                return job
        return None

    @_guarded
    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        gone = [f"u{slot}" for slot in stale]
        pairs = [part for slot, value in values.items() for part in (f"u{slot}", value)]
        written = self._connected.write(
            keys=[self._key("job", job.id)],
            args=[
                job.dump(),
                self._ttl,
                self._key("news", job.id),
                CHANGED,
                _running(job),
                len(gone),
                *gone,
                *pairs,
            ],
        )
        return bool(written)

    @_guarded
    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        fields = [f"u{slot}" for slot in slots]
        return self._fields(job_id, *fields) if fields else []

    @_guarded
    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        record, response = self._fields(job_id, "record", "response")
        return None if record is None else (Job.load(record, job_id), response)

    @_guarded
    def has_result(self, job_id: str) -> bool:
        return bool(self._redis.exists(self._key("result", job_id)))

    def pieces(self, job_id: str) -> Generator[bytes]:
        start = 0
        while piece := self._piece(job_id, start):
            yield piece
            start += len(piece)

    @_guarded
    def _piece(self, job_id: str, start: int) -> bytes:
        end = start + PIECE_BYTES - 1
        key = self._key("result", job_id)
        piece = self._readable("a large result", lambda: self._redis.getrange(key, start, end))
        return piece or b""

    @_guarded
    def renew(self, job: Job) -> bool:
        keys = [self._key("job", job.id), self._key("lease", job.id)]
        if job.cache_key is not None:
            askers = self._key("askers", job.id)
            waiting = self._names(askers)
            keys += [askers, self._key("flight", job.cache_key)]
            keys += [self._key("joined", asker) for asker in waiting]
        renewed = self._connected.renew(
            keys=keys,
            args=[
                _running(job),
                _ms(LEASE_SECONDS),
                self._ttl,
                self._key("news", job.id),
                ALIVE,
            ],
        )
        return bool(renewed)

    @_guarded
    def leased(self, job_id: str) -> bool:
        return bool(self._redis.exists(self._key("lease", job_id)))

    @_guarded
    def ask_cancel(self, job_id: str) -> None:
        with self._redis.pipeline() as pipe:
            pipe.set(self._key("cancel", job_id), b"", px=self._ttl)
            pipe.publish(self._key("stop", job_id), CHANGED)
            pipe.execute()

    @_guarded
    def cancel_asked(self, job_id: str) -> bool:
        return bool(self._redis.exists(self._key("cancel", job_id)))

    @_guarded
    def want(self, job_id: str, seconds: float) -> None:
        self._redis.set(self._key("wanted", job_id), b"", px=_ms(seconds))

    @_guarded
    def wanted(self, job_id: str) -> bool:
        return bool(self._redis.exists(self._key("wanted", job_id)))

    @_guarded
    def keep(self, job: Job, response: bytes) -> None:
        slots = [(n, slot) for n, slot in job.since(0) if not isinstance(slot.target, int)]
        values = self.values(job.id, [n for n, _ in slots])
        updates = [(s.target, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        cache_key = job.cache_key or ""
        self._connected.keep(
            keys=[
                self._key("cleared"),
                self._key("cleared", _name(job.callback)),
                self._key("kept", cache_key),
                self._key("kept-of", _name(job.callback)),
            ],
            args=[
                job.created,
                Result(updates, response).dump(),
                self._kept_ttl(job.expire),
                cache_key,
            ],
        )

    @_guarded
    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        key, ttl = self._key("kept", cache_key), self._kept_ttl(expire)
        data = self._readable("a kept result", lambda: self._redis.getex(key, px=ttl))
        return None if data is None else read_result(data)

    def _kept_ttl(self, expire: float | None) -> int:
        return self._ttl if expire is None else _ms(expire)

    @_guarded
    def clear(self, callback: str | None = None) -> None:
        name = "" if callback is None else _name(callback)
        # Jobs that run may work on what is out of date: see _cleared().
        self._redis.set(self._key("cleared", name), str(time.time()), px=self._ttl)
        index = self._key("kept-of", name or "*")
        for of in [index] if name else list(self._redis.scan_iter(index)):
            found = [self._key("kept", key) for key in self._names(of)]
            self._redis.delete(of, *found)

    @_guarded
    def flight(self, cache_key: str) -> Job | None:
        job_id = self._id("flight", cache_key, "the job of a cache key")
        job = None if job_id is None else self.load(job_id)
        if job is None or job.state.ended or self.cancel_asked(job.id) or self._cleared(job):
            return None
        return job

    def _cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        names = [self._key("cleared"), self._key("cleared", _name(job.callback))]
        return any(read_time(at) >= job.created for at in self._redis.mget(names))

    @_guarded
    def join(self, job: Job, asker: str, owner: str | None = None) -> None:
        askers = self._set_of("askers", job.id)
        with self._redis.pipeline() as pipe:
            pipe.set(self._key("joined", asker), joined_row(job, owner), px=self._ttl)
            pipe.sadd(askers, asker).pexpire(askers, self._ttl)
            pipe.execute()

    @_guarded
    def leave(self, job: Job, asker: str) -> bool:
        askers = self._set_of("askers", job.id)
        with self._redis.pipeline() as pipe:
            pipe.srem(askers, asker)
            pipe.set(self._key("left", asker), b"", px=self._ttl)
            pipe.publish(self._key("news", job.id), CHANGED)
            pipe.scard(askers)
            return pipe.execute()[-1] == 0

    @_guarded
    def joined(self, asker: str) -> Joined | None:
        what, key = "the job that somebody shares", self._key("joined", asker)
        return read_joined(self._readable(what, lambda: self._redis.get(key)))

    @_guarded
    def has_left(self, asker: str) -> bool:
        return bool(self._redis.exists(self._key("left", asker)))

    # Keys that may hold what somebody else has put there

    def _fields(self, job_id: str, *names: str) -> list[bytes | None]:
        """Fields of a job. A key that holds something else is a job whose record is damaged."""
        key = self._key("job", job_id)
        found = self._readable("a job", lambda: self._redis.hmget(key, names))
        return found or [b"" if name == "record" else None for name in names]

    def _id(self, kind: str, name: str, what: str) -> str | None:
        key = self._key(kind, name)
        return read_id(self._readable(what, lambda: self._redis.get(key)), what)

    def _names(self, key: str) -> list[str]:
        """The members of a set."""
        what = "a set of names"
        found: set[bytes] = self._readable(what, lambda: self._redis.smembers(key)) or set()
        return [name for member in found if (name := read_id(member, what)) is not None]

    def _set_of(self, kind: str, name: str) -> str:
        """The key of a set, which is deleted if it holds something else."""
        key = self._key(kind, name)
        if self._redis.type(key) not in (b"set", b"none"):
            self._redis.delete(key)
        return key

    def _readable(self, what: str, read: Callable[[], Any]) -> Any:
        """What ``read`` returns, None if the key holds a value of another type."""
        try:
            return read()
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            ignored(what, error)
            return None

    def watch(self, bell: Bell | None = None) -> AbstractContextManager[Watch]:
        return self._connected.news.watch(lambda job_id: [self._key("news", job_id)], bell)

    def watch_cancel(self) -> AbstractContextManager[Watch]:
        return self._connected.news.watch(lambda job_id: [self._key("stop", job_id)], None)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None


class _Connected:
    """A client and what hangs on it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.create = client.register_script(_CREATE)
        self.change = client.register_script(_CHANGE)
        self.write = client.register_script(_WRITE)
        self.renew = client.register_script(_RENEW)
        self.keep = client.register_script(_KEEP)
        self.news = Subscriber(client)

    def close(self) -> None:
        self.news.close()
        self.client.close()


def _state(job: Job) -> str:
    return f"{job.state.value} {job.attempt}"


def _running(job: Job) -> str:
    """The state that allows a worker with this record to write."""
    return f"{State.RUNNING.value} {job.attempt}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _name(callback: str) -> str:
    # Callback ids are long, and may hold anything.
    return hashlib.sha256(callback.encode()).hexdigest()[:32]
