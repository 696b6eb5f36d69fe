"""An API: which callbacks it serves, below which path. And a request to it that was let in."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dash

from dash_long_callback.calls.start import home
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import JobNotFound
from dash_long_callback.http_api.authorization import Guard
from dash_long_callback.http_api.replies import Followed
from dash_long_callback.jobs import Job, is_job_id
from dash_long_callback.managers.base import Manager, News
from dash_long_callback.server.incoming import Incoming
from dash_long_callback.server.pacing import Capacity, pacer_of


@dataclass(frozen=True)
class Served:
    """A callback of the API.

    Attributes:
        name: in the paths.
        callback: what it calls.
        parameters: that clients give, by name.
    """

    name: str
    callback: LongCallback
    parameters: Mapping[str, inspect.Parameter]

    @property
    def manager(self) -> Manager:
        """What runs its jobs."""
        return home(self.callback)[1]


@dataclass(frozen=True, eq=False)
class Api:
    """An API.

    Attributes:
        app: that has it.
        prefix: of its paths, below that of the app.
        callbacks: by name.
        guard: lets requests in.
    """

    app: dash.Dash
    prefix: str
    callbacks: Mapping[str, Served]
    guard: Guard

    def url(self, path: str = "") -> str:
        """A path of the API as clients see it."""
        return f"{self.app.config.requests_pathname_prefix}{self.prefix}{path}"

    def served(self, job: Job) -> Served | None:
        """The callback of a job; None if it is not one of the API's."""
        return next((s for s in self.callbacks.values() if s.callback.key == job.callback), None)

    @property
    def managers(self) -> Iterable[Manager]:
        """All that may know a job."""
        return dict.fromkeys(served.manager for served in self.callbacks.values())


@dataclass(frozen=True)
class Asked:
    """A request that was let in.

    Attributes:
        api: what it is sent to.
        incoming: what came.
        body: of up to one byte more than the limit.
        capacity: what the server can do.
        owner: who has sent it.
    """

    api: Api
    incoming: Incoming
    body: bytes
    capacity: Capacity
    owner: str | None

    def follow(self, manager: Manager, job_id: str) -> Followed:
        """A job, for this request."""
        return Followed(manager, job_id, self.owner, pacer_of(self.api.app), self.capacity)

    def find(self, job_id: str) -> tuple[Followed, Served, News]:
        """A job of the API's callbacks.

        Raises:
            JobNotFound: if there is none, or it is another user's.
            StoreError: if a store can't be read.
        """
        for manager in self.api.managers if is_job_id(job_id) else ():
            followed = self.follow(manager, job_id)
            news = followed.news()
            served = None if news is None else self.api.served(news.job)
            if news is not None and served is not None:
                # Whoever ran it may have gone since; then this process may have to lead.
                manager.ensure_running()
                manager.check_liveness([news])
                return followed, served, news
        raise JobNotFound
