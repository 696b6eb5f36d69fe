"""Which parts may know which."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import dash_long_callback

PACKAGE = Path(dash_long_callback.__file__).parent
#: For each part, what it may import besides itself and the standard library.
MAY_IMPORT = {
    "jobs": {"dash_long_callback.errors"},
    "stores": {
        *(f"dash_long_callback.{name}" for name in ("errors", "fault_log", "jobs")),
        *("diskcache", "diskcache.core", "filelock", "redis"),
    },
}


def imports(file: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_is_below_it(part: str) -> None:
    files = list((PACKAGE / part).rglob("*.py"))
    assert files
    for file in files:
        own = f"dash_long_callback.{part}"
        others = {
            name
            for name in imports(file)
            if name.partition(".")[0] not in sys.stdlib_module_names
            and name != own
            and not name.startswith(f"{own}.")
        }
        assert others <= MAY_IMPORT[part], file
