// Jobs that an ordinary callback shows: what the page makes of what it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { opened } from "./opened.mjs";

const CHANNEL = "_dash-long-callback-attached";
let told = 0;

/** @param {string} id @param {string} ref @param {any} [more] */
function message(id, ref, more) {
    return {
        [`told-${(told += 1)}`]: {
            ...{ name: "out.children", id, ref, owner: null, declared: "hash" },
            ...{ outputs: { id: "out", property: "children" }, matched: ["out"], ...more },
        },
    };
}

/** @param {any} server @param {string} id @param {number} n @param {string} [out] */
function begin(server, id, n, out = "out") {
    server.jobs.set(id, { n, out, began: server.clock.now, steps: 5, cancelled: false });
}

test("answers that come before the page looks are all read, once", async () => {
    const { components, tab, server, pass, ended } = await opened();
    begin(server, "first", 1);
    begin(server, "second", 2, "other");
    const other = { name: "other.children", outputs: { id: "other", property: "children" }, matched: ["other"] };
    tab.answer(CHANNEL, message("first", "1"));
    tab.answer(CHANNEL, message("second", "2", other));
    await pass(1000);
    assert.equal(components.state.children, "runs");
    assert.ok(await ended());
    assert.deepEqual([components.out.children, components.other.children], ["done 1", "done 2"]);
    components.out.children = "";
    tab.answer(CHANNEL, { any: "other property" });
    await pass(10_000);
    assert.equal(components.out.children, "");
    assert.deepEqual(tab.errors, []);
});

test("a second name of a job that is shown is given back, and the first goes on", async () => {
    const { components, tab, server, ended, pass } = await opened();
    begin(server, "first", 1);
    begin(server, "again", 1);
    tab.answer(CHANNEL, message("first", "1"));
    await pass(300);
    tab.answer(CHANNEL, message("again", "1"));
    assert.ok(await ended());
    assert.deepEqual([...server.jobs.values()].map((job) => job.cancelled), [false, true]);
    assert.equal(components.out.children, "done 1");
});

test("a job takes the place of a click whose promise ends, and a click that of the job", async () => {
    const { components, tab, server, pass, ended } = await opened();
    server.random = () => 0.5;
    /** @type {any} */
    let end;
    tab.click("out.children", 1).catch((/** @type {any} */ error) => (end = error));
    await pass(1000);
    begin(server, "code", 7);
    tab.answer(CHANNEL, message("code", "7"));
    await pass(1000);
    assert.equal(end, tab.window.dash_clientside.PreventUpdate);
    assert.deepEqual([...server.jobs.values()].map((job) => job.cancelled), [true, false]);
    /** @type {any} */
    let last;
    tab.click("out.children", 3).then((/** @type {any} */ value) => (last = value));
    assert.ok(await ended());
    assert.deepEqual([...server.jobs.values()].map((job) => job.cancelled), [true, true, false]);
    assert.deepEqual([components.out.children, last], ["", "done 3"]);
});

test("of a callback that the page does not know, it says that the app has changed", async () => {
    const { tab, pass } = await opened();
    tab.answer(CHANNEL, message("first", "1", { name: "new.children" }));
    await pass(10);
    assert.deepEqual(
        tab.told.map((/** @type {any} */ { detail }) => [detail.callback, detail.kind, detail.reload]),
        [["new.children", "changed", true]]
    );
    assert.deepEqual(tab.remembered(), []);
});
