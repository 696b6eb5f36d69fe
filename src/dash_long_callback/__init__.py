"""Long callbacks for Plotly Dash: progress, cancel, caching and a real job queue."""

from dash_long_callback._version import __version__
from dash_long_callback.dash.app import Dash, plug
from dash_long_callback.dash.decorator import long_callback
from dash_long_callback.dash.events import Event
from dash_long_callback.errors import (
    ContextNotSent,
    JobCancelled,
    JobEnded,
    JobExited,
    JobExpired,
    JobLost,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
    LongCallbackError,
    RegistrationError,
    UserError,
)
from dash_long_callback.managers.celery import CeleryLongCallbackManager
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager
from dash_long_callback.server.pacing import Pacing

__all__ = [
    "CeleryLongCallbackManager",
    "ContextNotSent",
    "Dash",
    "DiskcacheLongCallbackManager",
    "Event",
    "JobCancelled",
    "JobEnded",
    "JobExited",
    "JobExpired",
    "JobLost",
    "JobNotStarted",
    "JobStopped",
    "JobTimedOut",
    "LongCallbackError",
    "Pacing",
    "RegistrationError",
    "UserError",
    "__version__",
    "long_callback",
    "plug",
]
