"""Runs one job to its end, and stores its outcome."""

from __future__ import annotations

import time

from dash_long_callback.end_log import log_end
from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.jobs import Cancelled, Failed, Lost, Outcome, Succeeded
from dash_long_callback.stores import timing
from dash_long_callback.worker.current import running
from dash_long_callback.worker.heartbeat import heartbeat
from dash_long_callback.worker.run import Run

#: Seconds that a worker tries to store an outcome: a disk may be full, or a server away, for a
#: moment, and the work of hours is in its hands.
SETTLE_SECONDS = 10.0
#: Seconds between two tries.
SETTLE_PAUSE = 0.5

_faults = FaultLog("outcomes can't be stored yet")


def run_job(run: Run) -> Outcome:
    """Run a job and store its outcome. Returns the outcome.

    Raises:
        StoreError: if the outcome can't be stored, for ``SETTLE_SECONDS``.
    """
    with heartbeat.of(run), running(run):
        try:
            outcome = Cancelled() if _is_in_vain(run) else run.callback.outcome(run)
        finally:
            run.tracking.end()
        run.reporter.close()
        if not _hand_over(run, outcome):
            outcome = _settle(run, outcome)
        return outcome


def _is_in_vain(run: Run) -> bool:
    """Whether its function is not to be called any more."""
    try:
        # This process may have been paused before it began, and the job taken from it.
        late = time.time() - (run.job.started or 0.0) > timing.HEARTBEAT_SECONDS
        # Or the page may have gone while the job waited in the queue.
        return (late and not run.renew()) or run.deserted
    except StoreError:
        return False  # to run it in vain is the smaller harm


def _hand_over(run: Run, outcome: Outcome) -> bool:
    """Have another worker call ``on_error``, if this one was told to end. Returns whether it does.

    What the function made of that, if it has caught it, is an outcome like any other.
    """
    if not isinstance(outcome, Lost) or run.ended_by is None or not run.job.handles_errors:
        return False
    run.reporter.flush()
    run.lose(outcome)
    return True


def _settle(run: Run, outcome: Outcome) -> Outcome:
    """Store an outcome. Returns it, or the failure to store it."""
    run.settling = True
    if isinstance(outcome, Succeeded) and outcome.lasting and run.job.kept:
        # Before the record ends: who sees it ended and is not the first to ask finds the result.
        run.reporter.flush()
        try:
            run.store.keep(run.job, outcome.response)
        except StoreError:
            # Who asked gets the result all the same.
            log.exception("the result of %s could not be kept", run.name)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            ended = run.reporter.finish(outcome)
        except StoreError as error:
            if time.monotonic() < deadline:
                _faults.failed(error)
                time.sleep(SETTLE_PAUSE)
                continue
            # It may be too large for the store, or its disk: then there is room for less.
            if run.reporter.discard():
                continue
            if not isinstance(outcome, Succeeded):
                _log_unstored(run, outcome)
                raise
            message = f"the result could not be stored: {error}"
            outcome = Failed(type(error).__name__, message, kind="not_stored")
            ended = run.reporter.finish(outcome)
        _faults.succeeded()
        if ended is not None:
            log_end(ended)
            if not ended.state.ended:
                run.requeued(ended)
        return outcome


def _log_unstored(run: Run, outcome: Outcome) -> None:
    """What nobody else will say: whoever ends the job later knows only that this failed."""
    if isinstance(outcome, Failed):
        head = f"no. {run.job.ref}: {run.name}"
        text = outcome.traceback or outcome.reason
        log.error("%s failed, and that can't be stored\n%s", head, text)
