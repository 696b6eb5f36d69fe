"""Long callbacks for Plotly Dash: progress, cancel, caching and a real job queue."""

from dash_long_callback._version import __version__
from dash_long_callback.calls.attach import attach
from dash_long_callback.calls.handle import JobHandle
from dash_long_callback.calls.submit import find_job, submit
from dash_long_callback.calls.updates import PartialUpdate, ProgressUpdate, PropsUpdate, TrackUpdate
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
    JobFailed,
    JobLost,
    JobNotFound,
    JobNotStarted,
    JobStopped,
    JobTimedOut,
    JobWasCancelled,
    LimitReached,
    LongCallbackError,
    OptionFailed,
    RegistrationError,
    StoreError,
    UserError,
)
from dash_long_callback.http_api.api import http_api
from dash_long_callback.http_api.request import ApiRequest
from dash_long_callback.limits import Limit, Rate
from dash_long_callback.managers.celery import CeleryLongCallbackManager
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager
from dash_long_callback.retry import Retry
from dash_long_callback.server.owner import user_hash
from dash_long_callback.server.pacing import Pacing
from dash_long_callback.worker import log_tags
from dash_long_callback.worker.current import attempt
from dash_long_callback.worker.tqdm_bars import tqdm_progress
from dash_long_callback.worker.track import show_step, track

plain_apps.listen()
# Before anything is logged by a format that names a job.
log_tags.install()

__all__ = [
    "ApiRequest",
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
    "JobFailed",
    "JobHandle",
    "JobLost",
    "JobNotFound",
    "JobNotStarted",
    "JobStopped",
    "JobTimedOut",
    "JobWasCancelled",
    "Limit",
    "LimitReached",
    "LongCallbackError",
    "OptionFailed",
    "Pacing",
    "PartialUpdate",
    "ProgressUpdate",
    "PropsUpdate",
    "Rate",
    "RegistrationError",
    "Retry",
    "StoreError",
    "TrackUpdate",
    "UserError",
    "__version__",
    "attach",
    "attempt",
    "find_job",
    "http_api",
    "long_callback",
    "plug",
    "show_step",
    "submit",
    "tqdm_progress",
    "track",
    "user_hash",
]
