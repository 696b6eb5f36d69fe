"""“What is new on these jobs since …?” Read-only, idempotent, may wait."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dash_long_callback.errors import JobNotFound
from dash_long_callback.server import pacing
from dash_long_callback.server.wire import jobs_since, news_json, object_json, parse

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from dash_long_callback.managers.base import Manager, News

holds = pacing.Holds()


def updates(body: bytes, managers: Sequence[Manager], room: int) -> bytes:
    """Answer a client that asks for news.

    Args:
        body: JSON ``{"tab": str, "jobs": {id: seq}}``.
        managers: all that may know the jobs.
        room: how many requests this process may hold.

    Returns:
        JSON ``{"jobs": {id: news or null}, "after": seconds}``; null for an unknown job.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists.
        StoreError: if the store can't be read.
    """
    question = _Question(body, managers)
    with question.hold(room) as hold:
        if hold is not None:
            question.found = question.manager.wait(
                question.jobs, pacing.HOLD_SECONDS, question.enough, lambda: hold.wanted
            )
    return question.answer()


async def updates_async(body: bytes, managers: Sequence[Manager]) -> bytes:
    """As ``updates``: a request that waits costs a coroutine, and the event loop never waits."""
    question = await asyncio.to_thread(_Question, body, managers)
    with question.hold(pacing.HOLDS_ASYNC) as hold:
        if hold is not None:
            question.found = await question.manager.wait_async(
                question.jobs, pacing.HOLD_SECONDS, question.enough, lambda: hold.wanted
            )
    return await asyncio.to_thread(question.answer)


class _Question:
    """What a client asks, and what is known by now."""

    def __init__(self, body: bytes, managers: Sequence[Manager]) -> None:
        request = parse(body)
        self.tab = str(request.get("tab"))
        self.jobs = jobs_since(request)
        self.found: dict[str, News] = {}
        self._used: dict[Manager, dict[str, News]] = {}
        for manager in managers:
            left = {i: seq for i, seq in self.jobs.items() if i not in self.found}
            if known := manager.news(left):
                self.found |= known
                self._used[manager] = known
                # Whoever ran these jobs may have gone since; then this process may have to lead.
                manager.ensure_running()
        if not self.found:
            raise JobNotFound
        #: Whether the client is told to wait before it asks again.
        self._paced = False

    @property
    def manager(self) -> Manager:
        """The one that knows the jobs."""
        return next(iter(self._used))

    def enough(self, found: dict[str, News]) -> bool:
        """Whether there is something to tell."""
        new = any(news.job.seq > self.jobs[i] for i, news in found.items())
        return new or len(found) < len(self.jobs)

    @contextmanager
    def hold(self, room: int) -> Generator[pacing.Hold | None]:
        """A place to wait, if there is a reason to wait and room for it."""
        # Waiting is for the news of one store; jobs of several managers are asked about in turn.
        self._paced = len(self._used) > 1 or room == 0
        if self._paced or self.enough(self.found):
            yield None
            return
        with holds.hold(self.tab, room) as hold:
            self._paced = hold is None
            yield hold

    def answer(self) -> bytes:
        """JSON for the client."""
        if self._paced:
            for manager, known in self._used.items():
                manager.look(known.values())
        answer = {i: news_json(self.found[i]) if i in self.found else b"null" for i in self.jobs}
        after = _after(self.found) if self._paced else 0.0
        return object_json({"jobs": object_json(answer), "after": json.dumps(after).encode()})


def _after(found: Mapping[str, News]) -> float:
    now = time.time()
    running = [news.job for news in found.values() if not news.job.state.ended]
    return min((pacing.pace(now - job.created, job.interval) for job in running), default=0.0)
