"""A tab that is spoken to without Selenium, which gives a tab up that has crashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import requests
import websocket
from apps import wait_until
from page import Page


class RawTab:
    """A tab of Chromium, by its DevTools protocol."""

    def __init__(self, address: str) -> None:
        # Without an origin: Chromium would ask whether it is allowed.
        self._socket = websocket.create_connection(address, timeout=30, suppress_origin=True)
        self._number = 0

    def command(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        return self._receive(lambda message: message.get("id") == self._number)

    def js(self, expression: str) -> Any:
        answer = self.command("Runtime.evaluate", expression=expression)
        return answer.get("result", {}).get("result", {}).get("value")

    def wait_text(self, selector: str, text: str) -> None:
        element = f"document.querySelector('{selector}')"
        wait_until(lambda: self.js(f"{element} && {element}.innerText") == text)

    def crash(self) -> None:
        """Have the process that shows the page die."""
        self.command("Inspector.enable")
        self._socket.send(json.dumps({"id": 0, "method": "Page.crash"}))
        self._receive(lambda message: message.get("method") == "Inspector.targetCrashed")

    def _receive(self, wanted: Callable[[dict[str, Any]], bool]) -> Any:
        while not wanted(message := json.loads(self._socket.recv())):
            pass
        return message

    def close(self) -> None:
        self._socket.close()


@contextmanager
def raw_tab(page: Page, url: str) -> Generator[RawTab]:
    """A tab beside those of Selenium, with a page that is rendered."""
    address = f"http://{page.driver.capabilities['goog:chromeOptions']['debuggerAddress']}/json"
    target = requests.put(f"{address}/new?{url}", timeout=30).json()
    tab = RawTab(target["webSocketDebuggerUrl"])
    try:
        wait_until(lambda: tab.js("Boolean(window.store && store.getState().appLifecycle)"))
        wait_until(lambda: tab.js("store.getState().appLifecycle === 'HYDRATED'"))
        yield tab
    finally:
        tab.close()
        requests.get(f"{address}/close/{target['id']}", timeout=30)
