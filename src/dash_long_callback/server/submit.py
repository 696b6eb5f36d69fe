"""A click arrives: callback + arguments + context → a job, or its outcome if there is one."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from dash_long_callback import dash_internals
from dash_long_callback.errors import CacheByFailed, StoreError
from dash_long_callback.jobs import Failed, Job, new_job_id
from dash_long_callback.managers.base import News
from dash_long_callback.server import pacing
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.wire import news_json, object_json, result_json

if TYPE_CHECKING:
    from dash_long_callback.callbacks import LongCallback
    from dash_long_callback.managers.base import Manager

log = logging.getLogger("dash_long_callback")


def submit(callback: LongCallback, context: Any, app_manager: Manager) -> bytes:
    """Start a job. Called by Dash's dispatch in place of the user's function.

    Args:
        callback: the callback that was triggered.
        context: Dash's callback context of the request.
        app_manager: the manager of the app that got the request.

    Returns:
        JSON: the job's id, its news if there are any yet, and the seconds until the client asks.
    """
    manager = callback.options.manager or app_manager
    travel = manager.context if callback.options.context is None else callback.options.context
    request = dash_internals.to_json_bytes(dash_internals.context_fields(context, travel))
    try:
        sharing = sharing_of(callback, manager, context)
        receipt = manager.submit(callback, request, sharing)
    except (CacheByFailed, StoreError) as error:
        log.exception("%s can't be started", callback.name)
        return _refused(callback, error)
    job_id = json.dumps(receipt.job_id).encode()
    if receipt.result is not None:
        return object_json({"job": job_id, "news": result_json(receipt.result), "after": b"0"})
    found = manager.wait(
        {receipt.job_id: 0},
        pacing.SUBMIT_SECONDS,
        lambda found: all(news.job.state.ended for news in found.values()),
    )
    return object_json(
        {
            "job": job_id,
            "news": news_json(found[receipt.job_id]),
            "after": json.dumps(pacing.PACE_MIN).encode(),
        }
    )


def _refused(callback: LongCallback, error: Exception) -> bytes:
    # As a job that failed: the page tells why also where Flask, without debug, answers just "500".
    job = Job(new_job_id(), callback.key)
    job.end(Failed(type(error).__name__, str(error)))
    news = news_json(News(job, [], None))
    return object_json({"job": json.dumps(job.id).encode(), "news": news, "after": b"0"})
