"""``GET {prefix}/jobs/{id}/events``: what a job reports, as server-sent events.

Each has an id, a sequence number of the job's record. A client that was cut off sends the last one
that it has got, and gets what came after it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from dash_long_callback.calls.updates import (
    PartialUpdate,
    ProgressUpdate,
    PropsUpdate,
    Reader,
    TrackUpdate,
)
from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.http_api.jobs import job_json
from dash_long_callback.http_api.problems import Problem
from dash_long_callback.http_api.replies import Followed, Reply, Result
from dash_long_callback.http_api.service import Api, Asked, Served
from dash_long_callback.managers.base import News
from dash_long_callback.managers.following import Following
from dash_long_callback.threads import in_thread

#: Seconds without news after which a stream sends a sign of life: less than the timeouts of
#: proxies. A thread hears by it that its client has gone.
BEAT_SECONDS = 5.0
#: Seconds that a stream lasts, at most; then the client begins another.
STREAM_SECONDS = 300.0
#: Seconds after which a client asks again that was cut off; and one for which there is no room.
RETRY_SECONDS, TURN_SECONDS = 1.0, 2.0
#: A comment, which clients pass over.
BEAT = b":\n\n"
NAMES = {
    ProgressUpdate: "progress",
    TrackUpdate: "track",
    PropsUpdate: "props",
    PartialUpdate: "partial",
}

_faults = FaultLog("a stream of events was cut off")


def events(asked: Asked, job_id: str) -> Result:
    """Stream what a job reports, to its end.

    Raises:
        Problem: if ``Last-Event-ID`` is not a number.
        JobNotFound: if there is no such job, for this user.
        StoreError: if a store can't be read.
    """
    followed, served, news = asked.find(job_id)
    seen = _last_event(asked)
    if news.job.state.ended and seen == news.job.seq:
        return Reply(204)  # it has all; a browser connects no more after this
    # Who has seen what there is not yet would miss what comes: its store has lost something.
    return EventStream(asked.api, followed, served, seen if seen <= news.job.seq else 0)


def _last_event(asked: Asked) -> int:
    given = asked.incoming.headers.get("Last-Event-ID", "").strip()
    if not given:
        return 0
    if not (given.isascii() and given.isdecimal() and len(given) < 20):  # noqa: PLR2004 - beyond any
        raise Problem(400, "", "Last-Event-ID must be the id of an event of this job")
    return int(given)


class EventStream:
    """What a job reports.

    Args:
        api: that has it.
        followed: the job.
        served: its callback.
        seen: the number of the last event that the client has got.
    """

    def __init__(self, api: Api, followed: Followed, served: Served, seen: int) -> None:
        self._api, self._followed, self._served = api, followed, served
        self._reader, self._seen = Reader(served.callback), seen
        self._until = time.monotonic() + STREAM_SECONDS

    def parts(self) -> Iterator[bytes]:
        """What to send, in a thread, which is held as long as the stream lasts."""
        with self._opened() as following:
            yield self._begin(following)
            while self._goes_on(following):
                yield self._more(following, following.wait(BEAT_SECONDS, following.fresh))
                time.sleep(self._pause)

    async def parts_async(self) -> AsyncGenerator[bytes]:
        """As ``parts``, on an event loop."""
        with self._opened() as following:
            yield await in_thread(self._begin, following)
            while self._goes_on(following):
                found = await following.wait_async(BEAT_SECONDS, following.fresh)
                yield await in_thread(self._more, following, found)
                await asyncio.sleep(self._pause)

    @contextmanager
    def _opened(self) -> Generator[Following]:
        with self._followed.held() as following:
            try:
                yield following
            except Exception as error:
                # The client asks again, and is told.
                _faults.failed(error, traceback=not isinstance(error, StoreError))
            else:
                _faults.succeeded()

    def _goes_on(self, following: Following) -> bool:
        return following.waits and bool(following.jobs) and time.monotonic() < self._until

    @property
    def _pause(self) -> float:
        """Seconds to leave to others: with many streams, each sends less often."""
        return self._followed.pacer.after(0, self._followed.capacity, [self._followed.job_id])

    def _begin(self, following: Following) -> bytes:
        """All there is so far, and when to come again. Without room for a stream, that is all."""
        seconds = RETRY_SECONDS if following.waits else max(TURN_SECONDS, self._pause)
        news = self._followed.manager.news(following.jobs, self._followed.owner)
        return b"retry: %d\n\n%b" % (math.ceil(seconds * 1000), self._read(following, news))

    def _more(self, following: Following, found: Mapping[str, News]) -> bytes:
        return self._read(following, found) or BEAT

    def _read(self, following: Following, found: Mapping[str, News]) -> bytes:
        news = found.get(self._followed.job_id)
        sent: list[bytes] = []
        if news is not None:
            for number, update in self._reader.read_since(self._seen, news.updates, news.numbers):
                sent.append(_event(NAMES[type(update)], number, asdict(update)))
                self._seen = number
            if news.job.state.ended:
                sent.append(_event("end", news.job.seq, self._ended()))
        following.see(following.news(found))
        return b"".join(sent)

    def _ended(self) -> dict[str, Any]:
        # Anew: what was read here is what came last.
        news = self._followed.news()
        if news is None:
            raise StoreError("a job has expired before its end was sent")
        return job_json(self._api, self._served, news, self._followed.job_id)


def _event(name: str, number: int, data: dict[str, Any]) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), number, json.dumps(data).encode())
