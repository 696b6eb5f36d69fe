"""A clock that stands still until a test moves it, in the place of the module ``time``."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


class Clock:
    """What this package's modules see as ``time``, while it is installed.

    Only what is kept with jobs goes by it. ``monotonic`` and ``sleep`` are the real ones, by which
    threads wait for each other.
    """

    def __init__(self) -> None:
        # Whole seconds, and parts that are rounded: so that 0.1 s and 0.9 s are as long as 1 s.
        self._begun, self._passed = int(time.time()), 0.0

    @property
    def now(self) -> float:
        """What ``time`` says."""
        return self._begun + self._passed

    def move(self, to: float) -> None:
        """Go on to a later time."""
        self._passed = round(to - self._begun, 6)

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @contextmanager
    def installed(self) -> Generator[None]:
        """Have the package's modules go by this clock while the block runs."""
        own = [
            module
            for name, module in list(sys.modules.items())
            if name.startswith("dash_long_callback.") and not name.startswith(_REAL)
        ]
        with ExitStack() as stack:
            for module in own:
                if vars(module).get("time") is time:
                    stack.enter_context(patch.object(module, "time", self))
            yield


#: What a real manager in this process may use meanwhile, in its threads: it must not take what it
#: keeps for days for expired.
_REAL = (
    __name__,
    "dash_long_callback.executors.",
    "dash_long_callback.folders.",
    "dash_long_callback.stores.diskcache",
    "dash_long_callback.stores.key_value",
    "dash_long_callback.stores.pooled_cache",
    "dash_long_callback.stores.redis",
    "dash_long_callback.stores.sqlite",
)
