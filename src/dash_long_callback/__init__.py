"""Long callbacks for Plotly Dash: progress, cancel, caching and a real job queue."""

from dash_long_callback._version import __version__
from dash_long_callback.dash import plain_apps
from dash_long_callback.dash.app import Dash, plug
from dash_long_callback.dash.decorator import long_callback
from dash_long_callback.dash.events import Event
from dash_long_callback.errors import (
    ContextNotSent,
    DoNotRetry,
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
from dash_long_callback.limits import Limit, Rate
from dash_long_callback.managers.celery import CeleryLongCallbackManager
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager
from dash_long_callback.retry import Retry
from dash_long_callback.server.pacing import Pacing
from dash_long_callback.worker.current import attempt
from dash_long_callback.worker.tqdm_bars import tqdm_progress
from dash_long_callback.worker.track import show_step, track

plain_apps.listen()

__all__ = [
    "CeleryLongCallbackManager",
    "ContextNotSent",
    "Dash",
    "DiskcacheLongCallbackManager",
    "DoNotRetry",
    "Event",
    "JobCancelled",
    "JobEnded",
    "JobExited",
    "JobExpired",
    "JobLost",
    "JobNotStarted",
    "JobStopped",
    "JobTimedOut",
    "Limit",
    "LongCallbackError",
    "Pacing",
    "Rate",
    "RegistrationError",
    "Retry",
    "UserError",
    "__version__",
    "attempt",
    "long_callback",
    "plug",
    "show_step",
    "tqdm_progress",
    "track",
]
