"""Which parts may know which."""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dash_long_callback

pytestmark = pytest.mark.newest_only  # it reads files, which are the same on every Dash

PACKAGE = Path(dash_long_callback.__file__).parent
#: For each part, what it may import besides itself and the standard library.
MAY_IMPORT = {
    "jobs": {"dash_long_callback.errors"},
    "stores": {
        *(f"dash_long_callback.{name}" for name in ("errors", "fault_log", "job_log", "jobs")),
        *("diskcache", "diskcache.core", "filelock", "redis"),
    },
    "worker": {
        *(
            f"dash_long_callback.{name}"
            for name in ("ends", "errors", "fault_log", "job_log", "jobs")
        ),
        "dash_long_callback.stores",
        *(f"dash_long_callback.stores.{name}" for name in ("job_store", "notifier")),
        *("psutil", "tqdm.std"),
    },
}
#: What may know Dash; of the others, no part needs it, nor does anything that they import.
RIM = ("calls", "dash", "http_api", "server", "testing")
#: What brings the names together that users import.
PUBLIC = {"dash_long_callback", "dash_long_callback.compat"}


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


def modules() -> dict[str, Path]:
    """Every module of the package, by name."""
    found: dict[str, Path] = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


#: Modules that need an extra: they are imported where it is known to be there.
EXTRAS = {"celery", "kombu", "redis", "fastapi", "pydantic", "quart", "tqdm", "uvicorn"}


def runtime_imports(file: Path) -> set[str]:
    """What importing a file imports, wherever in it that is said: not only for a type checker.

    Of ``from a import b`` both ``a`` and ``a.b``, which may be a module or not.
    """
    tree = ast.parse(file.read_text())
    only_typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in only_typing:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{name.name}" for name in node.names}
            found |= {node.module} | named
    return found


def own_imports(file: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that importing a file imports.

    The package's own ``__init__``, which users import, is not what its modules need.
    """
    found = runtime_imports(file) & known.keys() - {"dash_long_callback"}
    # Of `from package import module`, the module alone is meant.
    return {one for one in found if not any(other.startswith(f"{one}.") for other in found)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = modules()
    graph = {name: own_imports(file, known) - {name} for name, file in known.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")
    assert len(order) == len(known)


def is_at_the_rim(name: str) -> bool:
    """Whether a module belongs to what may know Dash."""
    parts = [f"dash_long_callback.{part}" for part in RIM]
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def test_only_the_rim_knows_dash() -> None:
    known = modules()
    assert any(map(is_at_the_rim, known))
    for name, file in known.items():
        if is_at_the_rim(name) or name in PUBLIC:
            continue
        # Not even for a type checker: what is not known can't be asked.
        for one in imports(file):
            assert one.partition(".")[0] not in {"dash", "flask", "plotly"}, f"{name}: {one}"
        assert not any(map(is_at_the_rim, own_imports(file, known) | imports(file))), name


def needs_extra(name: str, known: dict[str, Path]) -> bool:
    """Whether a module can be imported with an extra only."""
    if name.partition(".")[0] in EXTRAS:
        return True
    file = known.get(name)
    return file is not None and any(i.partition(".")[0] in EXTRAS for i in imports(file))


def test_an_import_inside_a_function_is_of_what_needs_an_extra() -> None:
    known = modules()
    for file in known.values():
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for node in ast.walk(function):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [name.name for name in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [str(node.module)]
                for name in names:
                    assert needs_extra(name, known), f"{file}, {function.name}: {name}"
