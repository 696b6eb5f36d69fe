"""Jobs, as clients see them: read, waited for, cancelled."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from werkzeug.http import parse_dict_header

from dash_long_callback.calls.outcome import value_of
from dash_long_callback.calls.updates import Reader
from dash_long_callback.checks import is_finite
from dash_long_callback.dash import internals
from dash_long_callback.http_api.problems import Problem
from dash_long_callback.http_api.replies import Followed, Reply, Result, Waiting
from dash_long_callback.http_api.service import Api, Asked, Served
from dash_long_callback.jobs import Job, State
from dash_long_callback.managers.base import News
from dash_long_callback.server import pacing
from dash_long_callback.server.failures import failure
from dash_long_callback.stores.large_results import LargeResult


def show(asked: Asked, job_id: str) -> Result:
    """``GET {prefix}/jobs/{id}``: how far a job is, and its end.

    Raises:
        Problem: if ``wait`` is not a number.
        JobNotFound: if there is no such job, for this user.
        StoreError: if a store can't be read.
    """
    followed, served, news = asked.find(job_id)
    return shown(asked, followed, served, news)


def cancel(asked: Asked, job_id: str) -> Result:
    """``DELETE {prefix}/jobs/{id}``: cancels a job; one that has ended stays as it is.

    Raises as ``show`` does.
    """
    followed, _, _ = asked.find(job_id)
    followed.manager.cancel(job_id, asked.owner)
    followed, served, news = asked.find(job_id)
    body = job_json(asked.api, served, news, job_id)
    return Reply.json(200 if news.job.state.ended else 202, body)


def shown(
    asked: Asked, followed: Followed, served: Served, news: News, *, begun: bool = False
) -> Result:
    """The answer that has a job in it, after a wait if that was asked for.

    Args:
        asked: the request.
        followed: the job.
        served: its callback.
        news: all there is to know of it now.
        begun: whether this request has started it.
    """

    def reply(news: News) -> Reply:
        headers: dict[str, str] = {}
        if begun:
            headers["Location"] = asked.api.url(f"/jobs/{followed.job_id}")
        if not news.job.state.ended:
            headers["Retry-After"] = str(_retry_after(followed, news.job))
            news = followed.manager.placed(news)
        status = 202 if begun and not news.job.state.ended else 200
        body = job_json(asked.api, served, news, followed.job_id)
        return Reply.json(status, body, headers)

    seconds = min(_wait(asked), followed.pacer.pacing.hold)
    if seconds <= 0 or news.job.state.ended:
        return reply(news)
    return Waiting(followed, seconds, lambda: reply(asked.find(followed.job_id)[2]))


def _wait(asked: Asked) -> float:
    """Seconds that a client wants to wait for the end."""
    given = asked.incoming.query.get("wait")
    if given is None:
        # RFC 7240: what can't be understood of it is as if it was not there.
        preferred = parse_dict_header(asked.incoming.headers.get("Prefer", "")).get("wait")
        return float(preferred) if preferred is not None and preferred.isdecimal() else 0.0
    seconds = number(given)
    if seconds is None or seconds < 0:
        raise Problem(400, "", f"wait={given!r:.40} must be a number of seconds from 0 on")
    return seconds


def number(text: str) -> float | None:
    """A number in a query; None if it is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if is_finite(found) else None


def _retry_after(followed: Followed, job: Job) -> int:
    """Whole seconds after which to ask again."""
    now = time.time()
    pace = pacing.pace(now - job.created, job.interval)
    turn = followed.pacer.after(pace, followed.capacity, [job.id])
    return math.ceil(max(turn, (job.not_before or now) - now))


def job_json(api: Api, served: Served, news: News, job_id: str) -> dict[str, Any]:
    """A job, as clients get it.

    Args:
        api: that has it.
        served: its callback.
        news: all there is to know of it.
        job_id: what the client calls it, who may have joined the job of another.

    Raises:
        StoreError: if its result can't be read.
    """
    job = news.job
    reader = Reader(served.callback)
    for _ in reader.read(news.updates):
        pass
    tracked = reader.tracked()
    shown: dict[str, Any] = {
        "id": job_id,
        "ref": job.ref,
        "callback": served.name,
        "state": job.state.value,
        "created": moment(job.created),
        "not_before": moment(job.not_before),
        "started": moment(job.started),
        "ended": moment(job.ended),
        "attempt": job.failures + 1,
        "progress": reader.progress(),
        "tracked": None if tracked is None else asdict(tracked),
    }
    if news.position is not None:
        shown["ahead"], shown["wait"] = news.position.ahead, news.position.seconds
    if job.state is State.SUCCEEDED:
        shown["result"] = _result(served, news)
    elif job.error is not None and job.state.ended:
        shown["error"] = failure(job, details=internals.shows_errors(api.app))
    url = api.url(f"/jobs/{job_id}")
    return {**shown, "links": {"self": url, "events": f"{url}/events"}}


def _result(served: Served, news: News) -> Any:
    response = news.response
    if isinstance(response, LargeResult):
        response = response.whole()
    return value_of(served.callback, news.updates, response)


def moment(seconds: float | None) -> str | None:
    """A time as RFC 3339 writes it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
