"""What jobs have reported whose runs were not written down: as a page is told of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from dash_long_callback.calls.updates import Report, of_different_targets
from dash_long_callback.jobs import Target
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.following import Following
from dash_long_callback.worker.updates import events_in

#: What was reported at once: targets, and their values as JSON has them.
Together: TypeAlias = "list[tuple[Target, Any]]"


def until_end(
    jobs: Mapping[Manager, Mapping[str, int]], owner: str | None, seconds: float
) -> Iterator[Together]:
    """What jobs report, until they have ended, or for so many seconds."""
    deadline = time.monotonic() + seconds
    with Following(jobs, owner) as following:
        while following.jobs and (left := deadline - time.monotonic()) > 0:
            found = following.wait(left, following.fresh)
            news = following.news(found)
            for one in news.values():
                yield from _together([] if one is None else one.updates)
            following.see(news)


def of_kept(updates: Iterable[Any]) -> Iterator[Together]:
    """The same of a kept result, from the answer to a click."""
    pairs = ((tuple(t) if isinstance(t, list) else t, value) for t, value in updates)
    yield from _together((target, json.dumps(value).encode()) for target, value in pairs)


def _together(updates: Iterable[tuple[Any, bytes]]) -> Iterator[Together]:
    """What may have been reported at once: progress, or what is for one component."""
    single = [
        Report(0, target, one) for target, data in updates for one in events_in(json.loads(data))
    ]
    for _, part in groupby(single, key=_source):
        for together in of_different_targets(list(part)):
            yield [(one.target, one.value) for one in together]


def _source(report: Report) -> Any:
    """What updates have in common that may have been reported at once."""
    return None if isinstance(report.target, int) else report.target[0]
