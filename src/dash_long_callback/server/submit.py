"""A click arrives: callback + arguments + context → a job, or its outcome if there is one."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from dash_long_callback.dash import declaration, internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.ends import log_end, refusal
from dash_long_callback.errors import OwnerChanged, OwnerUnknown, StoreError
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import Changed, End, Failed, Job, is_job_id, new_job_id, transition
from dash_long_callback.managers.base import Manager, News, Receipt
from dash_long_callback.managers.following import Following
from dash_long_callback.server import pacing
from dash_long_callback.server.client import ANYBODY, Client
from dash_long_callback.server.pacing import Capacity, Pacer
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.wire import Piece, news_json, object_json, result_json, whole
from dash_long_callback.stores.job_store import LargeResult
from dash_long_callback.threads import in_thread

#: A client names its job here: 192 random bits. One that got no answer sends the same request
#: again, and does not start a second job.
HEADER = "x-long-callback-job"
#: And here whose the page was when somebody clicked, if it sends the click later than at once:
#: again, as no answer came, after a reload, or after another job. It must not run as another's.
OWNER_HEADER = "x-long-callback-owner"
#: Bytes of a result that is part of the answer to a click: Dash's dispatch has an answer in memory
#: as a whole. The page asks for a larger one, and gets it in pieces.
ANSWER_BYTES = 1 << 20

_waiting = FaultLog("a click could not wait for its job")


def submit(
    callback: LongCallback,
    context: Any,
    app_manager: Manager,
    pacer: Pacer,
    capacity: Capacity,
    client: Client = ANYBODY,
) -> bytes:
    """Start a job. Called by Dash's dispatch in place of the user's function.

    Args:
        callback: the callback that was triggered.
        context: Dash's callback context of the request.
        app_manager: the manager of the app that got the request.
        pacer: of that app.
        capacity: what the server can do.
        client: who clicked.

    Returns:
        JSON: the job's id, its news if there are any yet, the seconds until the client asks, and
        the owner.
    """
    manager = callback.options.manager or app_manager
    receipt = _started(callback, context, manager, pacer, client)
    if isinstance(receipt, bytes):
        return receipt
    jobs = {manager: {receipt.job_id: 0}}
    try:
        with Following(jobs, receipt.owner) as following, pacer.submit(capacity) as seconds:
            found = following.wait(seconds, _telling)
        answer = _answer(receipt.job_id, found, capacity, client)
    except Exception as error:
        answer = _unheard(receipt.job_id, error)
    return _with_owner(answer, receipt.owner)


async def submit_async(
    callback: LongCallback,
    context: Any,
    app_manager: Manager,
    pacer: Pacer,
    capacity: Capacity,
    client: Client = ANYBODY,
) -> bytes:
    """As ``submit``, for an event loop, which never waits for the store or a broker."""
    manager = callback.options.manager or app_manager
    receipt = await in_thread(_started, callback, context, manager, pacer, client)
    if isinstance(receipt, bytes):
        return receipt
    jobs = {manager: {receipt.job_id: 0}}
    try:
        with Following(jobs, receipt.owner) as following, pacer.submit(capacity) as seconds:
            found = await following.wait_async(seconds, _telling)
        if any(isinstance(news.response, LargeResult) for news in found.values()):
            answer = await in_thread(_answer, receipt.job_id, found, capacity, client)
        else:
            answer = _answer(receipt.job_id, found, capacity, client)
    except Exception as error:
        answer = _unheard(receipt.job_id, error)
    return _with_owner(answer, receipt.owner)


def _started(
    callback: LongCallback, context: Any, manager: Manager, pacer: Pacer, client: Client
) -> Receipt | bytes:
    """The receipt of a job, or the answer if there is nothing to wait for."""
    given = internals.pop_header(context, HEADER)
    name = given if given is not None and is_job_id(given) else new_job_id()
    try:
        owner = client.owner()
    except OwnerUnknown as error:  # the log says why
        return _refused(callback, name, refusal(error), client)
    try:
        answer = _start(callback, context, manager, pacer, name, owner)
    except Exception as error:
        answer = refusal(error)
    if isinstance(answer, Failed):
        answer = _refused(callback, name, answer, client)
    return _with_owner(answer, owner) if isinstance(answer, bytes) else replace(answer, owner=owner)


def _start(
    callback: LongCallback,
    context: Any,
    manager: Manager,
    pacer: Pacer,
    name: str,
    owner: str | None,
) -> Receipt | bytes | Failed:
    asker = internals.pop_header(context, OWNER_HEADER)
    if asker is not None and asker != owner:
        raise OwnerChanged
    declared = internals.pop_header(context, declaration.HEADER)
    travel = manager.context if callback.options.context is None else callback.options.context
    fields = internals.context_fields(context, travel)
    if declared:
        fields["declared"] = declared
    if not callback.is_current(fields):
        return Changed()
    request = internals.plain_json(fields)
    call = callback.call(request, sharing_of(callback, manager, context), owner, name)
    receipt = manager.submit(call, pacer.pacing.wanted)
    return receipt if receipt.result is None else _json(receipt.job_id, result_json(receipt.result))


def _telling(found: dict[str, News]) -> bool:
    # Not only at the end: a job that tells something has begun what takes longer, and what it
    # tells next replaces this.
    return all(news.job.state.ended or news.updates for news in found.values())


def _answer(job_id: str, found: dict[str, News], capacity: Capacity, client: Client) -> bytes:
    news = found.get(job_id)
    if news is None:
        return _unheard(job_id)
    if isinstance(news.response, LargeResult) and news.response.size > ANSWER_BYTES:
        return _unheard(job_id)
    # A job that tells something already may go on to do so often.
    after = 0 if news.updates and capacity.holds else pacing.PACE_MIN
    answer = _json(job_id, news_json(news, details=client.details), after)
    _waiting.succeeded()
    return answer


def _unheard(job_id: str, error: Exception | None = None) -> bytes:
    """There is a job, but no news of it yet: the page is to ask for them."""
    if error is not None:
        _waiting.failed(error, traceback=not isinstance(error, StoreError))
    news = news_json(News(Job(job_id, ""), [], None))
    return _json(job_id, news, 0 if error is None else pacing.PACE_MIN)


def _refused(callback: LongCallback, name: str, outcome: Failed, client: Client) -> bytes:
    # As a job that failed, of the name that the page gave it: so that both have the same number.
    refused = transition(callback.call(b"", job_id=name).job, End(outcome), time.time())
    assert refused is not None
    job = refused.job
    log_end(job)
    return _json(job.id, news_json(News(job, [], None), details=client.details))


def _with_owner(answer: bytes, owner: str | None) -> bytes:
    # Copied once only, as it may be large.
    return b"".join([memoryview(answer)[:-1], b',"owner":', json.dumps(owner).encode(), b"}"])


def _json(job_id: str, news: list[Piece], after: float = 0) -> bytes:
    job, seconds = json.dumps(job_id).encode(), json.dumps(after).encode()
    return whole(object_json({"job": [job], "news": news, "after": [seconds]}))
