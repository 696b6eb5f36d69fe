"""What an app is called in every process that imports it, to tell apart apps with equal ids.

A script is ``__main__`` in the process that runs it, ``__mp_main__`` in a worker of the embedded
engine, and has a name of its own where Celery imports it: here it has the last of these.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

#: What a script is called while it runs.
MAIN = ("__main__", "__mp_main__")


def name_of(module: Any, prefix: str | None) -> str:
    """The name of an app: its module, and its prefix if it has one.

    Args:
        module: the name that it was made with.
        prefix: of the paths that it serves.
    """
    return module_name(module) + ("" if prefix in (None, "", "/") else str(prefix))


def module_name(name: Any) -> str:
    """A module's name as an import has it. A notebook stays ``__main__``."""
    name = str(name or "")
    if name not in MAIN:
        return name
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return Path(file).stem if file else MAIN[0]


def may_be_same(one: str, other: str) -> bool:
    """Whether two processes may mean the same app: one runs its script, the other imports it.

    Prefixes may differ, too: a worker may lack the environment variable that sets them.
    """
    one, other = one.partition("/")[0], other.partition("/")[0]
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
