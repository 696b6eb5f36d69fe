/* What any user may read of a long callback that did not succeed, in English: the events of the window, and notices. */

/**
 * By kind of end; with " reload", if it helps to load the page again. Those of the server have the number of the
 * job, too; it does not know the last ones.
 * @type {Object<string, string>}
 */
export const SENTENCES = {
    failed: "Something went wrong. Try again.",
    timed_out: "This took too long and was stopped. Try again.",
    expired: "This could not be started in time. Try again later.",
    lost: "This was interrupted before it had finished. Try again.",
    stopped: "The server was stopped before this had finished. Try again.",
    refused: "The server could not start this. Try again in a moment.",
    limit: "Too many of these are running. Try again later.",
    unavailable: "The server can't run this at the moment. Try again later.",
    not_stored: "The result could not be stored. Try again later.",
    session: "Your session has expired. Log in again and reload the page; jobs that still run are found again.",
    changed: "The app has changed since this was started. Run it again.",
    "changed reload": "The app has changed since this page was loaded. Reload the page.",
    gone: "The result is not available any more. Run it again.",
    unreachable: "The server can't be reached. Check your connection and try again.",
    "unreachable reload": "The server can't be reached. If the job still runs, reload the page to find it again.",
    library: "A part of the result could not be loaded. Reload the page.",
};

/**
 * @param {Object<string, string>} sentences in some language
 * @param {{kind: string, message?: string, reload?: boolean}} failure
 * @returns {string}
 */
export function sentenceOf(sentences, { kind, message, reload }) {
    return (reload && sentences[`${kind} reload`]) || sentences[kind] || message || sentences.failed;
}
