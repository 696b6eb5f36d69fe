"""What a page is told of a job that did not succeed: safe words, or all that a developer wants.

On the wire it is JSON, of which the browser client makes a notice, or an entry in the dev tools:

    {"kind": "failed", "message": "…", "user": false, "ref": "482193",
     "type": "ValueError", "traceback": "…", "callback": "app.work", "html": "…"}

The last four are there only if the app that answers has its dev tools on, and ``html`` only for a
callback with ``background=True``. ``message`` may then be the exception's own; else it is the
sentence below for the ``kind``. With ``"user": true`` it is the text of a ``UserError``.
"""

from __future__ import annotations

from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.jobs import Job

#: For each kind of end, a state or a ``jobs.Kind``, what any user may read. ``{ref}`` is the
#: number that the log has, too. ``browser/sentences.js`` has the same, and those of ends that only
#: the page knows.
SENTENCES = {
    # The function raised, or its result can't be used.
    "failed": "Something went wrong (no. {ref}). Try again.",
    "timed_out": "This took too long and was stopped (no. {ref}). Try again.",
    # No worker began it within its ``start_within``.
    "expired": "This could not be started in time (no. {ref}). Try again later.",
    # Its worker died, or its record can't be read.
    "lost": "This was interrupted before it had finished (no. {ref}). Try again.",
    # A planned stop of the server, or of a Celery worker.
    "stopped": "The server was stopped before this had finished (no. {ref}). Try again.",
    # The click: its job could not be stored, or not be sent.
    "refused": "The server could not start this (no. {ref}). Try again in a moment.",
    # The click: its callback has ``on_limit="refuse"``, and a limit is reached.
    "limit": "Too many of these are running. Try again later.",
    # The page, or the job, is older than the code: see ``dash/declaration.py``.
    "changed": "The app has changed since this page was loaded. Reload the page.",
    # Another user clicked than is logged in now.
    "session": (
        "Your session has expired. Log in again and reload the page; "
        "jobs that still run are found again."
    ),
    # No worker can run it: none can be started, or none has the function.
    "unavailable": "The server can't run this at the moment (no. {ref}). Try again later.",
    # It has a result, for which the store has no room.
    "not_stored": "The result could not be stored (no. {ref}). Try again later.",
}


def failure(job: Job, *, details: bool) -> dict[str, Any]:
    """What the page is told of a job that has ended without success.

    Args:
        job: its record, with an ``error``.
        details: whether the page may have the exception's text, type and traceback.
    """
    error = job.error or {}
    kind = str(error.get("kind") or job.state.value)
    if kind not in SENTENCES:  # of a newer version of this package
        kind = "failed"
    message = str(error.get("message") or "")
    user = error.get("user") is True and bool(message.strip())
    sentence = SENTENCES[kind].format(ref=job.ref)
    shown: dict[str, Any] = {
        "kind": kind,
        "message": message if message and (user or details) else sentence,
        "user": user,
        "ref": job.ref,
    }
    if details:
        shown["type"] = str(error.get("type") or "")
        if error.get("traceback") and not user:
            shown["traceback"] = str(error["traceback"])
        callback = registry.get(job.callback)
        shown["callback"] = job.callback if callback is None else callback.function_name
        if callback is not None and kind == "failed" and not user:
            shown |= _page(callback, message, shown.get("traceback", ""))
    return shown


def _page(callback: LongCallback, message: str, traceback: str) -> dict[str, str]:
    reported = callback.conventions.reported
    return {} if reported is None else {"html": internals.error_page(reported(message, traceback))}
