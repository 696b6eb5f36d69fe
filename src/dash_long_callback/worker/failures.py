"""What an exception of the user's function is to the page and the log."""

from __future__ import annotations

import signal
import traceback
from types import TracebackType

from dash_long_callback.errors import JobExited, UserError
from dash_long_callback.jobs import Failed

#: Frames of these packages are between the worker and the user's function: not the user's concern.
_PLUMBING = ("dash", "dash_long_callback")


def failed(error: BaseException) -> Failed:
    """How a job ends by an exception, with the traceback from the user's function on."""
    tb: TracebackType | None = error.__traceback__
    while tb is not None and _package_of(tb) in _PLUMBING:
        tb = tb.tb_next
    user = isinstance(error, UserError)
    try:
        # An error that Dash raised about the result has no frame of the user's at all.
        text = "".join(traceback.format_exception(type(error), error, tb))
        message = str(error)
    except Exception as problem:
        # The error's own __str__, most likely.
        text, message = "", f"its message can't be shown ({type(problem).__name__} in it)"
        user = False
    # What a worker calls the app's script; of an error of `__main__`, Python names no module.
    text = text.replace("__mp_main__.", "")
    return Failed(type(error).__name__, message, text, user=user)


def _package_of(tb: TracebackType) -> str:
    return str(tb.tb_frame.f_globals.get("__name__")).partition(".")[0]


def exited(error: SystemExit) -> JobExited:
    """``sys.exit`` in a function, as an error of it."""
    return JobExited(error.code).with_traceback(error.__traceback__)


def is_ctrl_c(error: BaseException) -> bool:
    """Whether it is meant for this process, not for the function: where jobs run inline."""
    return isinstance(error, KeyboardInterrupt) and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
