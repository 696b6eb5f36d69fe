/* Events of the window: notice.js listens to them, and so may the app. */

import { bare, flat } from "./ids.js";
import { SENTENCES, sentenceOf } from "./sentences.js";

/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {Error & {html: string, by: string}} DevToolsError */

/**
 * @param {"started" | "status" | "succeeded" | "failed"} what
 * @param {string} callback
 * @param {any} outputs as the renderer gives them
 * @param {Object<string, any>} [more] what else the event has to say
 */
export function emit(what, callback, outputs, more = {}) {
    const detail = { callback, outputs: flat(outputs).map(({ id, property }) => ({ id, property: bare(property) })), ...more };
    window.dispatchEvent(new CustomEvent("long-callback-" + what, { detail, cancelable: what === "failed" }));
}

/** @param {Failure} failure what any user may know of it */
export function detailsOf(failure) {
    return {
        kind: failure.kind,
        message: failure.message || sentenceOf(SENTENCES, failure),
        user: Boolean(failure.user),
        ref: failure.ref || null,
        reload: Boolean(failure.reload),
    };
}

/**
 * @param {string} callback
 * @param {any} outputs
 * @param {Failure} failure
 * @param {boolean} [shown] whether the app shows it itself
 */
export function emitFailed(callback, outputs, failure, shown = false) {
    emit("failed", callback, outputs, { ...detailsOf(failure), shown });
}

/**
 * What the dev tools show below the title, which `renderer.titled` gives it.
 * @param {string} text
 * @param {string} [by] the function
 * @returns {DevToolsError}
 */
export function devToolsError(text, by = "") {
    return Object.assign(new Error(text), { html: text, by });
}

/** @param {Failure} failure @returns {string} */
export function describe({ type, message = "", traceback }) {
    return traceback || (type ? `${type}: ${message}` : message);
}
