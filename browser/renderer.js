/* The renderer: what it does not document. Whatever is missing, a detached job does without. */

import { bare, flat, isCounter, matches, nameOf, parseId, stringify } from "./ids.js";
import { clientside, page } from "./page.js";
import { messageOf, once, pause, tried } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./types.js").Dependency} Dependency */
/** @typedef {import("./window_events.js").DevToolsError} DevToolsError */
/** @typedef {import("./job.js").Job} Job */

/** Milliseconds to wait for the code of a component, and for a graph to be drawn. */
export const READY_MAX = 30000;

export const renderer = {
    /** @returns {any} its state */
    state() {
        return page.store?.getState() || {};
    },

    /** @param {any} action */
    dispatch(action) {
        page.store?.dispatch(action);
    },

    /** Whether the layout is there, and its callbacks were called. */
    ready() {
        return this.state().appLifecycle === "HYDRATED";
    },

    /** @param {string} name @returns {any} how it knows a callback */
    definition(name) {
        return this.state().graphs?.callbacks?.find((/** @type {any} */ callback) => callback.output === name);
    },

    /** @returns {any[]} the declarations of all callbacks, as it got them from the server */
    declarations() {
        return this.state().dependenciesRequest?.content || [];
    },

    /** @param {ComponentId} id @returns {any[] | undefined} where a component is in the layout */
    path(id) {
        const { strs = {}, objs = {} } = this.state().paths || {};
        if (typeof id === "string") {
            return strs[id];
        }
        const keys = Object.keys(id).sort();
        const values = JSON.stringify(keys.map((key) => id[key]));
        const found = (objs[keys.join(",")] || []).find((/** @type {any} */ one) => JSON.stringify(one.values) === values);
        return found?.path;
    },

    /**
     * @param {ComponentId} pattern with ALL, and MATCH for whatever it matches, or an id
     * @returns {ComponentId[]} the components that are on the page
     */
    ids(pattern) {
        if (typeof pattern === "string") {
            return this.path(pattern) ? [pattern] : [];
        }
        const keys = Object.keys(pattern).sort();
        const all = this.state().paths?.objs?.[keys.join(",")] || [];
        return all
            .map((/** @type {any} */ one) => Object.fromEntries(keys.map((key, i) => [key, one.values[i]])))
            .filter((/** @type {ComponentId} */ id) => matches(id, pattern));
    },

    /**
     * @param {string} name @param {string[]} props that triggered a call which it makes right now
     * @returns {boolean} whether somebody changed one of them: they did not just appear on the page
     */
    isChange(name, props) {
        const { prioritized = [], executing = [] } = this.state().callbacks || {};
        const calls = [...executing, ...prioritized].filter(
            (/** @type {any} */ call) =>
                call.callback.output === name &&
                Object.keys(call.changedPropIds).length === props.length &&
                props.every((prop) => prop in call.changedPropIds)
        );
        if (!calls.length) {
            return props.length > 0;
        }
        // Those before it may still wait for their jobs. It notes 1 for an input that has appeared, 2 for
        // one that was changed. The initial call waits for the callbacks that fill in the inputs, and
        // what these set is noted as changed, too.
        const { changedPropIds, initialCall } = calls[calls.length - 1];
        return props.some(
            (prop) =>
                changedPropIds[prop] === 2 && (!initialCall || isCounter(prop.slice(prop.lastIndexOf(".") + 1)))
        );
    },

    /**
     * Let it take values, or an error, for those of a callback that it has just executed: new
     * components are known, and callbacks that listen are called, once.
     * @param {Job} job
     * @param {{data?: Object<string, Object<string, any>>, error?: any}} result
     */
    executed(job, result) {
        const callback = this.definition(job.name);
        const outputs = flat(job.outputs);
        if (callback) {
            const cb = {
                callback,
                anyVals: "",
                changedPropIds: {},
                initialCall: false,
                getInputs: () => [],
                getState: () => [],
                getOutputs: () => [outputs],
                executionResult: { ...result, payload: job.outputs ? { outputs } : null },
            };
            this.dispatch({ type: "Callbacks.AddExecuted", payload: [cb] });
        } else if (result.data) {
            Object.entries(result.data).forEach(([id, props]) => clientside.set_props(parseId(id), props));
        } else {
            console.error(result.error);
        }
    },

    /**
     * It would name our client, and show where in it the error was made: in the place of both, what it
     * shows of an ordinary callback.
     * @param {Job} job
     * @param {DevToolsError} error
     */
    titled(job, error) {
        const outputs = flat(job.outputs).map(({ id, property }) => nameOf(id, property));
        const title = outputs.length
            ? `Callback error updating ${outputs.join(", ")}`
            : `Callback error with no output from input ${(job.pending.triggers || []).join(", ")}`;
        error.message = error.by ? `${title} by the long callback ${error.by}` : title;
        Object.defineProperty(error, "stack", { value: undefined });
        this.keepLines();
    },

    /** Older ones would show a traceback in one line. */
    keepLines: once(() => {
        // Not a style element: a policy of the app may forbid these.
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(".dash-backend-error { white-space: pre-wrap; overflow-wrap: anywhere; }");
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    }),

    /**
     * Change the page without calling the callbacks that listen.
     * @param {() => void} change
     */
    silently(change) {
        const requested = () => this.state().callbacks?.requested || [];
        const before = new Set(requested());
        change();
        // They are called a moment later, when all of that moment are known.
        const added = requested().filter((/** @type {any} */ callback) => !before.has(callback));
        if (added.length) {
            this.dispatch({ type: "Callbacks.RemoveRequested", payload: added });
        }
    },

    /**
     * Show something in the dev tools and the console that has ended no job.
     * @param {string} text
     */
    complain(text) {
        const [message, ...more] = text.split("\n");
        const error = { message, html: more.join("\n") };
        // If it fails, the console has it, at least.
        tried(() => this.dispatch({ type: "ON_ERROR", payload: { type: "backEnd", error } }));
        console.error(text);
    },

    /**
     * Wait until the code of a component is there, if its library loads it late.
     * @param {{type: string, namespace: string}} component
     */
    async loaded({ type, namespace }) {
        const ready = page[namespace]?.[type]?._dashprivate_isLazyComponentReady;
        if (typeof ready?.then === "function") {
            await Promise.race([ready, pause(READY_MAX)]);
        }
    },

    /** @param {boolean} on @param {Dependency[]} outputs that dcc.Loading shows as loading */
    loading(on, outputs) {
        const payload = outputs
            .map(({ id, property }) => ({ path: this.path(id), property: bare(property), id: stringify(id) }))
            .filter((one) => one.path);
        if (payload.length) {
            this.dispatch({ type: on ? "LOADING" : "LOADED", payload });
        }
    },
};

/**
 * Do something that a component, the renderer or a value may make fail: what else there is to do
 * for this job, and for the others, goes on.
 * @param {string} name of the job's callback
 * @param {() => void} action
 */
export function attempt(name, action) {
    try {
        action();
    } catch (error) {
        renderer.complain(`A step of the long callback ${name} has failed\n${messageOf(error)}`);
    }
}
