"""What the documentation tells people to write works: each block of Python is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from doc_pages import NAMES, ROOT, Block, read

pytestmark = pytest.mark.newest_only  # the docs are of the newest

#: What the text around a part of an app takes for granted.
AROUND = """
import os, time, uuid
from pathlib import Path
import diskcache
from dash import *
from dash_long_callback import *
from dash_long_callback import Dash

cache = diskcache.Cache("./cache")
manager = DiskcacheLongCallbackManager(cache)
app = Dash("app", long_callback_manager=manager)

def data_version(): ...
@app.long_callback(Output("kept", "children"), Input("kept-year", "value"), cache_by=data_version)
def report(year): ...
def work(set_progress, n):
    for step in range(n):
        set_progress(step)
    return f"{n} steps"
"""
#: What single pages take for granted besides.
MORE = {
    "docs/how-to/auth.md": """
from fastapi import FastAPI
from a2wsgi import WSGIMiddleware

server = FastAPI()
""",
    "docs/how-to/calls.md": """
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.memory import MemoryStore

store = MemoryStore(retention=60)
app = Dash("app", long_callback_manager=Manager(store, InlineExecutor(store)))
@app.long_callback(Output("report", "children"), Input("year", "value"))
def write_report(year):
    for month in track(range(12), "Adding up"):
        set_props("note", {"children": month})
    return year
""",
    "docs/how-to/celery.md": """
from celery import Celery

celery_app = Celery("app", broker="redis://localhost", backend="redis://localhost")
app = Dash("app", long_callback_manager=CeleryLongCallbackManager(celery_app))
""",
    "docs/how-to/delivery.md": "import flask; response = flask.Response()",
}
#: Pages with parts that need a newer Dash than the oldest, or that is installed with it.
NEWER = ("docs/how-to/auth.md", "docs/how-to/background-callbacks.md", "docs/how-to/uvicorn.md")
#: Takes the place of the three dots in ``@app.long_callback(..., timeout=60)``.
ARGUMENTS = 'Output("result", "children"), Input("run", "n_clicks")'

PYTHON = [block for name in NAMES for block in read(name).blocks if block.language == "python"]
#: Without those that show files of the repository, which have tests of their own.
WRITTEN = [block for block in PYTHON if "--8<--" not in block.text]


def is_whole(block: Block) -> bool:
    """Whether a block is a file, and not a part of one."""
    return bool(block.title) or "app.run" in block.text or ".compat" in block.text


def imports(code: str, folder: Path) -> None:
    """Run a statement in a new interpreter: what it changes, it changes for no other test."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def run_tests(folder: Path) -> None:
    """Run the tests of a folder, as a user does."""
    # By name, as the package may be on the path without being installed.
    command = [sys.executable, "-m", "pytest", "-p", "pytest_dash_long_callback"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_each_block_compiles(block: Block):
    included = re.search(r'--8<-- "([^":]+)', block.text)
    text = (ROOT / included[1]).read_text(encoding="utf-8") if included else block.text
    compile(text, str(block), "exec")


@pytest.mark.parametrize("name", sorted({block.page for block in WRITTEN if is_whole(block)}))
def test_the_files_of_a_page_can_be_imported(name: str, tmp_path: Path):
    modules: list[str] = []
    for number, block in enumerate(b for b in WRITTEN if b.page == name and is_whole(b)):
        file = tmp_path / (block.title or f"app{number}.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(block.text)
        if file.parent == tmp_path:  # the pages of an app are imported by Dash
            modules.append(file.stem)
    tests = [module for module in modules if module.startswith("test_")]
    if tests:
        run_tests(tmp_path)
    imports(f"import {', '.join(set(modules) - set(tests))}", tmp_path)


def test_the_first_app_runs_with_celery_after_the_change_that_the_readme_names(tmp_path: Path):
    app, celery = [block.text for block in read("README.md").blocks if block.language == "python"]
    assert app.count("app = Dash(__name__)\n") == 1
    (tmp_path / "app.py").write_text(app.replace("app = Dash(__name__)\n", celery))
    imports("import app; app.celery_app.tasks['dash_long_callback.run']", tmp_path)


PARTS = [
    # Dash has other servers than Flask since 4.1.
    pytest.param(b, id=str(b), marks=[pytest.mark.newest_only] if b.page in NEWER else [])
    for b in WRITTEN
    if not is_whole(b)
]


@pytest.mark.parametrize("block", PARTS)
def test_each_part_of_a_file_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAUNCH", "1")
    if '"git"' in block.text:
        for command in ("init", "-c user.name=x -c user.email=x commit --allow-empty -m x"):
            subprocess.run(["git", *command.split()], check=True, capture_output=True)
    names: dict[str, Any] = {"__name__": "app"}
    exec(AROUND + MORE.get(block.page, ""), names)
    text = block.text.replace("long_callback(...", f"long_callback({ARGUMENTS}")
    exec(compile(text, str(block), "exec"), names)
    for name in [name for name in names if name.startswith("test_")]:
        names[name]()
