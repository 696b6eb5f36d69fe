"""Jobs as tasks of Dash's MCP server: what it starts, and then asks a manager of Dash's for.

    MCP client ──► Dash's MCP server ──► dispatch ──► Click.begin ──► the names of a job, signed
                                    └──► Tasks: its state, progress, result and end

Such a client is no page: it waits for nothing, and asks when it likes.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

import dash

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.errors import JobNotFound
from dash_long_callback.jobs import Job, State
from dash_long_callback.managers.base import Manager, News
from dash_long_callback.server.owner import owner_of
from dash_long_callback.stores.large_results import LargeResult

#: Seconds that a request to cancel a job waits for its end: Dash's own waits for a process.
CANCEL_SECONDS = 2.0


class Tasks:
    """The jobs of one callback, as Dash asks a background manager for them.

    Args:
        callback: whose jobs.
    """

    #: In the place of a result that is not there yet.
    UNDEFINED = object()

    def __init__(self, callback: LongCallback) -> None:
        self._callback = callback

    @property
    def expire(self) -> float:
        """Seconds that a job and its outcome are kept."""
        return self._manager.store.retention

    def job_running(self, job: str) -> bool:
        """Whether a job has not ended."""
        known = self._manager.job(job, owner_of(dash.get_app()))
        return known is not None and not known.state.ended

    def result_ready(self, key: str) -> bool:
        """Whether a job has ended by itself: with a result, or with an error."""
        known = self._manager.job(key, owner_of(dash.get_app()))
        return known is not None and known.state.ended and known.state is not State.CANCELLED

    def get_progress(self, key: str) -> list[Any] | None:
        """The latest value of each output of ``progress``; None if there is none yet."""
        news = self._news(key)
        found = {target: json.loads(value) for target, value in (news.updates if news else ())}
        outputs = range(len(self._callback.progress_outputs))
        return [found.get(n) for n in outputs] if any(n in found for n in outputs) else None

    def get_updated_props(self, key: str) -> dict[str, dict[str, Any]]:
        """What the function has set by ``set_props``."""
        news = self._news(key)
        props: dict[str, dict[str, Any]] = {}
        for target, value in news.updates if news else ():
            if isinstance(target, tuple):
                props.setdefault(target[0], {})[target[1]] = json.loads(value)
        return props

    def get_result(self, key: str, _job: str) -> Any:
        """What the function has returned, or its error in Dash's form; else ``UNDEFINED``."""
        news = self._news(key)
        if news is None or not news.job.state.ended or news.job.state is State.CANCELLED:
            return self.UNDEFINED
        if news.job.error is not None:
            return {"background_callback_error": _error(news.job)}
        whole = news.response
        whole = whole.whole() if isinstance(whole, LargeResult) else whole
        response = json.loads(whole or b"{}").get("response", {})
        values = [
            response.get(component_id, {}).get(prop, dash.no_update)
            for component_id, prop in self._callback.declaration.parts["outputs"]
        ]
        single = isinstance(self._callback.registration.entry["outputs_indices"], int)
        return values[0] if single else values or None

    def terminate_job(self, job: str | None) -> None:
        """Cancel a job, and wait for a moment until it has ended."""
        owner = owner_of(dash.get_app())
        with contextlib.suppress(JobNotFound):
            if job is not None:
                self._manager.cancel(job, owner)
                self._manager.wait({job: 0}, CANCEL_SECONDS, _all_ended, owner)

    def get_or_create_signing_secret(self, generate: Callable[[], bytes]) -> bytes:
        """The secret by which all web processes sign what they give away."""
        return self._manager.store.secret(generate)

    def _news(self, key: str) -> News | None:
        return self._manager.news({key: 0}, owner_of(dash.get_app())).get(key)

    @property
    def _manager(self) -> Manager:
        app: Any = dash.get_app()
        return self._callback.options.manager or app.long_callback_manager


def _error(job: Job) -> dict[str, str]:
    error = job.error or {}
    text = str(error.get("message") or "")
    return {"msg": text or job.state.value, "tb": str(error.get("traceback") or "")}


def _all_ended(found: dict[str, News]) -> bool:
    return all(news.job.state.ended for news in found.values())


def offer(callback: LongCallback) -> None:
    """Have Dash's MCP server find a callback's jobs."""
    seconds = callback.options.interval
    interval = internals.INTERVAL if seconds is None else round(seconds * 1000)
    entry = callback.registration.entry
    entry["background"] = {"interval": interval}
    entry["manager"] = Tasks(callback)
    # Where it looks for name, description and arguments.
    entry["callback"].__wrapped__ = _described(callback)


def _described(callback: LongCallback) -> Callable[..., Any]:
    """The function, as it is without ``set_progress``: that is no argument of a tool."""
    function = callback.function
    if callback.options.progress is None:
        return function

    @functools.wraps(function)
    def described(*args: Any, **kwargs: Any) -> Any:
        return function(lambda _value: None, *args, **kwargs)

    with contextlib.suppress(ValueError, TypeError):  # it can't say what it takes
        signature = inspect.signature(function)
        _, *parameters = signature.parameters.values()
        vars(described)["__signature__"] = signature.replace(parameters=parameters)
    return described
