/* Cancel inputs: which changes of them a user has made. What the page sets by itself, as it is drawn, does not cancel. */

import { propsOf } from "./components.js";
import { allWaiting } from "./debounce.js";
import { isCounter, mapDependencies, matches, nameOf, parseId } from "./ids.js";
import { clientside, settings } from "./page.js";
import { matchOf } from "./pending.js";
import { renderer } from "./renderer.js";
import { alive } from "./slots.js";
import { once, sameJson } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").Target} Target */

/** Milliseconds within which a component that has appeared may set its own properties: some load their code first. */
const SETTLE = 30000;

/**
 * @typedef {Object} Stop A cancel input that is on the page.
 * @property {number} born when its component came
 * @property {any} value when the component came, or when it was called changed last
 * @property {any} path where the component is
 * @property {any} last the value since it is there: a new layout may set it without a word
 * @property {number} since when
 */

/** When somebody has last done something on the page. */
let touched = -Infinity;
for (const what of ["pointerdown", "keydown", "click", "input", "change", "drop", "popstate"]) {
    window.addEventListener(what, () => (touched = performance.now()), { capture: true, passive: true });
}

/** @type {() => Target[]} */
const cancelInputs = once(() => Object.values(settings().callbacks).flatMap((config) => config.cancel));
/** The cancel inputs that are on the page. @type {Map<string, Stop>} */
let stops = new Map();

/** Note which are on the page. */
export function noteStops() {
    /** @type {Map<string, Stop>} */
    const found = new Map();
    const now = performance.now();
    for (const target of cancelInputs()) {
        for (const id of renderer.ids(target.id)) {
            const [name, path] = [nameOf(id, target.property), renderer.path(id)];
            const value = (propsOf(id) || {})[target.property];
            const stop = stops.get(name) || { born: now, value, path, last: value, since: now };
            found.set(name, stop.path === path ? stop : { ...stop, path, last: value, since: now });
        }
    }
    stops = found;
}

/** @param {string} name @param {any} value that its change has brought, as a callback was told */
export function noteChange(name, value) {
    const stop = stops.get(name);
    if (stop) {
        Object.assign(stop, { value, last: value });
    }
}

/** @param {number} since @returns {boolean} whether that was just now, and nobody has done anything since */
function settles(since) {
    return touched < since && performance.now() - since < SETTLE;
}

/** Those of one job. */
export class CancelInputs {
    /** @param {Job} job */
    constructor(job) {
        this.job = job;
        /** @type {Map<string, {born: number, value: any, changed: boolean}>} Whether they have changed since. */
        this.known = new Map();
    }

    /** Note the values of those that have come: only a change of them cancels. */
    watch() {
        for (const target of this.job.config.cancel) {
            for (const id of renderer.ids(matchOf(this.job.pending, target.id))) {
                const name = nameOf(id, target.property);
                const [stop, mine] = [stops.get(name), this.known.get(name)];
                if (stop && (!mine || mine.born !== stop.born)) {
                    this.known.set(name, { born: stop.born, value: stop.value, changed: false });
                }
            }
        }
    }

    /**
     * @param {ComponentId} id @param {string} property @param {any} value that the renderer calls new
     * @returns {boolean} whether somebody cancels the job thereby
     */
    cancels(id, property, value) {
        const { config, pending } = this.job;
        if (!config.cancel.some((one) => one.property === property && matches(id, matchOf(pending, one.id)))) {
            return false;
        }
        const name = nameOf(id, property);
        const [stop, mine] = [stops.get(name), this.known.get(name)];
        if (!stop || !mine || mine.born !== stop.born) {
            return isCounter(property) && value > 0; // it has just come
        }
        const { value: before, changed } = mine;
        Object.assign(mine, { value, changed: true });
        const reset = !sameJson(value, stop.last); // to another value than this, without a word
        if (isCounter(property)) {
            return value > 0 && (reset || !sameJson(value, before)); // at 0, it was set back
        }
        return sameJson(value, before) ? reset && !settles(stop.since) : changed || !settles(stop.born);
    }
}

/** A cancel input has a new value. @returns {any} no update, in the shape of the outputs */
export function cancel() {
    const context = clientside.callback_context;
    for (const { prop_id, value } of context.triggered) {
        const dot = prop_id.lastIndexOf(".");
        const id = parseId(prop_id.slice(0, dot));
        [...alive(), ...allWaiting()]
            .filter((job) => job.stops.cancels(id, prop_id.slice(dot + 1), value))
            .forEach((job) => job.cancel());
        noteChange(prop_id, value);
    }
    return mapDependencies(context.outputs_list, () => clientside.no_update);
}
