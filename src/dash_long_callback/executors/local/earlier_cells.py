"""A cell that makes an app has run again: there is a manager more, and the earlier one still leads.

In a notebook, the latest one counts. If its pool is to be as that of the earlier one, it goes on
with that, and with its warm workers. If not, it leads from now on; jobs that run are finished.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from dash_long_callback import notebook
from dash_long_callback.code_digest import code_digest
from dash_long_callback.executors.local.election import Election
from dash_long_callback.executors.local.pool_options import PoolOptions

#: In a kernel: who stands for election in it, by the folder of the jobs.
_elections: dict[str, Election] = {}
_lock = threading.Lock()


def take_over(election: Election, directory: str) -> Election:
    """Start an election, unless an earlier cell has started one that serves as well.

    Args:
        election: of the manager that needs one; not started yet.
        directory: where its jobs are.

    Returns:
        The one that has been started.
    """
    if not notebook.is_kernel():
        election.start()
        return election
    with _lock:
        earlier = _elections.get(directory)
        if earlier is not None and earlier.pid == election.pid and earlier.stands:
            if _alike(earlier.options, election.options):
                return earlier
            earlier.stop("finish")
        _elections[directory] = election
        election.start()
        return election


def _alike(one: PoolOptions, other: PoolOptions) -> bool:
    starts = [o.worker_start and code_digest(o.worker_start) for o in (one, other)]
    plain = [replace(o, worker_start=None) for o in (one, other)]
    return plain[0] == plain[1] and starts[0] == starts[1]
