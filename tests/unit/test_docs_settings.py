"""The tables of settings name what the code has, with the defaults that it has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from doc_pages import NAMES, read

from dash_long_callback import (
    CeleryLongCallbackManager,
    DiskcacheLongCallbackManager,
    Pacing,
    long_callback,
)
from dash_long_callback.managers.diskcache import MAX_WORKERS
from dash_long_callback.server import pacing

pytestmark = pytest.mark.newest_only  # it reads files, which are the same on every Dash

#: Defaults that depend on the place, for which the code has None, and what the table says.
OF_MANAGER = {
    "cache": "a folder below the user's cache directory",
    "workers": f"as many as there are processors, but 2 to {MAX_WORKERS}",
    "start_method": '`"forkserver"`, on Windows `"spawn"`',
    "user": "Flask-Login and dash-auth are recognised",
    "stop": '`"finish"`, 0 s; `"end"` on the development server',
}
OF_CALLBACK = {
    "manager": "the app's",
    "queue": "the manager's",
    "context": 'all; with Celery `["path"]`',
}
OF_CELERY = {
    "queue": "as Celery routes the task `dash_long_callback.run`",
    "user": "Flask-Login and dash-auth are recognised",
}
OF_PACING = {
    "holds": f"{pacing.HOLDS_THREADS}; on the development server {pacing.HOLDS_DEVELOPMENT}; "
    f"on ASGI {pacing.HOLDS_ASYNC:,}",
    "rate": f"{pacing.RATE_THREADS:g}; on ASGI {pacing.RATE_ASYNC:g}",
}
TABLES = [
    ("docs/how-to/settings.md", "## The manager", DiskcacheLongCallbackManager, OF_MANAGER),
    ("docs/how-to/settings.md", "## The callback", long_callback, OF_CALLBACK),
    ("docs/how-to/celery.md", "## Settings", CeleryLongCallbackManager, OF_CELERY),
    ("docs/how-to/delivery.md", "## Settings", Pacing, OF_PACING),
]


def in_words(default: Any) -> str:
    """A default as a table says it."""
    match default:
        case None:
            return "none"
        case bool():
            return "on" if default else "off"
        case str():
            return f'`"{default}"`'
        case int():
            return f"{default >> 30} GiB"
        case _:
            return f"{default / 3600:g} h" if default >= 3600 else f"{default:g} s"


@pytest.mark.parametrize("page, heading, made, words", TABLES)
def test_a_table_has_the_settings_and_their_defaults(
    page: str, heading: str, made: Callable[..., Any], words: dict[str, str]
):
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(made).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    table = read(page).table(below=heading)
    for name, (told, *_) in table.items():
        assert name in defaults, f"{made.__name__} has no {name}"
        # One row may be about several settings: then their defaults are in the same order.
        row = [other for other, cells in table.items() if cells[0] == told]
        each = ", ".join(in_words(defaults[other]) for other in row)
        assert told in (in_words(defaults[name]), each, words.get(row[0])), name
        if told == words.get(name):
            assert defaults[name] is None
    if made is not long_callback:  # most of its options have pages of their own
        assert set(table) == set(defaults)


def test_each_option_of_a_callback_is_in_the_tutorial_or_the_how_tos():
    pages = [read(name) for name in NAMES if name.startswith(("docs/how-to/", "docs/tutorial/"))]
    text = " ".join(page.text + " ".join(block.text for block in page.blocks) for page in pages)
    for name in set(inspect.signature(long_callback).parameters) - {"args", "kwargs"}:
        assert re.search(rf"`{name}\b|\b{name}=", text), name
