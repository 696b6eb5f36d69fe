"""Changes of records, as stores make them."""

from __future__ import annotations

import time

from dash_long_callback.jobs import Event, Job, transition


def changed(job: Job, *events: Event) -> Job:
    """The record after these events, each of which is allowed."""
    for event in events:
        change = transition(job, event, time.time())
        assert change is not None, f"{event} is refused"
        job = change.job
    return job
