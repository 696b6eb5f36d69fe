"""One run of a long callback in a test: what its job did, and what the page got of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dash_long_callback.calls.outcome import exception_of
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.grouping import group
from dash_long_callback.jobs import TRACKED, Job, State
from dash_long_callback.testing.recording import Record


class CallbackRun:
    """A run of a long callback. The fixture ``long_callbacks`` makes it.

    Values are as the page gets them, as JSON: components and figures are dicts, tuples are lists.
    ``as_json`` makes the same of a value to compare with.

    Attributes:
        function: of the callback.
        state: ``"queued"``, ``"running"``, ``"succeeded"``, ``"failed"``, ``"cancelled"``,
            ``"timed_out"``, ``"lost"`` or ``"expired"``, as that of a job. Besides, ``"held"``: the
            page has not asked for it yet, as it debounces or waits for another; and ``"ignored"``:
            it never will, by ``on_retrigger``.
        running: the values that each property of ``running`` got, in their order, by
            ``"id.property"``: while it ran, and after.
        cached: whether a kept result was the answer, and the function was not called.
        attempts: how often it was begun: more than once with ``retry``.

    Examples:
        >>> run = long_callbacks.click(app, "run.n_clicks", 3)
        >>> run.outputs, run.progress
        ({'report.children': 'Run 3 is done.'}, [0, 1, 2])
    """

    def __init__(self, callback: LongCallback, outputs: list[str], record: Record) -> None:
        self.function = callback.function
        self.state = "held"
        self.running: dict[str, list[Any]] = {}
        self.cached = False
        self.attempts = 0
        self._callback = callback
        self._targets = outputs
        self.record = record
        self._error: BaseException | None = None
        self._answer: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<CallbackRun of {self._callback.function_name}: {self.state}>"

    @property
    def ended(self) -> bool:
        """Whether it is over, in whichever way."""
        return self.state == "ignored" or (self.state != "held" and State(self.state).ended)

    @property
    def error(self) -> BaseException | None:
        """The exception that the function has raised, also if ``on_error`` has dealt with it.

        In the mode ``"real"`` it was another process's: then it is a ``JobFailed``, or another
        ``JobEnded``, which tells of it. Also why a click was refused. None: there is none.
        """
        return self._error

    @property
    def outputs(self) -> dict[str, Any]:
        """The value of each output that was updated, by ``"id.property"``.

        Raises:
            BaseException: ``error``, if the run has failed.
            RuntimeError: if it has not ended.
        """
        if not self.ended:
            raise RuntimeError(
                f"{self!r} has not ended: call long_callbacks.run_next(), or advance() first"
            )
        if self._error is not None and self.state not in ("succeeded", "cancelled"):
            raise self._error
        return dict(self._final())

    @property
    def progress(self) -> list[Any]:
        """All that the function gave ``set_progress``, in its order.

        Each in the grouping of ``progress``. What ``no_update`` stood for is as it was before. In
        the mode ``"real"``, what the page was told: it may miss values that were replaced at once.
        """
        schema, latest, found = self._callback.options.progress, dict[int, Any](), list[Any]()
        count = len(self._callback.progress_outputs)
        for report in self.record.reports:
            values = {t: v for t, v in report if isinstance(t, int) and t != TRACKED}
            if values:
                latest |= values
                found.append(group(map(latest.get, range(count)), schema))
        return found

    @property
    def yielded(self) -> list[dict[str, Any]]:
        """What the function has yielded, each with its values by ``"id.property"``."""
        found = [self._named(report, outputs=True) for report in self.record.reports]
        return [one for one in found if one]

    @property
    def props(self) -> dict[str, list[Any]]:
        """The values that ``set_props`` gave each property, in their order, by ``"id.property"``.

        Without those of the callback's own outputs: these count as yielded.
        """
        found: dict[str, list[Any]] = {}
        for report in self.record.reports:
            for name, value in self._named(report, outputs=False).items():
                found.setdefault(name, []).append(value)
        return found

    def _named(self, report: Iterable[tuple[Any, Any]], *, outputs: bool) -> dict[str, Any]:
        names = {f"{t[0]}.{t[1]}": v for t, v in report if not isinstance(t, int)}
        return {name: v for name, v in names.items() if (name in self._targets) is outputs}

    def _final(self) -> dict[str, Any]:
        """What the outputs have at the end."""
        found: dict[str, Any] = {}
        for one in self.yielded:
            found |= one
        for component_id, props in self._answer.items():
            found |= {f"{component_id}.{prop}": value for prop, value in props.items()}
        return found

    def values(self) -> dict[str, Any]:
        """What the page has of it in the end: outputs, as far as they got."""
        last = {name: values[-1] for name, values in self.props.items()}
        return {**last, **self._final()}

    def show(self, name: str, value: Any) -> None:
        """Note what ``running`` sets."""
        self.running.setdefault(name, []).append(value)

    def is_at(self, job: Job) -> None:
        """Note where its job is."""
        self.state, self.attempts = job.state.value, job.failures + int(job.attempt > 0)
        if job.state is State.QUEUED and job.failures:
            self.attempts = job.failures
        # An exception that the job has not ended by was another attempt's, or `on_error` has it.
        self._error = self.record.error
        if self._error is None and job.state.ended and job.state is not State.SUCCEEDED:
            self._error = None if job.state is State.CANCELLED else exception_of(job)

    def answered(self, response: Mapping[str, Any]) -> None:
        """Note what the outputs get."""
        self._answer = dict(response.get("response", {}))

    def refused(self, error: BaseException) -> None:
        """Note that there is no job."""
        self.state, self._error = "failed", error
