"""A real Chromium, a real Firefox, and an app per test module."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, TypeVar

import pytest
from app_parts import EPILOGUE, PROLOGUE
from apps import Server, missing
from firefox import Firefox, FirefoxPage, start_firefox
from page import BasePage, Page
from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

P = TypeVar("P", bound=BasePage)

FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # /dev/shm is small in a container
    "--window-size=1400,1000",
)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """A Chromium with a fresh profile."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    service = shutil.which("chromedriver")
    if browser is None or service is None:
        missing("chromium" if browser is None else "chromedriver")
        return
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(service))
    Page.prepare(driver)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """A Firefox with a fresh profile."""
    browser = shutil.which("firefox-esr") or shutil.which("firefox")
    if browser is None:
        missing("firefox-esr")
        return
    with start_firefox(browser, tmp_path_factory.mktemp("firefox")) as firefox:
        yield firefox


@pytest.fixture(scope="module")
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The app of the test module: ``source``, to which each test adds its part of the page.

    The module may say ``pacing = "..."``: arguments of the app's ``Pacing``.
    """
    prologue = PROLOGUE.format(pacing=getattr(request.module, "pacing", ""))
    source = prologue + request.module.source + EPILOGUE
    server = Server(source, tmp_path_factory.mktemp("app"))
    yield server.start()
    server.stop()


def closing(page: P, request: pytest.FixtureRequest) -> Iterator[P]:
    """A page that is closed after the test, and left if the test failed."""
    failed = request.session.testsfailed
    yield page
    page.close()
    if request.session.testsfailed > failed:
        page.leave()
    elif not getattr(request.module, "keep_page", False):
        page.forget()


@pytest.fixture
def blank(
    driver: WebDriver,
    request: pytest.FixtureRequest,
    serve: object,  # the test's servers end when its page has been closed
) -> Iterator[Page]:
    """A page that is not opened yet."""
    yield from closing(Page(driver), request)


@pytest.fixture
def firefox_page(
    firefox: Firefox, request: pytest.FixtureRequest, serve: object
) -> Iterator[FirefoxPage]:
    """The same in Firefox."""
    yield from closing(FirefoxPage(firefox), request)


@pytest.fixture
def page(blank: Page, app: Server, request: pytest.FixtureRequest) -> Page:
    """The module's app in the browser.

    Opened anew, unless the module says ``keep_page = True``, as its tests use different parts of
    the page, and the test before has left no trace of errors. Half of the time of a test is the
    loading of the page.
    """
    if not (getattr(request.module, "keep_page", False) and blank.driver.current_url == app.url):
        blank.open(app.url)
    return blank


# What a browser does in its own way, it does on every Dash.
@pytest.fixture(params=["chromium", pytest.param("firefox", marks=pytest.mark.newest_only)])
def each_page(app: Server, request: pytest.FixtureRequest) -> BasePage:
    """The module's app in each of the browsers. As of ``page``, it may say ``keep_page``."""
    chromium = request.param == "chromium"
    page: BasePage = request.getfixturevalue("blank" if chromium else "firefox_page")
    keep = getattr(request.module, "keep_page", False)
    if not (keep and page.js("return location.href") == app.url):
        page.open(app.url)
    return page
