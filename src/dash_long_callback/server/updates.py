"""“What is new on these jobs since …?” Read-only, idempotent, may wait."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from dash_long_callback.errors import JobNotFound
from dash_long_callback.server import pacing
from dash_long_callback.server.wire import jobs_since, news_json, object_json, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dash_long_callback.managers.base import Manager, News

holds = pacing.Holds()


def updates(body: bytes, managers: Sequence[Manager], environ: Mapping[str, Any]) -> bytes:
    """Answer a client that asks for news.

    Args:
        body: JSON ``{"tab": str, "jobs": {id: seq}}``.
        managers: all that may know the jobs.
        environ: the WSGI environment, which says whether the server has threads.

    Returns:
        JSON ``{"jobs": {id: news or null}, "after": seconds}``; null for an unknown job.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists.
    """
    request = parse(body)
    jobs = jobs_since(request)
    found: dict[str, News] = {}
    used: dict[Manager, dict[str, News]] = {}
    for manager in managers:
        if known := manager.news({i: seq for i, seq in jobs.items() if i not in found}):
            found |= known
            used[manager] = known
            # Whoever ran these jobs may have gone since; then this process may have to lead.
            manager.ensure_running()
    if not found:
        raise JobNotFound
    # Waiting is for the news of one store; jobs of several managers are asked about in turn.
    waits = len(used) == 1 and len(found) == len(jobs) and bool(environ.get("wsgi.multithread"))
    if waits and not _anything(found, jobs):
        with holds.hold(str(request.get("tab")), environ) as hold:
            waits = hold is not None
            if hold is not None:
                found = next(iter(used)).wait(
                    jobs,
                    pacing.HOLD_SECONDS,
                    lambda found: len(found) < len(jobs) or _anything(found, jobs),
                    lambda: hold.wanted,
                )
    if not waits:
        for manager, known in used.items():
            manager.look(known.values())
    answer = {i: news_json(found[i]) if i in found else b"null" for i in jobs}
    after = 0.0 if waits else _after(found)
    return object_json({"jobs": object_json(answer), "after": json.dumps(after).encode()})


def _anything(found: dict[str, News], jobs: Mapping[str, int]) -> bool:
    return any(news.job.seq > jobs[i] for i, news in found.items())


def _after(found: Mapping[str, News]) -> float:
    now = time.time()
    running = [news.job for news in found.values() if not news.job.state.ended]
    return min((pacing.pace(now - job.created, job.interval) for job in running), default=0.0)
