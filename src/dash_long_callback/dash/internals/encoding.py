"""JSON as Dash writes it, and what it makes of a ``Patch``."""

from __future__ import annotations

import json
from typing import Any

from dash._utils import to_json


def plain_json(value: Any) -> bytes:
    """JSON that carries all that JSON from a browser may hold, in ASCII.

    Dash's own way refuses integers beyond 64 bit and halves of surrogate pairs, which Python makes
    of file names that are not UTF-8, and turns NaN into null.
    """
    try:
        return json.dumps(value, separators=(",", ":"), default=_encoded).encode()
    except TypeError:  # keys that are no strings, such as dates
        return to_json_bytes(value)


def _encoded(value: Any) -> Any:
    """What is not plain, as Dash writes it."""
    return json.loads(to_json_bytes(value))


def to_json_bytes(value: Any) -> bytes:
    """JSON as Dash writes it: components, figures, arrays and dates included."""
    return str(to_json(value)).encode()


def join_patches(patches: list[bytes]) -> bytes:
    """The JSON of a ``Patch`` that does what all of these do, one after the other.

    ``lengths`` says how many operations are of each: one that can't be applied is left out as a
    whole, and alone.
    """
    if len(patches) == 1:
        return patches[0]
    loaded = [json.loads(patch) for patch in patches]
    operations = [one["operations"] for one in loaded]
    joined = {
        **loaded[0],
        "operations": [step for steps in operations for step in steps],
        "lengths": [len(steps) for steps in operations],
    }
    return json.dumps(joined, separators=(",", ":")).encode()
