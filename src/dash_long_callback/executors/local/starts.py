"""How the start of workers goes: when to try again, and what to say of what can't be started."""

from __future__ import annotations

import time
from dataclasses import replace

from dash_long_callback.executors.local.messages import Ready
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Failed

#: Workers in a row that may die before they are ready; then waiting jobs are told so.
START_TRIES = 3
#: Seconds before another try to start workers, once that has failed.
START_PAUSE = 5.0


class Starts:
    """The starts of the workers of one leader."""

    def __init__(self) -> None:
        self._failed = 0
        self._next = 0.0
        #: Why the last worker that died before it was ready did so, as far as it could say.
        self.problem = ""
        #: What the workers could not import, one line for each module.
        self._not_imported: list[str] = []

    @property
    def due(self) -> bool:
        """Whether missing workers are to be started now."""
        return time.monotonic() >= self._next

    def succeeded(self, ready: Ready) -> None:
        """A worker is ready."""
        self._failed, self.problem = 0, ""
        self._not_imported = [error.strip().splitlines()[-1] for error in ready.errors]
        for error in ready.errors:
            log.warning("a worker could not import a module of the app\n%s", error)

    def failed(self, death: str) -> str | None:
        """A worker has died before it was ready. Returns why, if so many have that none can start.

        Args:
            death: how it died, in words.
        """
        self._failed += 1
        if self._failed < START_TRIES:
            return None
        self._next = time.monotonic() + START_PAUSE
        why = self.problem or f"it {death}"
        log.error("workers die before they are ready: %s", why)
        return why

    def explained(self, outcome: Failed) -> Failed:
        """How a job ends that no worker can run: what could not be imported may be the reason."""
        if not self._not_imported or outcome.kind != "unavailable":
            return outcome
        more = "; a worker could not import the app: " + "; ".join(self._not_imported)
        return replace(outcome, message=outcome.message + more)
