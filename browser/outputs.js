/* Gives the outcome of a job to its outputs: by the promise that the renderer waits for, or as an executed callback. */

import { propsOf } from "./components.js";
import { bare, flat, mapDependencies, parseId, stringify } from "./ids.js";
import { clientside } from "./page.js";
import { patched } from "./patches.js";
import { attempt, renderer } from "./renderer.js";
import { spin } from "./slots.js";
import { devToolsError } from "./window_events.js";
import { messageOf } from "./values.js";

/** @typedef {import("./window_events.js").DevToolsError} DevToolsError */
/** @typedef {import("./job.js").Job} Job */

/** @typedef {{data?: Object<string, Object<string, any>>, error?: DevToolsError}} Result neither: nothing changes */

/**
 * @param {Job} job
 * @param {Result} result
 * @returns {Result} with the values that the outputs get, and what is to be said of those that do not fit
 */
export function fitting(job, result) {
    if (!result.data) {
        return result;
    }
    /** @type {string[]} */
    const misfits = [];
    const data = pick(job, result.data, misfits);
    const error = misfits.length ? devToolsError(misfits.join("\n")) : result.error;
    return { data: Object.keys(data).length ? data : undefined, error };
}

/**
 * The values for the outputs that are on the page.
 * @param {Job} job
 * @param {Object<string, Object<string, any>>} response
 * @param {string[]} misfits where to say what does not fit
 * @returns {Object<string, Object<string, any>>}
 */
function pick(job, response, misfits) {
    const byId = new Map(Object.entries(response).map(([id, props]) => [stringify(parseId(id)), props]));
    /** @type {Object<string, Object<string, any>>} */
    const picked = {};
    for (const output of flat(job.outputs)) {
        const [id, property] = [stringify(output.id), bare(output.property)];
        const [values, props] = [byId.get(id), propsOf(output.id)];
        if (props && values && property in values) {
            try {
                picked[id] = { ...picked[id], [property]: patched(values[property], props[property]) };
            } catch (error) {
                misfits.push(`The Patch for ${id}.${property} can't be applied: ${messageOf(error)}`);
            }
        } else if (props && job.updates.yielded.has(`${id}.${property}`)) {
            // It is there already, but nobody was told.
            picked[id] = { ...picked[id], [property]: props[property] };
        }
    }
    return picked;
}

/** @param {Job} job @param {Result} result that is fitting */
export function give(job, { data, error }) {
    if (error) {
        renderer.titled(job, error);
        data && job.detach(); // a promise ends with one of the two
    }
    if (job.detached) {
        data && attempt(job.name, () => renderer.executed(job, { data }));
        error && attempt(job.name, () => renderer.executed(job, { error }));
        renderer.loading(false, flat(job.outputs));
        spin(job.slot);
    } else if (error) {
        job.reject(error);
    } else if (data) {
        job.resolve(shaped(job.outputs, data));
    } else {
        // With no_update, the renderer would still look at each output, and fail over one
        // that has left the page.
        job.reject(clientside.PreventUpdate);
    }
}

/**
 * @param {any} outputs
 * @param {Object<string, Object<string, any>>} data
 * @returns {any} their values, in their shape
 */
function shaped(outputs, data) {
    return mapDependencies(outputs, (output) => {
        const [values, property] = [data[stringify(output.id)] || {}, bare(output.property)];
        return property in values ? values[property] : clientside.no_update;
    });
}

/** @param {{type: string, url: string}} library @returns {Promise<void>} */
export function load(library) {
    return new Promise((resolve, reject) => {
        const element =
            library.type === "_js_dist"
                ? Object.assign(document.createElement("script"), { src: library.url })
                : Object.assign(document.createElement("link"), { href: library.url, rel: "stylesheet" });
        element.onload = () => resolve();
        element.onerror = () => reject(new Error(library.url));
        document.head.append(element);
    });
}
