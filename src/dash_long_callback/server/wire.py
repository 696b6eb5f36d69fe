"""What goes over the wire, in both directions. JSON that a worker wrote is passed on as it is.

An answer is a list of pieces, joined once: each copy of a large result would cost. With a
``LargeResult`` among them, which is not even read before it is sent, it is a ``LargeBody``.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dash_long_callback.errors import BadRequest, RequestTooLarge
from dash_long_callback.jobs import Result, State, Target, is_job_id
from dash_long_callback.managers.base import News
from dash_long_callback.managers.positions import Told
from dash_long_callback.server.failures import failure
from dash_long_callback.stores.large_results import PIECE_BYTES, LargeResult

#: A part of an answer.
Piece: TypeAlias = "bytes | memoryview | LargeResult"

#: Bytes of a request that names jobs: some thousands of them.
MAX_BODY = 256 * 1024
#: Jobs that one request may name.
MAX_JOBS = 2000


@dataclass(frozen=True)
class LargeBody:
    """An answer with a large result in it.

    Attributes:
        pieces: of it, in their order.
    """

    pieces: Sequence[Piece]

    @property
    def size(self) -> int:
        """Bytes of it all."""
        return sum(p.size if isinstance(p, LargeResult) else len(p) for p in self.pieces)

    def begin(self) -> Iterator[bytes]:
        """As ``read``; raises at once if not even the beginning can be read."""
        parts = self.read()
        return itertools.chain([next(parts)], parts)

    def read(self) -> Generator[bytes]:
        """What to send, one after the other; small pieces together.

        Raises:
            StoreError: if a result can't be read. The answer is not complete then.
        """
        waiting: list[bytes | memoryview] = []
        size = 0
        for part in self._parts():
            if size + len(part) > PIECE_BYTES and waiting:
                yield b"".join(waiting)  # one alone is not copied
                waiting, size = [], 0
            waiting.append(part)
            size += len(part)
        yield b"".join(waiting)

    def _parts(self) -> Iterator[bytes | memoryview]:
        for piece in self.pieces:
            if isinstance(piece, LargeResult):
                yield from piece.pieces()
            else:
                yield piece


def joined(pieces: Sequence[Piece]) -> bytes | LargeBody:
    """An answer of these pieces: bytes, if nothing in it is to be read yet."""
    large = any(isinstance(piece, LargeResult) for piece in pieces)
    return LargeBody(pieces) if large else whole(pieces)


def whole(pieces: Sequence[Piece]) -> bytes:
    """An answer of these pieces, with large results as a whole.

    Raises:
        StoreError: if one can't be read.
    """
    return b"".join(p.whole() if isinstance(p, LargeResult) else p for p in pieces)


def news_json(news: News, *, details: bool = False) -> list[Piece]:
    """One job's news, as the browser client reads it.

    Args:
        news: of the job.
        details: whether the page may know what the exception of a job that failed says.
    """
    job = news.job
    head: dict[str, Any] = {"state": job.state.value, "seq": job.seq, "ended": job.state.ended}
    if job.failures:
        head["attempt"] = job.failures + 1
    if job.state is State.RUNNING and job.started is not None:
        head["elapsed"] = round(max(0.0, time.time() - job.started), 1)
    elif job.state is State.QUEUED and job.not_before is not None and job.failures:
        head["retry"] = round(max(0.0, job.not_before - time.time()), 1)
    if news.position is not None:
        head["ahead"], head["wait"] = news.position.ahead, news.position.seconds
    if job.error is not None and job.state.ended:
        head["error"] = failure(job, details=details)
    head_json = json.dumps(head, separators=(",", ":")).encode()[:-1]
    return [head_json, *_rest(news.updates, news.response)]


def result_json(result: Result) -> list[Piece]:
    """A kept result, as the news of a job that has succeeded."""
    head = b'{"state":"succeeded","seq":1,"ended":true'
    return [head, *_rest(result.updates, result.response)]


def _rest(updates: Sequence[tuple[Target, bytes]], response: Piece | None) -> Iterator[Piece]:
    if updates:
        yield b',"updates":['
        for number, (target, value) in enumerate(updates):
            yield b"," if number else b""
            yield from (b"[", json.dumps(target).encode(), b",", value, b"]")
        yield b"]"
    if response is not None:
        yield from (b',"response":', response)
    yield b"}"


def object_json(fields: Mapping[str, Sequence[Piece]]) -> list[Piece]:
    """A JSON object of values that are JSON already."""
    pieces: list[Piece] = []
    for name, value in fields.items():
        pieces += [b"," if pieces else b"{", json.dumps(name).encode(), b":", *value]
    return [*pieces, b"}"] if pieces else [b"{}"]


def parse(body: bytes, limit: int = MAX_BODY) -> dict[str, Any]:
    """A request body of ours.

    Args:
        body: what was read of it.
        limit: bytes that it may have.

    Raises:
        BadRequest: if it is not a JSON object.
        RequestTooLarge: if it is larger than the limit.
    """
    if len(body) > limit:
        raise RequestTooLarge(f"the request body is larger than {limit} bytes")
    try:
        parsed = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # bad JSON, bad UTF-8, or nested too deeply
        raise BadRequest("the request body is not JSON") from error
    if not isinstance(parsed, dict):
        raise BadRequest("the request body is not a JSON object")
    return parsed


def _refuse(constant: str) -> Any:
    """Python would take these, and a browser could not read them."""
    raise ValueError(f"{constant} is not JSON")


def job_ids(body: bytes) -> list[str]:
    """The jobs that a request names in ``{"jobs": [id, ...]}``.

    What has not the form of an id is left out: it is no job's.

    Raises:
        BadRequest: if it has another shape.
        RequestTooLarge: if it names more than ``MAX_JOBS``.
    """
    jobs = parse(body).get("jobs")
    if not isinstance(jobs, list) or not all(isinstance(i, str) for i in jobs):
        raise BadRequest('"jobs" must be a list of job ids')
    _check_number(jobs)
    return list(dict.fromkeys(filter(is_job_id, jobs)))


def _check_number(jobs: Collection[Any]) -> None:
    if len(jobs) > MAX_JOBS:
        raise RequestTooLarge(f"a request names at most {MAX_JOBS} jobs")


_TAB = re.compile("[A-Za-z0-9_-]{1,64}")


def tab_of(body: Mapping[str, Any]) -> str:
    """The name that a page has given itself.

    Raises:
        BadRequest: if it has none, or one of another form.
    """
    tab = body.get("tab")
    if not isinstance(tab, str) or _TAB.fullmatch(tab) is None:
        raise BadRequest('"tab" must be a random name of the page, of up to 64 letters and digits')
    return tab


def jobs_since(body: Mapping[str, Any]) -> dict[str, int]:
    """The jobs that a client asks about, each with the sequence number it has seen.

    Raises:
        BadRequest: if ``"jobs"`` is not an object of numbers.
        RequestTooLarge: if it names more than ``MAX_JOBS``.
    """
    jobs = body.get("jobs")
    if not jobs:
        raise BadRequest('"jobs" must be an object of job ids and sequence numbers')
    return _sequence_numbers("jobs", jobs)


def others_of(body: Mapping[str, Any]) -> dict[str, int]:
    """The jobs of other tabs, as those in ``jobs_since``; there may be none.

    Raises:
        BadRequest: if ``"others"`` is there, and not an object of numbers.
        RequestTooLarge: if it names more than ``MAX_JOBS``.
    """
    return _sequence_numbers("others", body.get("others") or {})


def _sequence_numbers(name: str, jobs: Any) -> dict[str, int]:
    if not isinstance(jobs, dict):
        raise BadRequest(f'"{name}" must be an object of job ids and sequence numbers')
    _check_number(jobs)
    if not all(type(seq) is int for seq in jobs.values()):
        raise BadRequest("a sequence number must be a whole number")
    return jobs


def ahead_of(body: Mapping[str, Any]) -> dict[str, Told] | None:
    """What a client was told of where its jobs wait, if it wants to know that.

    Raises:
        BadRequest: if ``"ahead"`` is there, and not an object of pairs: how many jobs are ahead,
            and whether an estimate of the time is known.
    """
    ahead = body.get("ahead")
    if ahead is None:
        return None
    if not isinstance(ahead, dict) or not all(map(_is_told, ahead.values())):
        raise BadRequest('"ahead" must be an object of job ids and [whole number, true or false]')
    return {job_id: (number, known) for job_id, (number, known) in ahead.items()}


def _is_told(value: Any) -> bool:
    match value:
        case [int(number), bool()]:
            return type(number) is int
        case _:
            return False
