"""``POST {prefix}/callbacks/{name}``: JSON arguments → a job."""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import datetime
from typing import Any

from dash_long_callback.calls import start as calls
from dash_long_callback.calls.arguments import values_of
from dash_long_callback.dash import internals
from dash_long_callback.errors import JobNotFound
from dash_long_callback.http_api.jobs import number, shown
from dash_long_callback.http_api.problems import Problem
from dash_long_callback.http_api.replies import Result
from dash_long_callback.http_api.service import Asked, Served
from dash_long_callback.jobs import new_job_id
from dash_long_callback.managers.base import Receipt
from dash_long_callback.server.responder import check_type
from dash_long_callback.server.wire import parse

#: Bytes of a request: arguments are what a page has in its components, and no files.
MAX_BODY = 1 << 20
#: What a client may call a request: printable, and no longer than it has to be.
_KEY = re.compile("[!-~]{1,255}")


def start(asked: Asked, name: str) -> Result:
    """Start a job.

    Raises:
        Problem: if there is no such callback, or the request can't be understood.
        BadRequest: if its body is not a JSON object, or too large.
        BadCall: if the callback can't be called with that.
        LimitReached: if its limit is reached.
        StoreError: if the job can't be stored.
    """
    served = asked.api.callbacks.get(name)
    if served is None:
        raise Problem(404, "no-such-callback", "no such callback: openapi.json has those there are")
    check_type(asked.incoming)
    arguments = parse(asked.body, MAX_BODY)
    values = values_of(served.callback, (), arguments)
    not_before = _not_before(asked)
    manager = served.manager
    manager.ensure_running()
    job_id = _job(asked, served, arguments, values, not_before)
    followed = asked.follow(manager, job_id)
    news = followed.news()
    if news is None:
        raise JobNotFound  # it was kept for less time than this took
    return shown(asked, followed, served, news, begun=True)


def _not_before(asked: Asked) -> float | None:
    """When the job may begin."""
    query = asked.incoming.query
    delay, at = query.get("delay"), query.get("at")
    seconds = None if delay is None else number(delay)
    if delay is not None and seconds is None:
        raise Problem(400, "", f"delay={delay!r:.40} must be a number of seconds")
    try:
        # A "+" in a query is a space, unless it is escaped.
        when = (
            None
            if at is None
            else datetime.fromisoformat(at.replace(" ", "+").replace("Z", "+00:00"))
        )
        return calls.moment(seconds, when, "the query")
    except (TypeError, ValueError, OverflowError) as error:
        text = str(error) if isinstance(error, TypeError) else f"at={at!r:.40} must be a moment"
        raise Problem(400, "", f"{text}, such as at=2030-01-31T12:00:00Z") from error


def _job(
    asked: Asked,
    served: Served,
    arguments: dict[str, Any],
    values: list[Any],
    not_before: float | None,
) -> str:
    """Start a job, unless this is a request that has started one before. Returns its id."""
    key = _key(asked)
    if key is None:
        return _started(asked, served, values, not_before, new_job_id())
    when = {name: asked.incoming.query.get(name) for name in ("delay", "at")}
    what = _hash([served.name, arguments, when])
    job_id, keys = new_job_id(), served.manager.store.request_keys
    claim = keys.claim(key, job_id, what)
    if claim.asked != what:
        detail = (
            "this Idempotency-Key was sent with another request; take a new one for each request"
        )
        raise Problem(422, "key-reused", detail)
    if claim.job_id != job_id:
        if served.manager.job(claim.job_id, asked.owner) is not None:
            return claim.job_id
        if claim.stored:
            detail = "the job of this Idempotency-Key has expired; take a new key to start another"
            raise Problem(410, "job-expired", detail)
    # Whoever has claimed it before may be about to do the same: it is created once.
    found = _started(asked, served, values, not_before, claim.job_id)
    keys.note_stored(key, claim, max(0.0, (not_before or 0.0) - time.time()))
    return found


def _key(asked: Asked) -> str | None:
    """The key of a request, made one of its user's; None if it has none."""
    given = asked.incoming.headers.get("Idempotency-Key")
    if given is None:
        return None
    if _KEY.fullmatch(given) is None:
        raise Problem(
            400, "", "Idempotency-Key must be 1 to 255 printable characters, such as a UUID"
        )
    return _hash(["request key", asked.owner, given])


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _started(
    asked: Asked, served: Served, values: list[Any], not_before: float | None, job_id: str
) -> str:
    context = internals.request_context(asked.api.app)
    # A token would be kept with the job, for whoever can read the store.
    internals.pop_header(context, "authorization")
    receipt = calls.start(
        served.callback,
        values,
        owner=asked.owner,
        request=internals.request_fields(context),
        not_before=not_before,
        job_id=job_id,
    )
    _keep_answer(served, receipt)
    return receipt.job_id


def _keep_answer(served: Served, receipt: Receipt) -> None:
    """Have a call that a kept result has answered be a job as others are."""
    if receipt.result is not None:
        # What shares, waits and counts is of no use any more.
        job = served.callback.call(b"", owner=receipt.owner, job_id=receipt.job_id).job
        served.manager.keep_answer(job, receipt.result)
