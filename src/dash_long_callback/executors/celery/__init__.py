"""Celery runs the jobs: one generic task, any number of workers on any number of machines.

    web process                      broker                     Celery worker
    ───────────                      ──────                     ─────────────
    start(job) ──► message: "a job waits" ───────────────────► task: the job that is next → run_job
                                                                     Watchdog: cancel, timeout
    waits for news ◄──────────────── store ◄──────────────────────── updates, heartbeats, outcome
    check_liveness: lease expired, message lost, task unknown

What a job is, is in the store, and so is its place in the queue; a message only says that one
waits. So a message that comes twice, late, or not at all does no harm: a job begins once, and one
that does not begin has its message sent again.

A job that can't end by itself, as its worker died or it held out against its timeout, is taken from
its worker and queues for another, which calls its ``on_error``, or the function again: each attempt
has a message of its own, which waits for a worker as the first did.
"""

from __future__ import annotations

from collections.abc import Callable

import celery
from celery import signals

from dash_long_callback.executors.celery.broker import Broker
from dash_long_callback.executors.celery.executor import CeleryExecutor
from dash_long_callback.executors.celery.worker import MessageRunner, log_ready
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.watchdog import Watchdog


def engine(
    app: celery.Celery,
    store: JobStore,
    queue: str | None,
    grace: float,
    worker_start: Callable[[], object] | None = None,
    factory: str | None = None,
    *,
    log_prefix: bool = False,
) -> CeleryExecutor:
    """The engine over a Celery app, which gets its task.

    Args:
        app: the Celery app.
        store: keeps the jobs.
        queue: where jobs go, if their callback does not say; None: as Celery routes the task.
        grace: seconds that a cancelled function has before its process is ended.
        worker_start: called once in each worker process, before its first job.
        factory: makes the app in a worker, as ``"module:function"``, if an import does not.
        log_prefix: whether what a job prints and logs begins with its number.
    """
    broker = Broker(app, queue)
    executor = CeleryExecutor(store, broker, grace)
    watchdog = Watchdog(store, grace)
    runner = MessageRunner(
        *(store, watchdog, executor, worker_start, factory), log_prefix=log_prefix
    )
    # Once all modules are imported, and before processes are forked, which then share it.
    signals.worker_init.connect(runner.make_app, weak=False)
    signals.worker_ready.connect(log_ready, weak=False)
    broker.serve(runner.run, executor.process_died)
    return executor
