"""Waits for news of a job, and goes on while the store can't be read, as a page does."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeAlias

from dash_long_callback.errors import StoreError
from dash_long_callback.managers.base import News
from dash_long_callback.managers.following import Following

#: Seconds that a wait goes on before it is begun anew: not all systems can wait for ever.
WAIT_SECONDS = 3600.0
#: Seconds for which a wait goes on while the store can't be read, as a page does; and between two
#: tries.
PATIENCE_SECONDS, RETRY_SECONDS = 120.0, 0.5
#: Seconds after which a failure is another one: a store that does not answer fails sooner again.
CALM_SECONDS = 15.0

Enough: TypeAlias = Callable[[dict[str, News]], bool]


def wait(following: Following, enough: Enough, deadline: float | None = None) -> dict[str, News]:
    """Wait for news.

    Args:
        following: the job.
        enough: whether the news is.
        deadline: as ``time.monotonic`` counts; None: as long as it takes.

    Raises:
        StoreError: if the store can't be read for long.
    """
    patience = _Patience(deadline)
    while True:
        try:
            return following.wait(patience.left, enough)
        except StoreError as error:
            time.sleep(patience.pause(error))


async def wait_async(following: Following, enough: Enough) -> dict[str, News]:
    """As ``wait``, for an event loop."""
    patience = _Patience(None)
    while True:
        try:
            return await following.wait_async(patience.left, enough)
        except StoreError as error:
            await asyncio.sleep(patience.pause(error))


class _Patience:
    """How long somebody waits, and goes on while the store can't be read.

    Args:
        deadline: as ``time.monotonic`` counts; None: as long as it takes.
    """

    def __init__(self, deadline: float | None) -> None:
        self._deadline = math.inf if deadline is None else deadline
        #: When it failed last, and since when it does.
        self._failed = self._failing = -math.inf

    @property
    def left(self) -> float:
        """Seconds to wait."""
        return min(max(0.0, self._deadline - time.monotonic()), WAIT_SECONDS)

    def pause(self, error: StoreError) -> float:
        """Seconds after which to try again; raises the error if that has been done for long."""
        now = time.monotonic()
        if now - self._failed > CALM_SECONDS:
            self._failing = now  # it could be read meanwhile
        self._failed = now
        if now >= min(self._deadline, self._failing + PATIENCE_SECONDS):
            raise error
        return min(RETRY_SECONDS, max(0.0, self._deadline - now))
