"""Runs one job: context, call, updates, outcome. The one place where a user's function is called.

    request (JSON) ──► Dash's wrapper ──► call() ──► the user's function
                            │                │              │ set_progress, set_props
                            │                │              ▼
                            │                └─ on_error   Reporter ──► store   (updates)
                            ▼
                         outcome ─────────────────────────────────────► store   (once)

Knows jobs and stores; knows nothing of the web, of processes or of queues.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dash
from dash.exceptions import PreventUpdate

from dash_long_callback import dash_internals, declaration
from dash_long_callback.ends import log_end
from dash_long_callback.errors import (
    JobCancelled,
    JobExited,
    JobLost,
    JobTimedOut,
    StoreError,
    UserError,
)
from dash_long_callback.events import Kind, kind_of
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.grouping import NoUpdate, fill_no_update, leaves, spread
from dash_long_callback.jobs import (
    Cancelled,
    Failed,
    Finish,
    Handle,
    Lost,
    Outcome,
    Problem,
    Succeeded,
    TimedOut,
    as_exception,
    transition,
)
from dash_long_callback.stores.timing import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
    from types import TracebackType

    from dash_long_callback.callbacks import LongCallback
    from dash_long_callback.jobs import Event, Job, Target
    from dash_long_callback.options import Options
    from dash_long_callback.stores.job_store import JobStore

log = logging.getLogger("dash_long_callback")

#: Seconds between two writes of updates: no screen shows more than 60 pictures a second.
WRITE_SECONDS = 1 / 60
#: Slots after which each write costs twice as much, as it has the record in it with all of them: so
#: a job that has many writes less often.
SLOTS = 200
#: Writes of events that a job keeps, and bytes of them, for pages that have not seen them or are
#: loaded again. A page that asks at all has seen what is a minute old: at the pace of ``SLOTS`` so
#: many writes take six.
EVENT_SLOTS = 2000
EVENT_BYTES = 32 << 20
#: Seconds that a worker tries to store an outcome: a disk may be full, or a server away, for a
#: moment, and the work of hours is in its hands.
SETTLE_SECONDS = 10.0
#: Seconds between two tries.
SETTLE_PAUSE = 0.5
#: Whole numbers up to here are JSON for every encoder.
_LARGEST_INT = 2**53

_update_faults = FaultLog("updates can't be written")
_outcome_faults = FaultLog("outcomes can't be stored yet")


class Reporter:
    """Carries a job's updates to the store, at most one write per ``WRITE_SECONDS``.

    The first value is written at once; of those that come too fast the latest is written when its
    time comes, by a thread that starts when it is first needed; patches are joined, and so are
    events, of which none is left out. Nothing is lost at the end: ``close`` writes what is left.

    Args:
        store: where to.
        job: the record, as its worker was given it.
        refused: called when the store does not take updates of this worker any more.
        progress: the properties of the ``progress`` outputs.
    """

    def __init__(
        self,
        store: JobStore,
        job: Job,
        refused: Callable[[], object],
        progress: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._job = job
        self._refused = refused
        self._progress = progress
        #: By slot: a value that can't change, its JSON, or what is joined.
        self._values: dict[int, Any] = {}
        #: The slots in ``_values`` that another patch or event of the same kind may join.
        self._open: dict[Target, tuple[Kind, int]] = {}
        #: Bytes of the events that are stored, by slot.
        self._events: dict[int, int] = {}
        self._stale: set[int] = set()
        #: Whether events had to be dropped.
        self._dropped = False
        self._due = 0.0
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, updates: Iterable[tuple[Target, Any]]) -> None:
        """Report new values. Raises ``TypeError`` here and now if one can't be encoded."""
        ready = [
            (target, value if _can_wait(value) else _to_json(value), self._kind(target, value))
            for target, value in updates
            if not isinstance(value, NoUpdate)
        ]
        with self._changed:
            for target, value, kind in ready:
                self._put(target, value, kind)
            if time.monotonic() >= self._due:
                self._write()
            elif self._thread is None:
                self._thread = threading.Thread(target=self._late, daemon=True, name="updates")
                self._thread.start()
            else:
                self._changed.notify()

    def _kind(self, target: Target, value: Any) -> Kind:
        if isinstance(target, tuple):
            return kind_of(target[1], value)
        return kind_of(self._progress[target], value)

    def _put(self, target: Target, value: Any, kind: Kind) -> None:
        slot, replaced = self._job.put(target, patch=kind is Kind.PATCH, event=kind.event)
        for old in replaced:
            if self._values.pop(old, self) is self:  # it had been written
                self._stale.add(old)
        opened = self._open.pop(target, None)
        if kind is not Kind.VALUE:
            joined = _Joined(kind)
            if opened is not None and opened[0] is kind:  # nobody has seen it yet
                del self._job.slots[opened[1]]
                joined = self._values.pop(opened[1])
            joined.add(slot, value)
            self._open[target] = (kind, slot)
            value = joined
        self._values[slot] = value

    @property
    def job(self) -> Job:
        """The record, as its worker knows it."""
        return self._job

    def note(self, event: Event) -> None:
        """Change the record itself, and write it with what is left."""
        with self._changed:
            change = transition(self._job, event, time.time())
            if change is not None:
                self._job = change.job
                self._write()

    def close(self) -> None:
        """Write what is left and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.flush()
        if self._thread is not None:
            self._thread.join()

    def flush(self) -> None:
        """Write what is left."""
        with self._changed:
            if self._values:
                self._write()

    def _write(self) -> None:
        values = self._encode()
        self._limit(values)
        stale, self._stale = self._stale, set()
        self._values, self._open = {}, {}
        self._due = time.monotonic() + WRITE_SECONDS * (1 + len(self._job.slots) / SLOTS)
        try:
            written = self._store.write(self._job, values, stale)
        except StoreError as error:
            # Not the function's fault, and perhaps over soon: kept for the next write.
            _update_faults.failed(error)
            self._values = {**values, **self._values}
            self._stale |= stale
            self._due += HEARTBEAT_SECONDS
            return
        _update_faults.succeeded()
        if not written:
            self._refused()

    def _encode(self) -> dict[int, bytes]:
        """The values that wait, as JSON. One that turns out not to be is dropped alone."""
        values: dict[int, bytes] = {}
        for slot, value in self._values.items():
            try:
                values[slot] = _encoded(value)
            except Exception:
                log.exception("an update of %s is dropped: it is not JSON", self._job.callback)
                del self._job.slots[slot]
        return values

    def _limit(self, values: dict[int, bytes]) -> None:
        """Drop the oldest events, if there are too many for the store."""
        slots = self._job.slots
        self._events |= {n: len(v) for n, v in values.items() if slots[n].event}
        dropped = False
        while len(self._events) > 1 and (
            len(self._events) > EVENT_SLOTS or sum(self._events.values()) > EVENT_BYTES
        ):
            oldest = next(iter(self._events))
            del self._events[oldest]
            slots.pop(oldest, None)
            if values.pop(oldest, None) is None:
                self._stale.add(oldest)
            dropped = True
        if dropped and not self._dropped:
            self._dropped = True
            log.warning(
                "%s reports more events than are kept: a page that is loaded again, or was away, "
                "misses the oldest of them",
                self._job.callback,
            )

    def _late(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._values:
                    self._changed.wait()
                elif (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    self._write()


def _can_wait(value: Any) -> bool:
    """Whether a value can be encoded later: it can't change, and is sure to be JSON."""
    kind = type(value)
    if kind is str:
        # Others may have half a surrogate pair, as file names do that are not UTF-8.
        return value.isascii()
    if kind is int:
        return -_LARGEST_INT < value < _LARGEST_INT
    return kind in (bool, float, type(None))


class _Joined:
    """What is written as one: patches, or events, each of these with its number."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._parts: list[tuple[int, Any]] = []

    def add(self, seq: int, value: Any) -> None:
        self._parts.append((seq, value))

    def dump(self) -> bytes:
        if self._kind is Kind.PATCH:
            return dash_internals.join_patches([value for _, value in self._parts])
        events = b",".join(b"[%d,%b]" % (seq, _encoded(value)) for seq, value in self._parts)
        # In a word of its own, as a Patch is: stores and servers need not know of it.
        return b'{"__dash_long_callback_events":"%b","events":[%b]}' % (
            self._kind.value.encode(),
            events,
        )


def _to_json(value: Any) -> bytes:
    try:
        return dash_internals.to_json_bytes(value)
    except Exception as error:
        raise TypeError(f"{value!r:.80} can't be sent to the page as JSON: {error}") from error


def _encoded(value: Any) -> bytes:
    """JSON of a value that waits to be written: encoded already, if it might have changed since."""
    if isinstance(value, _Joined):
        return value.dump()
    return value if isinstance(value, bytes) else _to_json(value)


class Heartbeat:
    """One thread per process, which renews the leases of the jobs that run in it."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._faults = FaultLog("leases can't be renewed")

    @contextmanager
    def of(self, run: Run) -> Generator[None]:
        """Keep the job's lease while the block runs."""
        with self._lock:
            self._runs[run.job.id] = run
            if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
                self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._runs[run.job.id]

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            with self._lock:
                runs = list(self._runs.values())
            for run in runs:
                try:
                    if not run.renew():
                        run.revoke()
                    elif run.deserted:
                        log.info("%s is cancelled, as its page has gone", run.callback.name)
                        run.store.ask_cancel(run.job.id)
                    self._faults.succeeded()
                except Exception as error:
                    # Whatever it is, the leases of other jobs are renewed by this thread, too.
                    self._faults.failed(error, traceback=not isinstance(error, StoreError))


#: The heartbeat of this process.
heartbeat = Heartbeat()


class Run:
    """One job while it runs.

    Attributes:
        error: call no function; hand this to ``on_error`` instead.
        ending: how the job ends if ``on_error`` fails, which has been called or is to be.

    Args:
        store: where the job is.
        job: its record, as its worker has begun it.
        callback: what to run.
        problem: why its function can't be called here; None: as the record says.
    """

    def __init__(
        self,
        store: JobStore,
        job: Job,
        callback: LongCallback,
        problem: Problem | None = None,
    ) -> None:
        self.store = store
        self.callback = callback
        self.ending = problem or (job.problem if job.handler else None)
        self.error: BaseException | None = self.ending and as_exception(self.ending)
        #: Why the job is to stop: a cancel, or a JobTimedOut.
        self.stopping: JobCancelled | JobTimedOut | None = None
        #: Whether an exception raised now would hit the user's function.
        self.armed = False
        #: The grouping of the outputs.
        self.outputs: Any = []
        #: Whether values were yielded to the outputs, and whether the function has returned.
        self.streamed = self.returned = False
        #: Whether ``on_error`` was called: once, also if it fails itself.
        self.handled = False
        #: Whether the function is done with, and the outcome on its way to the store.
        self.settling = False
        progress = [output.component_property for output in callback.progress_outputs]
        self.reporter = Reporter(store, job, self.revoke, progress)
        self._thread = threading.get_ident()

    @property
    def job(self) -> Job:
        """The record, as this worker knows it."""
        return self.reporter.job

    @property
    def deserted(self) -> bool:
        """Whether the job is to end because nobody is there to see its end."""
        return self.callback.ends_with_page and not self.store.is_present(self.job.id)

    def renew(self) -> bool:
        """A heartbeat. Returns whether the job is still this worker's."""
        return self.store.renew(self.job)

    def stop(self, reason: JobCancelled | JobTimedOut) -> None:
        """Ask the function to stop: the next update, or whoever interrupts the thread, raises."""
        self.stopping = reason

    def revoke(self) -> None:
        """The job has ended without this worker, or was given to another: stop the function.

        From any thread. What runs the job may do more than to tell the function.
        """
        if self.stopping is None and not self.settling:
            log.warning("%s ended elsewhere; its function is stopped", self.callback.name)
            self.stop(JobCancelled())

    def checkpoint(self) -> None:
        """Raise JobCancelled if the job is to stop."""
        if self.stopping is not None and self.armed:
            # A helper thread of the function hears of it, too, but does not take it away from the
            # thread that it is meant for.
            if threading.get_ident() == self._thread:
                self.armed = False
            raise JobCancelled

    def set_progress(self, value: Any) -> None:
        """What a long callback with ``progress`` gets as its first argument."""
        values = spread(value, self.callback.options.progress, "set_progress")
        self.report(enumerate(values))

    def yielded(self, value: Any) -> None:
        """Carry a value that a generator has yielded to the outputs."""
        if self.outputs == []:
            raise ValueError("yield: the callback has no outputs; use set_props")
        values = spread(value, self.outputs, "yield")
        outputs = dash_internals.outputs_of_call(single=isinstance(self.outputs, int))
        updates: list[tuple[Target, Any]] = []
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
        self.report(updates)

    def report(self, updates: Iterable[tuple[Target, Any]]) -> None:
        """Carry updates to the store; before and after, the function may be told to stop."""
        self.checkpoint()
        # An interrupt in the middle of a write could leave a transaction open, and its lock taken.
        armed = self.armed and threading.get_ident() == self._thread
        if armed:
            self.armed = False
        try:
            self.reporter.put(updates)
        finally:
            if armed:
                self.armed = True
        self.checkpoint()

    def _arguments(self) -> dict[str, Any] | Outcome:
        """The request; or how the job ends, as there are no arguments for its function."""
        request = self.store.request(self.job.id)
        if request is None:
            return Lost("its arguments have expired")
        fields = json.loads(request)
        if declaration.is_current(self.callback, fields):
            return fields
        return self.ending or declaration.Changed()

    @property
    def handler(self) -> Callable[[Any], Any] | None:
        """The ``on_error`` of the callback, or of its app."""
        registration = self.callback.registration
        return self.callback.options.on_error or dash_internals.app_error_handler(registration)

    def ends_process(self, error: SystemExit) -> bool:  # noqa: ARG002 - see the one for Celery
        """Whether it is not the function that has called ``sys.exit``."""
        return False

    def handle(self, error: BaseException) -> Any:
        """What ``on_error`` makes of an error."""
        handler = self.handler
        assert handler is not None
        self.handled = True
        self.error, self.ending = error, self.ending or self._end_by(error)
        if not self.job.handler:
            # Whoever finds this worker dead in the middle of it does not have it called again.
            self.reporter.note(Handle(self.ending))
        return handler(error)

    def hand_over(self, outcome: Outcome) -> bool:  # noqa: ARG002 - see the one for Celery
        """Have another worker see to the end of the job, if this one can't. Whether it does."""
        return False

    def outcome(self) -> Outcome:
        """Run the job to its end."""
        token = _current.set(self)
        try:
            fields = self._arguments()
            if not isinstance(fields, dict):
                return fields
            try:
                return self._result(fields)
            except Exception as error:
                if self.handled or self.handler is None:
                    raise
                # The function has returned, but its result can't be used. What on_error makes of
                # that takes the same way.
                self.error = error
                return self._result(fields)
        except JobCancelled:
            return Cancelled()
        except BaseException as error:
            if _is_ctrl_c(error):
                raise
            return self._unsuccessful(error)
        finally:
            self.armed = False
            _current.reset(token)

    def _result(self, fields: dict[str, Any]) -> Succeeded:
        try:
            answer = dash_internals.run_in_context(self.callback.registration, fields, _Props(self))
        except PreventUpdate:
            # Or Dash says so: no output has a value that was not yielded before.
            lasting = self.streamed and self.returned and not self.handled
            return Succeeded(b"{}", lasting=lasting)
        response = answer if isinstance(answer, bytes) else answer.encode()
        return Succeeded(response, lasting=not self.handled)

    def _unsuccessful(self, error: BaseException) -> Outcome:
        error = dash_internals.explained(error)
        if isinstance(error, SystemExit):
            if self.ends_process(error):
                return Lost("the worker was stopped while the job ran", "stopped")
            error = _exited(error)
        if error is self.error and self.ending is not None:
            return self.ending
        if self.ending is None:
            return self._end_by(error)
        head = f"no. {self.job.ref}: {self.callback.name}"
        if isinstance(error, UserError):
            log.warning("%s: on_error has words for the user in place of %s", head, self.ending)
            return self._end_by(error)
        # Of the two, the page is told of the one that came first.
        log.error("%s: its on_error failed\n%s", head, _failed(error).traceback)
        return self.ending

    def _end_by(self, error: BaseException) -> Problem:
        if isinstance(error, JobTimedOut):
            # Without a timeout of its own, the limit was Celery's.
            limit = self.callback.options.timeout
            return TimedOut(limit) if limit else TimedOut(0, str(error))
        return Lost(str(error)) if isinstance(error, JobLost) else _failed(error)


_current: ContextVar[Run] = ContextVar("long_callback_run")


def run_job(run: Run) -> Outcome:
    """Run a job and keep its outcome. Returns the outcome.

    Raises:
        StoreError: if the outcome can't be stored, for ``SETTLE_SECONDS``.
    """
    with heartbeat.of(run):
        # The page may have gone while the job waited in the queue.
        outcome = Cancelled() if _is_deserted(run) else run.outcome()
        run.reporter.close()
        if run.hand_over(outcome):
            return outcome
        return _settle(run, outcome)


def _is_deserted(run: Run) -> bool:
    try:
        return run.deserted
    except StoreError:
        return False  # to run it in vain is the smaller harm


def _settle(run: Run, outcome: Outcome) -> Outcome:
    """Store an outcome. Returns it, or the failure to store it."""
    run.settling = True
    response = outcome.response if isinstance(outcome, Succeeded) else None
    if isinstance(outcome, Succeeded) and outcome.lasting and run.job.kept:
        # Before the record ends: who sees it ended and is not the first to ask finds the result.
        try:
            run.store.keep(run.job, outcome.response)
        except StoreError:
            # Who asked gets the result all the same.
            log.exception("the result of %s could not be kept", run.callback.name)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            run.reporter.flush()
            ended = run.store.change(run.job.id, Finish(outcome, run.job.attempt), response)
        except StoreError as error:
            if time.monotonic() < deadline:
                _outcome_faults.failed(error)
                time.sleep(SETTLE_PAUSE)
                continue
            if response is None:
                _log_unstored(run, outcome)
                raise
            # It may be too large for the store, or its disk: then there is room for the words.
            words = f"the result could not be stored: {error}"
            outcome = Failed(type(error).__name__, words, kind="not_stored")
            ended = run.store.change(run.job.id, Finish(outcome, run.job.attempt))
        _outcome_faults.succeeded()
        if ended is not None:
            log_end(ended, run.callback.name)
        return outcome


def _log_unstored(run: Run, outcome: Outcome) -> None:
    """What nobody else will say: whoever ends the job later knows only that this failed."""
    if isinstance(outcome, Failed):
        head = f"no. {run.job.ref}: {run.callback.name}"
        text = outcome.traceback or f"{outcome.error_type}: {outcome.message}"
        log.error("%s failed, and that can't be stored\n%s", head, text)


def call(
    function: Callable[..., Any], options: Options, outputs: Any, args: Any, kwargs: Any
) -> Any:
    """Call the user's function; Dash has grouped its arguments and filled ``dash.ctx``.

    Functions, generators, and async ones of both. Exceptions go to ``on_error``, if there is one.
    """
    run = _current.get()
    run.outputs = outputs
    try:
        value = _invoke(run, function, options, args, kwargs)
        run.returned = True
    except (PreventUpdate, JobCancelled):
        raise
    except BaseException as error:
        if run.handler is None or _is_ctrl_c(error):
            raise
        if isinstance(error, SystemExit):
            if run.ends_process(error):
                raise
            error = _exited(error)
        value = run.handle(dash_internals.explained(error))
        if value is None or outputs == []:
            raise PreventUpdate from error
    if value is None and run.streamed:
        # The last value that was yielded is the result, and on its way already.
        value = dash.no_update
    return fill_no_update(value, outputs)


def _invoke(
    run: Run, function: Callable[..., Any], options: Options, args: Any, kwargs: Any
) -> Any:
    if run.error is not None:
        raise run.error
    if options.progress is not None:
        args = (run.set_progress, *args)
    pid = os.getpid()
    try:
        run.armed = True
        run.checkpoint()
        value = function(*args, **kwargs)
        if inspect.isgenerator(value):
            return _finish(_report_each(value, run.yielded))
        if inspect.isasyncgen(value):
            return asyncio.run(_report_each(value, run.yielded))
        return asyncio.run(value) if inspect.iscoroutine(value) else value
    except JobCancelled:
        if isinstance(run.stopping, JobTimedOut):
            raise run.stopping from None
        raise
    finally:
        run.armed = False
        if os.getpid() != pid:
            _leave_fork()


def _leave_fork() -> None:
    """End a process that the function forked, which has come out of it as a second worker."""
    failed = sys.exc_info()[0] is not None
    if failed:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(failed))


async def _report_each(generator: Any, report: Callable[[Any], None]) -> Any:
    """Report what a generator yields, as it comes. Returns what it returns.

    What ``report`` raises is raised at the ``yield``, where the mistake is, or what is to clean up.
    """
    problem: BaseException | None = None
    while True:
        try:
            if isinstance(generator, AsyncGenerator):
                step = generator.asend(None) if problem is None else generator.athrow(problem)
                value = await step
            else:
                value = next(generator) if problem is None else generator.throw(problem)
        except StopAsyncIteration:
            return None
        except StopIteration as end:
            return end.value
        problem = None
        try:
            report(value)
        except BaseException as error:
            problem = error


def _finish(coroutine: Coroutine[Any, None, Any]) -> Any:
    """The result of a coroutine that never waits: without a loop, as the function may want one."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError


class _Props(dict[str, Any]):
    """Where ``dash.set_props`` writes: passes on what it is given, and stays empty.

    Dash would otherwise send the values once more with the outputs.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def __setitem__(self, component_id: str, props: dict[str, Any]) -> None:
        self._run.report(((component_id, prop), value) for prop, value in props.items())


#: Frames of these folders are between the worker and the user's function: not the user's concern.
_PLUMBING = tuple(str(Path(file).parent) + os.sep for file in (__file__, dash.__file__))


def _failed(error: BaseException) -> Failed:
    tb: TracebackType | None = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_PLUMBING):
        tb = tb.tb_next
    user = isinstance(error, UserError)
    try:
        # An error that Dash raised about the result has no frame of the user's at all.
        text = "".join(traceback.format_exception(type(error), error, tb))
        message = str(error)
    except Exception as problem:
        # The error's own __str__, most likely.
        text, message = "", f"its message can't be shown ({type(problem).__name__} in it)"
        user = False
    # What a worker calls the app's script; of an error of `__main__`, Python names no module.
    text = text.replace("__mp_main__.", "")
    return Failed(type(error).__name__, message, text, user=user)


def _exited(error: SystemExit) -> JobExited:
    return JobExited(error.code).with_traceback(error.__traceback__)


def _is_ctrl_c(error: BaseException) -> bool:
    """Whether it is meant for this process, not for the function: where jobs run inline."""
    return isinstance(error, KeyboardInterrupt) and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
