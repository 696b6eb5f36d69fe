"""``JobHandle``: a job as code that has asked for it sees it, in any process of the app."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any, NamedTuple

from dash_long_callback.calls.outcome import exception_of, value_of
from dash_long_callback.calls.updates import Reader, TrackUpdate, Update
from dash_long_callback.calls.waiting import wait, wait_async
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import JobNotFound
from dash_long_callback.jobs import Job, Result, State, ref_of
from dash_long_callback.managers.base import Manager, News
from dash_long_callback.managers.following import Following
from dash_long_callback.stores.large_results import LargeResult
from dash_long_callback.threads import in_thread


class Inside(NamedTuple):
    """What a handle knows besides its job's id.

    Attributes:
        manager: runs the job.
        callback: whose job it is.
        kept: the result that has answered the call in place of a job.
    """

    manager: Manager
    callback: LongCallback
    kept: Result | None


class JobHandle:
    """A job that was started from code: ``submit`` and ``find_job`` make it.

    It may be used in any thread. ``await job`` waits for the result, and ``for update in job`` or
    ``async for update in job`` gives what the job reports, as it comes, until it has ended. Each
    update is a ``ProgressUpdate``, ``TrackUpdate``, ``PropsUpdate`` or ``PartialUpdate``. As on a
    page, a value that was replaced before anybody asked is left out. All else waits for the store,
    for some milliseconds.

    Attributes:
        id: opens the job to whoever knows it: keep it as you would a password.

    Examples:
        >>> job = submit(work, 3)
        >>> job.result(timeout=60)
        'Run 3 is done.'
    """

    def __init__(
        self,
        manager: Manager,
        callback: LongCallback,
        job_id: str,
        owner: str | None,
        kept: Result | None = None,
    ) -> None:
        self.id = job_id
        self._manager = manager
        self._callback = callback
        self._owner = owner
        #: What has answered the call in place of a job.
        self._kept = kept

    def __dash_long_callback__(self) -> Inside:
        """For this package: what has no meaning to who has the handle."""
        return Inside(self._manager, self._callback, self._kept)

    def __repr__(self) -> str:
        return f"<JobHandle no. {ref_of(self.id)} of {self._callback.function_name}>"

    @property
    def ref(self) -> str:
        """Its public number, as the log and pages have it: six digits, which open nothing.

        Raises:
            JobNotFound: as ``state``.
        """
        # That of another call's, if this one has joined it.
        return ref_of(self.id) if self._kept is not None else self._job().ref

    @property
    def cached(self) -> bool:
        """Whether a result was kept that has answered the call: then no job was started.

        The result is in this handle alone: ``find_job`` does not know its ``id``.
        """
        return self._kept is not None

    @property
    def state(self) -> str:
        """Where it is in its life.

        ``"queued"``, also before its ``delay`` is over, ``"running"``, ``"succeeded"``,
        ``"failed"``, ``"cancelled"``, ``"timed_out"``, ``"lost"`` or ``"expired"``.

        Raises:
            JobNotFound: if it has expired: it is kept for the manager's ``retention``.
            StoreError: if the store can't be read.
        """
        return State.SUCCEEDED.value if self._kept is not None else self._job().state.value

    @property
    def progress(self) -> Any:
        """What the function gave ``set_progress`` last, in the grouping of ``progress``.

        None in each place for which it gave nothing yet; None if the callback has no ``progress``.
        Raises as ``state`` does.
        """
        return self._read().progress()

    @property
    def tracked(self) -> TrackUpdate | None:
        """What ``track``, ``show_step`` or ``tqdm`` say of how far it is; None: nothing yet.

        Raises as ``state`` does.
        """
        return self._read().tracked()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job to end, and return what the page would get.

        Args:
            timeout: seconds to wait; None: as long as it takes. The job goes on after that.

        Returns:
            What the function returned, or its ``on_error``, as JSON has it: components and figures
            are dicts, tuples are lists. In the grouping of the outputs; None for an output that was
            not updated, and for a callback without outputs.

        Raises:
            TimeoutError: if it has not ended by then.
            JobFailed: if the function raised, or its result can't be used.
            JobWasCancelled: if it was cancelled.
            JobEnded: of another kind, such as ``JobLost`` or ``JobTimedOut``, as ``on_error`` gets.
            JobNotFound: if it has expired.
            StoreError: if the store can't be read for two minutes.
        """
        if self._kept is not None:
            return self._kept_result(self._kept)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._following() as following:
            while True:
                found = wait(following, self._has_ended, deadline)
                if self._has_ended(found):
                    return self._outcome(found)
                self._check(deadline)

    def __await__(self) -> Generator[Any, None, Any]:
        """As ``result``, without holding up the event loop."""
        return self._result_async().__await__()

    async def _result_async(self) -> Any:
        if self._kept is not None:
            return self._kept_result(self._kept)
        with self._following() as following:
            while True:
                found = await wait_async(following, self._has_ended)
                if self._has_ended(found):
                    return await in_thread(self._outcome, found)

    def cancel(self) -> None:
        """End it: at once if it waits, else as soon as its function lets go.

        One that has ended stays as it is. Of several calls that share a job, the last one ends it.

        Raises:
            JobNotFound: if it has expired.
            StoreError: if the store can't be written.
        """
        if self._kept is None:
            self._manager.cancel(self.id, self._owner)

    def __iter__(self) -> Iterator[Update]:
        reader = Reader(self._callback)
        if self._kept is not None:
            yield from reader.read(self._kept.updates)
            return
        with self._following() as following:
            while following.jobs:
                found = wait(following, following.fresh)
                yield from reader.read(self._news(found).updates)
                following.see(following.news(found))

    async def __aiter__(self) -> AsyncIterator[Update]:
        reader = Reader(self._callback)
        if self._kept is not None:
            for update in reader.read(self._kept.updates):
                yield update
            return
        with self._following() as following:
            while following.jobs:
                found = await wait_async(following, following.fresh)
                for update in reader.read(self._news(found).updates):
                    yield update
                following.see(following.news(found))

    def _following(self) -> Following:
        return Following({self._manager: {self.id: 0}}, self._owner)

    def _job(self) -> Job:
        job = self._manager.job(self.id, self._owner)
        if job is None:
            raise JobNotFound
        return job

    def _news(self, found: Mapping[str, News]) -> News:
        if self.id not in found:
            raise JobNotFound
        return found[self.id]

    def _read(self) -> Reader:
        """What it has reported so far."""
        reader = Reader(self._callback)
        if self._kept is not None:
            reports: Any = self._kept.updates
        else:
            reports = self._news(self._manager.news({self.id: 0}, self._owner)).updates
        for _ in reader.read(reports):
            pass
        return reader

    def _has_ended(self, found: Mapping[str, News]) -> bool:
        """Whether there is nothing to wait for."""
        news = found.get(self.id)
        return news is None or news.job.state.ended

    def _check(self, deadline: float | None) -> None:
        if deadline is not None and time.monotonic() >= deadline:
            raise TimeoutError(
                f"no. {ref_of(self.id)}: {self._callback.name} has not ended yet; it goes on, and "
                "result() may be called again"
            )

    def _outcome(self, found: Mapping[str, News]) -> Any:
        news = self._news(found)
        if news.job.state is not State.SUCCEEDED:
            raise exception_of(news.job)
        response = news.response
        if isinstance(response, LargeResult):
            response = response.whole()
        return value_of(self._callback, news.updates, response)

    def _kept_result(self, kept: Result) -> Any:
        return value_of(self._callback, kept.updates, bytes(kept.response))
