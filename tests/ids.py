"""Names of test cases."""

from __future__ import annotations

import re


def plain(value: object) -> str:
    """A value without its address: all processes of a test run must give a case the same name."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
