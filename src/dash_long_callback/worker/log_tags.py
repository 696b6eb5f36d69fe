"""Tags each log record with the job whose code has made it.

A record of any logger has ``job_ref`` and ``job_callback``: of the job that runs, or empty. So a
format may name them in every process.
"""

from __future__ import annotations

import logging
from typing import Any

from dash_long_callback.fault_log import log
from dash_long_callback.worker.current import current_run
from dash_long_callback.worker.run import Run


def install() -> None:
    """Have the log records of this process tagged from now on. May be repeated."""
    before = logging.getLogRecordFactory()
    # Not a note of ours that it was done: the app may have put another factory in its place.
    if hasattr(before("", logging.NOTSET, "", 0, "", (), None), "job_ref"):
        return

    def tagged(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        run = current_run()
        if run is None:
            record.__dict__.update(job_ref="", job_callback="")
            return record
        record.__dict__.update(job_ref=run.ref, job_callback=run.name)
        if run.prefix:
            _prefix(record, run)
        return record

    logging.setLogRecordFactory(tagged)


def _prefix(record: logging.LogRecord, run: Run) -> None:
    """Put the number before the message. Ours have it already."""
    if str(record.name).partition(".")[0] == log.name:
        return
    if isinstance(record.msg, str):
        # Each line, as Celery has what is printed come by here.
        record.msg = run.prefix + record.msg.replace("\n", f"\n{run.prefix}")
    elif not record.args:
        record.msg, record.args = f"{run.prefix}%s", (record.msg,)
