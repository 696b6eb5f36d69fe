/* How a status changes by itself, as time passes: the same for who is told of it and for who draws it. */

/** @typedef {import("./status.js").Status} Status */

/** @param {Status} status @returns {boolean} */
export function hasEnded({ state }) {
    return state === "succeeded" || state === "failed" || state === "cancelled";
}

/** @param {Status} status @param {number} seconds @returns {Status} what it is so much later, if nothing happens */
export function later(status, seconds) {
    const left = (/** @type {number | null} */ value) => (value === null ? null : Math.max(0, value - seconds));
    const { state, elapsed, wait, remaining, retry_in } = status;
    const runs = state === "running" || state === "cancelling";
    return {
        ...status,
        elapsed: elapsed !== null && runs ? elapsed + seconds : elapsed,
        wait: left(wait),
        remaining: left(remaining),
        retry_in: left(retry_in),
    };
}
