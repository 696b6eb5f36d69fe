"""What somebody asks for: a callback with arguments. A click, code, or a request over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from dash_long_callback.jobs.ids import new_job_id
from dash_long_callback.jobs.record import Job


@dataclass(frozen=True)
class Sharing:
    """Whether an outcome may answer more than one request.

    Attributes:
        key: hash of all that determines the outcome.
        keep: keep the result for those who ask later.
        coalesce: let those who ask while the job runs wait for it, too.
        expire: seconds after its last use to drop a kept result; None keeps it until it is
            evicted by size.
    """

    key: str
    keep: bool
    coalesce: bool
    expire: float | None


@dataclass(frozen=True)
class Call:
    """A callback with arguments, and all that those need to know of it who run the job.

    Attributes:
        callback: its key.
        name: what messages call it.
        request: JSON of the arguments and the context.
        owner: who asks: what others ask about the job is answered as if there was none.
        sharing: what makes calls equal; None: each is on its own.
        interval: milliseconds between two questions for news, at most.
        timeout: seconds that the job may run.
        handles_errors: whether there is an ``on_error``.
        ends_with_page: whether the job is cancelled when its page has gone.
        digest: a hash of the code.
        queue: where it waits with Celery; None: where the manager says.
        priority: its place there.
    """

    callback: str
    name: str
    request: bytes
    owner: str | None = None
    sharing: Sharing | None = None
    interval: float | None = None
    timeout: float | None = None
    handles_errors: bool = False
    ends_with_page: bool = False
    digest: str = ""
    queue: str | None = None
    priority: int | None = None

    def job(self, job_id: str | None = None) -> Job:
        """The record of a job that is asked for by this.

        Args:
            job_id: what it is to be called; None: made here.
        """
        sharing = self.sharing
        return Job(
            job_id or new_job_id(),
            self.callback,
            name=self.name,
            owner=self.owner,
            cache_key=sharing and sharing.key,
            kept=sharing is not None and sharing.keep,
            expire=sharing and sharing.expire,
            interval=self.interval,
            timeout=self.timeout,
            handles_errors=self.handles_errors,
            ends_with_page=self.ends_with_page,
            digest=self.digest,
            queue=self.queue,
            priority=self.priority,
        )
