"""Rows in Redis 6.2 or newer, shared by any number of machines.

Keys, all of them below ``<prefix>dlc:``, all with an expiry:

    <name of a row>            its value
    index                      sorted set: <field>:<value>:<time of creation><id>, see ``_list``
    expiry                     sorted set: what is in that, by the time when it expires
    queue                      sorted set: what waits, see ``redis_queue.lua``

Channels, see ``redis_notifier``:

    news:<id>                  the record has changed
    stop:<id>                  the user wants this job cancelled
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import redis

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import State
from dash_long_callback.stores import names as row
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.parse import ignored
from dash_long_callback.stores.ports import Ahead, Batch, Cursor, Field, Head, Place, Rows
from dash_long_callback.stores.redis_notifier import RedisNotifier
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker

P = ParamSpec("P")
R = TypeVar("R")

_HERE = Path(__file__).parent
_SETS, _QUEUE, _INDEX, _APPLY = (
    (_HERE / f"redis_{name}.lua").read_text() for name in ("sets", "queue", "index", "apply")
)
#: Jobs that have expired and are taken from the index in one go.
_TRIMMED = 100
_TRIM = f"clean(INDEX) return trim(math.floor(microseconds_now() / 1000), {_TRIMMED})"
#: ARGV: a queue; microseconds for which others are not to see the job, if it has this gate; what
#: the keys of rows begin with, and what those that are read end with.
_NEXT = "return head(unpack(ARGV))"
_HEADS = "return heads(ARGV[1])"
_AHEAD = "return ahead(ARGV[1])"
_WAITING = "return waiting(ARGV[1])"
#: Characters of a field of a place in the queue, see ``redis_queue.lua``.
_WIDTH = 16
#: Characters before each id that ``heads`` returns: priority, turn and number.
_ORDER = 3 * _WIDTH
#: What stands for the gate of a job that has none.
_NO_GATE = hashlib.sha256(b"").hexdigest()[:_WIDTH]
#: What ``redis_apply.lua`` returns for a batch that comes too late.
_LATE = -1
#: A time that never comes, in microseconds since 1970: Lua's numbers are exact up to there.
_NEVER = 2**53


def _guarded(
    method: Callable[Concatenate[RedisRows, P], R],
) -> Callable[Concatenate[RedisRows, P], R]:
    """Have a method raise StoreError for what redis-py raises."""

    @functools.wraps(method)
    def guarded(self: RedisRows, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except redis.RedisError as error:
            raise StoreError(f"Redis can't be used ({error}); check that it is running") from error

    return guarded


class RedisStore(JobStore):
    """Jobs in Redis.

    Args:
        connect: makes a client; called once in each process.
        retention: seconds that a job and its outcome are kept.
        prefix: put before each key.
    """

    def __init__(
        self, connect: Callable[[], redis.Redis], retention: float, prefix: str = ""
    ) -> None:
        rows = RedisRows(connect, prefix)
        super().__init__(rows, RowResults(rows, retention), retention)


class RedisRows(Rows):
    """Rows, index, queue and news.

    Args:
        connect: makes a client; called once in each process.
        prefix: put before each key.
    """

    def __init__(self, connect: Callable[[], redis.Redis], prefix: str) -> None:
        self._connect = connect
        self._prefix = f"{prefix}dlc:"
        #: What all scripts need.
        self._sets = [self._key(name) for name in ("index", "expiry", "queue")]
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

    def _key(self, name: str) -> str:
        return self._prefix + name

    @_guarded
    def read(self, names: Iterable[str]) -> list[bytes | None]:
        keys = [self._key(name) for name in names]
        # A key that holds another type counts as missing here.
        return self._connected.client.mget(keys) if keys else []

    @_guarded
    def apply(self, batch: Batch) -> bool:
        names = [*batch.expect, *batch.put, *batch.touch, *batch.drop]
        counts = [len(batch.expect), len(batch.put), len(batch.touch), len(batch.drop)]
        expected = [b"" if value is None else b"=" + value for value in batch.expect.values()]
        written = [part for value, seconds in batch.put.values() for part in (value, _ms(seconds))]
        touched = [_ms(seconds) for seconds in batch.touch.values()]
        entry, told = _entry(batch), self._told(batch)
        dequeued = [] if batch.dequeue is None else [batch.dequeue]
        counts += [1 if entry else 0, len(dequeued), len(told)]
        until = self._connected.deadline() if batch.timely else ""
        done = self._connected.apply(
            keys=[*self._sets, *map(self._key, names)],
            args=[*counts, until, *expected, *written, *touched, *entry, *dequeued, *told],
        )
        if done == _LATE:
            self._connected.forget_clock()
            raise StoreError("Redis has taken too long, or its clock was set; try again")
        return bool(done)

    def _told(self, batch: Batch) -> list[str]:
        """The channels of the news."""
        told: list[str] = []
        if batch.news is not None:
            told.append(self._key(f"news:{batch.news}"))
        if batch.cancel is not None:
            told.append(self._key(f"stop:{batch.cancel}"))
        return told

    @_guarded
    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        self._trim()
        name = _list(by, value)
        end = _end(name) if before is None else name + _position(*before)
        found = self._connected.client.zrevrangebylex(
            self._sets[0], f"({end}", f"[{name}", start=0, num=limit
        )
        cursors = [_cursor(member[len(name) :]) for member in found]
        return [cursor for cursor in cursors if cursor is not None]

    @_guarded
    def count(self, by: Field, value: str | None) -> int:
        self._trim()
        name = _list(by, value)
        count = self._connected.client.zlexcount(self._sets[0], f"[{name}", f"({_end(name)}")
        return int(count)

    def _trim(self) -> None:
        """Take what has expired from the index."""
        while self._connected.trim(keys=self._sets) == _TRIMMED:
            pass

    @_guarded
    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:
        hidden = f"{hide * 1e6:.0f}"
        args = [
            _hashed(queue, _WIDTH),
            hidden,
            _NO_GATE,
            self._prefix,
            row.job(""),
            row.request(""),
        ]
        found = self._connected.next(keys=self._sets, args=args)
        return None if found is None else Head(found[0].decode(), found[1], found[2])

    @_guarded
    def heads(self, queue: str = "") -> list[str]:
        found = self._connected.heads(keys=self._sets, args=[_hashed(queue, _WIDTH)])
        # Not sorted by Lua, which compares as the server's locale has it.
        return [one[_ORDER:].decode() for one in sorted(found)]

    @_guarded
    def ahead(self, job_id: str) -> Ahead | None:
        found = self._connected.ahead(keys=self._sets, args=[job_id])
        return None if found is None else Ahead(*found)

    @_guarded
    def waiting(self, queue: str = "") -> int:
        return self._connected.waiting(keys=self._sets, args=[_hashed(queue, _WIDTH)])

    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        kind = "stop" if cancels else "news"
        return self._connected.news.subscribe(lambda job_id: [self._key(f"{kind}:{job_id}")], waker)

    def purge(self) -> None:
        """Redis does this itself."""

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None


class _Connected:
    """A client and what hangs on it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        states = ", ".join(f"'{_list('state', state.value)}'" for state in State)
        queue = _SETS + _QUEUE
        index = f"{queue}\nlocal STATES = {{ {states} }}\n{_INDEX}"
        self.apply = client.register_script(index + _APPLY)
        self.trim = client.register_script(index + _TRIM)
        self.next = client.register_script(queue + _NEXT)
        self.heads = client.register_script(queue + _HEADS)
        self.ahead = client.register_script(queue + _AHEAD)
        self.waiting = client.register_script(queue + _WAITING)
        self.news = RedisNotifier(client)
        #: Seconds by which Redis's clock is ahead of this process's.
        self._ahead: float | None = None

    def deadline(self) -> str:
        """When this client gives up what it asks now: microseconds of Redis's clock, or nothing."""
        kwargs: dict[str, Any] = self.client.connection_pool.connection_kwargs
        if (timeout := kwargs.get("socket_timeout")) is None:
            return ""
        if (ahead := self._ahead) is None:
            seconds, microseconds = self.client.time()
            self._ahead = ahead = seconds + microseconds / 1e6 - time.monotonic()
        return f"{(time.monotonic() + ahead + timeout) * 1e6:.0f}"

    def forget_clock(self) -> None:
        """It was set, or it is another server's."""
        self._ahead = None

    def close(self) -> None:
        self.news.close()
        self.client.close()


def _list(by: Field, value: str | None) -> str:
    """What the members of a list begin with."""
    # Keys of callbacks are long, and may hold anything; so may owners.
    hashed = by in ("callback", "owner")
    name = _hashed(value or "", 32) if hashed else value
    return f"{by}:{name or ''}:"


def _hashed(value: str, width: int) -> str:
    """What stands for any text in a member, which has fields of a fixed width."""
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:width]


def _end(name: str) -> str:
    """What comes behind all members of a list: ";" is the character after ":"."""
    return name[:-1] + ";"


def _position(created: float, job_id: str) -> str:
    """The rest of a member. Numbers of this form sort as they do as numbers."""
    return struct.pack(">d", created).hex() + job_id


def _cursor(place: bytes) -> Cursor | None:
    try:
        (created,) = struct.unpack(">d", bytes.fromhex(place[:16].decode()))
        return created, place[16:].decode()
    except (ValueError, struct.error) as error:
        ignored("an entry of the index", error)
        return None


def _entry(batch: Batch) -> list[Any]:
    """A batch's entry: its place in the index, its lists, that by state, milliseconds, its wish."""
    entry = batch.entry
    if entry is None:
        return []
    record = row.job(entry.id)
    seconds = batch.touch.get(record) or batch.put[record][1]
    lists = [_list("all", None), _list("callback", entry.callback)]
    if entry.owner is not None:
        lists.append(_list("owner", entry.owner))
    place = _position(entry.created, entry.id)
    state, wish = _list("state", entry.state), _wish(batch.place)
    return [place, json.dumps([place, *lists]), state, _ms(seconds), wish]


def _wish(place: Place | None) -> str:
    """What a job wishes of the queue (see ``redis_queue.lua``); nothing if it does not wait."""
    if place is None:
        return ""
    gate, lane = _hashed(place.gate, _WIDTH), _hashed(place.lane, _WIDTH)
    later = f"{round(min(max(0.0, place.not_before * 1e6), _NEVER)):0{_WIDTH}}"
    how = ("f" if place.front else "") + ("s" if place.stays else "")
    return f"{_hashed(place.queue, _WIDTH)}{_descending(place.priority)}{gate}{lane}{later}{how}"


def _descending(number: float) -> str:
    """A number in such a form that greater ones sort before."""
    # The bits of positive numbers sort as they do, after a sign that must be turned over; those of
    # negative ones the other way round. 0 minus it, as minus it would make two of 0.
    (bits,) = struct.unpack(">Q", struct.pack(">d", 0.0 - number))
    return f"{bits ^ (2**64 - 1 if bits >> 63 else 1 << 63):0{_WIDTH}x}"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
