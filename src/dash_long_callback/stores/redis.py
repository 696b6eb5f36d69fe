"""Rows in Redis 6.2 or newer, shared by any number of machines.

Keys, all of them below ``<prefix>dlc:``, all with an expiry:

    <name of a row>            its value
    index                      sorted set: <field>:<value>:<time of creation><id>, see ``_list``
    expiry                     sorted set: what is in that, by the time when it expires

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import redis

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import State
from dash_long_callback.stores import names as row
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.parse import ignored
from dash_long_callback.stores.ports import Batch, Cursor, Field, Head, Rows
from dash_long_callback.stores.redis_notifier import RedisNotifier
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker

P = ParamSpec("P")
R = TypeVar("R")

_HERE = Path(__file__).parent
_INDEX, _APPLY = ((_HERE / f"redis_{name}.lua").read_text() for name in ("index", "apply"))
#: Jobs that have expired and are taken from the index in one go.
_TRIMMED = 100


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
    """Rows, index and news. Jobs wait in a broker's queue.

    Args:
        connect: makes a client; called once in each process.
        prefix: put before each key.
    """

    def __init__(self, connect: Callable[[], redis.Redis], prefix: str) -> None:
        self._connect = connect
        self._prefix = f"{prefix}dlc:"
        self._index = [self._key("index"), self._key("expiry")]
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
        counts += [1 if entry else 0, len(told)]
        return bool(
            self._connected.apply(
                keys=[*self._index, *map(self._key, names)],
                args=[*counts, *expected, *written, *touched, *entry, *told],
            )
        )

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
        end = _end(name) if before is None else name + _place(*before)
        found = self._connected.client.zrevrangebylex(
            self._index[0], f"({end}", f"[{name}", start=0, num=limit
        )
        cursors = [_cursor(member[len(name) :]) for member in found]
        return [cursor for cursor in cursors if cursor is not None]

    @_guarded
    def count(self, by: Field, value: str | None) -> int:
        self._trim()
        name = _list(by, value)
        count = self._connected.client.zlexcount(self._index[0], f"[{name}", f"({_end(name)}")
        return int(count)

    def _trim(self) -> None:
        """Take what has expired from the index."""
        while self._connected.trim(keys=self._index) == _TRIMMED:
            pass

    def next_queued(self, queue: str = "") -> Head | None:
        """None: jobs wait in the broker's queue."""

    def heads(self, queue: str = "") -> list[str]:
        return []

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
        index = f"local STATES = {{ {states} }}\n{_INDEX}"
        trim = f"clean(KEYS[1]) return trim(KEYS[1], KEYS[2], milliseconds_now(), {_TRIMMED})"
        self.apply = client.register_script(index + _APPLY)
        self.trim = client.register_script(index + trim)
        self.news = RedisNotifier(client)

    def close(self) -> None:
        self.news.close()
        self.client.close()


def _list(by: Field, value: str | None) -> str:
    """What the members of a list begin with."""
    # Keys of callbacks are long, and may hold anything; so may owners.
    hashed = by in ("callback", "owner")
    name = hashlib.sha256((value or "").encode()).hexdigest()[:32] if hashed else value
    return f"{by}:{name or ''}:"


def _end(name: str) -> str:
    """What comes behind all members of a list: ";" is the character after ":"."""
    return name[:-1] + ";"


def _place(created: float, job_id: str) -> str:
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
    """A batch's entry in the index: the job's place, its lists, that by state, milliseconds."""
    entry = batch.entry
    if entry is None:
        return []
    record = row.job(entry.id)
    seconds = batch.touch.get(record) or batch.put[record][1]
    lists = [_list("all", None), _list("callback", entry.callback)]
    if entry.owner is not None:
        lists.append(_list("owner", entry.owner))
    place = _place(entry.created, entry.id)
    return [place, json.dumps([place, *lists]), _list("state", entry.state), _ms(seconds)]


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
