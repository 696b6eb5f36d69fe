"""“The page of these jobs was left.” Perhaps it is being loaded again, so nothing ends at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash_long_callback.errors import JobNotFound
from dash_long_callback.server.wire import job_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash_long_callback.managers.base import Manager
    from dash_long_callback.server.pacing import Pacer


def leave(
    body: bytes, managers: Sequence[Manager], pacer: Pacer, owner: str | None = None
) -> bytes:
    """Let jobs with ``on_disconnect="cancel"`` end soon, unless their page is heard of again.

    Args:
        body: JSON ``{"jobs": [id, ...]}``.
        managers: all that may know the jobs.
        pacer: of the app; says how soon.
        owner: of the request.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists, for this owner.
    """
    left = job_ids(body)
    known = False
    for manager in managers:
        jobs = [job for job_id in left if (job := manager.job(job_id, owner)) is not None]
        known = known or bool(jobs)
        for job in manager.end_with_page(jobs):
            pacer.leave(job.id)
            manager.store.note_presence(job.id, pacer.pacing.gone)
    if not known:
        raise JobNotFound
    return b"{}"
