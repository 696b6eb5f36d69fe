"""“What is new on these jobs since …?” Read-only, idempotent, may wait or go on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import contextmanager

from dash_long_callback.dash import internals
from dash_long_callback.errors import JobNotFound, StoreError
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import Job, is_job_id
from dash_long_callback.managers.base import Manager, News
from dash_long_callback.managers.following import Following, news_since
from dash_long_callback.server import pacing
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.route import Request, Route
from dash_long_callback.server.shutdown import at_end
from dash_long_callback.server.wire import (
    LargeBody,
    ahead_of,
    jobs_since,
    joined,
    news_json,
    object_json,
    others_of,
    parse,
    tab_of,
)
from dash_long_callback.threads import each_in_thread, in_thread

#: Seconds without news after which a stream sends a sign of life: less than the timeouts of
#: proxies, and the time that a client waits before it takes the stream for dead.
BEAT_SECONDS = 10.0
#: Seconds that a stream lasts, at most; then the client begins another.
STREAM_SECONDS = 300.0
#: A sign of life in a stream: a comment, which clients pass over.
BEAT = b":\n\n"

_faults = FaultLog("a stream of updates was cut off")


def updates(request: Request) -> bytes | LargeBody:
    """Answer a client that asks for news.

    Args:
        request: with a body of JSON, ``{"tab": str, "jobs": {id: seq},
            "ahead": {id: [number, bool]}, "others": {id: seq}, "hidden": bool, "pace": bool,
            "stream": bool}``; all but two may be left out.

    Returns:
        JSON ``{"jobs": {id: news or null}, "after": seconds}``; null for an unknown job. If there
        is one, ``"owner"``: the page tells by it whether it is its user who has changed. If there
        is news of ``"others"``, ``"moved": {id: [seq, whether it has ended]}``. If it was not held,
        and the server is busy, ``"least"``: seconds before which it must not ask in any case.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists.
        OwnerUnknown: if the owner can't be found out.
        StoreError: if a store can't be read.
    """
    poll = _Poll(request)
    if poll.at_once:
        return poll.paced()
    with poll.waiting() as following:
        if not following.waits:
            return poll.paced()
        if poll.news:
            poll.place()
        else:
            poll.found |= following.wait(poll.pacer.pacing.hold, following.fresh)
    return poll.held()


async def updates_async(request: Request) -> bytes | LargeBody | AsyncGenerator[bytes]:
    """As ``updates``: a request that waits costs a coroutine, and the event loop never waits.

    Returns:
        The JSON, or server-sent events, each with such JSON, for a client that takes a stream.
    """
    at_end(pacer_of(request.app).end)
    poll = await in_thread(_Poll, request)
    if poll.at_once:
        return await in_thread(poll.paced)
    if poll.streams and poll.pacer.pacing.stream:
        return _stream(poll)
    with poll.waiting() as following:
        if not following.waits:
            return await in_thread(poll.paced)
        if poll.news:
            await in_thread(poll.place)
        else:
            poll.found |= await following.wait_async(poll.pacer.pacing.hold, following.fresh)
    return poll.held()


async def _stream(poll: _Poll) -> AsyncGenerator[bytes]:
    with poll.waiting() as following:
        if not following.waits:
            async for part in _event(await in_thread(poll.paced)):
                yield part
            return
        # At once, even if nothing is new: the client sees that no proxy keeps its stream back.
        async for part in _event(poll.answer(poll.news, 0)):
            yield part
        following.see(poll.news)
        until = time.monotonic() + STREAM_SECONDS
        note_at = time.monotonic() + BEAT_SECONDS
        while following.waits and poll.own(following.jobs) and (now := time.monotonic()) < until:
            try:
                found = await following.wait_async(BEAT_SECONDS, following.fresh)
                if now >= note_at:
                    note_at = now + BEAT_SECONDS
                    await in_thread(poll.note_presence)
            except Exception as error:
                _faults.failed(error, traceback=not isinstance(error, StoreError))
                return  # the client asks again, and is told
            _faults.succeeded()
            news = following.news(found)
            if not news:
                yield BEAT
                continue
            async for part in _event(poll.answer(news, 0)):
                yield part
            following.see(news)
            # With many streams, each sends less often; what came meanwhile goes together.
            if (pause := poll.pacer.after(0, poll.capacity, poll.own(following.jobs))) > 0:
                await asyncio.sleep(pause)


async def _event(data: bytes | LargeBody) -> AsyncGenerator[bytes]:
    if isinstance(data, bytes):
        yield b"data: " + data + b"\n\n"
        return
    event = LargeBody([b"data: ", *data.pieces, b"\n\n"])
    async for part in each_in_thread(event.read()):
        yield part


class _Poll:
    """What a client asks, and what was known when it came."""

    def __init__(self, request: Request) -> None:
        body = parse(request.body)
        self.pacer, self.capacity = pacer_of(request.app), request.capacity
        #: Whether the page may know what the exceptions of jobs that failed say.
        self.details = internals.shows_errors(request.app)
        self.tab = tab_of(body)
        self.hidden = bool(body.get("hidden"))
        #: Whether the request must not wait: other tabs of the browser use its connections.
        self.paces = self.hidden or bool(body.get("pace"))
        if self.paces:
            self.pacer.let_go(self.tab)  # a server with threads does not see that it has gone
        self.streams = bool(body.get("stream"))
        self.jobs = jobs_since(body)
        #: What the client knows of where those are that wait, if it wants to.
        self.ahead = ahead_of(body)
        self.owner = owner_of(request.app)
        self.found: dict[str, News] = {}
        #: The jobs of each manager that knows some.
        self.parts = self._find(request, self.jobs)
        if not self.found:
            raise JobNotFound(owner=self.owner)
        #: Jobs of other tabs, whose requests do not wait: this one tells when there is news.
        others = {} if self.paces else others_of(body)
        parts = self._find(request, {i: seq for i, seq in others.items() if i not in self.jobs})
        self.others = {i: seq for part in parts.values() for i, seq in part.items()}
        self._followed = {
            manager: self.parts.get(manager, {}) | parts.get(manager, {})
            for manager in [*self.parts, *(parts.keys() - self.parts.keys())]
        }
        self._end_with_page = {
            manager: [job.id for job in manager.end_with_page(self.found[i].job for i in part)]
            for manager, part in self.parts.items()
        }
        self.note_presence()

    def _find(self, request: Request, jobs: Mapping[str, int]) -> dict[Manager, dict[str, int]]:
        """Look up the jobs of each manager, and see that they can end."""
        asked = {i: seq for i, seq in jobs.items() if is_job_id(i)}
        parts: dict[Manager, dict[str, int]] = {}
        for manager in request.managers:
            left = {i: seq for i, seq in asked.items() if i not in self.found}
            if left and (known := manager.news(left, self.owner)):
                self.found |= known
                parts[manager] = {i: left[i] for i in known}
                manager.check_liveness(known.values())
                # Whoever ran these jobs may have gone since; then this process may have to lead.
                manager.ensure_running()
        return parts

    def own(self, jobs: Iterable[str]) -> list[str]:
        """Those of the jobs that the client itself waits for."""
        return [i for i in jobs if i in self.jobs]

    @contextmanager
    def waiting(self) -> Generator[Following]:
        """Follow the jobs while the block runs, which may wait as long as somebody does."""
        with (
            Following(self._followed, self.owner, self.ahead, self.others) as following,
            self.pacer.hold(self.tab, following, self.capacity),
        ):
            yield following

    def note_presence(self) -> None:
        """Note that the page is there."""
        for manager, job_ids in self._end_with_page.items():
            for job_id in self.pacer.presence_due(job_ids):
                manager.store.note_presence(job_id, self.pacer.pacing.presence)

    @property
    def news(self) -> dict[str, News | None]:
        """What there is to tell."""
        return news_since(self.jobs | self.others, self.found, self.ahead) | self._lost

    @property
    def at_once(self) -> bool:
        """Whether to answer without a wait for news, and to have the client wait."""
        return self.paces or bool(self._lost)

    @property
    def _lost(self) -> dict[str, News]:
        # Jobs of which the client says that it has seen what there is not. If that is true, their
        # store has lost something; news that it has not seen yet might not come for long.
        found = {i: self.found[i] for i in self.own(self.found)}
        return {i: news for i, news in found.items() if self.jobs[i] > news.job.seq}

    def place(self) -> None:
        """Look where jobs wait, if the client wants to know."""
        if self.ahead is not None:
            for manager, part in self.parts.items():
                self.found |= {i: manager.placed(self.found[i]) for i in part}

    def answer(
        self, news: Mapping[str, News | None], after: float, least: float = 0
    ) -> bytes | LargeBody:
        """JSON for the client; None means that nobody knows the job."""
        own = {i: news[i] for i in self.own(news)}
        jobs = {
            i: [b"null"] if one is None else news_json(one, details=self.details)
            for i, one in own.items()
        }
        moved = {
            i: [one.job.seq, one.job.state.ended]
            for i, one in news.items()
            if i in self.others and one is not None
        }
        more: dict[str, object] = {"after": after}
        more |= {"moved": moved} if moved else {}
        more |= {"least": least} if least else {}
        more |= {"owner": self.owner} if None in own.values() else {}
        fields = {name: [json.dumps(value).encode()] for name, value in more.items()}
        return joined(object_json({"jobs": object_json(jobs), **fields}))

    def held(self) -> bytes | LargeBody:
        """The answer for a client that may ask again as soon as others leave room."""
        return self.answer(self.news, self._after(0))

    def paced(self) -> bytes | LargeBody:
        """The answer for a client that is told to wait before it asks again."""
        self.place()
        now, jobs = time.time(), self._running.values()
        seconds = min((pacing.pace(now - job.created, job.interval) for job in jobs), default=0)
        if self.hidden:
            seconds = max(seconds, self.pacer.pacing.hidden)
        least = self._after(0)
        return self.answer(self.news, max(seconds, least) if self._running else 0, least)

    def _after(self, seconds: float) -> float:
        running = self._running
        return self.pacer.after(seconds, self.capacity, running) if running else 0

    @property
    def _running(self) -> dict[str, Job]:
        jobs = {i: self.found[i].job for i in self.own(self.found)}
        return {i: job for i, job in jobs.items() if not job.state.ended}


ROUTE = Route("updates", FaultLog("pages can't be told of their jobs"), updates, updates_async)
