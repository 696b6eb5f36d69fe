"""From submit to the first line of the user's function, on a warm worker."""

from __future__ import annotations

import time

import requests

from benchmarks.harness import Result, Row, Server, below, median, part

JOBS = 200
#: Of the peer, which starts a process for each.
PEER_JOBS = 20


def run() -> Result:
    with Server("jobs_app") as server:
        server.warm_up(2)
        direct: list[float] = []
        theirs: list[float] = []
        http: list[float] = []
        for _ in range(4):
            direct += server.get("bench/start", jobs=JOBS // 4)
            theirs += server.get("bench/dash_start", jobs=PEER_JOBS // 4)
            http += _over_http(server.url, JOBS // 4)
    middle, peer, web = median(direct), median(theirs), median(http)
    most, peer_most = part(direct, 0.95), part(theirs, 0.95)
    rows = [
        below("manager.submit", middle, "ms", 5, peer=peer, ratio=peer / middle),
        Row("manager.submit, 95 of 100 below", most, "ms", peer_most, peer_most / most),
        Row("request to the server", web, "ms"),
    ]
    title = f"submit to the first line of the function (median of {JOBS}; peer: DiskcacheManager)"
    details = {"direct": direct, "dash": theirs, "http": http}
    rounded = {name: [round(ms, 2) for ms in values] for name, values in details.items()}
    return Result("start", title, rows, rounded)


def _over_http(url: str, count: int) -> list[float]:
    output = {"id": "now", "property": "children"}
    payload = {
        "output": "now.children",
        "outputs": output,
        "inputs": [{"id": "now", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["now.n_clicks"],
        "parsedChangedPropsIds": ["now.n_clicks"],
    }
    found: list[float] = []
    with requests.Session() as session:
        for _ in range(count):
            begun = time.time()
            answer = session.post(url + "_dash-update-component", json=payload, timeout=30).json()
            if not answer["news"]["ended"]:  # slower than a submit waits
                continue
            started = answer["news"]["response"]["response"]["now"]["children"]
            found.append((started - begun) * 1000)
            time.sleep(0.005)
    return found
