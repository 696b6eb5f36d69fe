"""Apps in the cells of a notebook, whose kernel is a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from apps import wait_until
from kernel import Kernel, running
from page import Page
from services import free_port

pytestmark = pytest.mark.newest_only

#: By which Jupyter's server tells a kernel which notebook it is of.
TOLD = "JPY_SESSION_NAME"
IMPORTS = """
import pathlib, sys, threading, time
import pandas
from dash import Input, Output, html
from dash_long_callback import CeleryLongCallbackManager, Dash, DiskcacheLongCallbackManager
from dash_long_callback import submit, track
"""

#: What the callbacks use, of another cell.
DATA = """
frame = pandas.DataFrame({"sales": [1, 2]})
unit = "EUR"

class Sum:
    def of(self, frame):
        return f"{frame.sales.sum()} {unit}"

def describe(n):
    return f"{n}: {Sum().of(frame)}"
"""

APP = """
runs = pathlib.Path("runs")
manager = DiskcacheLongCallbackManager(workers=WORKERS)
app = Dash(__name__, long_callback_manager=manager)
app.layout = [html.Button("run", id="run"), html.P(id="result"), html.P(id="slow")]

@app.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True,
    indicator=True, cache_by=[],
)
def work(n):
    for _ in track(range(2)):
        with runs.open("a") as file:
            file.write(".")
    return "first " + describe(n)

@app.long_callback(
    Output("slow", "children"), Input("result", "title"), prevent_initial_call=True
)
def slow(gate):
    for step in track(range(3000)):
        if pathlib.Path(gate).exists():
            return "the gate is open"
        time.sleep(0.02)

app.run(jupyter_mode="inline", port=PORT)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    kernel = Kernel(folder / "sales.ipynb")
    yield kernel
    kernel.stop()


@pytest.fixture(scope="module")
def cell() -> str:
    """The cell that makes and runs the app, always on the same port."""
    return APP.replace("PORT", str(free_port())).replace("WORKERS", "2")


def run_cell(kernel: Kernel, cell: str) -> None:
    """Run the cell of the app; again while the port is not free of the app before it.

    Dash does not wait for that, and its user would run the cell again, too.
    """
    printed: list[str] = []

    def runs() -> bool:
        printed[:] = [kernel.run(cell)]
        return "Address already in use" not in printed[0]

    wait_until(runs, what="the port of the app before")
    assert printed == [""]


def run_all(kernel: Kernel, cell: str) -> str:
    """Run all cells. Returns the address of the app."""
    assert kernel.run(IMPORTS + DATA) == ""
    run_cell(kernel, cell)
    return kernel.run("print(f'http://127.0.0.1:{PORT}/')".replace("{PORT}", port_of(cell)))


def port_of(cell: str) -> str:
    return cell.rpartition("port=")[2].strip().strip(")")


def folder_of_jobs(kernel: Kernel) -> str:
    return kernel.run("print(app.long_callback_manager.store.directory)")


def test_each_click_runs_what_the_cells_have_set_by_now(
    kernel: Kernel, cell: str, blank: Page
) -> None:
    page = blank
    page.open(run_all(kernel, cell))

    def click(text: str) -> None:
        page.click("#run")
        page.wait_text("#result", text)

    click("first 1: 3 EUR")
    assert kernel.run("frame = pandas.DataFrame({'sales': [40]}); unit = 'USD'") == ""
    click("first 2: 40 USD")
    assert kernel.run("def describe(n): return f'changed {n}'") == ""
    click("first changed 3")
    assert kernel.run(cell.replace("first ", "second ")) == ""
    page.open(page.js("return location.href"))
    click("second changed 1")
    # What worked once is not computed again, until what it depends on changes.
    assert kernel.run("print(len(runs.read_text()))") == "8"
    again = "print(submit(work, 5).result(), len(runs.read_text()))"
    assert kernel.run(again) == "second changed 5 10"
    assert kernel.run(again) == "second changed 5 10"
    assert kernel.run(DATA) == ""
    assert kernel.run(again) == "second 5: 3 EUR 12"
    assert kernel.run("frame.loc[0, 'sales'] = 10") == ""
    assert kernel.run(again) == "second 5: 12 EUR 14"


def test_a_cell_awaits_a_job_and_an_interrupt_ends_the_cell_alone(
    kernel: Kernel, cell: str, folder: Path
) -> None:
    run_all(kernel, cell)
    workers = kernel.run(
        "job = submit(slow, 'gate')\nasync for update in job: break\nprint(update.total)"
    )
    assert workers == "3000"
    marker = folder / "waiting"
    wait = "pathlib.Path('waiting').touch(); job.result()"
    assert kernel.interrupt(wait, marker) == "KeyboardInterrupt"
    (folder / "gate").touch()
    assert kernel.run("print(await job, job.state)") == "the gate is open succeeded"


def test_the_latest_cell_that_makes_a_manager_counts(
    kernel: Kernel, cell: str, folder: Path
) -> None:
    threads = "print(sum(t.name == 'long-callbacks' for t in threading.enumerate()))"
    job = "print(submit(slow, '.').result())"
    for _ in range(3):
        run_all(kernel, cell)
        assert kernel.run(job) == "the gate is open"
    assert kernel.run(threads) == "1"
    kernel.run("job = submit(slow, 'second gate')\nfor update in job: break")
    start = "workers=2, worker_start=lambda: pathlib.Path('begun').touch()"
    run_all(kernel, cell.replace("workers=2", start))
    assert kernel.run(job).endswith("the gate is open")
    assert (folder / "begun").exists()
    assert kernel.run(threads) == "1"
    assert kernel.run("print(job.state)") == "running"
    kernel.run("pathlib.Path('second gate').touch()")
    assert kernel.run("print(job.result())") == "the gate is open"


def test_what_a_notebook_can_t_have_is_said_in_words(kernel: Kernel, cell: str) -> None:
    run_all(kernel, cell)
    locked = """
lock = threading.Lock()
@app.long_callback(Output("run", "title"), Input("result", "title"), prevent_initial_call=True)
def locked(value):
    with lock:
        return value
print(submit(locked, 1).result())
"""
    assert "it refers to locked → lock (a _thread.lock)" in kernel.run(locked)
    renamed = """
@app.long_callback(Output("result", "children"), Input("run", "n_clicks"))
def renamed(n):
    return n
"""
    assert "run the cell that makes the app again" in kernel.run(renamed)
    celery = """
from celery import Celery
celery_app = Celery("sales", broker="redis://localhost:1/0", backend="redis://localhost:1/0")
distributed = Dash(__name__, long_callback_manager=CeleryLongCallbackManager(celery_app))
@distributed.long_callback(Output("result", "children"), Input("run", "n_clicks"))
def work_elsewhere(n):
    return n
"""
    said = kernel.run(celery)
    assert "the long callback work_elsewhere" in said
    assert "%%writefile app.py" in said


def test_below_the_prefix_of_a_jupyter_server(kernel: Kernel, cell: str) -> None:
    """Its proxy takes the prefix away."""
    told = "from dash._jupyter import _jupyter_config as told\n"
    base = "told.update(base_subpath='/user/me/', server_url='http://hub')"
    try:
        kernel.run(told + base)
        url = f"http://127.0.0.1:{port_of(cell)}/"
        for _ in range(2):
            run_cell(kernel, IMPORTS + DATA + cell)
            page = requests.get(url, timeout=30).text
            assert f"/user/me/proxy/{port_of(cell)}/" in page
            asked = requests.post(
                url + "_dash-long-callback/updates", json={"tab": "a", "jobs": {"x": 0}}, timeout=30
            )
            assert asked.status_code == 404
            assert "job" in asked.json()["message"]
        # An app that was made before `run` set the prefix is the same app after that.
        assert kernel.run("print(submit(slow, '.').result())") == "the gate is open"
        known = "from dash_long_callback.registry import registry\n"
        assert "#" not in kernel.run(known + "print(*(c.key for c in registry.all()))")
    finally:
        kernel.run(told + "told.clear()")


def test_with_its_kernel_all_ends_and_a_restarted_one_finds_its_results(
    kernel: Kernel, cell: str, blank: Page
) -> None:
    run_all(kernel, cell)
    result = kernel.run("print(submit(work, 77).result())")
    place, started = folder_of_jobs(kernel), len(kernel.run("print(runs.read_text())"))
    kernel.run("job = submit(slow, 'never')\nfor update in job: break")
    before = kernel.started()
    assert len(before) >= 3
    kernel.restart()
    assert running(before) == []
    blank.open(run_all(kernel, cell))
    assert folder_of_jobs(kernel) == place
    assert kernel.run("print(submit(work, 77).result())") == result
    assert len(kernel.run("print(runs.read_text())")) == started
    blank.click("#run")
    blank.wait_text("#result", "first 1: 3 EUR")

    other = Kernel(Path(place).parents[1] / "other.ipynb")
    try:
        run_all(other, APP.replace("PORT", str(free_port())).replace("WORKERS", "1"))
        assert folder_of_jobs(other) != place
        # Where nobody tells which notebook it is, kernels share what their author has named.
        directory = kernel.run("print(pathlib.Path.cwd())")
        nameless = f"import diskcache, os; os.chdir({directory!r}); os.environ.pop({TOLD!r})\n"
        made = "print({}.store.directory)"
        cached = made.format("DiskcacheLongCallbackManager(diskcache.Cache('own'))")
        default = made.format("DiskcacheLongCallbackManager()")
        assert other.run(nameless + cached) == kernel.run(nameless + cached)
        assert other.run(default) != kernel.run(default)
        other.run("job = submit(slow, 'never')\nfor update in job: break")
        before = other.started()
        other.kill()
        wait_until(lambda: running(before) == [], what="the workers of a killed kernel to end")
    finally:
        other.stop()
