"""A job that runs in a test: all that it reports, and the exception itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.execution import Execution
from dash_long_callback.jobs import Job, Outcome, Problem, Target
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.updates import Update, encoded


@dataclass
class Record:
    """What a job did, in all its attempts.

    Attributes:
        reports: the targets and values of what it has reported, as JSON has them; each call on its
            own.
        error: what its function has raised last; None if the last attempt has not.
    """

    reports: list[list[tuple[Target, Any]]] = field(
        default_factory=list["list[tuple[Target, Any]]"]
    )
    error: BaseException | None = None


class RecordedRun(Run):
    """A run that writes down what it reports, before values that come too fast are joined."""

    def __init__(self, record: Record, store: JobStore, job: Job, callback: LongCallback) -> None:
        super().__init__(store, job, _Recorded(callback, record))
        self._record = record
        record.error = None

    def report(self, updates: Iterable[Update]) -> None:
        """Write down, and report."""
        self.checkpoint()
        known = list(updates)
        self._record.reports.append([(one.target, json.loads(encoded(one.value))) for one in known])
        super().report(known)


class _Recorded:
    """A callback in a worker, whose exceptions are written down."""

    def __init__(self, callback: LongCallback, record: Record) -> None:
        self._callback, self._record = callback, record

    def outcome(self, run: Run) -> Outcome:
        return _Execution(run, self._callback, self._record).outcome()


class _Execution(Execution):
    def __init__(self, run: Run, callback: LongCallback, record: Record) -> None:
        super().__init__(run, callback)
        self._record = record

    def _end_by(self, error: BaseException) -> Problem:
        # Whatever becomes of an exception that a job may end for, this is asked about it.
        self._record.error = internals.explained(error)
        return super()._end_by(error)
