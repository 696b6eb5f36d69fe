"""What the functions of the API give the responder."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from dash_long_callback.managers.base import Manager, News
from dash_long_callback.managers.following import Following
from dash_long_callback.server.pacing import Capacity, Pacer


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        status: of HTTP.
        body: all of it.
        headers: besides those that each answer has.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def json(cls, status: int, value: Any, headers: dict[str, str] | None = None) -> Reply:
        """One with JSON."""
        named = {"Content-Type": "application/json", **(headers or {})}
        return cls(status, json.dumps(value).encode(), named)


@dataclass(frozen=True)
class Followed:
    """A job that a request follows.

    Attributes:
        manager: that has it.
        job_id: which.
        owner: who follows it.
        pacer: counts the requests that wait.
        capacity: what the server can do.
    """

    manager: Manager
    job_id: str
    owner: str | None
    pacer: Pacer
    capacity: Capacity

    @contextmanager
    def held(self) -> Generator[Following]:
        """Follow it while the block runs; if the server has no room for that, nobody waits."""
        name = secrets.token_hex(8)  # a request of its own, where a page's tab has one at a time
        with (
            Following({self.manager: {self.job_id: 0}}, self.owner) as following,
            self.pacer.hold(name, following, self.capacity),
        ):
            yield following

    def news(self) -> News | None:
        """All there is to know of it; None: no such job."""
        return self.manager.news({self.job_id: 0}, self.owner).get(self.job_id)


@dataclass(frozen=True)
class Waiting:
    """An answer that may wait for the end of a job.

    Attributes:
        job: the job.
        seconds: for how long, at most.
        then: makes the answer.
    """

    job: Followed
    seconds: float
    then: Callable[[], Reply]

    @staticmethod
    def is_enough(found: dict[str, News]) -> bool:
        """Whether the job has ended, or is gone."""
        return all(news.job.state.ended for news in found.values())


class Stream(Protocol):
    """Server-sent events, for a thread and for an event loop."""

    def parts(self) -> Iterator[bytes]:
        """What to send."""
        ...

    def parts_async(self) -> AsyncGenerator[bytes]:
        """The same."""
        ...


Result: TypeAlias = "Reply | Waiting | Stream"
