"""Ends a sleep or a read of the main thread, for a job that runs there."""

from __future__ import annotations

import _thread
import signal
import threading


def interrupt_main_thread() -> None:
    """Have the main thread run its SIGINT handler now."""
    if hasattr(signal, "pthread_kill"):
        # Unlike an exception set from another thread, a signal ends a sleep or a read.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
