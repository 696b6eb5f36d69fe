/* What the page asked, and whose answer it does not have. */

import { componentOf } from "./components.js";
import { bare, flat, isWild, mapDependencies, parseId, stringify } from "./ids.js";
import { memory } from "./memory.js";
import { random, settings } from "./page.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./types.js").Config} Config */
/** @typedef {import("./types.js").Dependency} Dependency */
/** @typedef {import("./types.js").Target} Target */

/**
 * @typedef {Object} PendingJob What the page asked; enough to show the answer after a reload.
 * @property {string} id
 * @property {string} name
 * @property {any} outputs as the renderer gives them: one, a list, or lists for wildcards
 * @property {ComponentId[]} matched what MATCH has matched, if it was used
 * @property {any[]} every for each ALL of ours, the ids behind it
 * @property {string} values what was asked, to tell whether it is asked again
 * @property {string[]} [triggers] the properties that have changed
 * @property {number} at when
 * @property {string | null} [owner] whose it is; null: nobody had logged in
 * @property {string} [payload] the request, until the server has it
 * @property {string} [asked] the same from then on, if it is small and may be asked once more
 * @property {boolean} [doubtful] whether no answer has come, so that the server may not have it
 * @property {string} [ref] the public number of a job that was started by code, see attached.js
 * @property {string} [declared] how the callback was declared then
 * @property {Object<string, number>} [happened] events that are not to happen again: by component
 *     and property, the number of the last
 * @property {string} [went] where the page was sent
 */

/** @param {string} text @returns {string} a short one that differs, all but certainly, if the text does */
function digest(text) {
    let [one, two] = [1, 2];
    for (let i = 0; i < text.length; i++) {
        one = Math.imul(one ^ text.charCodeAt(i), 2654435761);
        two = Math.imul(two ^ text.charCodeAt(i), 1597334677);
    }
    return `${text.length} ${one} ${two}`;
}

/**
 * What a page asks, but for counters such as n_clicks: a reload sets them to zero, and they say
 * only that something was clicked.
 * @param {any[]} inputs
 */
function valuesOf(inputs) {
    const asked = inputs.flat().filter((one) => !/^n_|_timestamp$/.test(one.property));
    return digest(JSON.stringify(asked.map((one) => [stringify(one.id), one.property, one.value])));
}

/** @param {string} name @param {Config} config @param {any} context @returns {PendingJob} */
export function pendingJob(name, config, context) {
    const [inputs, states, outputs] = [context.inputs_list, context.states_list || [], context.outputs_list];
    const changed = context.triggered.map((/** @type {{prop_id: string}} */ t) => t.prop_id);
    const payload = {
        output: name,
        outputs,
        inputs,
        changedPropIds: changed,
        parsedChangedPropsIds: changed.map((/** @type {string} */ prop) =>
            prop.startsWith("{") ? parseId(prop.slice(0, prop.lastIndexOf("}") + 1)) : prop
        ),
        state: config.states ? states.slice(0, config.states) : undefined,
    };
    const matching = outputs ? flat(outputs) : inputs.filter((/** @type {any} */ input) => !Array.isArray(input));
    return {
        id: random(24),
        name,
        outputs,
        matched: matching.map((/** @type {Dependency} */ one) => one.id),
        every: mapDependencies(states.slice(config.states), (state) => state.value),
        values: valuesOf(inputs),
        triggers: changed,
        at: Date.now(),
        owner: settings().owner,
        payload: JSON.stringify(payload),
        declared: config.declared,
    };
}

/**
 * @param {PendingJob} pending
 * @param {Target} target
 * @returns {ComponentId[]} the components that it means for this job
 */
export function componentsOf(pending, target) {
    if (target.all !== undefined) {
        const ids = pending.every[target.all];
        return Array.isArray(ids) ? ids : [];
    }
    return [matchOf(pending, target.id)];
}

/** @param {PendingJob} pending @param {ComponentId} id @returns {ComponentId} with MATCH replaced by what matched */
export function matchOf(pending, id) {
    if (typeof id === "string") {
        return id;
    }
    const matched = pending.matched.filter((other) => typeof other === "object");
    return Object.fromEntries(
        Object.entries(id).map(([key, value]) => {
            const like = isWild(value, "MATCH") && matched.find((other) => key in other);
            return [key, like ? like[key] : value];
        })
    );
}

/**
 * @param {PendingJob} pending
 * @param {string} id
 * @param {string} property
 * @returns {boolean} whether it is among the outputs
 */
export function isOutput(pending, id, property) {
    return flat(pending.outputs).some((one) => stringify(one.id) === id && bare(one.property) === property);
}

/**
 * @param {PendingJob} pending
 * @param {ComponentId} id
 * @param {string} property
 * @param {any} value
 * @returns {boolean} whether the page was sent to this address before: loaded again, it would be sent again and again
 */
export function isSentAgain(pending, id, property, value) {
    const component = property === "href" ? componentOf(id) : null;
    if (!component || component.type !== "Location") {
        return false;
    }
    const again = pending.went === value;
    pending.went = value;
    memory.keep(pending);
    return again;
}
