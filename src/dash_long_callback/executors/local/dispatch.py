"""What a worker is told to run a job: the record, and the callback if it can't import it."""

from __future__ import annotations

from typing import Any

from dash_long_callback import by_value, unsendable
from dash_long_callback.errors import NotPickleable
from dash_long_callback.executors.local.messages import Ready, Start
from dash_long_callback.jobs import Changed, Failed, Job
from dash_long_callback.registry import Callback, registry


def start_message(job: Job, ready: Ready) -> Start | Failed:
    """What to tell a worker; or how the job ends, as no worker can run it.

    Args:
        job: as it was claimed.
        ready: what the worker has said of itself.
    """
    callback = registry.get(job.callback)
    if callback is None:
        words = f"this app has no long callback {job.callback!r} any more; reload the page"
        return Changed(message=words)
    if ready.digests.get(callback.key) == callback.digest:
        return Start(job, callback.key)
    try:
        return Start(job, callback.key, _by_value(callback, ready, whole=not job.handler))
    except NotPickleable as problem:
        return Failed("NotPickleable", str(problem), kind="unavailable")


def _by_value(callback: Callback, ready: Ready, *, whole: bool) -> bytes:
    sent = callback.by_value(whole=whole)
    try:
        return by_value.dumps(sent, ready.modules)
    except Exception as error:

        def is_sendable(value: Any) -> bool:
            return by_value.can_be_sent(value, ready.modules)

        what = unsendable.where(sent.function, sent.kwargs, is_sendable)
        raise NotPickleable(
            f"{callback.name} can't be imported by a worker process, nor sent to one, as it "
            f"refers to {what}: {type(error).__name__}: {error}. {unsendable.HELP}."
        ) from error
