// The client against a network that loses, delays and doubles: whatever happens, a page learns how its job has ended.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, seeded } from "./clock.mjs";
import { Server } from "./server.mjs";
import { storage, Tab } from "./tab.mjs";

const SEEDS = Number(process.env.SEEDS || 200);
const OUTPUTS = ["out", "other", "third"];
const CONFIG = {
    states: 1,
    running: [{ id: "state", property: "children", on: "runs", off: "idle" }],
    progress: [{ id: "bar", property: "children" }],
    defaults: ["no job"],
    cached: false,
    cancel: [],
    retrigger: "replace",
    debounce: null,
    leave: false,
    declared: "hash",
};

/** @param {number} seed @param {(world: any) => Promise<void>} play */
async function world(seed, play) {
    const random = seeded(seed);
    const clock = new Clock();
    const server = new Server(clock, random, random() * 0.25);
    const outputs = Object.fromEntries(OUTPUTS.map((id) => [id, { children: "" }]));
    const components = { run: {}, ...outputs, state: { children: "" }, bar: { children: "" }, log: { children: [] } };
    const session = storage();
    const send = server.send.bind(server);
    const open = () => new Tab(clock, send, Object.fromEntries(OUTPUTS.map((id) => [`${id}.children`, CONFIG])), components, session, random);
    try {
        await play({ random, clock, server, components, session, open });
    } catch (error) {
        throw new Error(`seed ${seed}: ${error}`, { cause: error });
    }
}

/** @param {any} components @param {number} n @returns {string[]} what the job of this click has added to the page */
function logged(components, n) {
    return [...components.log.children].filter((entry) => entry.startsWith(`${n}.`));
}

/** @param {Server} server @param {number} n @returns {string[]} what it was to add */
function steps(server, n) {
    const job = [...server.jobs.values()].find((one) => one.n === n);
    return Array.from({ length: job ? job.steps : 0 }, (_, i) => `${n}.${i + 1}`);
}

for (const [name, play] of Object.entries({
    "a job that is clicked once runs once, and its outcome and updates come once": async ({ clock, server, components, open }) => {
        const tab = open();
        const promise = tab.click("out.children", 1);
        assert.ok(await clock.until(() => tab.remembered().length === 0, 600_000), "it never ends");
        assert.equal(await promise, "done 1");
        assert.equal(server.jobs.size, 1);
        assert.deepEqual(logged(components, 1), steps(server, 1));
        assert.deepEqual([components.state.children, components.bar.children], ["idle", "no job"]);
        assert.deepEqual(tab.told.map((one) => one.type), ["long-callback-started", "long-callback-succeeded"]);
        assert.deepEqual(tab.errors, []);
    },
    "of two clicks the second one's outcome is shown, and the first is cancelled": async ({ random, clock, server, components, open }) => {
        const tab = open();
        const first = tab.click("out.children", 1);
        await clock.until(() => false, random() * 4000);
        const second = tab.click("out.children", 2);
        assert.ok(await clock.until(() => tab.remembered().length === 0, 600_000), "it never ends");
        assert.equal(await second, "done 2");
        const one = await first.then((value) => value, () => "prevented");
        assert.ok(["done 1", "prevented"].includes(one));
        assert.deepEqual([components.state.children, components.bar.children], ["idle", "no job"]);
        await clock.until(() => false, 120_000); // the cancel may still be on its way
        assert.deepEqual(logged(components, 2), steps(server, 2));
        assert.deepEqual(logged(components, 1), steps(server, 1).slice(0, logged(components, 1).length));
        const jobs = [...server.jobs.values()];
        assert.ok(jobs.length <= 2);
        assert.ok(jobs.filter((job) => job.n === 1).every((job) => job.cancelled || server.ended(job)));
        assert.deepEqual(tab.errors, []);
    },
    "jobs side by side get their own updates, each once": async ({ random, clock, server, components, open }) => {
        const tab = open();
        const promises = [];
        for (const [i, id] of OUTPUTS.entries()) {
            promises.push(tab.click(`${id}.children`, i + 1));
            await clock.until(() => false, random() * 1500);
        }
        assert.ok(await clock.until(() => tab.remembered().length === 0, 600_000), "one never ends");
        assert.deepEqual(await Promise.all(promises), ["done 1", "done 2", "done 3"]);
        assert.equal(server.jobs.size, 3);
        for (const n of [1, 2, 3]) {
            assert.deepEqual(logged(components, n), steps(server, n));
        }
        assert.deepEqual(tab.errors, []);
    },
    "a page that is loaded again shows the outcome of its job, which runs once": async ({ random, clock, server, components, open }) => {
        const before = open();
        before.click("out.children", 7);
        await clock.until(() => false, random() * 6000);
        before.fire("pagehide");
        clock.timers.clear(); // what it was about to do goes with it, and requests on their way may be lost
        if (!before.remembered().length) {
            return; // it had the outcome already
        }
        Object.assign(components.log, { children: [] });
        const tab = open();
        assert.ok(await clock.until(() => tab.remembered().length === 0, 600_000), "it never ends");
        assert.equal(components.out.children, "done 7");
        assert.equal(server.jobs.size, 1);
        assert.deepEqual(logged(components, 7), steps(server, 7));
        assert.deepEqual([components.state.children, components.bar.children], ["idle", "no job"]);
        assert.deepEqual(tab.errors, []);
    },
})) {
    test(name, async () => {
        for (let seed = 1; seed <= SEEDS; seed++) {
            await world(seed, play);
        }
    });
}

test("an answer that is not the app's is asked for again, and the dev tools say what was wrong with it", async () => {
    const clock = new Clock();
    const headers = { get: () => "application/json" };
    const send = async () => ({ status: 200, ok: true, headers, json: async () => ({ portal: "Log in" }) });
    const components = { run: {}, out: { children: "" }, state: { children: "" }, bar: { children: "" } };
    const tab = new Tab(clock, send, { "out.children": CONFIG }, components, storage(), seeded(1));
    const ended = tab.click("out.children", 1).catch((/** @type {any} */ error) => error);
    assert.ok(await clock.until(() => tab.told.length === 2, 600_000), "it never ends");
    assert.match((await ended).html, /^The server can't be reached \(tried for 1\d\d s\): the answer is not from the app$/);
    assert.deepEqual([tab.told[1].type, tab.told[1].detail.kind], ["long-callback-failed", "unreachable"]);
    assert.equal(components.state.children, "idle");
});
