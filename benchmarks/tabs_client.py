"""Many tabs in one process, each of which asks as ``browser/poller.js`` does; no browser.

    python -m benchmarks.tabs_client URL TABS RAMP stream|hold

Each submits one job, ``RAMP`` seconds after the first the last, and follows it to its end. Prints
JSON when all have ended.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

#: As in ``browser/poller.js``, in seconds.
RETRY_MIN, RETRY_MAX = 0.25, 5.0
PATIENCE, TRY_MAX = 120.0, 30.0
ANSWER_MAX = 60.0
STREAM_FIRST, STREAM_NEXT = 6.0, 25.0
#: Connections of one page to one server, as browsers have them, and how long they keep an idle one.
CONNECTIONS, IDLE = 6, 300.0
LATER = (408, 425, 429)
HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
SUBMIT = json.dumps(
    {
        "output": "long-out.children",
        "outputs": {"id": "long-out", "property": "children"},
        "inputs": [{"id": "long", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["long.n_clicks"],
        "parsedChangedPropsIds": ["long.n_clicks"],
    }
)


class Trouble(Exception):
    """What went wrong on the way."""

    def __init__(self, words: str, *, final: bool = False, pause: float = 0) -> None:
        super().__init__(words)
        self.final = final
        self.pause = pause


@dataclass
class Seen:
    """What all tabs together have seen."""

    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    #: Of each answer with news: when it came.
    answers: list[float] = field(default_factory=list)
    #: Of each value of progress: when it came, and how long ago it was written.
    lags: list[tuple[float, float]] = field(default_factory=list)
    #: Of each submit: when it was sent, and when it was answered.
    submits: list[tuple[float, float]] = field(default_factory=list)
    #: Of each outcome: when it came, and how long ago it was written.
    ends: list[tuple[float, float]] = field(default_factory=list)
    requests: int = 0


class Patience:
    """Counts failed tries, and says how long to wait before the next."""

    def __init__(self) -> None:
        self.failures = 0
        self.tried = 0.0
        self.since = time.monotonic()

    def begin(self) -> None:
        self.since = time.monotonic()

    def succeed(self) -> None:
        self.failures, self.tried = 0, 0.0

    def fail(self, trouble: Trouble) -> float | None:
        pause = min(RETRY_MIN * 2**self.failures, RETRY_MAX)
        self.failures += 1
        self.tried += min(time.monotonic() - self.since, TRY_MAX) + pause
        if trouble.final or self.tried > PATIENCE:
            return None
        return max(pause * (0.75 + random.random() / 2), trouble.pause)


class Tab:
    """A page with one job."""

    def __init__(self, session: aiohttp.ClientSession, url: str, seen: Seen, *, stream: bool):
        self.session = session
        self.url = url
        self.seen = seen
        self.stream = stream
        self.name = secrets.token_urlsafe(16)
        self.job = secrets.token_urlsafe(24)
        self.seq = 0
        self.state = ""
        self.patience = Patience()

    async def run(self) -> str:
        """How the job has ended, as far as the page knows."""
        try:
            after = await self.trying(self.submit)
            self.patience = Patience()
            while not self.state:
                await asyncio.sleep(after)
                after = await self.trying(self.ask)
        except Trouble as trouble:
            return f"error: {trouble}"
        return self.state

    async def trying(self, request: Any) -> float:
        """Seconds until the next question, after as many tries as it takes."""
        while True:
            self.patience.begin()
            try:
                return await request()
            except (aiohttp.ClientError, asyncio.TimeoutError, TimeoutError) as error:
                trouble = Trouble(type(error).__name__)
            except Trouble as error:
                trouble = error
            self.seen.troubles[f"{request.__name__}: {trouble}"] += 1
            pause = self.patience.fail(trouble)
            if pause is None:
                raise trouble
            await asyncio.sleep(pause)

    def post(self, path: str, body: str, **headers: str) -> Any:
        self.seen.requests += 1
        return self.session.post(self.url + path, data=body, headers={**HEADERS, **headers})

    async def submit(self) -> float:
        begun = time.time()
        headers = {"X-Long-Callback-Job": self.job}
        async with self.post("_dash-update-component", SUBMIT, **headers) as response:
            await check(response)
            answer = json.loads(await response.read())
        self.seen.submits.append((begun, time.time()))
        self.job = answer["job"]
        self.hear(answer["news"])
        return answer["after"]

    async def ask(self) -> float:
        question = {"tab": self.name, "jobs": {self.job: self.seq}}
        if self.stream:
            question["stream"] = True
        request = self.post("_dash-long-callback/updates", json.dumps(question))
        async with await self.first(request) as response:
            if response.status == 404:
                self.state = "expired"
                return 0
            await check(response)
            if response.content_type == "text/event-stream":
                return await self.read(response)
            after = self.take(json.loads(await response.read()))
            self.patience.succeed()
            return after

    async def first(self, awaited: Awaitable[Any]) -> Any:
        """The head of an answer, or the beginning of its body."""
        try:
            return await asyncio.wait_for(awaited, STREAM_FIRST if self.stream else ANSWER_MAX)
        except (TimeoutError, asyncio.TimeoutError):
            self.stream = False  # a proxy keeps it back, as it seems; for longer than this takes
            raise

    async def read(self, response: aiohttp.ClientResponse) -> float:
        text, after = b"", 0.0
        part = await self.first(response.content.readany())
        while part:
            text += part
            while (end := text.find(b"\n\n")) >= 0:
                event, text = text[:end], text[end + 2 :]
                if event.startswith(b"data: "):
                    after = self.take(json.loads(event[6:]))
            self.patience.succeed()
            self.patience.begin()
            part = await response.content.readany()  # waits no longer than the session says
        return after

    def take(self, answer: dict[str, Any]) -> float:
        if self.job in answer["jobs"]:
            self.seen.answers.append(time.time())
            self.hear(answer["jobs"][self.job])
        return answer["after"]

    def hear(self, news: dict[str, Any] | None) -> None:
        if news is None:
            self.state = "expired"
            return
        if news["seq"] <= self.seq and not news["ended"]:
            return
        self.seq = news["seq"]
        now = time.time()
        self.seen.lags += [(now, now - value) for _, value in news.get("updates", [])]
        if news["ended"]:
            self.state = news["state"]
        if "response" in news:
            self.seen.ends.append((now, now - news["response"]["response"]["long-out"]["children"]))


async def check(response: aiohttp.ClientResponse) -> None:
    if response.ok:
        return
    text = (await response.text())[:100]
    later = response.status >= 500 or response.status in LATER
    pause = min(float(response.headers.get("Retry-After") or 0), TRY_MAX)
    raise Trouble(f"status {response.status} {text}", final=not later, pause=pause)


async def open_tab(after: float, url: str, seen: Seen, *, stream: bool) -> None:
    await asyncio.sleep(after)
    # Connections of its own, as a page of another visitor has.
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=STREAM_NEXT if stream else ANSWER_MAX)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        seen.outcomes[await Tab(session, url, seen, stream=stream).run()] += 1


async def watch_clock(late: list[float]) -> None:
    """Whether this process keeps up."""
    while True:
        due = time.monotonic() + 0.1
        await asyncio.sleep(0.1)
        late.append(time.monotonic() - due)


async def main(url: str, tabs: int, ramp: float, *, stream: bool) -> None:
    seen, late = Seen(), []
    clock = asyncio.create_task(watch_clock(late))
    opened = [open_tab(ramp * i / tabs, url, seen, stream=stream) for i in range(tabs)]
    await asyncio.gather(*opened)
    clock.cancel()
    print(json.dumps({**vars(seen), "late": late, "cpu": time.process_time()}))


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _, address, count, seconds, kind = sys.argv
    asyncio.run(main(address, int(count), float(seconds), stream=kind == "stream"))
