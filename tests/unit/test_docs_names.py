"""What the documentation points to is there: files, tests, links, commands and their options."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from doc_pages import NAMES, ROOT, Page, read

import dash_long_callback

pytestmark = pytest.mark.newest_only  # it reads files, which are the same on every Dash

PAGES = [pytest.param(read(name), id=name) for name in NAMES]
SOURCE = ROOT / "src/dash_long_callback"
#: Texts besides the pages that tell people what to do.
OTHERS = [
    ROOT / "deploy/Dockerfile",
    ROOT / "scripts/demo-celery",
    *(ROOT / "examples").rglob("*.py"),
    *SOURCE.rglob("*.py"),
]

#: The names of files that are given without their folders.
FILES = {
    path.name for top in (SOURCE, ROOT / "browser", ROOT / "tests") for path in top.rglob("*.*")
}

#: What is no file, or one of the reader's own app.
OF_READERS = ("app.py", "helpers.py", "bytecode.py", "assets/", "application/json")

# Files and tests


@pytest.fixture(scope="module")
def functions() -> set[str]:
    """The names of all tests."""
    trees = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "tests").rglob("test_*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_that_a_page_names_exist(page: Page, functions: set[str]):
    for name, rest in re.findall(r"`(test_\w+)(…|\.py)?`", page.text):
        if rest == ".py":
            assert list((ROOT / "tests").rglob(f"{name}.py")), name
        elif rest == "…":
            assert any(test.startswith(name) for test in functions), name
        else:
            assert name in functions


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_a_page_names_exist(page: Page):
    for path in re.findall(r"`((?:[\w.]+/)*[\w]+\.(?:py|js|yaml)|(?:[\w.]+/)+[\w-]*)`", page.text):
        if not path.startswith("_dash") and path not in OF_READERS:
            exists = (ROOT / path).exists() or (SOURCE / path).exists()
            assert exists or path in FILES, path


def test_the_benchmarks_that_pages_name_have_results():
    text = " ".join(read(name).text for name in NAMES)
    for name in re.findall(r"benchmark `(\w+)`", text):
        assert (ROOT / "benchmarks/results" / f"{name}.json").exists(), name


def test_the_architecture_names_each_file_of_the_package():
    [block] = [
        b for b in read("docs/architecture.md").blocks if "src/dash_long_callback/\n" in b.text
    ]
    folders: list[str] = []
    named: set[str] = set()
    for line in block.text.splitlines()[1:]:
        entry = re.match(r"( +)([\w.]+/?)(?: |$)", line)
        if entry is None:
            break  # the other folders of the repository
        folders[len(entry[1]) // 2 - 1 :] = [entry[2]]
        if not entry[2].endswith("/"):
            named.add("".join(folders))
    # Empty ones make a folder a package; the others have a name that says enough.
    files = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.[pj][ys]")}
    silent = {name for name in files if name.endswith("__init__.py")} | {"_version.py"}
    assert named - files == set()
    assert files - silent - named == set()


# Links


def linked(text: str) -> list[str]:
    """The targets of links to files of the repository, and to headings."""
    return [to for to in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in to]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_headings(page: Page):
    for target in linked("\n".join(page.lines)):
        path, _, anchor = target.partition("#")
        file = ((ROOT / page.name).parent / path).resolve() if path else ROOT / page.name
        assert file.exists(), target
        if anchor:
            assert anchor in read(file.relative_to(ROOT).as_posix()).anchors, target


# Commands


def test_no_text_tells_to_install_the_package_from_a_registry_that_does_not_have_it():
    """To be removed with the first release."""
    for text in [*((ROOT / name) for name in NAMES), *OTHERS]:
        found = re.search(
            r"pip install [^\n]*?[\s\"'](dash-long-callback)\b", text.read_text("utf-8")
        )
        assert not found, f"{text}: {found and found[0]}"


def celery_options(command: list[str]) -> set[str]:
    from celery.bin.celery import celery as group

    known = [group, *(group.commands[word] for word in command if word in group.commands)]
    return {option for each in known for parameter in each.params for option in parameter.opts}


def gunicorn_options(_command: list[str]) -> set[str]:
    from gunicorn.config import make_settings

    return {option for setting in make_settings().values() for option in setting.cli or ()}


def uvicorn_options(_command: list[str]) -> set[str]:
    from uvicorn.main import main

    return {option for parameter in main.params for option in parameter.opts}


@functools.cache
def pip_help(command: str) -> str:
    """What pip says of one of its commands; it takes a second."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", command, "--help"], capture_output=True, text=True, check=True
    )
    return told.stdout


def pip_options(command: list[str]) -> set[str]:
    return set(re.findall(r"(?<![\w-])--?[\w-]+", pip_help(command[1])))


OPTIONS: dict[str, Callable[[list[str]], set[str]]] = {
    "celery": celery_options,
    "gunicorn": gunicorn_options,
    "pip": pip_options,
    "uvicorn": uvicorn_options,
}


def commands(page: Page) -> list[list[str]]:
    """The commands of a page, those within its sentences included."""
    within = re.findall(r"`((?:celery|gunicorn|make|python|uvicorn) [^`…]+)`", page.text)
    # `make` targets stand in a list, with what they do behind them.
    lines = [re.split(r"  +", line)[0] for line in page.commands]
    return [
        [word for word in shlex.split(line) if "=" not in word or word[0] == "-"]
        for line in [*lines, *within]
    ]


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_a_page_gives_them(page: Page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for program, *words in commands(page):
        if program == "make":
            assert words[0] in targets, words
        if program == "python" and "/" in words[0]:
            assert (ROOT / words[0]).exists(), words
        given = {word.split("=")[0] for word in words if word.startswith("-")}
        if program in OPTIONS and given and "flower" not in words:
            assert given <= OPTIONS[program]([program, *words]), (program, words)
        if program == "docker":
            assert (ROOT / words[words.index("-f") + 1]).exists()


def test_the_wheel_has_the_version_of_the_package():
    names: list[Any] = re.findall(
        r"dash_long_callback-([\d.]+)-py3", " ".join(read("docs/index.md").commands)
    )
    assert names == [dash_long_callback.__version__]
