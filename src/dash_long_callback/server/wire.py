"""What goes over the wire, in both directions. JSON that a worker wrote is passed on as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dash_long_callback.errors import BadRequest, RequestTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dash_long_callback.jobs import Result, Target
    from dash_long_callback.managers.base import News

#: Bytes of a request that names jobs: some thousands of them.
MAX_BODY = 256 * 1024
#: Jobs that one request may name.
MAX_JOBS = 2000


def news_json(news: News) -> bytes:
    """One job's news, as the browser client reads it."""
    job = news.job
    head: dict[str, Any] = {"state": job.state.value, "seq": job.seq, "ended": job.state.ended}
    if job.error is not None and job.state.ended:
        head["error"] = job.error
    head_json = json.dumps(head, separators=(",", ":")).encode()[:-1]
    return b"".join([head_json, *_body(news.updates, news.response)])


def result_json(result: Result) -> bytes:
    """A kept result, as the news of a job that has succeeded."""
    head = b'{"state":"succeeded","seq":1,"ended":true'
    return b"".join([head, *_body(result.updates, result.response)])


def _body(updates: Sequence[tuple[Target, bytes]], response: bytes | None) -> Iterator[bytes]:
    # Pieces for one join: a result may be large, and each copy of it costs.
    if updates:
        yield b',"updates":['
        for number, (target, value) in enumerate(updates):
            yield b"," if number else b""
            yield from (b"[", json.dumps(target).encode(), b",", value, b"]")
        yield b"]"
    if response is not None:
        yield from (b',"response":', response)
    yield b"}"


def object_json(fields: Mapping[str, bytes]) -> bytes:
    """A JSON object of values that are JSON already."""
    return b"{" + b",".join(json.dumps(k).encode() + b":" + v for k, v in fields.items()) + b"}"


def parse(body: bytes) -> dict[str, Any]:
    """A request body of ours.

    Raises:
        BadRequest: if it is not a JSON object.
        RequestTooLarge: if it is larger than ``MAX_BODY``.
    """
    if len(body) > MAX_BODY:
        raise RequestTooLarge(f"the request body is larger than {MAX_BODY} bytes")
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, or nested too deeply
        raise BadRequest("the request body is not JSON") from error
    if not isinstance(parsed, dict):
        raise BadRequest("the request body is not a JSON object")
    return parsed


def job_ids(body: bytes) -> list[str]:
    """The jobs that a request names in ``{"jobs": [id, ...]}``.

    Raises:
        BadRequest: if it has another shape.
    """
    jobs = parse(body).get("jobs")
    if (
        not isinstance(jobs, list)
        or not all(isinstance(i, str) for i in jobs)
        or len(jobs) > MAX_JOBS
    ):
        raise BadRequest('"jobs" must be a list of job ids')
    return jobs


def jobs_since(body: Mapping[str, Any]) -> dict[str, int]:
    """The jobs that a client asks about, each with the sequence number it has seen.

    Raises:
        BadRequest: if ``"jobs"`` is not an object of numbers.
        RequestTooLarge: if it names more than ``MAX_JOBS``.
    """
    jobs = body.get("jobs")
    if not isinstance(jobs, dict) or not jobs:
        raise BadRequest('"jobs" must be an object of job ids and sequence numbers')
    if len(jobs) > MAX_JOBS:
        raise RequestTooLarge(f"a request names at most {MAX_JOBS} jobs")
    if not all(type(seq) is int for seq in jobs.values()):
        raise BadRequest("a sequence number must be a whole number")
    return jobs
