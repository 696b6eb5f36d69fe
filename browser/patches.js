/*
 * Patches: renderers apply them to what they have asked for themselves; older ones to nothing else.
 *
 * The rules are those of Dash: what is on the way to a place is made if it is missing, what is to be deleted may be
 * missing, and nothing is changed in place.
 */

import { has } from "./values.js";

/** @param {any} value */
export function isPatch(value) {
    return has(value, "__dash_patch_update");
}

/** @typedef {(string | number)[]} Place The keys and indices that lead to a part of a value. */
/** @param {any} root @param {Place} place @returns {any} what is there; undefined if nothing is */
function at(root, place) {
    return place.reduce((value, key) => value?.[key], root);
}

/** @param {any} list @param {any} index below 0 if it counts from the end @returns {any} */
function fromStart(list, index) {
    if (typeof index !== "number" || index >= 0) {
        return index;
    }
    if (list === null || list === undefined) {
        throw new TypeError(`it counts from the end of a list (${index}), but there is none`);
    }
    return list.length + index;
}

/** @param {any} root @param {string | number} key @returns {any} a copy in which this key can be changed */
function copied(root, key) {
    return Number.isInteger(key) && Array.isArray(root) ? root.slice() : { ...root };
}

/** @param {any} root @param {Place} place @param {any} value @returns {any} with the value in its place */
function withValue(root, place, value) {
    if (!place.length) {
        return value;
    }
    const [key, ...rest] = place;
    if (rest.length) {
        const missing = Number.isInteger(rest[0]) ? [] : {};
        const next = has(root, key) && typeof root[key] === "object" ? root[key] : missing;
        value = withValue(next, rest, value);
    }
    const copy = copied(root, key);
    copy[key] = value;
    return copy;
}

/** @param {any} root @param {Place} place @returns {any} without what is there */
function without(root, place) {
    if (root === null || root === undefined || !place.length) {
        return root;
    }
    const [key, ...rest] = place;
    const copy = copied(root, key);
    if (!rest.length) {
        Array.isArray(copy) ? copy.splice(Number(key), 1) : delete copy[key];
    } else if (root[key] !== null && root[key] !== undefined) {
        copy[key] = without(root[key], rest);
    }
    return copy;
}

/** @param {any} value @returns {any[]} what of it is a list, as JavaScript sees it: the letters of a text */
function sliced(value) {
    return Array.prototype.slice.call(value === null || value === undefined ? list(value) : value);
}

/** @param {any} value @returns {any[]} */
function list(value) {
    if (!Array.isArray(value)) {
        throw new TypeError("it changes a list, but there is none");
    }
    return value;
}

/** @param {any} one @param {any} other @returns {boolean} whether both are the same JSON */
function same(one, other) {
    if (typeof one !== "object" || typeof other !== "object" || !one || !other) {
        return Object.is(one, other);
    }
    const keys = Object.keys(one);
    return (
        Array.isArray(one) === Array.isArray(other) &&
        keys.length === Object.keys(other).length &&
        keys.every((key) => has(other, key) && same(one[key], other[key]))
    );
}

/**
 * What each operation makes of what is in its place. "Delete" takes the place itself away.
 * @type {Object<string, (old: any, params: any) => any>}
 */
const OPERATIONS = {
    Assign: (_, { value }) => value,
    Merge: (old, { value }) => ({ ...old, ...value }),
    Extend: (old, { value }) => list(old).concat(list(value)),
    Append: (old, { value }) => [...sliced(old || []), value],
    Prepend: (old, { value }) => [value, ...sliced(old || [])],
    Insert: (old, { index, value }) => {
        const from = fromStart(old, index);
        const copy = sliced(old);
        copy.splice(from >= 0 && from < old.length ? from : copy.length, 0, value);
        return copy;
    },
    Clear: (old) => (Array.isArray(old) ? [] : typeof old === "string" ? "" : old && typeof old === "object" ? {} : undefined),
    Reverse: (old) =>
        typeof old === "string" ? old.split("").reverse().join("") : sliced(old).reverse(),
    Remove: (old, { value }) => list(old).filter((item) => !same(item, value)),
    Add: (old, { value }) => old + value,
    Sub: (old, { value }) => old - value,
    Mul: (old, { value }) => old * value,
    Div: (old, { value }) => old / value,
};

/** @param {any} root @param {{operation: string, location: Place, params: any}} step @returns {any} */
function patchOne(root, { operation, location, params }) {
    /** @type {Place} */
    const place = [];
    for (const key of location) {
        place.push(fromStart(at(root, place), key));
    }
    if (operation === "Delete") {
        return without(root, place);
    }
    if (!has(OPERATIONS, operation)) {
        throw new TypeError(`this version of dash-long-callback does not know its operation ${operation}`);
    }
    return withValue(root, place, OPERATIONS[operation](at(root, place), params || {}));
}

/**
 * @param {any} value
 * @param {any} previous
 * @returns {any} the value, or what it makes of the previous one if it is a Patch
 * @throws {TypeError} if it is a Patch that does not fit
 */
export function patched(value, previous) {
    if (!isPatch(value)) {
        return value;
    }
    if (previous === undefined) {
        throw new TypeError("the property has no value yet that it could change");
    }
    return value.operations.reduce(patchOne, previous);
}

/** @param {any} value @returns {any[]} each Patch on its own, of those that the server has sent as one */
export function apart(value) {
    if (!isPatch(value) || !Array.isArray(value.lengths)) {
        return [value];
    }
    let end = 0;
    return value.lengths.map((/** @type {number} */ length) => {
        end += length;
        return { ...value, operations: value.operations.slice(end - length, end) };
    });
}
