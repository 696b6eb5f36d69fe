"""A click arrives: callback + arguments + context → a job, or its outcome if there is one."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from dash_long_callback import dash_internals
from dash_long_callback.errors import CacheByFailed, StoreError
from dash_long_callback.jobs import Failed, Job, new_job_id
from dash_long_callback.managers.base import News
from dash_long_callback.managers.following import Following
from dash_long_callback.server import pacing
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.wire import news_json, object_json, result_json

if TYPE_CHECKING:
    from dash_long_callback.callbacks import LongCallback
    from dash_long_callback.managers.base import Manager, Receipt
    from dash_long_callback.server.pacing import Pacer, Room

log = logging.getLogger("dash_long_callback")

#: A client names its job here: 192 random bits. One that got no answer sends the same request
#: again, and does not start a second job.
HEADER = "x-long-callback-job"
_NAME = re.compile("[A-Za-z0-9_-]{32}")


def submit(
    callback: LongCallback, context: Any, app_manager: Manager, pacer: Pacer, room: Room
) -> bytes:
    """Start a job. Called by Dash's dispatch in place of the user's function.

    Args:
        callback: the callback that was triggered.
        context: Dash's callback context of the request.
        app_manager: the manager of the app that got the request.
        pacer: of that app.
        room: what the server can do.

    Returns:
        JSON: the job's id, its news if there are any yet, and the seconds until the client asks.
    """
    manager = callback.options.manager or app_manager
    receipt = _start(callback, context, manager, pacer)
    if isinstance(receipt, bytes):
        return receipt
    with Following({manager: {receipt.job_id: 0}}) as following, pacer.submit(room) as seconds:
        return _answer(receipt.job_id, following.wait(seconds, _telling), room)


async def submit_async(
    callback: LongCallback, context: Any, app_manager: Manager, pacer: Pacer, room: Room
) -> bytes:
    """As ``submit``, for an event loop, which never waits for the store or a broker."""
    manager = callback.options.manager or app_manager
    receipt = await asyncio.to_thread(_start, callback, context, manager, pacer)
    if isinstance(receipt, bytes):
        return receipt
    with Following({manager: {receipt.job_id: 0}}) as following, pacer.submit(room) as seconds:
        return _answer(receipt.job_id, await following.wait_async(seconds, _telling), room)


def _start(callback: LongCallback, context: Any, manager: Manager, pacer: Pacer) -> Receipt | bytes:
    """The receipt of a job, or the answer if there is nothing to wait for."""
    name = dash_internals.pop_header(context, HEADER)
    travel = manager.context if callback.options.context is None else callback.options.context
    request = dash_internals.to_json_bytes(dash_internals.context_fields(context, travel))
    try:
        sharing = sharing_of(callback, manager, context)
        named = name if name is not None and _NAME.fullmatch(name) else None
        receipt = manager.submit(callback, request, sharing, named, pacer.pacing.wanted)
    except (CacheByFailed, StoreError) as error:
        log.exception("%s can't be started", callback.name)
        return _refused(callback, error)
    if receipt.result is None:
        return receipt
    job_id = json.dumps(receipt.job_id).encode()
    return object_json({"job": job_id, "news": result_json(receipt.result), "after": b"0"})


def _telling(found: dict[str, News]) -> bool:
    # Not only at the end: a job that tells something has begun what takes longer, and what it
    # tells next replaces this.
    return all(news.job.state.ended or news.updates for news in found.values())


def _answer(job_id: str, found: dict[str, News], room: Room) -> bytes:
    # A job that tells something already may go on to do so often.
    after = 0 if found[job_id].updates and room.holds else pacing.PACE_MIN
    return object_json(
        {
            "job": json.dumps(job_id).encode(),
            "news": news_json(found[job_id]),
            "after": json.dumps(after).encode(),
        }
    )


def _refused(callback: LongCallback, error: Exception) -> bytes:
    # As a job that failed: the page tells why also where Flask, without debug, answers just "500".
    job = Job(new_job_id(), callback.key)
    job.end(Failed(type(error).__name__, str(error)))
    news = news_json(News(job, [], None))
    return object_json({"job": json.dumps(job.id).encode(), "news": news, "after": b"0"})
