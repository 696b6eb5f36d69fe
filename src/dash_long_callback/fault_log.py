"""The log, and what logs once what fails again and again: a full disk, a server that is away."""

from __future__ import annotations

import logging
import threading
import time

log = logging.getLogger("dash_long_callback")

#: Seconds after which the same fault is said again, with how often it was seen meanwhile.
AGAIN_SECONDS = 60.0


class FaultLog:
    """Logs a fault when it begins, now and then while it lasts, and its end.

    Args:
        what: what can't be done, as the beginning of a sentence.

    Examples:
        >>> faults = FaultLog("updates can't be written")
        >>> faults.failed(StoreError("the disk is full"))
        >>> faults.succeeded()
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        self._message = ""
        self._count = 0
        self._since = self._logged_at = 0.0

    def failed(self, error: BaseException, *, traceback: bool = False) -> None:
        """Count a failure; log it if it is another one, or was last logged some time ago.

        Args:
            error: what was raised.
            traceback: whether the log gets it, too; not for errors that say all in words.
        """
        now = time.monotonic()
        message = f"{type(error).__name__}: {error}"
        with self._lock:
            if self._count == 0:
                self._since = now
            self._count += 1
            if message == self._message and now - self._logged_at < AGAIN_SECONDS:
                return
            times = "" if self._count == 1 else f" ({self._count} times so far)"
            self._message, self._logged_at = message, now
        log.error("%s%s: %s", self._what, times, message, exc_info=error if traceback else None)

    def succeeded(self) -> None:
        """Log the end of a fault, if there was one."""
        if self._count == 0:  # mostly; without the lock
            return
        with self._lock:
            count, seconds = self._count, time.monotonic() - self._since
            self._message, self._count = "", 0
        if count:
            log.warning("%s: over after %.0f s and %d failures", self._what, seconds, count)
