"""Reads what rows hold besides records. What can't be read counts as missing, and is logged once.

A row may be damaged, or written by somebody else: it must not stop what has nothing to do with it.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import Result

if TYPE_CHECKING:
    from dash_long_callback.jobs import Job

_faults: dict[str, FaultLog] = {}


class UnreadableRow(Exception):
    """A row holds what this package did not write there."""


class Joined(NamedTuple):
    """What a waiter has joined.

    Attributes:
        job_id: the job.
        owner: the waiter's, as ``Job.owner`` is that of who asked first.
    """

    job_id: str
    owner: str | None


def ignored(what: str, error: Exception) -> None:
    """Log that something can't be read, once and then now and then.

    Args:
        what: a kind of row, as the beginning of a sentence; one of a few.
        error: why.
    """
    _faults.setdefault(what, FaultLog(f"{what} can't be read and is ignored")).failed(error)


def read_id(data: bytes | None, what: str) -> str | None:
    """The id of a job. ``what`` is a kind of row, in words."""
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        ignored(what, error)
        return None


def joined_row(job: Job, owner: str | None) -> bytes:
    """What a row holds of a waiter who has joined a job."""
    return json.dumps([job.id, owner]).encode()


def read_joined(data: bytes | None) -> Joined | None:
    """The reverse of ``joined_row``."""
    row = read_json(data, "the job that somebody shares")
    match row:
        case [str(job_id), None | str() as owner]:
            return Joined(job_id, owner)
        case _:
            return None


def read_waiters(data: bytes | None) -> list[str]:
    """The ids of those who share a job."""
    ids = read_json(data, "the list of those who share a job")
    return [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []


def read_holders(data: bytes | None) -> list[tuple[str, int]]:
    """The jobs that count for a limit, each with an attempt."""
    found: list[tuple[str, int]] = []
    pairs = read_json(data, "the list of those who count for a limit")
    for pair in pairs if isinstance(pairs, list) else []:
        match pair:
            case [str(job_id), int(attempt)]:
                found.append((job_id, attempt))
            case _:
                pass
    return found


def read_starts(data: bytes | None) -> list[float]:
    """When the jobs have started that count for a rate, in seconds since 1970."""
    starts = read_json(data, "the list of starts that count for a rate")
    return [at for at in starts if isinstance(at, float)] if isinstance(starts, list) else []


def read_json(data: bytes | None, what: str) -> Any:
    """JSON of any shape; None if there is none."""
    try:
        return None if data is None else json.loads(data)
    except (ValueError, RecursionError) as error:
        ignored(what, error)
        return None


def read_time(data: bytes | None, what: str) -> float:
    """A time in seconds since 1970; 0 if there is none."""
    try:
        at = 0.0 if data is None else float(data)
    except ValueError as error:
        ignored(what, error)
        return 0.0
    return at if math.isfinite(at) else 0.0


def read_port(data: bytes | None) -> int | None:
    """A UDP port."""
    try:
        port = None if data is None else int(data)
    except ValueError as error:
        ignored("the leader's port", error)
        return None
    return port if port is not None and 0 < port < 2**16 else None


def read_result(data: bytes) -> Result | None:
    """A kept result."""
    try:
        return Result.load(data)
    except ValueError as error:
        ignored("a kept result", error)
        return None
