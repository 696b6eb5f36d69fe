/* Jobs that an ordinary callback has shown to this page: they are picked up as those that a reload finds. */

import { propsOf } from "./components.js";
import { watchStore } from "./layout.js";
import { clientside, settings } from "./page.js";
import { bring } from "./page_changes.js";
import { renderer } from "./renderer.js";
import { has } from "./values.js";
import { emitFailed } from "./window_events.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */

/**
 * @typedef {Object} Attached What the server tells of such a job.
 * @property {string} name of its callback
 * @property {string} id by which this page asks for it
 * @property {string} ref its public number
 * @property {any} outputs as the renderer gives them; null: none
 * @property {ComponentId[]} matched of the outputs, or without them of the inputs
 * @property {string | null} owner whose the page is
 * @property {string} declared how the callback is declared
 * @property {string} [news] of a result that was kept, in place of a job; JSON
 */

/** The component that is told; `dash/page_channel.py` has the same. */
const CHANNEL = "_dash-long-callback-attached";
/** What its messages are called. */
const MESSAGE = "told-";

/** @type {any} Its properties when they were looked at last. */
let seen = null;
/** @type {Set<string>} The messages that were read. */
const read = new Set();

/** @param {Attached} told */
function take(told) {
    const outputs = told.outputs || undefined;
    if (!settings().callbacks[told.name]) {
        emitFailed(told.name, outputs, { kind: "changed", reload: true }); // it is newer than the page
        return;
    }
    settings().owner = told.owner; // a login by a callback does not load the page again
    const { name, id, ref, matched, owner, declared } = told;
    bring(
        { id, name, ref, outputs, matched, owner, declared, every: [], values: "", at: Date.now() },
        told.news === undefined ? null : JSON.parse(told.news)
    );
}

function look() {
    if (!renderer.ready()) {
        return; // it tells when it is
    }
    seen = propsOf(CHANNEL);
    for (const [key, told] of Object.entries(seen || {})) {
        if (key.startsWith(MESSAGE) && !read.has(key) && has(told, "id")) {
            read.add(key);
            take(told);
            clientside.set_props(CHANNEL, { [key]: null }); // it may hold a large result
        }
    }
}

/** Hear of such jobs from now on. */
export function watchAttached() {
    watchStore(() => propsOf(CHANNEL) !== seen, look);
}
