"""What can't be done, as clients are told it: ``application/problem+json`` of RFC 9457."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException

from dash_long_callback.errors import (
    BadCall,
    BadRequest,
    InternalError,
    JobNotFound,
    LimitReached,
    OwnerUnknown,
    StoreError,
    UserError,
)
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.http_api.replies import Reply

CONTENT_TYPE = "application/problem+json"
#: What the type of each problem begins with. It is a name, and no address.
TYPE = "urn:dash-long-callback:problem:"
#: Seconds after which to try again: if a limit is reached, and if a store is away.
LIMIT_SECONDS, STORE_SECONDS = 5, 2

_faults = FaultLog("a request to the HTTP API failed")


class Problem(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        kind: the end of its type; ``""``: the status says all.
        detail: what is wrong, and what to do.
        headers: more of the answer.
        **more: more of the JSON.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers, self.more = headers or {}, more

    def reply(self) -> Reply:
        """The answer."""
        body = {
            "type": TYPE + self.kind if self.kind else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        headers = {"Content-Type": CONTENT_TYPE, **self.headers}
        return Reply(self.status, json.dumps(body).encode(), headers)


def problem_of(error: Exception) -> Problem:
    """How an error is told; the log has what a client must not know."""
    match error:
        case Problem():
            return error
        case BadRequest():
            return Problem(error.status, "", str(error))
        case JobNotFound():
            return Problem(404, "job-not-found", "no such job: it never existed or has expired")
        case BadCall():
            argument = {} if error.argument is None else {"argument": error.argument}
            return Problem(422, "bad-arguments", error.problem, None, **argument)
        case UserError():
            return Problem(422, "refused", str(error))
        case LimitReached():
            detail = "as many of these run, or have started lately, as may; try again later"
            return Problem(429, "limit-reached", detail, {"Retry-After": str(LIMIT_SECONDS)})
        case OwnerUnknown() | StoreError():
            _faults.failed(error)
            detail = "the server can't do this at the moment; try again. Its log has the details"
            return Problem(503, "unavailable", detail, {"Retry-After": str(STORE_SECONDS)})
        case HTTPException(code=int(status)):  # the server's own, such as a body above its limit
            return Problem(status, "", str(error.description or HTTPStatus(status).phrase))
        case _:
            _faults.failed(error, traceback=True)
            return Problem(500, "", str(InternalError()))
