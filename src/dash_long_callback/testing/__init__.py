"""For tests of apps: the pytest fixture ``long_callbacks``, and what it gives."""

from dash_long_callback.testing.fixture import LongCallbacks
from dash_long_callback.testing.page import Page
from dash_long_callback.testing.patterns import prop_id
from dash_long_callback.testing.run import CallbackRun
from dash_long_callback.testing.values import as_json

__all__ = ["CallbackRun", "LongCallbacks", "Page", "as_json", "prop_id"]
