/* What the language lacks. */

/** @template T @param {() => T} make @returns {() => T} */
export function once(make) {
    /** @type {{value: T} | undefined} */
    let made;
    return () => (made = made || { value: make() }).value;
}

/**
 * @template T
 * @template [U=undefined]
 * @param {() => T} action that the browser may forbid, or that what it is given may make fail
 * @param {U} [otherwise]
 * @returns {T | U} what the action returns, or the other if it fails
 */
export function tried(action, otherwise) {
    try {
        return action();
    } catch (error) {
        return /** @type {U} */ (otherwise);
    }
}

/** @param {number} ms @returns {Promise<void>} */
export function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {any} value @param {string | number} key @returns {boolean} */
export function has(value, key) {
    return value !== null && value !== undefined && Object.prototype.hasOwnProperty.call(value, key);
}

/** @param {any} one @param {any} other @returns {boolean} whether they are the same value; none is null */
export function sameJson(one, other) {
    return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

/** @param {any} error @returns {string} */
export function messageOf(error) {
    return error?.message || String(error);
}
