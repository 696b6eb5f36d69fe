"""A server that is told to end while its thread is anywhere at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.newest_only  # servers end alike on every Dash

#: The signal comes to a thread that holds the locks that the answer to it needs: those of the
#: pacer, and of the waker of a request that waits.
HELD = """
import os, signal, threading
from dash_long_callback import Pacing
from dash_long_callback.managers.following import Following
from dash_long_callback.server.pacing import Pacer, Capacity
from dash_long_callback.server.shutdown import at_end

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append("the server's own handler"))
pacer, held, late = Pacer(Pacing()), Following({}), Following({})
if FORK:
    at_end(pacer.end)
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        raise SystemExit
at_end(pacer.end)
at_end(pacer.end)
with pacer.hold("tab", held, Capacity(5, 100)):
    with pacer._lock, held.waker._woken._cond:
        signal.raise_signal(signal.SIGTERM)
        assert told
    assert held.waker.wait(30), "it was not woken"
    assert not held.waits
with pacer.hold("another", late, Capacity(5, 100)):
    assert not late.waits
print("done")
"""


@pytest.mark.parametrize("fork", [False, True], ids=["", "after a fork"])
def test_a_signal_wakes_those_who_wait_whatever_lock_its_thread_holds(fork: bool) -> None:
    code = HELD.replace("FORK", str(fork))
    process = subprocess.run(
        [sys.executable, "-c", code], timeout=60, check=True, capture_output=True, text=True
    )
    assert process.stdout == "done\n"
