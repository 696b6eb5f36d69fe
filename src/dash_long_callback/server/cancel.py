"""“The user does not want these jobs any more.” An answer says only whether they are known."""

from __future__ import annotations

from collections.abc import Sequence

from dash_long_callback.errors import JobNotFound
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.route import Request, Route
from dash_long_callback.server.wire import job_ids


def cancel(request: Request) -> bytes:
    """Cancel jobs; those that have ended stay as they are.

    Args:
        request: with a body of JSON, ``{"jobs": [id, ...]}``.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists, for this owner.
        OwnerUnknown: if the owner can't be found out.
        StoreError: if a store can't be written.
    """
    owner = owner_of(request.app)
    known = [_cancel(job_id, request.managers, owner) for job_id in job_ids(request.body)]
    if not any(known):
        raise JobNotFound
    return b"{}"


def _cancel(job_id: str, managers: Sequence[Manager], owner: str | None) -> bool:
    for manager in managers:
        try:
            manager.cancel(job_id, owner)
        except JobNotFound:
            continue
        return True
    return False


ROUTE = Route("cancel", FaultLog("jobs can't be cancelled"), cancel)
