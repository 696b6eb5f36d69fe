"""The jobs of a test's pages: asked for as a page does, followed to their end, and cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from dash_long_callback.dash import declaration
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.dash.grouping import leaves
from dash_long_callback.errors import JobNotStarted
from dash_long_callback.jobs import State, new_job_id
from dash_long_callback.managers.base import News
from dash_long_callback.server import submit
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.stores.large_results import LargeResult
from dash_long_callback.testing import reports
from dash_long_callback.testing.engine import Engine
from dash_long_callback.testing.page import Page
from dash_long_callback.testing.recording import Record
from dash_long_callback.testing.run import CallbackRun
from dash_long_callback.testing.trigger import Trigger

#: Seconds to wait for a job of the mode "real".
REAL_SECONDS = 60.0


@dataclass
class Asked:
    """A run of a page.

    Attributes:
        trigger: what has triggered it.
        run: what the test sees.
        body: of the request, as it was when it was triggered.
        headers: of it.
        due: when to ask for it, if it debounces.
        job_id: what the page calls its job.
        owner: whose that is, once the server has said so.
        dropped: whether its outputs stay as they are, as it was cancelled.
        slot: what those have in common that update the same outputs.
    """

    trigger: Trigger
    run: CallbackRun
    body: dict[str, Any]
    headers: Mapping[str, str]
    due: float | None = None
    job_id: str = field(default_factory=new_job_id)
    owner: str | None = None
    dropped: bool = False
    slot: Any = field(init=False)

    def __post_init__(self) -> None:
        one = self.trigger
        self.slot = one.page, one.callback, sorted(one.binding.items())


class Jobs:
    """Asks for jobs, and gives their outcomes to the page.

    Args:
        engine: that runs them; None: the app's own.
    """

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        self.runs: list[CallbackRun] = []
        #: Those that have not ended.
        self.open: list[Asked] = []
        self._by_job: dict[str, CallbackRun] = {}

    def made(self, trigger: Trigger, headers: Mapping[str, str]) -> Asked:
        """A run of the callback that is triggered, before it is asked for."""
        run = CallbackRun(trigger.callback, trigger.outputs, Record())
        return Asked(trigger, run, trigger.request(), headers)

    def ask(self, asked: Asked, instead_of: Iterable[Asked] = ()) -> None:
        """Send the request of a run, and note what comes of it.

        Args:
            asked: the run.
            instead_of: others, which end.
        """
        trigger, run = asked.trigger, asked.run
        for name, on, _ in trigger.running:
            run.show(name, on)
            trigger.page.put(name, on)
        self.open.append(asked)
        for one in instead_of:
            self.cancel(one, asked.headers)
        refused: list[Exception] = []
        with patch.object(submit, "refusal", _noting(refused)):
            answer = self._send(asked)
        asked.job_id, asked.owner = answer["job"], answer["owner"]
        news = answer["news"]
        if refused:
            run.refused(refused[0])
            self._close(asked)
        elif trigger.manager.job(asked.job_id, asked.owner) is None:
            self._answered(asked, news)
        elif self._engine is None:
            self._follow(asked)
        self.update()

    def _send(self, asked: Asked) -> Any:
        """The answer to the request of a run. Without one, it is over."""
        callback = asked.trigger.callback
        headers = {
            submit.HEADER: asked.job_id,
            declaration.HEADER: callback.declaration.fingerprint,
            **asked.headers,
        }
        try:
            return self.post(asked.trigger.page, "_dash-update-component", asked.body, headers)
        except Exception as error:
            asked.run.refused(error)
            self._close(asked)
            raise

    def post(self, page: Page, path: str, body: Any, headers: Mapping[str, str]) -> Any:
        """Send a request of a page, as its user."""
        manager: Any = page.app.long_callback_manager  # pyright: ignore[reportAttributeAccessIssue]
        engine = self._engine
        before = None if engine is None else engine.asking
        if engine is not None:
            engine.asking = True
        try:
            if page.user is None:
                return page.client.post(path, body, headers)
            user = page.user[0]
            with patch.object(manager, "user", lambda: user):
                return page.client.post(path, body, headers)
        finally:
            if engine is not None:
                engine.asking = bool(before)

    def _answered(self, asked: Asked, news: Mapping[str, Any]) -> None:
        """There is no job: a kept result is the answer, or the click was refused."""
        run = asked.run
        if "response" not in news:
            run.refused(JobNotStarted(str(news.get("error", {}).get("message", ""))))
        else:
            run.state, run.cached = State.SUCCEEDED.value, True
            run.running.clear()  # an answer that is there already shows nothing before it
            run.record.reports += reports.of_kept(news.get("updates", ()))
            run.answered(news["response"])
        self._close(asked)

    def _follow(self, asked: Asked) -> None:
        """Wait for a job that runs elsewhere."""
        jobs = {asked.trigger.manager: {asked.job_id: 0}}
        for report in reports.until_end(jobs, asked.owner, REAL_SECONDS):
            asked.run.record.reports.append(report)
        if not self._has_ended(asked):
            raise TimeoutError(
                f"{asked.trigger.name} has not ended within {REAL_SECONDS:g} s. The log says "
                "whether its workers could be started; with Celery, one has to run"
            )

    def _has_ended(self, asked: Asked) -> bool:
        job = asked.trigger.manager.job(asked.job_id, asked.owner)
        return job is None or job.state.ended

    def update(self) -> None:
        """Give pages what has come of their jobs."""
        for asked in list(self.open):
            if asked not in self.open:
                continue
            found = asked.trigger.manager.news({asked.job_id: 0}, asked.owner)
            news = found.get(asked.job_id)
            if news is not None:
                self._see(asked, news)

    def _see(self, asked: Asked, news: News) -> None:
        run, job = asked.run, news.job
        if self._engine is not None and job.id in self._engine.records:
            run.record = self._engine.records[job.id]
        self._by_job.setdefault(job.id, run)
        run.is_at(job)
        if job.state.ended:
            response = news.response
            if response is not None and not asked.dropped:
                data = response.whole() if isinstance(response, LargeResult) else response
                run.answered(json.loads(data or b"{}"))
            self._close(asked)

    def _close(self, asked: Asked) -> None:
        """A run has ended: the page shows that."""
        self.open.remove(asked)
        page, run = asked.trigger.page, asked.run
        if not self.others(asked):
            for name, _, off in asked.trigger.running:
                if name in run.running:
                    run.show(name, off)
                page.put(name, off)
        _reset_progress(asked)
        for name, value in run.values().items():
            if not _is_patch(value):
                page.put(name, value)

    def others(self, asked: Asked) -> list[Asked]:
        """What else the page has asked for the same outputs, and has not ended."""
        return [one for one in self.open if one is not asked and one.slot == asked.slot]

    def cancel(self, asked: Asked, headers: Mapping[str, str]) -> None:
        """Have the server end a job: its outputs stay."""
        asked.dropped = True
        body = {"jobs": [asked.job_id]}
        self.post(asked.trigger.page, "_dash-long-callback/cancel", body, headers)
        self.update()

    def all(self) -> list[CallbackRun]:
        """All runs so far, those of jobs that code has asked for included, as far as they began."""
        self.update()
        engine = self._engine
        for job_id in [] if engine is None else list(engine.records):
            self.run_of(job_id)
        return self.runs

    def note_presence(self) -> None:
        """The pages are there, which is what jobs may end without."""
        for asked in self.open:
            job = asked.trigger.manager.job(asked.job_id, asked.owner)
            if job is not None and job.ends_with_page and not job.state.ended:
                seconds = pacer_of(asked.trigger.page.app).pacing.presence
                asked.trigger.manager.store.note_presence(job.id, seconds)

    def leave(self, page: Page) -> None:
        """A page is loaded anew: what it has asked for goes on without it."""
        self.open = [one for one in self.open if one.trigger.page is not page]

    def run_of(self, job_id: str) -> CallbackRun:
        """The run of a job that has begun; a new one, if code has asked for it."""
        assert self._engine is not None
        store = self._engine.store
        found = store.load_all(job_id)
        run = self._by_job.get(job_id)
        if found is None:
            assert run is not None, "a job that was kept for weeks has expired"
            return run
        job, result = found
        if run is None:
            callback = registry.get(job.callback, job.digest)
            assert callback is not None
            outputs = [f"{i}.{prop}" for i, prop in callback.declaration.parts["outputs"]]
            run = CallbackRun(callback, outputs, self._engine.records[job_id])
            self._by_job[job_id] = run
            self.runs.append(run)
        run.is_at(job)
        if job.result_size is not None:
            result = LargeResult(store, job).whole()
        run.answered(json.loads(result or b"{}"))
        return run


def _reset_progress(asked: Asked) -> None:
    """What `progress` sets is there while a job runs."""
    options, page = asked.trigger.callback.options, asked.trigger.page
    if options.progress_default is None and asked.trigger.callback.conventions.keeps_progress:
        values = leaves(asked.run.progress[-1:])
    else:
        values = options.progress_default or [None] * len(asked.trigger.progress)
    for names, value in zip(asked.trigger.progress, values, strict=False):
        for name in names:
            page.put(name, value)


def _noting(refused: list[Exception]) -> Any:
    """Note why a click is refused, besides telling the page."""
    refusal = submit.refusal

    def noted(error: Exception) -> Any:
        refused.append(error)
        return refusal(error)

    return noted


def _is_patch(value: Any) -> bool:
    return isinstance(value, dict) and "__dash_patch_update" in value
