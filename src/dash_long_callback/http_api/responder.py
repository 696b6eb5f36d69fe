"""Gives a request to what answers it, and sends the answer: in a thread, or on an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from dash_long_callback.http_api import events, jobs, openapi, start
from dash_long_callback.http_api.problems import Problem, problem_of
from dash_long_callback.http_api.replies import Reply, Result, Waiting
from dash_long_callback.http_api.service import Api, Asked
from dash_long_callback.server.incoming import Incoming
from dash_long_callback.server.pacing import Capacity, pacer_of
from dash_long_callback.server.responder import STREAM_HEADERS, Answer
from dash_long_callback.server.shutdown import at_end
from dash_long_callback.threads import in_thread

#: All that a client may send: what does not fit its path is refused by us, in words.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATHS = Map(
    [
        Rule("/callbacks/<name>", methods=["POST"], endpoint=start.start),
        Rule("/jobs/<job_id>", methods=["GET"], endpoint=jobs.show),
        Rule("/jobs/<job_id>", methods=["DELETE"], endpoint=jobs.cancel),
        Rule("/jobs/<job_id>/events", methods=["GET"], endpoint=events.events),
        Rule("/openapi.json", methods=["GET"], endpoint=openapi.openapi),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ApiResponder:
    """Answers the requests to an API.

    Args:
        api: what is asked.
    """

    max_body = start.MAX_BODY

    def __init__(self, api: Api) -> None:
        self._api = api

    def answer(self, incoming: Incoming, read: Callable[[], bytes]) -> Answer[Iterator[bytes]]:
        """Answer in a thread, which may wait."""
        try:
            capacity = pacer_of(self._api.app).capacity_wsgi(incoming.environ or {})
            result = self._result(incoming, read, capacity)
            if isinstance(result, Waiting):
                with result.job.held() as following:
                    following.wait(result.seconds, result.is_enough)
                result = result.then()
        except Exception as error:
            result = problem_of(error).reply()
        if isinstance(result, Reply):
            return _answer(result)
        return Answer(200, STREAM_HEADERS, result.parts())

    async def answer_async(
        self, incoming: Incoming, read: Callable[[], Awaitable[bytes]]
    ) -> Answer[AsyncGenerator[bytes]]:
        """As ``answer``, on an event loop, which never waits."""
        pacer = pacer_of(self._api.app)
        at_end(pacer.end)
        try:
            body = await read() if incoming.method == "POST" else b""
            result = await in_thread(self._result, incoming, lambda: body, pacer.capacity_asgi())
            if isinstance(result, Waiting):
                with result.job.held() as following:
                    await following.wait_async(result.seconds, result.is_enough)
                result = await in_thread(result.then)
        except Exception as error:
            result = problem_of(error).reply()
        if isinstance(result, Reply):
            return _answer(result)
        return Answer(200, STREAM_HEADERS, result.parts_async())

    def _result(self, incoming: Incoming, read: Callable[[], bytes], capacity: Capacity) -> Result:
        function, args = _match(incoming)
        name = args.get("name")
        # Who is not let in is not told what there is; nor does the app have to look at any name.
        owner = self._api.guard.owner(incoming, name if name in self._api.callbacks else None)
        body = read() if incoming.method == "POST" else b""
        return function(Asked(self._api, incoming, body, capacity, owner), **args)


def _match(incoming: Incoming) -> tuple[Callable[..., Result], Mapping[str, Any]]:
    try:
        return _PATHS.bind("").match(f"/{incoming.rest}", incoming.method)
    except MethodNotAllowed as error:
        allowed = sorted(error.valid_methods or ())
        detail = f"this path takes {' and '.join(allowed)}"
        raise Problem(405, "", detail, {"Allow": ", ".join(allowed)}) from error
    except NotFound as error:
        raise Problem(404, "", "there is no such path: openapi.json has those there are") from error


def _answer(reply: Reply) -> Answer[Any]:
    return Answer(reply.status, {**_HEADERS, **reply.headers}, reply.body)
