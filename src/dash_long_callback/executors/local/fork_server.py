"""What the fork server imports: it imports the app, so that all workers share its memory.

A module of its own, which nothing else imports: were it part of the package's own imports, the app
would be imported while the package is half imported itself, and fail.
"""

from __future__ import annotations

import json
import os
import threading

from dash_long_callback.executors.local import inherited
from dash_long_callback.executors.local.preload import VARIABLE, AppModules, import_app
from dash_long_callback.worker import processes

if VARIABLE in os.environ:
    app = AppModules(**json.loads(os.environ.pop(VARIABLE)))
    # A service manager that tells all processes to end means the server and its workers. This one
    # goes when they have gone: before that, all workers would seem to have died with it.
    # A function, as programs that the app starts would inherit that a signal is ignored.
    processes.on_sigterm(lambda: None)
    before = inherited.open_files(), threading.enumerate(), dict(os.environ)
    # Errors are told by the workers, which import again what could not be imported here.
    import_app(app)
    inherited.here = inherited.since(*before)
