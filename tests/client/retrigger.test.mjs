// What a trigger does while a job for the same outputs runs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { opened } from "./opened.mjs";

/** @param {any} tab @param {number} count */
function click(tab, count) {
    for (let n = 1; n <= count; n++) {
        tab.click("out.children", n).catch(() => {}); // the renderer waits for none
    }
}

test("of a queue without end, fifty wait, and what comes then is dropped", async () => {
    const { components, tab, ended, asked } = await opened({ retrigger: "queue" });
    click(tab, 60);
    assert.ok(await ended());
    assert.deepEqual(asked(), Array.from({ length: 51 }, (_, n) => n + 1));
    assert.equal(components.out.children, "done 51");
    assert.deepEqual(tab.errors, []);
});

test("with latest, only the newest of those that wait starts", async () => {
    const { components, tab, ended, asked } = await opened({ retrigger: "latest" });
    click(tab, 60);
    assert.ok(await ended());
    assert.deepEqual(asked(), [1, 60]);
    assert.equal(components.out.children, "done 60");
    assert.deepEqual(tab.errors, []);
});
