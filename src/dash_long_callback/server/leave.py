"""“The page of these jobs was left.” Perhaps it is being loaded again, so nothing ends at once."""

from __future__ import annotations

from dash_long_callback.errors import JobNotFound
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.route import Request, Route
from dash_long_callback.server.wire import job_ids


def leave(request: Request) -> bytes:
    """Let jobs with ``on_disconnect="cancel"`` end soon, unless their page is heard of again.

    Args:
        request: with a body of JSON, ``{"jobs": [id, ...]}``.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists, for this owner.
        OwnerUnknown: if the owner can't be found out.
        StoreError: if a store can't be read or written.
    """
    owner, pacer = owner_of(request.app), pacer_of(request.app)
    left = job_ids(request.body)
    known = False
    for manager in request.managers:
        jobs = [job for job_id in left if (job := manager.job(job_id, owner)) is not None]
        known = known or bool(jobs)
        for job in manager.end_with_page(jobs):
            pacer.leave(job.id)
            manager.store.note_presence(job.id, pacer.pacing.gone)
    if not known:
        raise JobNotFound
    return b"{}"


ROUTE = Route("leave", FaultLog("it can't be noted that pages were left"), leave)
