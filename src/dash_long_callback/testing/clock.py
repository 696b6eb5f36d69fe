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

    Attributes:
        now: seconds since 1970.
    """

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @contextmanager
    def installed(self) -> Generator[None]:
        """Have the package's modules go by this clock while the block runs."""
        own = [m for name, m in list(sys.modules.items()) if name.startswith(_PACKAGE)]
        with ExitStack() as stack:
            for module in own:
                if vars(module).get("time") is time and module.__name__ != __name__:
                    stack.enter_context(patch.object(module, "time", self))
            yield


_PACKAGE = "dash_long_callback."
