"""“The user does not want these jobs any more.” An answer says only whether they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dash_long_callback.errors import JobNotFound
from dash_long_callback.server.wire import job_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dash_long_callback.managers.base import Manager


def cancel(body: bytes, managers: Sequence[Manager], owner: str | None = None) -> bytes:
    """Cancel jobs; those that have ended stay as they are.

    Args:
        body: JSON ``{"jobs": [id, ...]}``.
        managers: all that may know the jobs.
        owner: of the request.

    Raises:
        BadRequest: if the body has another shape.
        JobNotFound: if none of the jobs exists, for this owner.
    """
    known = [_cancel(job_id, managers, owner) for job_id in job_ids(body)]
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
