// Of triggers that follow each other within `debounce`, the last one starts a job.

import assert from "node:assert/strict";
import { test } from "node:test";

import { opened as openedPage } from "./opened.mjs";

const WAIT = 300;

/** @param {any} [options] of the callbacks */
const opened = (options) => openedPage({ debounce: WAIT, ...options });
/** @param {any} tab @param {Promise<any>} promise of a trigger that changes nothing */
async function assertPrevented(tab, promise) {
    await assert.rejects(promise, (error) => error === tab.window.dash_clientside.PreventUpdate);
}

test("of ten triggers the last one starts a job, when the time has passed", async () => {
    const { components, tab, pass, ended, asked } = await opened();
    for (let n = 1; n <= 10; n++) {
        await assertPrevented(tab, tab.click("out.children", n)); // at once: the renderer waits for none
        await pass(WAIT - 1);
        assert.deepEqual([asked(), tab.told, tab.remembered(), components.state.children], [[], [], [], ""]);
    }
    await pass(1);
    assert.equal(components.state.children, "runs");
    assert.ok(await ended());
    assert.deepEqual(asked(), [10]);
    assert.deepEqual([components.out.children, components.state.children], ["done 10", "idle"]);
    assert.deepEqual(tab.told.map((one) => one.type), ["long-callback-started", "long-callback-succeeded"]);
    assert.deepEqual(tab.errors, []);
});

test("triggers with other outputs, or after that time, start jobs of their own", async () => {
    const { components, tab, pass, ended, asked } = await opened({ retrigger: "parallel" });
    tab.click("out.children", 1);
    await pass(WAIT / 2);
    tab.click("other.children", 2);
    await pass(WAIT / 2 + 100); // a request takes up to 40 ms
    assert.deepEqual(asked(), [1]);
    tab.click("out.children", 3);
    await pass(WAIT + 100);
    assert.deepEqual(asked(), [1, 2, 3]);
    assert.ok(await ended());
    assert.equal(components.other.children, "done 2");
});

test("the initial call does not wait, and ends no wait", async () => {
    const { tab, pass, asked } = await opened();
    tab.click("out.children", 1, true);
    await pass(100);
    assert.deepEqual(asked(), [1]);
    tab.click("other.children", 2);
    tab.click("other.children", 3, true); // but for the clicks, it asks what waits already
    await pass(WAIT + 100);
    assert.deepEqual(asked(), [1, 2]);
});

test("a cancel during the wait drops what waits", async () => {
    const { components, tab, pass, asked } = await opened();
    tab.click("out.children", 1);
    await pass(WAIT / 2);
    tab.stop(1);
    await pass(WAIT);
    assert.deepEqual([asked(), tab.told, tab.errors, components.state.children], [[], [], [], ""]);
    tab.click("out.children", 2);
    await pass(WAIT + 100);
    assert.deepEqual(asked(), [2]);
});

test("nothing is sent when the page has been left meanwhile, or its outputs are not on it any more", async () => {
    const { components, tab, pass, asked } = await opened();
    tab.click("out.children", 1);
    tab.fire("pagehide");
    await pass(WAIT + 100);
    tab.click("out.children", 2);
    delete (/** @type {any} */ (components).out);
    await pass(WAIT + 100);
    assert.deepEqual([asked(), tab.remembered(), tab.told], [[], [], []]);
});

for (const [retrigger, jobs] of Object.entries({ ignore: [1], replace: [1, 2], parallel: [1, 2] })) {
    test(`what a trigger does while a job runs is decided when its time has passed: ${retrigger}`, async () => {
        const { tab, pass, ended, asked } = await opened({ retrigger });
        const first = tab.click("out.children", 1, true);
        await pass(100);
        await assertPrevented(tab, Promise.all([tab.click("out.children", 2), first])); // the renderer forgets it
        assert.equal(tab.remembered().length, 1);
        await pass(WAIT + 100);
        assert.deepEqual(asked(), jobs);
        assert.ok(await ended());
    });
}
