/* Ids and properties, as the renderer writes them. */

import { page } from "./page.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./types.js").Dependency} Dependency */

/** @param {ComponentId} id @returns {string} as the renderer writes it: keys sorted */
export function stringify(id) {
    return page.dash_component_api.stringifyId(id);
}

/** @param {string} id @returns {ComponentId} */
export function parseId(id) {
    return id.startsWith("{") ? JSON.parse(id) : id;
}

/** @param {any} value @param {string} wildcard */
export function isWild(value, wildcard) {
    return Array.isArray(value) && value[0] === wildcard;
}

/** @param {ComponentId} id @param {ComponentId} pattern */
export function matches(id, pattern) {
    if (typeof id === "string" || typeof pattern === "string") {
        return id === pattern;
    }
    const keys = Object.keys(pattern);
    return (
        keys.length === Object.keys(id).length &&
        keys.every((key) => isWild(pattern[key], "ALL") || isWild(pattern[key], "MATCH") || JSON.stringify(pattern[key]) === JSON.stringify(id[key]))
    );
}

/** @param {any} outputs @returns {Dependency[]} */
export function flat(outputs) {
    return outputs ? [outputs].flat(2) : [];
}

/** @param {string} property @returns {string} without what tells apart those who share an output */
export function bare(property) {
    return property.split("@")[0];
}

/** @param {ComponentId} id @param {string} property @returns {string} */
export function nameOf(id, property) {
    return `${stringify(id)}.${property}`;
}

/** @param {string} property @returns {boolean} whether it counts what somebody, or a clock, does */
export function isCounter(property) {
    return property.startsWith("n_");
}

/**
 * @param {any} dependencies as the renderer gives them: one, a list, or lists for wildcards
 * @param {(one: Dependency) => any} make
 * @returns {any} what is made of each, in their shape
 */
export function mapDependencies(dependencies, make) {
    return Array.isArray(dependencies) ? dependencies.map((one) => mapDependencies(one, make)) : make(dependencies);
}
