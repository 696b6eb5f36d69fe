"""Callbacks with ``background=True`` on managers of ours, as apps for Dash's own have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import Server
from celery_worker import CeleryWorker
from page import Page
from services import RedisServer

APP = Path(__file__).with_name("background_app.py")

keep_page = True


@pytest.fixture(scope="module", params=["diskcache", "celery"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The app with an engine; with Celery, a worker as its users start it."""
    folder = tmp_path_factory.mktemp(request.param)
    env = {"ENGINE": request.param}
    if request.param == "diskcache":
        server = Server(APP, folder, env)
        yield server.start()
        server.stop()
        return
    redis = RedisServer(tmp_path_factory.mktemp("redis")).start()
    server = Server(APP, folder, env | {"REDIS_URL": redis.url})
    settings = env | {"REDIS_URL": redis.url, "FOLDER": str(folder)}
    worker = CeleryWorker(folder, "app:handle", settings, "--concurrency", "2").start()
    yield server.start()
    server.stop()
    worker.stop()
    redis.stop()


def test_the_last_of_many_changes_is_what_the_page_settles_on(page: Page) -> None:
    page.wait_text("#echo", "first")
    page.type("#typed", "many keys")
    page.wait_text("#echo", "many keys")
    page.type("#typed", "first")
    page.wait_text("#echo", "first")


def test_running_and_cancel(page: Page, app: Server) -> None:
    page.click("#run")
    page.wait_text("#state", "busy")
    app.open_gate("run-1")
    page.wait_text("#out", "first 1")
    page.wait_text("#state", "idle")
    page.click("#run")
    page.wait_text("#state", "busy")
    page.click("#stop")
    page.wait_text("#state", "idle")
    assert page.text("#out") == "first 1"
    app.open_gate("run-4")
    page.click("#run")
    page.click("#run")
    page.wait_text("#out", "first 4")
    page.wait_text("#state", "idle")


def test_progress_has_its_default_from_the_end_of_a_job_on(page: Page, app: Server) -> None:
    assert page.text("#step") == "before"
    page.click("#steps")
    for number in range(3):
        page.wait_text("#step", f"step {number}")
        page.wait_text("#after-step", f"seen: step {number}")
        app.open_gate(f"step-1-{number}")
    page.click("#halt")
    page.wait_text("#step", "ready")
    assert page.text("#steps-out") == ""
    for number in range(4):
        app.open_gate(f"step-2-{number}")
    page.click("#steps")
    page.wait_text("#steps-out", "done 2")
    page.wait_text("#step", "ready")


def test_without_a_default_the_last_progress_stays(page: Page, app: Server) -> None:
    page.click("#keep")
    page.wait_text("#kept", "one")
    app.open_gate("keep")
    page.wait_text("#keep-out", "done")
    assert page.stays(lambda: page.text("#kept") == "two")
    assert page.prop("bar", "value") == "2"
    assert page.text("#changes") == "2"


def test_of_several_outputs_some_may_stay(page: Page) -> None:
    for clicks in (1, 2, 3):
        page.click("#several")
        page.wait_text(f"#several-{clicks}", str(clicks - 1))


def test_on_error_gets_what_dash_would_give_it(page: Page) -> None:
    page.click("#own-error")
    page.wait_text("#own-kind", "BackgroundCallbackError")
    told = "An error occurred inside a background callback: "
    page.wait(lambda: (page.text("#own-out") or "").startswith(f"told: {told}of its own Trace"))
    page.click("#own-error")
    page.wait_idle()
    page.click("#app-error")
    shown = f"BackgroundCallbackError: {told}of any Trace"
    page.wait(lambda: (page.text("#any-error") or "").startswith(shown))
    assert page.text("#any-out") == ""


def test_patterns_and_what_triggered(page: Page) -> None:
    for clicks in (1, 2):
        for index in (0, 2):
            page.click({"type": "press", "index": index})
            page.wait_text("#pressed", f"{index}: {clicks}")
            page.wait_idle()


def test_cookies_and_headers_are_in_ctx(page: Page, app: Server) -> None:
    page.click("#set-cookie")
    page.wait_text("#set", "ok")
    page.click("#use-cookie")
    page.wait_text("#cookie", "vanilla")
    page.wait_text("#header", app.url.removeprefix("http://").rstrip("/"))


def test_set_props_and_a_callback_without_outputs(page: Page, app: Server) -> None:
    page.click("#side")
    page.wait_text("#aside", "first")
    page.wait_prop("aside", "style", {"color": "red"})
    assert page.text("#side-out") == "initial"
    app.open_gate("side")
    page.wait_text("#side-out", "completed")
    page.wait_text("#aside", "second")
    page.click("#no-output")
    page.wait_text("#no-output-said", "started")
    app.open_gate("no-output")
    page.wait_text("#no-output-said", "completed")


def test_inputs_and_outputs_in_every_form(page: Page) -> None:
    page.click("#mixed")
    page.wait_text("#mixed-out", "stored 1")
    page.wait_text("#named-out", "stored 1")


def test_functions_of_one_name_are_told_apart(page: Page) -> None:
    for index in (1, 2):
        page.click(f"#make-{index}")
        page.wait_text(f"#made-{index}", f"made {index}")


def test_ordinary_background_and_long_callbacks_are_beside_each_other(
    page: Page, app: Server
) -> None:
    page.click("#both")
    page.wait_text("#dash-out", "ordinary 1")
    page.wait_text("#ours-out", "long 1")
    page.wait_text("#shared", "shared 1")
    assert "1" in app.notes("shared")
