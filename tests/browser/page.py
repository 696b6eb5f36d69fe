"""A page in a browser, as a test sees it."""

from __future__ import annotations

import json
import re
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pytest
from apps import wait_until
from selenium.common.exceptions import ElementClickInterceptedException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver.chrome.webdriver import WebDriver

#: Keeps each text that an element shows. Before the page's own scripts, so that none is missed.
RECORDER = """
window.recorded = {};
new MutationObserver(() => {
    for (const [css, texts] of Object.entries(window.recorded)) {
        const element = document.querySelector(css);
        const text = element ? element.textContent : null;
        if (texts[texts.length - 1] !== text) texts.push(text);
    }
}).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
"""

#: Before a click: note whether the press that comes lands on the element. A page that grows between
#: the look for the place and the press, as for a figure that is drawn late, moves it away.
EXPECT_PRESS = """
const expectPress = (element) => {
    window.pressed = undefined;
    const note = (event) => window.pressed = event.composedPath().includes(element);
    addEventListener("pointerdown", note, {capture: true, once: true});
};
"""


class BasePage(ABC):
    """A page: what a user does and sees, and what a developer sees in the dev tools.

    A selector is CSS; a dict is the id of a component.
    """

    def __init__(self) -> None:
        self._expected: list[str] = []
        self._console: list[str] = []

    # What each browser does in its own way

    @abstractmethod
    def load(self, url: str) -> None:
        """Load an address."""

    @abstractmethod
    def reload(self) -> None:
        """Load the page anew, as F5 does, and wait as :meth:`open` does."""

    @abstractmethod
    def click(self, selector: str | dict[str, Any]) -> None:
        """Click as a user does."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press a key, one of ``Keys`` of Selenium, and let it go."""

    @abstractmethod
    def size(self, width: int, height: int) -> None:
        """Let the window have a size, in pixels."""

    @abstractmethod
    def js(self, script: str, *args: Any) -> Any:
        """Run JavaScript; ``return`` returns."""

    @abstractmethod
    def complaints(self) -> list[str]:
        """What the console has and should not have."""

    # Do

    def open(self, url: str) -> None:
        """Open an address and wait until the renderer has rendered and called what it calls."""
        self.load(url)
        wait_until(self.is_idle, what=f"{url} to be rendered")

    # See

    def exists(self, selector: str | dict[str, Any]) -> bool:
        return self.js("return document.querySelector(arguments[0]) !== null", css(selector))

    def text(self, selector: str | dict[str, Any]) -> str | None:
        """The text that an element shows; None if there is no such element."""
        return self.js(
            "const e = document.querySelector(arguments[0]);"
            "return e && (e.innerText ?? e.textContent)",  # SVG has no innerText
            css(selector),
        )

    def prop(self, component_id: str | dict[str, Any], name: str) -> Any:
        """A property of a component, as the renderer knows it."""
        return self.js(
            "const c = dash_component_api.getLayout(arguments[0]);"
            "return c && c.props[arguments[1]]",
            component_id,
            name,
        )

    def requests(self, path: str) -> int:
        """How many requests to a path that ends so the page has made."""
        return self.js(
            "return performance.getEntriesByType('resource')"
            ".filter(({name}) => name.endsWith(arguments[0])).length",
            path,
        )

    def is_idle(self) -> bool:
        """Whether the page is rendered and no callback runs."""
        return self.js(
            "const s = window.store && window.store.getState();"
            "return Boolean(s && s.appLifecycle === 'HYDRATED' && !s.isLoading &&"
            " ['requested', 'prioritized', 'executing', 'watched', 'executed', 'blocked']"
            ".every(name => !s.callbacks[name].length))"
        )

    def record(self, *selectors: str | dict[str, Any]) -> None:
        """From now on, keep each text that these elements show, in order."""
        self.js(
            "for (const css of arguments[0]) {"
            " const e = document.querySelector(css); recorded[css] = [e && e.textContent]; }",
            [css(s) for s in selectors],
        )

    def recorded(self, selector: str | dict[str, Any]) -> list[str | None]:
        """The texts that an element has shown since :meth:`record`."""
        return self.js("return recorded[arguments[0]]", css(selector))

    # Wait

    def wait(self, condition: Callable[[], Any], what: str = "", timeout: float = 30) -> Any:
        """Wait until a condition holds."""
        return wait_until(condition, timeout, what)

    def wait_text(
        self, selector: str | dict[str, Any], text: str | None, timeout: float = 30
    ) -> None:
        """Wait until an element shows this text."""
        self._wait_for(lambda: self.text(selector), text, f"{selector} to show", timeout)

    def wait_prop(
        self, component_id: str | dict[str, Any], name: str, value: Any, timeout: float = 30
    ) -> None:
        """Wait until a property has this value."""
        self._wait_for(
            lambda: self.prop(component_id, name), value, f"{component_id}.{name} to be", timeout
        )

    def wait_idle(self, timeout: float = 30) -> None:
        """Wait until no callback runs."""
        wait_until(self.is_idle, timeout, "the callbacks to end")

    def stays(self, condition: Callable[[], Any], seconds: float = 0.4) -> bool:
        """Whether a condition holds now and for some time. The only way to see nothing happen."""
        deadline = time.monotonic() + seconds
        while condition():
            if time.monotonic() > deadline:
                return True
            time.sleep(0.05)
        return False

    # Errors

    def errors(self) -> list[str]:
        """What the dev tools show: for each error its headline and text."""
        return self.js(
            "const e = window.store ? window.store.getState().error : {};"
            "return [...(e.backEnd || []), ...(e.frontEnd || [])].map("
            " ({error}) => (error.message || '') + '\\n' + (error.html || ''))"
        )

    def wait_error(self, pattern: str, timeout: float = 30) -> str:
        """Wait for an error in the dev tools whose text matches; the test expects it."""
        self._expected.append(pattern)

        def found() -> list[str]:
            return [text for text in self.errors() if re.search(pattern, text)]

        try:
            return wait_until(found, timeout)[0]
        except pytest.fail.Exception:
            pytest.fail(f"no error matches {pattern!r} within {timeout:g} s: {self.errors()}")

    def expect_console(self, pattern: str) -> None:
        """The test expects complaints in the console that match."""
        self._console.append(pattern)

    def close(self) -> None:
        """Fail the test if the page had errors that it did not expect.

        A page that is as good as new stays open, for another test of the same app.
        """
        errors = [t for t in self.errors() if not any(re.search(p, t) for p in self._expected)]
        if self._expected:
            self.expect_console("dash_renderer")  # it writes there what it shows in the dev tools
        complaints = [
            text for text in self.complaints() if not any(re.search(p, text) for p in self._console)
        ]
        if self._expected or self._console or errors or complaints or not self.is_idle():
            self.leave()
        if found := errors + complaints:
            pytest.fail("\n".join(["unexpected errors in the dev tools or the console:", *found]))

    def leave(self) -> None:
        """Leave the page, so that the next test opens its own."""
        self.forget()
        self.load("about:blank")

    def forget(self) -> None:
        """Forget what the tab remembers: the page of the next test would follow these jobs."""
        self.js(
            "if (location.protocol.startsWith('http')) {"
            " Storage.prototype.setItem = () => {}; sessionStorage.clear(); }"
        )

    def _wait_for(self, get: Callable[[], Any], value: Any, what: str, timeout: float) -> None:
        seen: list[Any] = [None]

        def same() -> bool:
            seen[0] = get()
            return seen[0] == value

        try:
            wait_until(same, timeout)
        except pytest.fail.Exception:
            pytest.fail(
                f"waited {timeout:g} s in vain for {what} {value!r}; it is {seen[0]!r}. "
                f"Errors in the dev tools: {self.errors()}"
            )


class Page(BasePage):
    """A page in Chromium."""

    def __init__(self, driver: WebDriver) -> None:
        super().__init__()
        self.driver = driver

    @staticmethod
    def prepare(driver: WebDriver) -> None:
        """Make a new browser ready for pages."""
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORDER})

    def load(self, url: str) -> None:
        self.driver.get(url)

    def reload(self) -> None:
        self.driver.refresh()
        self.wait(self.is_idle, "the page to be rendered again")

    def click(self, selector: str | dict[str, Any]) -> None:
        element = self.driver.find_element(By.CSS_SELECTOR, css(selector))
        until = time.monotonic() + 5
        while time.monotonic() < until:
            # Not at the lower edge, where notices are.
            self.js(
                f"{EXPECT_PRESS} expectPress(arguments[0]);"
                "arguments[0].scrollIntoView({block: 'center'})",
                element,
            )
            try:
                element.click()
            except ElementClickInterceptedException:
                # The layout has moved meanwhile, or this is at the end of the page: make room.
                self.js("document.body.style.paddingBottom = '100vh'")
            else:
                if self.js("return window.pressed") is not False:
                    return
        element.click()  # says what covers it

    def press(self, key: str) -> None:
        ActionChains(self.driver).send_keys(key).perform()

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", **metrics)

    def type(self, selector: str | dict[str, Any], text: str) -> None:
        """Replace the text of an input, and leave it."""
        element = self.driver.find_element(By.CSS_SELECTOR, css(selector))
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(text, Keys.TAB)

    def js(self, script: str, *args: Any) -> Any:
        return self.driver.execute_script(script, *args)  # pyright: ignore[reportUnknownMemberType]

    def block(self, *patterns: str) -> None:
        """Let new requests to these addresses fail, and none if none is given."""
        self._command("Network.setBlockedURLs", urls=list(patterns))

    def unplug(self, *, offline: bool = True) -> None:
        """Let all new requests fail, as without a network."""
        self._command(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def plug_in(self) -> None:
        """The reverse of :meth:`unplug`."""
        self.unplug(offline=False)

    def console(self, level: str = "WARNING") -> list[str]:
        """What the console of the browser has of this level."""
        found = [entry for entry in self._logs() if entry["level"] == level]
        return [entry["message"] for entry in found]

    def complaints(self) -> list[str]:
        return self.console("SEVERE")

    def leave(self) -> None:
        self.block()
        self.plug_in()
        super().leave()
        self.driver.get_log("browser")  # what it has said until now is not the next page's

    _seen: list[dict[str, Any]] | None = None

    def _logs(self) -> list[dict[str, Any]]:
        # Reading them takes them away.
        self._seen = [*(self._seen or []), *self.driver.get_log("browser")]
        return self._seen

    def _command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)


def css(selector: str | dict[str, Any]) -> str:
    """The CSS selector of a component with a dict id."""
    if isinstance(selector, str):
        return selector
    name = json.dumps(selector, sort_keys=True, separators=(",", ":"))
    return f"[id='{name}']"
