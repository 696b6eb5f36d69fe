"""The app's script in a worker, where it is called as in the server: ``__main__``.

The standard library imports it as ``__mp_main__``, so that nothing below the main guard runs, and
its functions and classes keep that name. But joblib, Dask and Ray send functions of ``__main__`` by
value to processes of their own, and those of any other module by name. Those processes have no
``__mp_main__``. So all that bears that name gets the other one, as soon as the import is over.
``pickle`` finds both, as both are in ``sys.modules``.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

#: What the standard library calls the script: the very object that functions refer to.
_IMPORTED = sys.intern("__mp_main__")

#: The globals of the script's functions, once they were found.
_found: dict[str, Any] | None = None


def namespace() -> dict[str, Any]:
    """The globals of the script's functions in this process.

    Not those of ``sys.modules["__main__"]``: ``runpy``, which has run the script, hands out a copy.
    """
    return vars(sys.modules["__main__"]) if _found is None else _found


def rename() -> None:
    """Give the script, once imported, the name that it has where it is run. May be repeated."""
    global _found  # noqa: PLW0603 - there is one script in a process
    module = sys.modules.get(_IMPORTED)
    if module is None or vars(module).get("__name__") != _IMPORTED:
        return
    namespace = vars(module)
    for cls in _subclasses(object):
        if vars(cls).get("__module__") == _IMPORTED:
            with contextlib.suppress(TypeError):
                type.__setattr__(cls, "__module__", "__main__")
    for found in gc.get_referrers(_IMPORTED):
        if isinstance(found, FunctionType) and found.__module__ == _IMPORTED:
            found.__module__ = "__main__"
            if found.__globals__.get("__name__") == _IMPORTED:
                namespace = found.__globals__
        elif isinstance(found, dict) and found.get("__module__") == _IMPORTED:  # pyright: ignore[reportUnknownMemberType]
            found["__module__"] = "__main__"  # of a functools.lru_cache, or what is like it
    # For those that are made later.
    namespace["__name__"] = vars(module)["__name__"] = "__main__"
    _found = namespace


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    """Those of a class, and theirs. One with several bases comes more than once."""
    for sub in type.__subclasses__(cls):
        yield sub
        yield from _subclasses(sub)
