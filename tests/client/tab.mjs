// A tab of a browser, as far as the client uses one: the file that pages load runs in a context of its own.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const CLIENT = new URL("../../src/dash_long_callback/browser/long_callback.js", import.meta.url);
const source = new vm.Script(readFileSync(CLIENT, "utf8"), { filename: "long_callback.js" });

/** @returns {any} localStorage or sessionStorage */
export function storage() {
    const target = Object.create({
        /** @param {string} key */
        getItem(key) {
            return key in this ? this[key] : null;
        },
        /** @param {string} key @param {string} value */
        setItem(key, value) {
            this[key] = String(value);
        },
        /** @param {string} key */
        removeItem(key) {
            delete this[key];
        },
    });
    return target;
}

export class Tab {
    /**
     * @param {import("./clock.mjs").Clock} clock
     * @param {(path: string, body: any, headers: any, signal: any) => Promise<any>} send to the server
     * @param {Object<string, any>} callbacks what the server tells of each
     * @param {Object<string, Object<string, any>>} components props by id
     * @param {any} session what the tab remembers
     * @param {() => number} random
     */
    constructor(clock, send, callbacks, components, session, random) {
        this.clock = clock;
        this.components = components;
        /** @type {(() => void)[]} Those who hear of changes of the store. */
        this.listeners = [];
        /** @type {any[]} What the page was told, by events of the window. */
        this.told = [];
        /** @type {any[]} And what its jobs were at, each time that this has changed. */
        this.statuses = [];
        /** @type {string[]} */
        this.errors = [];
        this.paths = { strs: Object.fromEntries(Object.keys(components).map((id) => [id, [id]])), objs: {} };
        const listeners = new Map();
        const config = { patience: 120, stream: false, callbacks, owner: null };
        const listen = (/** @type {string} */ name, /** @type {any} */ listener) =>
            listeners.set(name, [...(listeners.get(name) || []), listener]);
        this.fire = (/** @type {string} */ name, /** @type {any} */ event = {}) =>
            (listeners.get(name) || []).forEach((/** @type {any} */ listener) => listener(event));
        /** @type {any} */
        this.window = {
            addEventListener: listen,
            removeEventListener(/** @type {string} */ name, /** @type {any} */ listener) {
                listeners.set(name, (listeners.get(name) || []).filter((/** @type {any} */ one) => one !== listener));
            },
            dispatchEvent: (/** @type {any} */ event) =>
                (event.type === "long-callback-status" ? this.statuses : this.told).push(event),
            dash_clientside: {
                no_update: { no: "update" },
                PreventUpdate: { prevent: "update" },
                callback_context: {},
                set_props: (/** @type {any} */ id, /** @type {any} */ props) => Object.assign(components[id], props),
            },
            dash_component_api: {
                getLayout: (/** @type {any} */ id) =>
                    components[id] && { type: "Div", namespace: "html", props: components[id] },
                stringifyId: (/** @type {string} */ id) => id,
            },
            document: {
                hidden: false,
                cookie: "",
                adoptedStyleSheets: [],
                addEventListener: listen,
                getElementById: (/** @type {string} */ id) =>
                    id === "_dash-long-callbacks"
                        ? { textContent: JSON.stringify(config) }
                        : id === "_dash-config"
                          ? { textContent: JSON.stringify({ requests_pathname_prefix: "/" }) }
                          : null,
            },
            sessionStorage: session,
            localStorage: storage(),
            navigator: { onLine: true },
            crypto: { getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.map(() => Math.floor(random() * 256)) },
            btoa,
            performance: { now: () => clock.now },
            setTimeout: clock.setTimeout.bind(clock),
            clearTimeout: clock.clearTimeout.bind(clock),
            setInterval: clock.setInterval.bind(clock),
            clearInterval: clock.clearTimeout.bind(clock),
            requestAnimationFrame: (/** @type {any} */ act) => clock.setTimeout(act, 16),
            console: { ...console, error: (/** @type {any} */ text) => this.errors.push(String(text)), warn() {} },
            AbortController,
            TextDecoder,
            fetch: (/** @type {string} */ path, /** @type {any} */ { body, headers, signal }) =>
                send(path, JSON.parse(body), headers, signal),
            CustomEvent: class {
                constructor(/** @type {string} */ type, /** @type {any} */ { detail }) {
                    Object.assign(this, { type, detail });
                }
            },
            CSSStyleSheet: class {
                replaceSync() {}
            },
            MessageChannel: class {
                constructor() {
                    /** @type {any} */
                    this.port1 = {};
                    this.port2 = { postMessage: () => clock.setTimeout(() => this.port1.onmessage()) };
                }
            },
        };
        this.window.window = this.window;
        this.window.store = {
            getState: () => ({
                appLifecycle: "HYDRATED",
                paths: this.paths,
                graphs: { callbacks: Object.keys(callbacks).map((output) => ({ output })) },
            }),
            subscribe: (/** @type {() => void} */ listener) => this.listeners.push(listener),
            dispatch: (/** @type {any} */ action) => this.dispatch(action),
        };
        vm.createContext(this.window);
        vm.runInContext("Date.now = () => performance.now(); Math.random = () => 0.5;", this.window);
        source.runInContext(this.window);
    }

    /**
     * What the renderer does when a button is clicked that triggers a long callback.
     * @param {string} name of the callback, "id.property" of its output
     * @param {number} n clicks
     * @param {boolean} [initial] whether it only calls it as the page was loaded
     */
    click(name, n, initial = false) {
        const [id, property] = name.split(".");
        const { dash_clientside: clientside } = this.window;
        clientside.callback_context = {
            inputs_list: [{ id: "run", property: "n_clicks", value: n }],
            states_list: [],
            outputs_list: { id, property },
            triggered: initial ? [] : [{ prop_id: "run.n_clicks", value: n }],
        };
        return clientside.long_callback[name]();
    }

    /**
     * What it does when the answer to an ordinary callback sets properties of a component.
     * @param {string} id
     * @param {Object<string, any>} props
     */
    answer(id, props) {
        this.components[id] = { ...this.components[id], ...props };
        this.listeners.forEach((listener) => listener());
    }

    /**
     * What it does when the button is clicked that cancels.
     * @param {number} n clicks
     */
    stop(n) {
        const { dash_clientside: clientside } = this.window;
        clientside.callback_context = {
            outputs_list: { id: "stop", property: "id" },
            triggered: [{ prop_id: "stop.n_clicks", value: n }],
        };
        return clientside.long_callback.cancel();
    }

    /** @param {any} action of the renderer: of a callback that was executed, it takes the outputs */
    dispatch({ type, payload }) {
        if (type === "Callbacks.AddExecuted") {
            const { data = {}, error } = payload[0].executionResult;
            Object.entries(data).forEach(([id, props]) => Object.assign(this.components[id], props));
            error && this.errors.push(String(error));
        }
    }

    /** @returns {string[]} what is remembered for a reload */
    remembered() {
        return Object.keys(this.window.sessionStorage);
    }
}
