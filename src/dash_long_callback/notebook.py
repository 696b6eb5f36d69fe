"""Whether this process is the kernel of a notebook, and what tells its notebook from others.

What is defined in its cells is in ``__main__``, but in no file that a worker could import: so it is
sent, as it is when the job begins. And a kernel is a development server: its jobs end with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from dash_long_callback.app_names import MAIN


def is_kernel() -> bool:
    """Whether cells run in this process. IPython in a terminal is not meant: it has no kernel."""
    return getattr(_shell(), "kernel", None) is not None


def is_of_cell(function: Any) -> bool:
    """Whether a function is defined in a cell of a notebook, so that no module has it.

    Args:
        function: what the author wrote; a ``functools.partial`` of it, or a method.
    """
    while (inner := getattr(function, "func", None)) is not None and callable(inner):
        function = inner
    return getattr(function, "__module__", None) in MAIN and is_kernel()


def file() -> str:
    """The path of the notebook, as far as its server tells it.

    Of one that is not told, it is a path in the working directory that no other kernel has. A
    kernel that is restarted has it again.
    """
    shell = _shell()
    # Jupyter's server sets the one, VS Code the other.
    told = os.environ.get("JPY_SESSION_NAME") or _names(shell).get("__vsc_ipynb_file__")
    return str(Path.cwd() / (str(told) if told else _kernel_name()))


def _shell() -> Any:
    # Not imported for this: where nobody has imported it there is no kernel.
    ipython = sys.modules.get("IPython")
    get = getattr(ipython, "get_ipython", None)  # not there while it is imported
    return None if get is None else get()


def _names(shell: Any) -> dict[str, Any]:
    return getattr(shell, "user_ns", {})


def _kernel_name() -> str:
    # The file that says how to connect to the kernel, which is among its arguments.
    files = [Path(argument).stem for argument in sys.argv[1:] if argument.endswith(".json")]
    return files[0] if files else f"kernel-{os.getpid()}"
