/* What the page is told, by events of the window: notice.js listens, and so may the app. */

import { bare, flat } from "./ids.js";

/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").News} News */
/** @typedef {import("./types.js").Problem} Problem */

/** What happens without the server, or before it knows. @type {Object<string, string>} */
export const SENTENCES = {
    unreachable: "The server can't be reached. Check your connection and try again.",
    session: "Your session has expired. Log in again and reload the page; jobs that still run are found again.",
    expired: "The result is not available any more. Run it again.",
    changed: "The app has changed since this page was loaded. Reload the page.",
    library: "A part of the result could not be loaded. Reload the page.",
    failed: "Something went wrong. Try again.",
};

/**
 * @param {"started" | "succeeded" | "failed"} what
 * @param {string} callback
 * @param {any} outputs as the renderer gives them
 * @param {Problem} [problem]
 */
export function tell(what, callback, outputs, problem) {
    const detail = {
        callback,
        outputs: flat(outputs).map(({ id, property }) => ({ id, property: bare(property) })),
        ...(problem && {
            kind: problem.kind,
            message: problem.message || SENTENCES[problem.kind] || SENTENCES.failed,
            user: Boolean(problem.user),
            ref: problem.ref || null,
            reload: Boolean(problem.reload),
        }),
    };
    window.dispatchEvent(new CustomEvent("long-callback-" + what, { detail, cancelable: what === "failed" }));
}

/** @param {News} news @returns {Problem} */
export function problemOf({ state, error }) {
    return error ? { kind: error.kind, message: error.message, user: error.user, ref: error.ref } : { kind: state };
}

/**
 * What the dev tools show below the title, which `renderer.titled` gives it.
 * @param {string} text
 * @param {string} [by] the function
 * @returns {Error & {html: string, by: string}}
 */
export function failure(text, by = "") {
    return Object.assign(new Error(text), { html: text, by });
}

/** @param {Failure} error @returns {string} */
export function describe(error) {
    return error.traceback || (error.type ? `${error.type}: ${error.message}` : error.message);
}
