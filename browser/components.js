/* Components that are on the page, and what is done with them. */

import { stringify } from "./ids.js";
import { page } from "./page.js";
import { once, tried } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */

/** Milliseconds to wait for a picture: it never comes if the tab goes to the background. */
const PAINT_MAX = 100;

/**
 * @param {ComponentId} id
 * @returns {{type: string, namespace: string, props: Object<string, any>} | null} null if it is
 *     not on the page
 */
export function componentOf(id) {
    const component = tried(() => page.dash_component_api.getLayout(id));
    return component?.props ? component : null;
}

/**
 * @param {ComponentId} id
 * @returns {Object<string, any> | null} the component's props, or null if it is not on the page
 */
export function propsOf(id) {
    return componentOf(id)?.props || null;
}

/** @type {Set<string>} */
const missing = new Set();

/** @param {ComponentId} id @param {string} property */
export function warnOnce(id, property) {
    const name = stringify(id);
    if (!missing.has(name) && missing.size < 1000) {
        missing.add(name);
        console.warn(`A long callback sets ${name}.${property}, but there is no such component on the page.`);
    }
}

/**
 * Call back once the browser has painted. A tab in the background paints nothing.
 * @param {() => void} callback
 */
export function afterPaint(callback) {
    if (document.hidden) {
        callback();
        return;
    }
    const first = once(callback);
    requestAnimationFrame(() => setTimeout(first));
    setTimeout(first, PAINT_MAX);
}
