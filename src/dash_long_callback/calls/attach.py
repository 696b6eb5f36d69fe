"""``attach()``: a job that code has started → the page whose callback has started it.

The page gets what it would remember of a click, and finds the job by it as after a reload:

    attach(job) ──► a name for this page ──► set_props ──► browser/attached.js ──► pickUp
"""

from __future__ import annotations

import logging
from typing import Any

import dash

from dash_long_callback.calls.handle import JobHandle
from dash_long_callback.calls.request import matched_by, outputs_of
from dash_long_callback.dash import internals, page_channel
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.jobs import new_job_id, ref_of
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.wire import result_json, whole
from dash_long_callback.worker.current import current_run

log = logging.getLogger("dash_long_callback")


def attach(job: JobHandle) -> Any:
    """Show a job on the page whose callback calls this, as if it had been clicked there.

    In an ordinary callback. The job's progress, its updates and its result go to the outputs of
    its own long callback, with ``running``, ``cancel``, ``on_retrigger`` and the indicator. It is
    found again when the page is reloaded. If these outputs are not on the page, it is shown as
    soon as they are.

    Several pages may show a job. If it is cancelled on one of them, it goes on for the others, and
    ends with the last; the code that has started it does not count then. A job that has ended shows
    its result, as long as that is kept. If there is no such job, or it is another user's, the page
    says that there is no result any more.

    Args:
        job: of ``submit`` or ``find_job``.

    Returns:
        What leaves the outputs of the ordinary callback as they are: return it for all of them, or
        for one. ``dash.no_update``; None in a callback without outputs.

    Raises:
        RuntimeError: outside of an ordinary callback, as no page asks there.
        TypeError: if it is not a job, or only a page can tell the outputs of its callback, as they
            have ``MATCH`` or ``ALL`` in their ids.
        LongCallbackError: if it can't be found out who asks.
        StoreError: if the store can't be read or written.

    Examples:
        >>> @app.callback(Output("started", "children"), Input("start", "n_clicks"))
        ... def start(n_clicks):
        ...     return attach(submit(work, 3))
    """
    if not isinstance(job, JobHandle):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"attach({job!r:.80}): give it a job, as submit() and find_job() return it")
    callback = job.__dash_long_callback__().callback
    name = f"attach({callback.function_name})"
    if current_run() is not None or not internals.answers_page():
        raise RuntimeError(
            f"{name}: no page asks here, so none can show the job. Call attach() in an ordinary "
            "callback (@app.callback) that a page has triggered"
        )
    page_channel.tell(_message(job, callback, name))
    return dash.no_update if dash.ctx.outputs_grouping else None


def _message(job: JobHandle, callback: LongCallback, name: str) -> dict[str, Any]:
    """What the page gets: see ``Attached`` in ``browser/attached.js``."""
    manager, _, kept = job.__dash_long_callback__()
    outputs = outputs_of(callback, name)
    app = internals.app_of(callback.registration)
    owner = None if app is None else owner_of(app)
    message = {
        "name": callback.callback_id,
        "outputs": outputs or None,
        "matched": matched_by(callback, outputs),
        "owner": owner,
        "declared": callback.declaration.fingerprint,
    }
    if kept is not None:
        # A string, as a large result is not to be parsed and encoded here.
        news = whole(result_json(kept)).decode()
        return {**message, "id": job.id, "ref": job.ref, "news": news}
    found = manager.attach(job.id, owner)
    if found is not None:
        page, record = found
        return {**message, "id": page, "ref": record.ref}
    log.warning(
        "attach: no. %s of %s is not shown: it has expired, or is another user's",
        ref_of(job.id),
        callback.name,
    )
    # The page finds out by itself. It must not get the id of another user's job.
    page = new_job_id()
    return {**message, "id": page, "ref": ref_of(page)}
