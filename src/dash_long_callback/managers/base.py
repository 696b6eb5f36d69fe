"""What a manager does: it takes requests for jobs, tells what is new on them, and cancels them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dash_long_callback.checks import CacheBy, check_cache_by, check_expire, check_user
from dash_long_callback.ends import expire
from dash_long_callback.errors import JobNotFound, LimitReached
from dash_long_callback.executors.base import Executor
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import (
    CONTEXT,
    Begin,
    Call,
    Cancel,
    Job,
    Result,
    State,
    new_job_id,
    transition,
)
from dash_long_callback.managers.following import Following
from dash_long_callback.managers.liveness import Checks
from dash_long_callback.managers.positions import EVERY_SECONDS, Position, Positions
from dash_long_callback.registry import registry
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.large_results import LargeResult
from dash_long_callback.stores.shared_jobs import Disposition

#: Seconds that a job may go on without a word of its page, if it is to end with it.
PRESENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Receipt:
    """The answer to a request for a job.

    Attributes:
        job_id: what the page names the job by; nothing is stored under it if it was cached.
        result: the result, if it was cached.
        owner: of the request.
    """

    job_id: str
    disposition: Disposition
    result: Result | None
    owner: str | None


@dataclass(frozen=True)
class News:
    """What is new on a job since a sequence number.

    Attributes:
        job: the record.
        updates: the new slots' targets and JSON values, oldest first.
        response: the JSON result, if the job has succeeded; a large one is read when it is sent.
        position: where it waits, if it does, and if that was asked for.
        numbers: the sequence number of each update.
    """

    job: Job
    updates: list[tuple[int | tuple[str, str], bytes]]
    response: bytes | LargeResult | None
    position: Position | None = None
    numbers: Sequence[int] = ()


class Manager:
    """A store and an executor, and the policy between them.

    Every method may be called from any thread of any web process.

    Args:
        store: keeps the jobs.
        executor: runs them.
        cache_by: functions of no arguments whose values are part of what determines an outcome.
            With any, even an empty list, results are kept for the next who asks; None: not.
        expire: seconds after its last use to drop a kept result.
        user: a function of no arguments that tells who has sent a request (see ``server.owner``).
        fair: whether the users that wait take turns.
    """

    #: Which parts of a request are sent to the job, unless a callback says so itself.
    context: frozenset[str] = frozenset(CONTEXT)
    #: Whether jobs may choose a queue, and a place in it.
    has_queues = False
    #: Whether workers are sent functions that they can't import, as those of a notebook.
    sends_functions = True

    def __init__(
        self,
        store: JobStore,
        executor: Executor,
        cache_by: CacheBy | None = None,
        expire: float | None = None,
        user: Callable[[], Any] | None = None,
        *,
        fair: bool = True,
    ) -> None:
        self.store = store
        self.executor = executor
        self._checks = Checks()
        self._positions = Positions(store, executor)
        self.cache_by = check_cache_by("the manager", cache_by)
        self.expire = check_expire("the manager", expire)
        self.user = check_user("the manager", user)
        self.fair = fair

    def ensure_running(self) -> None:
        """Have workers ready before the first job."""
        self.executor.ensure_running()

    def find_server(self) -> None:
        """A process that may not be a server is about to call: its jobs are to go to the server's.

        Raises:
            StoreError: if it can't be told which that is.
        """

    def submit(self, call: Call, presence: float = PRESENCE_SECONDS) -> Receipt:
        """Start a job, join an equal one that runs, or answer with the result of one that has run.

        Args:
            call: what is asked for.
            presence: seconds that a job which ends with its page may go on without a word of it.

        Raises:
            LimitReached: if it does not wait for its limits.
            StoreError: if the job can't be stored; it is not started then.
        """
        # Before presence is noted under the name, or it joins a job. Others reveal themselves when
        # they are created: so a click with a new name, as all but a few are, reads nothing for it.
        early = call.job.cache_key is not None or call.job.ends_with_page
        if early and not self._free(call.job):
            call = call.renamed()
        receipt = self._submit(call, presence)
        if receipt.disposition is Disposition.KNOWN and not self._free(call.job):
            return self._submit(call.renamed(), presence)
        return receipt

    def _submit(self, call: Call, presence: float) -> Receipt:
        job = call.job.changed(fair=self.fair, queue=self.executor.queue(call.job.queue))
        later = job.is_scheduled
        if (
            job.kept
            and not later
            and (result := self.store.kept(str(job.cache_key), job.expire)) is not None
        ):
            return Receipt(job.id, Disposition.CACHED, result, job.owner)
        if not later and not job.gate and self.executor.is_ready():
            # Before it is stored: that is one write less.
            begun = transition(job, Begin(), time.time())
            job = job if begun is None else begun.job
        disposition, result = self.store.create(
            job,
            call.request,
            coalesce=call.coalesce,
            presence=presence if job.ends_with_page else None,
        )
        if disposition is Disposition.REFUSED:
            raise LimitReached(
                f"as many jobs of {job.name} run, or have started lately, as its limits allow"
            )
        if disposition is Disposition.NEW:
            self.executor.start(job)
        return Receipt(job.id, disposition, result, job.owner)

    def keep_answer(self, job: Job, result: Result) -> None:
        """Have a call that a kept result has answered be found by its id, as a job that has ended.

        Args:
            job: the record of the call.
            result: what was kept.

        Raises:
            StoreError: if it can't be stored.
        """
        now = time.time()
        ended = job.changed(state=State.SUCCEEDED, started=now, ended=now, slots={})
        # Whatever is kept counts: what replaces what was decided when it was reported.
        values = {ended.put(target, patch=True)[0]: value for target, value in result.updates}
        ended.seq += 1  # the end is news, too
        self.store.create_ended(ended, bytes(result.response), values)

    def end_with_page(self, jobs: Iterable[Job]) -> list[Job]:
        """Those of these jobs that run and are to end when nobody is there to see it."""
        return [job for job in jobs if job.ends_with_page and not job.state.ended]

    def clear(self, callback: Callable[..., Any] | None = None) -> None:
        """Drop kept results.

        Args:
            callback: the function of a long callback; None drops the results of all.

        Raises:
            ValueError: if it is not a long callback of this process.

        Examples:
            >>> manager.clear(update_report)
        """
        if callback is None:
            self.store.clear()
            return
        found = [c for c in registry.all() if c.function is callback]
        if not found:
            raise ValueError(f"{callback!r} is not the function of a long callback")
        for one in found:
            self.store.clear(one.key)

    def news(self, jobs: Mapping[str, int], owner: str | None = None) -> dict[str, News]:
        """What is new on these jobs, each since its sequence number. Unknown jobs are left out.

        A job on which nothing is new is there, too, without updates. So it is everywhere: a job
        that has another owner is unknown.
        """
        known = {job_id: self._known(job_id, owner) for job_id in jobs}
        news = {i: self._news(*one, jobs[i]) for i, one in known.items() if one is not None}
        return {job_id: one for job_id, one in news.items() if one is not None}

    def job(self, job_id: str, owner: str | None = None) -> Job | None:
        """The record of a job; None if it is unknown."""
        known = self._known(job_id, owner)
        return None if known is None else known[0]

    def position(self, job_id: str, owner: str | None = None) -> Position | None:
        """Where a job waits; None if it does not, or not yet, or if the store can't tell.

        Args:
            job_id: as its page names it.
            owner: who asks: jobs of others are unknown.

        Raises:
            JobNotFound: if there is no such job.
            StoreError: if the store can't be read.

        Examples:
            >>> manager.position(job_id)
            Position(ahead=3, seconds=12.5)
        """
        job = self.job(job_id, owner)
        if job is None:
            raise JobNotFound
        return self._positions.of(job)

    def placed(self, news: News) -> News:
        """News of a job, with its position, if it has waited for a while."""
        waited = time.time() - (news.job.queued or news.job.created)
        position = self._positions.of(news.job) if waited >= EVERY_SECONDS else None
        return news if position is None else replace(news, position=position)

    def _known(self, job_id: str, owner: str | None) -> tuple[Job, bytes | None] | None:
        """A job as a waiter sees it, and its result, if that is small."""
        found = self._found(job_id)
        if found is None or not _may(owner, found[2]):
            return None
        job, result, _ = found
        if _is_shared(job, job_id) and self.store.has_left(job_id):
            # The job goes on for the others who asked.
            left = {"state": State.CANCELLED, "error": None, "slots": {}, "result_size": None}
            return replace(job, seq=job.seq + 1, **left), None
        return job, result

    def wait(
        self,
        jobs: Mapping[str, int],
        timeout: float,
        enough: Callable[[dict[str, News]], bool],
        owner: str | None = None,
    ) -> dict[str, News]:
        """As ``news``, but wait up to ``timeout`` seconds until the news is ``enough``."""
        with Following({self: jobs}, owner) as following:
            return following.wait(timeout, enough)

    def check_liveness(self, found: Iterable[News]) -> None:
        """Somebody waits for these jobs: see that they can still end, and end those that are late.

        Raises:
            StoreError: if that can't be found out, or not be written.
        """
        now, supervised = time.time(), self.executor.supervised
        for job in {news.job.id: news.job for news in found}.values():
            if job.is_late(now):
                expire(self.store, job.id)
            elif not supervised and not job.state.ended and self._checks.due(job):
                self.executor.check_liveness(job)

    def cancel(self, job_id: str, owner: str | None = None) -> None:
        """End a job: at once if it waits, else as soon as its function lets go.

        A job that has ended stays as it is. Of several who share a job, the last ends it.

        Raises:
            JobNotFound: if there is no such job, or it has another owner.
        """
        waiter = job_id
        known = self._found(job_id)
        if known is None or not _may(owner, known[2]):
            raise JobNotFound
        job, job_id = known[0], known[0].id
        if job.state.ended:
            return
        if _is_shared(job, waiter) and not self.store.leave(job, waiter):
            return
        if self._cancel_waiting(job_id):
            return
        self.store.ask_cancel(job_id)
        # It may have begun to wait again meanwhile; from now on it does not.
        if not self._cancel_waiting(job_id):
            self.executor.cancel()

    def attach(self, job_id: str, owner: str | None = None) -> tuple[str, Job] | None:
        """A name by which another page may follow a job and cancel it, as one that has joined it.

        Args:
            job_id: of one who has asked for it, and waits no more: if all pages cancel, it ends.
            owner: the page's.

        Returns:
            The name, which is that given if the job has ended, and the record. None: there is no
            such job, or it has another owner.

        Raises:
            StoreError: if the store can't be read or written.
        """
        job = self.job(job_id, owner)
        if job is None or job.state.ended:
            return None if job is None else (job_id, job)
        page = new_job_id()
        self.store.join(job, page, owner, in_place_of=job_id)
        return page, job

    def _cancel_waiting(self, job_id: str) -> bool:
        """End a job that waits. Returns False if it does not."""
        if (ended := self.store.change(job_id, Cancel())) is None:
            return False
        log_end(ended)
        return True

    def stop(self) -> None:
        """End everything that was started, running jobs included."""
        self.executor.stop()
        self.store.close()

    def _free(self, job: Job) -> bool:
        """Whether its owner may give a job its name: no job of another has it."""
        known = self._found(job.id)
        return known is None or _may(job.owner, known[2])

    def _found(self, waiter: str) -> tuple[Job, bytes | None, str | None] | None:
        """The job of this name, its result, if that is small, and whose the name is."""
        if (known := self.store.load_all(waiter)) is not None:
            return *known, known[0].owner
        if (joined := self.store.joined(waiter)) is None:
            return None
        known = self.store.load_all(joined.job_id)
        return None if known is None else (*known, joined.owner)

    def _news(self, job: Job, result: bytes | None, seq: int) -> News | None:
        response = result
        if job.result_size is not None:
            if job.seq > seq and not self.store.has_result(job):
                return None  # it expires a moment before the record, or was evicted
            response = LargeResult(self.store, job)
        slots = job.since(seq)
        values = self.store.values(job.id, [n for n, _ in slots]) if slots else []
        # A value that is gone was replaced after the record was read; the next read has it.
        found = [(s, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        updates = [(slot.target, value) for slot, value in found]
        return News(job, updates, response, numbers=[slot.seq for slot, _ in found])


def _is_shared(job: Job, waiter: str) -> bool:
    """Whether others may wait for a job besides one who knows it by this id."""
    return job.cache_key is not None or waiter != job.id


def _may(owner: str | None, of: str | None) -> bool:
    """Whether a request of this owner may know what has that owner.

    What was asked for when nobody had logged in belongs to whoever holds its id: so a login, too,
    finds it again.
    """
    return of is None or of == owner
