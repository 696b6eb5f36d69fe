"""A Firefox, and a page in it.

Spoken to in WebDriver BiDi, the W3C's protocol, which Firefox serves itself: a websocket, with JSON
in both directions. It has all that a page of a test needs: real clicks, a script before those of
the page, and the console. Rejected:

- Selenium: it needs geckodriver, which Debian has not packaged; the packages of that name on PyPI
  and npm fetch it from elsewhere, or are for Windows.
- marionette-driver, Mozilla's client of an older protocol: more than a dozen packages, a warning
  when it is imported, no types, and neither the console nor a script before those of the page.
- puppeteer-core: it speaks BiDi, but the tests are in Python.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from apps import wait_until
from page import EXPECT_PRESS, RECORDER, BasePage, css

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

#: A Firefox that is controlled sets by itself most of what a test wants: no updates, no telemetry,
#: no questions. These are the rest, and what counts before. With all of them it asks no host.
PREFERENCES = {
    "browser.aboutwelcome.enabled": False,
    "browser.startup.homepage_override.mstone": "ignore",  # no page on what is new
    "browser.startup.page": 0,  # blank
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.gmp-manager.updateEnabled": False,  # codecs
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
#: Has a release build heed that its server of settings is turned off.
ENVIRONMENT = {"MOZ_REMOTE_SETTINGS_DEVTOOLS": "1"}


class Firefox:
    """The connection to a running Firefox.

    Attributes:
        tab: the id of the tab of the tests.
        log: what the consoles of its pages have, as ``log.entryAdded`` describes it.
    """

    def __init__(self, url: str) -> None:
        # Firefox refuses connections with an origin: they come from a page.
        self._socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
        self._commands = 0
        self.log: list[dict[str, Any]] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self.command("script.addPreloadScript", functionDeclaration=f"() => {{{RECORDER}}}")
        # The window that Firefox opens itself gets no focus, and keys press no button there.
        tab = self.command("browsingContext.create", type="window")
        self.tab: str = tab["context"]
        self.command("browsingContext.activate", context=self.tab)

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have a command executed, and return its result."""
        self._commands += 1
        message = {"id": self._commands, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv())).get("id") != self._commands:
            if answer["type"] == "event":  # else the late answer to a command that timed out
                self.log.append(answer["params"])
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def quit(self) -> None:
        """End the browser."""
        self.command("browser.close")
        self._socket.shutdown()


@contextmanager
def start_firefox(binary: str, folder: Path) -> Generator[Firefox]:
    """A headless Firefox, with a fresh profile in an empty folder."""
    (folder / "user.js").write_text(
        "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in PREFERENCES.items()
        )
    )
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [binary, "--headless", "--remote-debugging-port=0", "--profile", str(folder)],
            env={**os.environ, "HOME": str(folder), **ENVIRONMENT},  # its cache is below HOME
            stdout=file,
            stderr=file,
        )

    def address() -> str | None:
        if process.poll() is not None:
            pytest.fail(f"firefox ended with code {process.returncode}:\n{log.read_text()}")
        found = re.search(
            r"^WebDriver BiDi listening on (ws://\S+)\n", log.read_text(), re.MULTILINE
        )
        return found and found[1]

    try:
        firefox = Firefox(f"{wait_until(address, 60, 'firefox to listen')}/session")
        yield firefox
        firefox.quit()
        process.wait(30)
    finally:
        process.kill()
        process.wait()


class FirefoxPage(BasePage):
    """A page in Firefox."""

    def __init__(self, firefox: Firefox) -> None:
        super().__init__()
        self._firefox = firefox
        firefox.log.clear()

    def load(self, url: str) -> None:
        self._command("browsingContext.navigate", url=url, wait="complete")

    def reload(self) -> None:
        self._command("browsingContext.reload", wait="complete")
        self.wait(self.is_idle, "the page to be rendered again")

    def click(self, selector: str | dict[str, Any]) -> None:
        x, y = self.js(
            f"{EXPECT_PRESS} const e = document.querySelector(arguments[0]); expectPress(e);"
            "e.scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'});"
            "const {x, y, width, height} = e.getBoundingClientRect();"
            "const at = [Math.floor(x + width / 2), Math.floor(y + height / 2)];"
            "const top = document.elementFromPoint(...at);"
            "if (!e.contains(top)) throw Error(`it is covered by ${top && top.outerHTML}`);"
            "return at",
            css(selector),
        )
        mouse = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        actions = [{"type": "pointer", "id": "mouse", "actions": mouse}]
        self._command("input.performActions", actions=actions)
        if self.js("return window.pressed") is False:
            self.click(selector)

    def press(self, key: str) -> None:
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        actions = [{"type": "key", "id": "keyboard", "actions": keys}]
        self._command("input.performActions", actions=actions)

    def size(self, width: int, height: int) -> None:
        self._command("browsingContext.setViewport", viewport={"width": width, "height": height})

    def js(self, script: str, *args: Any) -> Any:
        # As JSON: BiDi's own form of values has a type for each part.
        function = f"function () {{{script}\n}}"
        answer = self._firefox.command(
            "script.callFunction",
            functionDeclaration=f"a => JSON.stringify(({function}).apply(null, JSON.parse(a)))",
            arguments=[{"type": "string", "value": json.dumps(args)}],
            target={"context": self._firefox.tab},
            awaitPromise=False,
        )
        if answer["type"] == "exception":
            raise RuntimeError(f"{answer['exceptionDetails']['text']} in {script} with {args}")
        value = answer["result"]
        return json.loads(value["value"]) if value["type"] == "string" else None

    def console(self, *levels: str) -> list[str]:
        """What the console of the browser has of these levels: the script's address and the text.

        Unlike Chromium's, it has no word on requests that failed.
        """
        self.js("return null")  # what was written before this has arrived before its answer
        return [
            f"{source(entry)} {entry['text']}"
            for entry in self._firefox.log
            if entry["level"] in levels
        ]

    def complaints(self) -> list[str]:
        return self.console("error", "warn")

    def _command(self, method: str, **parameters: Any) -> None:
        self._firefox.command(method, context=self._firefox.tab, **parameters)


def source(entry: dict[str, Any]) -> str:
    """Where an entry of the console comes from, if it comes from a script."""
    frames = entry.get("stackTrace", {}).get("callFrames")
    return f"{frames[0]['url']}:{frames[0]['lineNumber']}" if frames else "-"
