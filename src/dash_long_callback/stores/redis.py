"""Rows in Redis 6.2 or newer, shared by any number of machines.

Keys, all of them below ``<prefix>dlc:``, all with an expiry:

    <name of a row>            its value
    index:<field>:<value>      sorted set: ids of jobs by the time of their creation
    index:expiry               sorted set: what is in those, by the time when it expires

Channels, see ``redis_notifier``:

    news:<id>                  the record has changed
    stop:<id>                  the user wants this job cancelled
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import redis

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import State
from dash_long_callback.stores import names as row
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.parse import read_id
from dash_long_callback.stores.ports import Batch, Cursor, Field, Rows
from dash_long_callback.stores.redis_notifier import RedisNotifier
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker

P = ParamSpec("P")
R = TypeVar("R")

_HERE = Path(__file__).parent
_TRIM, _APPLY = ((_HERE / f"redis_{name}.lua").read_text() for name in ("trim", "apply"))
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
        sets, entry = self._index(batch)
        told = self._told(batch)
        return bool(
            self._connected.apply(
                keys=[*map(self._key, names), *sets],
                args=[*counts, len(told), *expected, *written, *touched, *entry, *told],
            )
        )

    def _index(self, batch: Batch) -> tuple[list[str], list[Any]]:
        """The sets of a batch's entry, and what is to become of it."""
        if batch.entry is None:
            return [], [0]
        entry = batch.entry
        record = row.job(entry.id)
        seconds = batch.touch.get(record) or batch.put[record][1]
        lists = [self._list("callback", entry.callback), self._list("all", None)]
        if entry.owner is not None:
            lists.append(self._list("owner", entry.owner))
        own = self._list("state", entry.state)
        left = [] if entry.left is None else [self._list("state", entry.left)]
        others = [one for one in self._states() if one not in (own, *left)]
        member = json.dumps([entry.id, *lists])
        sets = [self._key("index:expiry"), own, *lists, *left, *others]
        counts = [1 + len(lists), len(left)]
        return sets, [*counts, entry.id, repr(entry.created), _ms(seconds), member]

    def _states(self) -> list[str]:
        return [self._list("state", state.value) for state in State]

    def _told(self, batch: Batch) -> list[str]:
        """The channels of the news."""
        told: list[str] = []
        if batch.news is not None:
            told.append(self._key(f"news:{batch.news}"))
        if batch.cancel is not None:
            told.append(self._key(f"stop:{batch.cancel}"))
        return told

    def _list(self, by: Field, value: str | None) -> str:
        # Keys of callbacks are long, and may hold anything.
        name = (
            hashlib.sha256((value or "").encode()).hexdigest()[:32] if by == "callback" else value
        )
        return self._key(f"index:{by}:{name or ''}")

    @_guarded
    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        client, key = self._connected.client, self._list(by, value)
        self._trim()
        most = "+inf" if before is None else repr(before[0])
        found: list[Cursor] = []
        for start in itertools.count(0, limit + 1):
            page = client.zrevrangebyscore(
                key, most, "-inf", start=start, num=limit + 1, withscores=True
            )
            for member, created in page:
                job_id = read_id(member, "the name of a job")
                if job_id is not None and (before is None or (created, job_id) < before):
                    found.append((created, job_id))
            if len(page) <= limit or len(found) >= limit:
                break
        return found[:limit]

    @_guarded
    def count(self, by: Field, value: str | None) -> int:
        self._trim()
        return int(self._connected.client.zcard(self._list(by, value)))

    def _trim(self) -> None:
        """Take what has expired from the index."""
        keys = [self._key("index:expiry"), *self._states()]
        while self._connected.trim(keys=keys) == _TRIMMED:
            pass

    def next_queued(self) -> str | None:
        """None: jobs wait in the broker's queue."""

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
        self.apply = client.register_script(_TRIM + _APPLY)
        trim = f"return trim(KEYS[1], {{unpack(KEYS, 2)}}, {_TRIMMED})"
        self.trim = client.register_script(_TRIM + trim)
        self.news = RedisNotifier(client)

    def close(self) -> None:
        self.news.close()
        self.client.close()


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
