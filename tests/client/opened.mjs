// A page with two long callbacks, on simulated time.

import { Clock, seeded } from "./clock.mjs";
import { Server } from "./server.mjs";
import { storage, Tab } from "./tab.mjs";

const CONFIG = {
    states: 0,
    running: [{ id: "state", property: "children", on: "runs", off: "idle" }],
    progress: [{ id: "bar", property: "children" }],
    defaults: null,
    cached: false,
    cancel: [{ id: "stop", property: "n_clicks" }],
    retrigger: "replace",
    debounce: null,
    leave: false,
    declared: "hash",
};

/** @param {any} [options] of the callbacks */
export async function opened(options) {
    const [clock, random] = [new Clock(), seeded(1)];
    const server = new Server(clock, random, 0);
    const components = {
        run: {},
        stop: { n_clicks: 0 },
        out: { children: "" },
        other: { children: "" },
        state: { children: "" },
        bar: { children: "" },
        log: { children: [] },
    };
    const config = { ...CONFIG, ...options };
    const callbacks = { "out.children": config, "other.children": config };
    const tab = new Tab(clock, server.send.bind(server), callbacks, components, storage(), random);
    const pass = (/** @type {number} */ ms) => {
        let passed = false;
        clock.setTimeout(() => (passed = true), ms);
        return clock.until(() => passed, ms);
    };
    const ended = () => clock.until(() => server.jobs.size > 0 && !tab.remembered().length, 600_000);
    const asked = () => [...server.jobs.values()].map((job) => job.n);
    await pass(1); // the client looks at the page
    return { components, tab, server, pass, ended, asked };
}
