"""What somebody asks for: a callback with arguments. A click, code, or a request over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dash_long_callback.jobs.ids import new_job_id
from dash_long_callback.jobs.record import Job

#: What of a request may travel to the job beside its arguments, as ``dash.ctx`` calls it.
CONTEXT = ("cookies", "headers", "path", "remote", "origin", "custom_data", "args")


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
    """A callback with arguments, for whoever asks.

    Attributes:
        job: the record of the job that is asked for, with all that those need to know who run it.
        request: JSON of the arguments and the context.
        coalesce: whether an equal job that runs may be the answer.
    """

    job: Job
    request: bytes
    coalesce: bool = False

    def renamed(self) -> Call:
        """The same, by a name that nobody knows."""
        return replace(self, job=replace(self.job, id=new_job_id()))
