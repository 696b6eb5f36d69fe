"""The browser client without a browser: its tests in JavaScript, and the rules of its modules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from services import need

HERE = Path(__file__).parents[2]
MODULES = sorted((HERE / "browser").rglob("*.js"))
#: Lines of a module, at most: one idea each.
LINES = 300


@pytest.mark.newest_only
def test_a_network_that_loses_delays_and_doubles_changes_no_outcome() -> None:
    """See ``tests/client``: hundreds of seeded runs on a clock of their own."""
    ran = subprocess.run(
        [need("node", "nodejs"), "--test", str(HERE / "tests" / "client")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_is_small_and_imports_in_no_circle(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= LINES
    seen: set[Path] = set()
    todo = imports(module)
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo |= imports(one)
    assert module not in seen


def imports(module: Path) -> set[Path]:
    """The modules that one needs to run: not those whose types it names in comments."""
    found = re.findall(r'^import .* from "(\.\.?/.+)";$', module.read_text(), re.MULTILINE)
    return {(module.parent / name).resolve() for name in found}
