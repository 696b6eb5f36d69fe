"""A click arrives: callback + arguments + context → a job, or its outcome if there is one."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dash_long_callback.dash import declaration, internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.ends import refusal
from dash_long_callback.errors import JobNotStarted, OwnerChanged, OwnerUnknown, StoreError
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import Changed, End, Failed, Job, is_job_id, new_job_id, transition
from dash_long_callback.managers.base import Manager, News, Receipt
from dash_long_callback.managers.following import Following
from dash_long_callback.server import pacing
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.pacing import Capacity, pacer_of
from dash_long_callback.server.sharing import sharing_of
from dash_long_callback.server.terms import terms_of
from dash_long_callback.server.wire import Piece, news_json, object_json, result_json, whole
from dash_long_callback.stores.large_results import LargeResult
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


@dataclass(frozen=True)
class Click:
    """A click on its way to an answer. Dash's dispatch makes one in place of calling the function.

    Attributes:
        callback: the callback that was triggered.
        context: Dash's callback context of the request.
        app: that got the request.
        capacity: what the server can do.
    """

    callback: LongCallback
    context: Any
    app: Any
    capacity: Capacity

    def submit(self) -> bytes:
        """Start a job.

        Returns:
            JSON: the job's id, its news if there are any yet, the seconds until the client asks,
            and the owner.
        """
        receipt = self._receipt()
        if isinstance(receipt, bytes):
            return receipt
        try:
            with self._waiting(receipt) as (following, seconds):
                found = following.wait(seconds, _is_enough)
            answer = self._answer(receipt.job_id, found)
        except Exception as error:
            answer = _without_news(receipt.job_id, error)
        return _with_owner(answer, receipt.owner)

    async def submit_async(self) -> bytes:
        """As ``submit``, for an event loop, which never waits for the store or a broker."""
        receipt = await in_thread(self._receipt)
        if isinstance(receipt, bytes):
            return receipt
        try:
            with self._waiting(receipt) as (following, seconds):
                found = await following.wait_async(seconds, _is_enough)
            if any(isinstance(news.response, LargeResult) for news in found.values()):
                answer = await in_thread(self._answer, receipt.job_id, found)
            else:
                answer = self._answer(receipt.job_id, found)
        except Exception as error:
            answer = _without_news(receipt.job_id, error)
        return _with_owner(answer, receipt.owner)

    def begin(self) -> str:
        """Start a job for Dash's MCP server, which waits for nothing and asks ``Tasks`` later.

        Returns:
            JSON: the names of the job, signed.

        Raises:
            Exception: whatever keeps it from being started.
        """
        owner, name = owner_of(self.app), new_job_id()
        started = self._start(name, owner, share=False)
        if not isinstance(started, Receipt):
            raise JobNotStarted(getattr(started, "message", "") or "the app has changed since")
        return json.dumps(internals.task_names(self.app, started.job_id))

    @property
    def _manager(self) -> Manager:
        return self.callback.options.manager or self.app.long_callback_manager

    @contextmanager
    def _waiting(self, receipt: Receipt) -> Generator[tuple[Following, float]]:
        """Follow the job while the block runs, which may wait for so many seconds."""
        with (
            Following({self._manager: {receipt.job_id: 0}}, receipt.owner) as following,
            pacer_of(self.app).submit(self.capacity) as seconds,
        ):
            yield following, seconds

    def _receipt(self) -> Receipt | bytes:
        """The receipt of a job, or the answer if there is nothing to wait for."""
        given = internals.pop_header(self.context, HEADER)
        name = given if given is not None and is_job_id(given) else new_job_id()
        try:
            owner = owner_of(self.app)
        except OwnerUnknown as error:  # the log says why
            return self._refused(name, refusal(error))
        try:
            started = self._start(name, owner)
        except Exception as error:
            started = refusal(error)
        if isinstance(started, Failed):
            started = self._refused(name, started, owner)
        return _with_owner(started, owner) if isinstance(started, bytes) else started

    def _start(
        self, name: str, owner: str | None, *, share: bool = True
    ) -> Receipt | bytes | Failed:
        clicked_by = internals.pop_header(self.context, OWNER_HEADER)
        if clicked_by is not None and clicked_by != owner:
            raise OwnerChanged
        declared = internals.pop_header(self.context, declaration.HEADER)
        callback, manager = self.callback, self._manager
        travels = (callback.options.context, callback.conventions.context, manager.context)
        travel = next(names for names in travels if names is not None)
        fields = internals.context_fields(self.context, travel)
        if declared:
            fields["declared"] = declared
        if not callback.is_current(fields):
            return Changed()
        request = internals.plain_json(fields)
        sharing = sharing_of(callback, manager, self.context) if share else None
        terms = terms_of(callback, self.context, owner)
        call = callback.call(request, sharing, owner, name, terms)
        receipt = manager.submit(call, pacer_of(self.app).pacing.presence)
        if receipt.result is None:
            return receipt
        return _json(receipt.job_id, result_json(receipt.result))

    def _answer(self, job_id: str, found: dict[str, News]) -> bytes:
        news = found.get(job_id)
        if news is None or (
            isinstance(news.response, LargeResult) and news.response.size > ANSWER_BYTES
        ):
            return _without_news(job_id)
        # A job that has updates already may go on to have many.
        after = 0 if news.updates and self.capacity.holds else pacing.PACE_MIN
        answer = _json(job_id, news_json(news, details=internals.shows_errors(self.app)), after)
        _waiting.succeeded()
        return answer

    def _refused(self, name: str, outcome: Failed, owner: str | None = None) -> bytes:
        # As a job that failed, of the name that the page gave it: so both have the same number.
        call = self.callback.call(b"", owner=owner, job_id=name)
        refused = transition(call.job, End(outcome), time.time())
        assert refused is not None
        job = refused.job
        log_end(job)
        return _json(
            job.id, news_json(News(job, [], None), details=internals.shows_errors(self.app))
        )


def _is_enough(found: dict[str, News]) -> bool:
    # Not only at the end: a job that has an update has begun what takes longer, and its next one
    # replaces this.
    return all(news.job.state.ended or news.updates for news in found.values())


def _without_news(job_id: str, error: Exception | None = None) -> bytes:
    """There is a job, but no news of it yet: the page is to ask for them."""
    if error is not None:
        _waiting.failed(error, traceback=not isinstance(error, StoreError))
    news = news_json(News(Job(job_id, ""), [], None))
    return _json(job_id, news, 0 if error is None else pacing.PACE_MIN)


def _with_owner(answer: bytes, owner: str | None) -> bytes:
    # Copied once only, as it may be large.
    return b"".join([memoryview(answer)[:-1], b',"owner":', json.dumps(owner).encode(), b"}"])


def _json(job_id: str, news: list[Piece], after: float = 0) -> bytes:
    job, seconds = json.dumps(job_id).encode(), json.dumps(after).encode()
    return whole(object_json({"job": [job], "news": news, "after": [seconds]}))
