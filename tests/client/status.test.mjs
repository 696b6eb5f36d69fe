// What a job is at, as whoever looks at it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { opened } from "./opened.mjs";

const CONFIG = { indicator: [], cancelable: true, status: null };

/** @param {any} [options] */
async function page(options) {
    const found = await opened({ ...CONFIG, ...options });
    found.server.random = () => 0.5; // each job takes some seconds
    return found;
}

/** @param {any} tab @param {number} n */
function click(tab, n) {
    tab.click("out.children", n).catch(() => {}); // the renderer waits for none
}

/** @param {any} tab @returns {any[]} */
function details(tab) {
    return tab.statuses.map((/** @type {any} */ event) => event.detail);
}

/** @param {any[]} told @returns {(string | null)[]} the states in their order */
function states(told) {
    const all = told.map(({ status }) => status && status.state);
    return all.filter((state, i) => state !== all[i - 1]);
}

/** @param {any} server @param {(news: any) => any} change what it tells of the end */
function endWith(server, change) {
    const news = server.news.bind(server);
    server.news = (/** @type {string} */ id, /** @type {number} */ seq) => {
        const one = news(id, seq);
        return one && one.state === "succeeded" ? change(one) : one;
    };
}

test("one that succeeds queues, runs and has succeeded, and can be stopped until then", async () => {
    const { tab, ended } = await page();
    click(tab, 1);
    assert.ok(await ended());
    assert.deepEqual(states(details(tab)), ["queued", "running", "succeeded"]);
    for (const { status, stop, again, here, indicator } of details(tab)) {
        assert.equal(typeof stop === "function", status.state !== "succeeded");
        assert.equal(again, null);
        assert.deepEqual([here, [...indicator]], [true, []]);
    }
    assert.deepEqual(tab.errors, []);
});

test("one that fails says why, and again asks for the same as another job", async () => {
    const { tab, server, ended, asked, pass } = await page();
    const error = { kind: "timed_out", message: "too long", user: false, ref: "482193" };
    endWith(server, ({ seq }) => ({ state: "timed_out", seq, ended: true, error }));
    click(tab, 7);
    assert.ok(await ended());
    assert.deepEqual(states(details(tab)), ["queued", "running", "failed"]);
    const { status, stop, again, run } = details(tab).at(-1);
    assert.equal(JSON.stringify(status.error), JSON.stringify({ ...error, reload: false }));
    assert.equal(stop, null);
    const before = tab.statuses.length;
    again();
    await pass(500);
    assert.ok(await ended());
    assert.deepEqual(asked(), [7, 7]);
    const then = details(tab).slice(before);
    assert.deepEqual(states(then), ["queued", "running", "failed"]);
    assert.ok(then.every((one) => one.run === then[0].run && one.run !== run));
});

test("one that is stopped is being cancelled, then cancelled, and its outputs stay", async () => {
    const { components, tab, ended, pass } = await page();
    click(tab, 1);
    await pass(1000);
    details(tab).at(-1).stop();
    assert.equal(details(tab).at(-1).stop, null);
    assert.ok(await ended());
    assert.deepEqual(states(details(tab)), ["queued", "running", "cancelling", "cancelled"]);
    assert.equal(components.out.children, "");
});

test("one that is tried again waits, and what its first attempt has reported is forgotten", async () => {
    const { tab, server, ended } = await page();
    const news = server.news.bind(server);
    let asks = 0;
    server.news = (/** @type {string} */ id, /** @type {number} */ seq) => {
        asks += 1;
        if (asks < 3) {
            const tracked = { fraction: 0.5, remaining: null, text: "half", done: 1, total: 2, rate: null };
            return { state: "running", seq: asks, ended: false, elapsed: 1, updates: [[-1, tracked]] };
        }
        if (asks < 5) {
            return { state: "queued", seq: asks, ended: false, attempt: 2, retry: 5 - asks };
        }
        return { ...news(id, seq), seq: seq + 1, attempt: 2 };
    };
    click(tab, 1);
    assert.ok(await ended());
    const told = details(tab);
    assert.deepEqual(states(told), ["queued", "running", "retrying", "running", "succeeded"]);
    const retrying = told.find(({ status }) => status.state === "retrying").status;
    assert.deepEqual([retrying.attempt, retrying.fraction, retrying.text, retrying.elapsed], [2, null, null, null]);
    assert.ok(retrying.retry_in > 0);
    assert.ok(told.some(({ status }) => status.fraction === 0.5 && status.attempt === 1));
});

test("one whose place another takes is not told of any more", async () => {
    const { tab, ended, pass } = await page();
    click(tab, 1);
    await pass(1000);
    click(tab, 2);
    assert.ok(await ended());
    const first = details(tab).filter(({ run }) => run === details(tab)[0].run);
    assert.equal(first.at(-1).status, null);
    assert.ok(first.every(({ status }) => !status || ["queued", "running", "cancelling"].includes(status.state)));
    assert.equal(details(tab).at(-1).status.state, "succeeded");
});

test("a status output gets it with the seconds that pass, and nothing after the end", async () => {
    const { components, tab, ended, pass } = await page({ status: { id: "log", property: "data" } });
    /** @type {any} */
    const log = components.log;
    click(tab, 1);
    await pass(1500);
    const { state, elapsed } = log.data;
    assert.equal(state, "running");
    await pass(1000);
    assert.ok(log.data.elapsed > elapsed);
    assert.ok(await ended());
    const last = log.data;
    assert.equal(last.state, "succeeded");
    await pass(3000);
    assert.equal(log.data, last);
});
