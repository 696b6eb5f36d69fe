"""Runs an app that was written for Dash 2.0 to 2.5 on today's Dash.

And it has the names of today's Dash for an app with ``background=True``: ``DiskcacheManager`` and
``CeleryManager``, which are managers of this package.

For an app of Dash 2, make ``import dash_long_callback.compat`` the first line. It gives ``dash``
back what Dash 3 has removed:

- ``dash.Dash(long_callback_manager=...)`` and ``@app.long_callback``,
- ``dash.long_callback`` and ``dash.long_callback.managers``, with ``DiskcacheLongCallbackManager``
  and ``CeleryLongCallbackManager``,
- ``app.run_server()``.

The first line, as a name that was imported from ``dash`` before stays what it was. Nothing else in
this package changes ``dash``; a new app needs no change and imports from ``dash_long_callback``.

Examples:
    >>> import dash_long_callback.compat
    >>> import dash, diskcache
    >>> from dash.long_callback import DiskcacheLongCallbackManager
    >>> manager = DiskcacheLongCallbackManager(diskcache.Cache("./cache"))
    >>> app = dash.Dash(__name__, long_callback_manager=manager)

    >>> from dash_long_callback.compat import DiskcacheManager
    >>> app = dash.Dash(__name__, background_callback_manager=DiskcacheManager())
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import dash

import dash_long_callback

#: What today's Dash calls its managers.
DiskcacheManager = dash_long_callback.DiskcacheLongCallbackManager
CeleryManager = dash_long_callback.CeleryLongCallbackManager


class Dash(dash_long_callback.Dash):
    """``dash.Dash`` as it was: with long callbacks and ``run_server``."""

    def run_server(self, *args: Any, **kwargs: Any) -> None:
        """The old name of ``run``."""
        self.run(*args, **kwargs)


class _LongCallbackModule(ModuleType):
    """``dash.long_callback``, and what was below it."""

    DiskcacheLongCallbackManager = dash_long_callback.DiskcacheLongCallbackManager
    CeleryLongCallbackManager = dash_long_callback.CeleryLongCallbackManager


# A class in the place of the other, and not changes to the other: a second import, or a reload,
# changes nothing more, and dash_long_callback.Dash builds upon Dash's own class as ever.
_dash: Any = dash
_dash.Dash = _dash.dash.Dash = Dash
for _path in ("", ".managers", ".managers.diskcache_manager", ".managers.celery_manager"):
    _name = f"dash.long_callback{_path}"
    sys.modules[_name] = _LongCallbackModule(_name)
    _parent, _, _last = _name.rpartition(".")
    setattr(sys.modules[_parent], _last, sys.modules[_name])
