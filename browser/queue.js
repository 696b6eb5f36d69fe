/* What a property gets, in order: React would show only the last of two values. */

import { stringify } from "./ids.js";
import { setProperty } from "./layout.js";
import { READY_MAX } from "./renderer.js";
import { has, pause } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */

/** Milliseconds to wait for a graph that has been given more points. */
const DRAWN_MAX = 1000;

/** @param {any} value */
export function isEvents(value) {
    return has(value, "__dash_long_callback_events");
}

/** What waits, by component and property: the end of each line. @type {Map<string, Promise<void>>} */
const lines = new Map();

/**
 * Do something with a property when all that came before is done: at once, if nothing waits.
 * @param {string} name
 * @param {() => void | Promise<void>} action which throws nothing
 */
export function inLine(name, action) {
    const before = lines.get(name);
    const done = before ? before.then(action) : action();
    if (done) {
        lines.set(name, done);
        done.then(() => lines.get(name) === done && lines.delete(name));
    }
}

/**
 * Let what the renderer and React have begun come to its end. Timers and pictures would not do: a tab in
 * the background has next to none.
 */
async function settled() {
    for (let turn = 0; turn < 4; turn++) {
        await new Promise((resolve) => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = resolve;
            port2.postMessage(null);
        });
    }
}

/**
 * Give a component one event, and wait until it has taken it: React would show it only the last of two.
 * @param {{type: string}} component
 * @param {ComponentId} id
 * @param {string} property
 * @param {any} value
 */
export async function giveEvent(component, id, property, value) {
    const plot = component.type === "Graph" ? await drawn(id) : null;
    const redrawn = plot && new Promise((resolve) => plot.once("plotly_redraw", resolve));
    setProperty(id, property, value);
    if (redrawn && ["extendData", "prependData"].includes(property)) {
        await Promise.race([redrawn, pause(DRAWN_MAX)]);
    }
    await settled();
}

/**
 * Wait until a graph is drawn. Points that come while it draws others, it draws twice.
 * @param {ComponentId} id
 * @returns {Promise<any>} the element that Plotly draws in; null if there is none
 */
async function drawn(id) {
    for (const until = Date.now() + READY_MAX; Date.now() < until; await pause(50)) {
        const element = document.getElementById(stringify(id));
        const plot = element && element.querySelector(".js-plotly-plot");
        if (plot && !plot.matches(".dash-graph--pending")) {
            return plot;
        }
    }
    return null;
}
