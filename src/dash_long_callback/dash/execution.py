"""Runs a callback's function as Dash would: grouped arguments, ``dash.ctx``, checked outputs, JSON.

request (JSON) ──► Dash's wrapper ──► call() ──► the user's function
                        │                │              │ set_progress, set_props, yield
                        │                │              ▼
                        │                └─ on_error   Run.report
                        ▼
                     Outcome
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dash
from dash.exceptions import PreventUpdate

from dash_long_callback.dash import internals
from dash_long_callback.dash.events import kind_of
from dash_long_callback.dash.grouping import NoUpdate, fill_no_update, leaves, spread
from dash_long_callback.errors import JobCancelled, JobLost, JobTimedOut, UserError
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import (
    Cancelled,
    Changed,
    Handle,
    Lost,
    Outcome,
    Problem,
    Succeeded,
    Target,
    TimedOut,
    retries,
)
from dash_long_callback.worker.call import call
from dash_long_callback.worker.failures import exited, failed, is_ctrl_c
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.tqdm_bars import following
from dash_long_callback.worker.updates import Kind, Update, is_plain

if TYPE_CHECKING:
    from dash_long_callback.dash.callbacks import LongCallback


class Execution:
    """One run of a callback's function, of its ``on_error``, or of both.

    Attributes:
        error: call no function; hand this to ``on_error`` instead.
        ending: how the job ends if ``on_error`` fails, which has been called or is to be.
    """

    def __init__(self, run: Run, callback: LongCallback) -> None:
        self.run = run
        self.callback = callback
        self.ending = run.problem
        self.error: BaseException | None = self.ending and self.ending.exception()
        #: The grouping of the outputs.
        self.outputs = callback.registration.entry["outputs_indices"]
        self._progress = [output.component_property for output in callback.progress_outputs]
        #: Whether values were yielded to the outputs, and whether the function has returned.
        self.streamed = self.returned = False
        #: Whether ``on_error`` was called: once, also if it fails itself.
        self.handled = False

    def set_progress(self, value: Any) -> None:
        """What a long callback with ``progress`` gets as its first argument."""
        progress = self.callback.options.progress
        value = self.callback.conventions.fit_progress(value, progress)
        values = spread(value, progress, "set_progress")
        self._report(zip(range(len(values)), self._progress, values, strict=True))

    def set_props(self, component_id: str, props: dict[str, Any]) -> None:
        """What ``dash.set_props`` does while the function runs."""
        self._report(((component_id, prop), prop, value) for prop, value in props.items())

    def yielded(self, value: Any) -> None:
        """Carry a value that a generator has yielded to the outputs."""
        if self.outputs == []:
            raise ValueError("yield: the callback has no outputs; use set_props")
        values = spread(value, self.outputs, "yield")
        outputs = internals.outputs_of_call(single=isinstance(self.outputs, int))
        updates: list[tuple[tuple[str, str], Any]] = []
        for index, part in zip(leaves(self.outputs), values, strict=True):
            targets = outputs[index]
            if not isinstance(targets, list):
                updates.append((targets, part))
            elif isinstance(part, (list, tuple)) and len(part) == len(targets):
                updates += zip(targets, part, strict=True)
            elif not isinstance(part, NoUpdate):
                raise ValueError(
                    f"yield: expected a list of {len(targets)} values, one for each component "
                    f"behind ALL, got {part!r:.80}"
                )
        self.streamed = True
        self._report((target, target[1], part) for target, part in updates)

    def _report(self, values: Iterable[tuple[Target, str, Any]]) -> None:
        # All of them first: if one can't be encoded, none is reported.
        self.run.report(
            [
                _update(target, prop, value)
                for target, prop, value in values
                if not isinstance(value, NoUpdate)
            ]
        )

    def _arguments(self) -> dict[str, Any] | Outcome:
        """The request; or how the job ends, as there are no arguments for its function."""
        request = self.run.request()
        if request is None:
            return Lost("its arguments have expired")
        fields = json.loads(request)
        if self.callback.is_current(fields):
            return fields
        return self.ending or Changed()

    def outcome(self) -> Outcome:
        """Run the job to its end."""
        token = current.set(self)
        try:
            fields = self._arguments()
            if not isinstance(fields, dict):
                return fields
            try:
                return self._result(fields)
            except Exception as error:
                if self.handled or self.callback.handler is None or self._is_retried(error):
                    raise
                # The function has returned, but its result can't be used. What on_error makes of
                # that takes the same way.
                self.error = error
                return self._result(fields)
        except JobCancelled:
            return Cancelled()
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            return self._unsuccessful(error)
        finally:
            self.run.armed = False
            current.reset(token)

    def _result(self, fields: dict[str, Any]) -> Succeeded:
        try:
            answer = internals.run_in_context(
                self.callback.registration, fields, _Props(self.set_props)
            )
        except PreventUpdate:
            # Or Dash says so: no output has a value that was not yielded before.
            lasting = self.streamed and self.returned and not self.handled
            return Succeeded(b"{}", lasting=lasting)
        response = answer if isinstance(answer, bytes) else answer.encode()
        return Succeeded(response, lasting=not self.handled)

    def call(self, args: Any, kwargs: Any) -> Any:
        """Call the function, and its ``on_error`` if there is one and that raises.

        What Dash's wrapper calls: it has grouped the arguments and filled ``dash.ctx``.
        """
        if self.callback.options.progress is not None:
            args = (self.set_progress, *args)
        try:
            value = self._value(args, kwargs)
        except (PreventUpdate, JobCancelled):
            raise
        except BaseException as error:
            if self.callback.handler is None or is_ctrl_c(error):
                raise
            if isinstance(error, SystemExit):
                if self.run.is_shutdown(error):
                    raise
                error = exited(error)
            error = internals.explained(error)
            if self._is_retried(error):
                raise
            value = self._handle(error)
            if value is None or self.outputs == []:
                raise PreventUpdate from error
        if value is None and self.streamed:
            # The last value that was yielded is the result, and on its way already.
            value = dash.no_update
        return fill_no_update(value, self.outputs)

    def _value(self, args: Any, kwargs: Any) -> Any:
        if self.error is not None:
            raise self.error
        tracking = self.run.tracking
        bars = following(tracking) if self.callback.options.track_tqdm else nullcontext()
        try:
            with bars:
                value = call(self.run, self.callback.function, args, kwargs, self.yielded)
        finally:
            # An exception holds the function's variables, and so the loops that it has left.
            tracking.close_all()
        self.returned = True
        return value

    def _handle(self, error: BaseException) -> Any:
        """What ``on_error`` makes of an error."""
        handler = self.callback.handler
        assert handler is not None
        self.handled = True
        self.ending = self.ending or self._end_by(error)
        self.error = error = self._told(error)
        # Whoever finds this worker dead in the middle of it does not have it called again. And one
        # that was paused, and taken for dead, leaves it to the worker that has the job now.
        if not self.run.job.handler and not self.run.reporter.note(Handle(self.ending)):
            raise JobCancelled
        return handler(error)

    def _told(self, error: BaseException) -> BaseException:
        """What ``on_error`` gets for an error."""
        reported = self.callback.conventions.reported
        if reported is None:
            return error
        end = failed(error)
        told = reported(end.message, end.traceback or "")
        told.__cause__ = error
        return told

    def _unsuccessful(self, error: BaseException) -> Outcome:
        error = internals.explained(error)
        if isinstance(error, SystemExit):
            if self.run.is_shutdown(error):
                return Lost("the worker was stopped while the job ran", "stopped")
            error = exited(error)
        if error is self.error and self.ending is not None:
            return self.ending
        if self.ending is None:
            return self._end_by(error)
        head = f"no. {self.run.job.ref}: {self.run.name}"
        if isinstance(error, UserError):
            log.warning("%s: on_error has words for the user in place of %s", head, self.ending)
            return self._end_by(error)
        # Of the two, the page is told of the one that came first.
        log.error("%s: its on_error failed\n%s", head, failed(error).traceback)
        return self.ending

    def _is_retried(self, error: BaseException) -> bool:
        """Whether an error is not for ``on_error``, as the function is to be called again."""
        if self.ending is not None or not self.run.job.waits:
            return False  # without the end, which has the traceback as text
        return retries(self.run.job, self._end_by(error))

    def _end_by(self, error: BaseException) -> Problem:
        if isinstance(error, JobTimedOut):
            # Without a timeout of its own, the limit was Celery's.
            limit = self.run.job.timeout
            return TimedOut.after(limit) if limit else TimedOut(str(error))
        if isinstance(error, JobLost):
            return Lost(str(error))
        policy = self.callback.options.retry
        # What the function has returned would be as unusable again.
        again = policy is not None and not self.returned and policy.after(error)
        return replace(failed(error), retry=again)


#: What this thread runs.
current: ContextVar[Execution] = ContextVar("long_callback_execution")


class _Props(dict[str, Any]):
    """Where ``dash.set_props`` writes: passes on what it is given, and stays empty.

    Dash would otherwise send the values once more with the outputs.
    """

    def __init__(self, set_props: Callable[[str, dict[str, Any]], None]) -> None:
        super().__init__()
        self._set_props = set_props

    def __setitem__(self, component_id: str, props: dict[str, Any]) -> None:
        self._set_props(component_id, props)


def _update(target: Target, prop: str, value: Any) -> Update:
    """A value as it is reported. Raises ``TypeError`` here and now if it can't be encoded."""
    kind = kind_of(prop, value)
    join = internals.join_patches if kind is Kind.PATCH else None
    return Update(target, value if is_plain(value) else _to_json(value), kind, join)


def _to_json(value: Any) -> bytes:
    try:
        return internals.to_json_bytes(value)
    except Exception as error:
        raise TypeError(f"{value!r:.80} can't be sent to the page as JSON: {error}") from error
