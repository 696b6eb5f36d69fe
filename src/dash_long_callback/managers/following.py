"""Waiting for the news of jobs, which may be of several managers: for threads and event loops."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

from dash_long_callback.jobs import State
from dash_long_callback.managers import liveness
from dash_long_callback.managers.positions import EVERY_SECONDS, Told
from dash_long_callback.stores.notifier import Subscription, Waker
from dash_long_callback.threads import in_thread

if TYPE_CHECKING:
    from typing_extensions import Self

    from dash_long_callback.managers.base import Manager, News

    #: What a wait is made of: a call that asks stores, or seconds to wait to be woken.
    Step: TypeAlias = "Callable[[], dict[str, News]] | float"
    Steps: TypeAlias = Generator[Step, Any, dict[str, News]]
    Enough: TypeAlias = Callable[[dict[str, News]], bool]


def news_since(
    jobs: Mapping[str, int], found: Mapping[str, News], ahead: Mapping[str, Told] | None = None
) -> dict[str, News | None]:
    """The part of ``found`` that was not seen; None for a job that is not found.

    Args:
        jobs: each with the sequence number that was seen.
        found: what there is.
        ahead: what was seen of where those are that wait.
    """
    news = {job_id: found.get(job_id) for job_id in jobs}
    return {
        i: one
        for i, one in news.items()
        if one is None
        or one.job.seq > jobs[i]
        or (one.position is not None and one.position.told != (ahead or {}).get(i))
    }


class Following:
    """Follows the news of jobs while it is entered.

    Args:
        jobs: for each manager its jobs, each with the sequence number that was seen.
        owner: of who follows them: of another's jobs there are no news.
        ahead: what was seen of where those are that wait; None: that is no news.
        others: those of the jobs of which it is no news in any case.

    Attributes:
        waits: whether somebody waits for the news, as far as is known.

    Examples:
        >>> with Following({manager: {job_id: 0}}) as following:
        ...     news = following.wait(15, lambda found: bool(found))
    """

    def __init__(
        self,
        jobs: Mapping[Manager, Mapping[str, int]],
        owner: str | None = None,
        ahead: Mapping[str, Told] | None = None,
        others: Collection[str] = (),
    ) -> None:
        self._owner = owner
        self._others = others
        self._ahead = None if ahead is None else dict(ahead)
        #: When to look at these. The first time at once: news of others may end this wait early.
        self._place_at = 0.0
        self.waits = True
        self.waker = Waker()
        self._jobs = {manager: dict(part) for manager, part in jobs.items()}
        self._subscriptions: dict[Manager, Subscription] = {}
        self._found: dict[Manager, dict[str, News]] = {}
        self._joined: dict[str, str] = {}
        #: When what was found was last checked, in seconds since 1970.
        self._checked = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for manager in self._jobs:
            self._subscriptions[manager] = self._stack.enter_context(
                manager.store.subscribe(self.waker)
            )
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def end(self) -> None:
        """Nobody waits any more."""
        self.waits = False
        self.waker.wake()

    @property
    def jobs(self) -> dict[str, int]:
        """What is followed: each job with the sequence number that was seen."""
        return {job_id: seq for part in self._jobs.values() for job_id, seq in part.items()}

    def news(self, found: Mapping[str, News]) -> dict[str, News | None]:
        """What was not seen yet of ``found``; None for a job that is gone."""
        return news_since(self.jobs, found, self._ahead)

    def fresh(self, found: Mapping[str, News]) -> bool:
        """Whether there is something that was not seen yet."""
        return bool(self.news(found))

    def see(self, news: Mapping[str, News | None]) -> None:
        """Ask from now on for what is newer than this, and no more for jobs that have ended."""
        for part in self._jobs.values():
            for job_id in part.keys() & news.keys():
                one = news[job_id]
                if one is None or one.job.state.ended:
                    del part[job_id]
                else:
                    part[job_id] = one.job.seq
                    if self._ahead is not None and one.position is not None:
                        self._ahead[job_id] = one.position.told

    def wait(self, timeout: float, enough: Enough) -> dict[str, News]:
        """The news as soon as they are enough, or after ``timeout`` seconds.

        The wait ends early if nobody waits any more.

        Raises:
            StoreError: if a store can't be read.
        """
        steps = self._steps(timeout, enough)
        try:
            step = next(steps)
            while True:
                step = steps.send(step() if callable(step) else self.waker.wait(step))
        except StopIteration as end:
            return end.value

    async def wait_async(self, timeout: float, enough: Enough) -> dict[str, News]:
        """As ``wait``, for an event loop: what asks a store runs in a thread."""
        steps = self._steps(timeout, enough)
        try:
            step = next(steps)
            while True:
                if callable(step):
                    step = steps.send(await in_thread(step))
                else:
                    step = steps.send(await self.waker.wait_async(step))
        except StopIteration as end:
            return end.value

    def _steps(self, timeout: float, enough: Enough) -> Steps:
        deadline = time.monotonic() + timeout
        supervised = all(manager.executor.supervised for manager in self._jobs)
        while not enough(found := (yield self._read)):
            while True:
                if not self.waits:
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    return (yield self._read)  # the record is the truth, whatever was heard
                every = math.inf if supervised else liveness.every()
                if (yield min(left, every, self._until_late(), self._until_place())):
                    break
                # If one ends by that, there is news.
                yield self._check_liveness
                if self._until_place() <= 0 and enough(found := (yield self._place)):
                    return found
        return found

    def _until_late(self) -> float:
        """Seconds until the first job that waits may not begin any more, and is to be ended."""
        jobs = [news.job for found in self._found.values() for news in found.values()]
        moments = [job.start_by for job in jobs if job.start_by and job.state is State.QUEUED]
        # What was late when it was checked has ended, or begun: there will be news of it.
        ahead = (moment for moment in moments if moment > self._checked)
        return max(0.0, min(ahead, default=math.inf) - time.time())

    def _until_place(self) -> float:
        """Seconds until it is time to see whether others are ahead still, if some job waits."""
        if self._ahead is None:
            return math.inf
        waits = any(
            news.job.state is State.QUEUED and i not in self._others
            for found in self._found.values()
            for i, news in found.items()
        )
        return max(0.0, self._place_at - time.monotonic()) if waits else math.inf

    def _place(self) -> dict[str, News]:
        """What was found, with the places of those that wait as they are now."""
        self._place_at = time.monotonic() + EVERY_SECONDS
        for manager, found in self._found.items():
            self._found[manager] = {
                i: news if i in self._others else manager.placed(news) for i, news in found.items()
            }
        return {i: news for found in self._found.values() for i, news in found.items()}

    def _read(self) -> dict[str, News]:
        for manager, part in self._jobs.items():
            self._found[manager] = self._followed(manager, part)
        # Also while news of others comes all the time.
        self._check_liveness()
        if self._until_place() <= 0:
            return self._place()
        return {i: news for found in self._found.values() for i, news in found.items()}

    def _followed(self, manager: Manager, part: Mapping[str, int]) -> dict[str, News]:
        subscription = self._subscriptions[manager]
        subscription.follow([*part, *(self._joined[i] for i in part if i in self._joined)])
        found = manager.news(part, self._owner)
        joined = {i: news.job.id for i, news in found.items() if i != news.job.id}
        if joined.keys() <= self._joined.keys():
            return found
        # Who has joined a job names it by an id of their own. And what was written since must not
        # be missed.
        self._joined |= joined
        subscription.follow([*part, *joined.values()])
        return manager.news(part, self._owner)

    def _check_liveness(self) -> dict[str, News]:
        """Somebody waits: see that these jobs can still end."""
        self._checked = time.time()
        for manager, found in self._found.items():
            manager.check_liveness(found.values())
        return {}
