// @ts-check
/*
 * The browser side of long callbacks.
 *
 * The renderer calls a long callback as it calls any clientside callback, and waits for the promise
 * that it gets. Behind the promise:
 *
 *     run() ── POST _dash-update-component ──► the outcome, or "it runs"
 *       │
 *     Feed ── POST …/updates ──► news of all jobs of this tab, in one request at a time
 *       │
 *     Job.hear() ── set_props for updates ── the outputs at the end
 *
 * A job is *attached* while the renderer waits for its promise, and *detached* once it does not: as
 * the page has many, as others of the same outputs run, or as the page was loaded again. A detached
 * job gives its outputs to the renderer as a callback that has just been executed.
 *
 * What runs is remembered in the tab's sessionStorage until the page has its outcome.
 */
(function () {
    "use strict";

    /** @typedef {string | Object<string, any>} ComponentId */
    /** @typedef {{id: ComponentId, property: string, all?: number}} Target */
    /** @typedef {{id: ComponentId, property: string, value?: any}} Dependency */
    /**
     * @typedef {Object} Config What the server tells of one callback.
     * @property {number} states How many of the states are the callback's own.
     * @property {(Target & {on: any, off: any})[]} running
     * @property {Target[]} progress
     * @property {any[] | null} defaults
     * @property {boolean} cached Whether the answer may be there already.
     * @property {Target[]} cancel
     * @property {"replace" | "ignore" | "queue" | "parallel"} retrigger
     * @property {boolean} leave Whether its jobs end when the page is left.
     */
    /**
     * @typedef {Object} News
     * @property {string} state
     * @property {number} seq
     * @property {boolean} ended
     * @property {Update[]} [updates]
     * @property {{response?: Object<string, Object<string, any>>, dist?: any[]}} [response]
     * @property {{type: string, message: string, traceback?: string}} [error]
     */
    /** @typedef {[number | [string, string], any]} Update A progress target or id and property. */
    /**
     * @typedef {Object} Question What the page asked; enough to show the answer after a reload.
     * @property {string} id
     * @property {string} name
     * @property {any} outputs as the renderer gives them: one, a list, or lists for wildcards
     * @property {ComponentId[]} matched what MATCH has matched, if it was used
     * @property {any[]} every for each ALL of ours, the ids behind it
     * @property {string} values what was asked, to tell whether it is asked again
     * @property {number} at when
     * @property {string} [payload] the request, until the server has it
     * @property {boolean} [doubtful] whether no answer has come, so that the server may not have it
     * @property {Object<string, number>} [happened] events that are not to happen again: by component
     *     and property, the number of the last
     * @property {string} [went] where the page was sent
     */

    /** @type {any} */
    const page = window;
    const clientside = (page.dash_clientside = page.dash_clientside || {});

    /** Milliseconds between tries when the server can't be reached: doubled, up to the second. */
    const RETRY_MIN = 250;
    const RETRY_MAX = 5000;
    /** Milliseconds that one failed try counts, at most: a laptop that slept did not try. */
    const TRY_MAX = 30000;
    /** Milliseconds after which the page shows that a job runs whose result may have been kept. */
    const SHOW_AFTER = 60;
    /** Milliseconds to wait for an answer: the server holds a request for a fraction of that. */
    const ANSWER_MAX = 60000;
    /** Milliseconds to wait for the first event of a stream; if none comes, a proxy keeps it back. */
    const STREAM_FIRST = 6000;
    /** Milliseconds without streams after that: the server may have been busy. Doubled until one comes. */
    const STREAM_PAUSE = 60000;
    /** Milliseconds between two questions while clicks are on their way: each brings another job. */
    const GATHER = 200;
    /** Milliseconds to wait for the next: the server shows every ten seconds that it is there. */
    const STREAM_NEXT = 25000;
    /** Statuses of proxies that say "later", below those that say "never". */
    const LATER = [408, 425, 429];
    /** Milliseconds to wait for a picture: it never comes if the tab goes to the background. */
    const PAINT_MAX = 100;
    /** Milliseconds after which a tab counts as one in the background: not while somebody looks around. */
    const HIDDEN_AFTER = 2000;
    /** Milliseconds after which what is remembered has expired on any server. */
    const REMEMBER = 7 * 24 * 3600 * 1000;
    /** Characters of a request that is remembered until the server has it. */
    const PAYLOAD_MAX = 100000;
    /** Outcomes that wait for their outputs to be on the page again. */
    const OUTCOMES_MAX = 50;
    /** Events of a component and property that are kept for it to come back. */
    const EVENTS_MAX = 10000;
    /** Milliseconds to wait for the code of a component, and for a graph to be drawn. */
    const READY_MAX = 30000;
    /** Milliseconds to wait for a graph that has been given more points. */
    const DRAWN_MAX = 1000;

    /**
     * Long jobs that stay attached: the renderer runs twelve callbacks at once. These few have all of
     * its care: its title says "Updating...", and callbacks that need their outputs wait. The others
     * make way for the page's ordinary callbacks.
     */
    const PLACES = 4;

    /** @param {number} bytes @returns {string} random, in the letters of base64url */
    function random(bytes) {
        const numbers = crypto.getRandomValues(new Uint8Array(bytes));
        return btoa(String.fromCharCode(...numbers)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
    }

    /** This page, so that the server knows when a request replaces another. */
    const TAB = random(16);

    /** @template T @param {() => T} make @returns {() => T} */
    function once(make) {
        /** @type {{value: T} | undefined} */
        let made;
        return () => (made = made || { value: make() }).value;
    }

    /** @param {string} id @returns {any} */
    function json(id) {
        const element = document.getElementById(id);
        return element ? JSON.parse(element.textContent || "null") : null;
    }

    const dashConfig = once(() => json("_dash-config") || {});
    /** @type {() => {patience: number, stream: boolean, callbacks: Object<string, Config>}} */
    const settings = once(() => json("_dash-long-callbacks") || { patience: 0, stream: false, callbacks: {} });
    const prefix = once(() => dashConfig().requests_pathname_prefix || "/");

    // Requests

    /** What went wrong on the way, in words for the page. */
    class Trouble extends Error {
        /**
         * @param {string} message
         * @param {boolean} [final] whether another try makes no sense
         * @param {number} [pause] milliseconds that the server wants us to wait
         */
        constructor(message, final = false, pause = 0) {
            super(message);
            this.final = final;
            this.pause = pause;
        }
    }

    /** @param {string} text @returns {string} a cookie's value as the renderer reads it */
    function cookieValue(text) {
        try {
            return decodeURIComponent(text);
        } catch (error) {
            return text;
        }
    }

    /**
     * @param {string} path
     * @param {string} body
     * @param {{signal?: AbortSignal, keepalive?: boolean, headers?: Object<string, string>}} [more]
     * @returns {Promise<Response>}
     */
    function post(path, body, more = {}) {
        const config = dashConfig();
        const options = config.fetch || {};
        /** @type {Object<string, string>} */
        const headers = { Accept: "application/json", "Content-Type": "application/json", ...more.headers };
        const token = document.cookie
            .split("; ")
            .find((cookie) => cookie.startsWith((config.csrf_token_name || "_csrf_token") + "="));
        if (token) {
            headers[config.csrf_header_name || "X-CSRFToken"] = cookieValue(token.slice(token.indexOf("=") + 1));
        }
        return fetch(prefix() + path, {
            credentials: "same-origin",
            ...options,
            method: "POST",
            headers: { ...headers, ...options.headers },
            body,
            signal: more.signal,
            keepalive: more.keepalive,
        });
    }

    /**
     * What is wrong with an answer, if anything is: proxies answer, too, and login pages.
     * @param {Response} response
     * @returns {Promise<Trouble | null>}
     */
    async function troubleOf(response) {
        const html = (response.headers.get("Content-Type") || "").startsWith("text/html");
        if (response.ok && !html) {
            return null;
        }
        const text = html ? "" : await response.text().catch(() => "");
        const status = `status ${response.status}${text && ": " + text.slice(0, 1000)}`;
        if (response.status === 401 || response.status === 403 || response.ok) {
            return new Trouble(
                "SessionExpired: the server does not let this page in any more" +
                    ` (${response.ok ? "it answered with another page" : status}). ` +
                    "Log in again and reload the page: jobs that still run are found again.",
                true
            );
        }
        const later = response.status >= 500 || LATER.includes(response.status);
        const pause = Math.min(Number(response.headers.get("Retry-After")) || 0, TRY_MAX / 1000) * 1000;
        return new Trouble(status, !later, pause);
    }

    /** Counts failed tries, and says how long to wait before the next. */
    class Patience {
        constructor() {
            this.failures = 0;
            /** Milliseconds that went by in failed tries and pauses. */
            this.tried = 0;
            this.since = Date.now();
        }

        begin() {
            this.since = Date.now();
        }

        succeed() {
            this.failures = 0;
            this.tried = 0;
        }

        /** @param {Trouble} trouble @returns {number | null} milliseconds to wait; null: it is over */
        fail(trouble) {
            const pause = Math.min(RETRY_MIN * 2 ** this.failures, RETRY_MAX);
            if (navigator.onLine !== false) {
                this.failures += 1;
                this.tried += Math.min(Date.now() - this.since, TRY_MAX) + pause;
            }
            if (trouble.final || this.tried > settings().patience * 1000) {
                return null;
            }
            // Many pages have lost the same server in the same moment.
            return Math.max(pause * (0.75 + Math.random() / 2), trouble.pause);
        }

        /** @param {string} what @param {Trouble} trouble @returns {string} */
        words(what, trouble) {
            return trouble.final ? trouble.message : `${what} (tried for ${Math.round(this.tried / 1000)} s): ${trouble.message}`;
        }
    }

    /** @param {number} ms @returns {Promise<void>} */
    function wait(ms) {
        return new Promise((resolve) => {
            const done = () => {
                clearTimeout(timer);
                window.removeEventListener("online", done);
                resolve();
            };
            const timer = setTimeout(done, ms);
            window.addEventListener("online", done);
        });
    }

    /**
     * What the renderer shows in the dev tools: a response with a text.
     * @param {string} text
     * @returns {Response}
     */
    function failure(text) {
        return new Response(text, { status: 500 });
    }

    // Components

    /** @param {ComponentId} id @returns {string} as the renderer writes it: keys sorted */
    function stringify(id) {
        if (typeof id === "string") {
            return id;
        }
        const parts = Object.keys(id)
            .sort()
            .map((key) => JSON.stringify(key) + ":" + JSON.stringify(id[key]));
        return "{" + parts.join(",") + "}";
    }

    /** @param {string} id @returns {ComponentId} */
    function parseId(id) {
        return id.startsWith("{") ? JSON.parse(id) : id;
    }

    /** @param {any} value @param {string} wildcard */
    function isWild(value, wildcard) {
        return Array.isArray(value) && value[0] === wildcard;
    }

    /** @param {any} outputs @returns {Dependency[]} */
    function flat(outputs) {
        return outputs ? [outputs].flat(2) : [];
    }

    /** @param {string} property @returns {string} without what tells apart those who share an output */
    function bare(property) {
        return property.split("@")[0];
    }

    /**
     * @param {ComponentId} id
     * @returns {{type: string, namespace: string, props: Object<string, any>} | null} null if it is
     *     not on the page
     */
    function componentOf(id) {
        try {
            const component = page.dash_component_api.getLayout(id);
            return component && component.props ? component : null;
        } catch (error) {
            return null;
        }
    }

    /**
     * @param {ComponentId} id
     * @returns {Object<string, any> | null} the component's props, or null if it is not on the page
     */
    function propsOf(id) {
        const component = componentOf(id);
        return component && component.props;
    }

    /** @type {Set<string>} */
    const missing = new Set();

    /** @param {ComponentId} id @param {string} property */
    function warnOnce(id, property) {
        const name = stringify(id);
        if (!missing.has(name) && missing.size < 1000) {
            missing.add(name);
            console.warn(`A long callback sets ${name}.${property}, but there is no such component on the page.`);
        }
    }

    /**
     * Call back once the browser has painted. A tab in the background paints nothing.
     * @param {() => void} callback
     */
    function afterPaint(callback) {
        if (document.hidden) {
            callback();
            return;
        }
        const first = once(callback);
        requestAnimationFrame(() => setTimeout(first));
        setTimeout(first, PAINT_MAX);
    }

    /** @param {any} error @returns {string} */
    function wordsOf(error) {
        return (error && error.message) || String(error);
    }

    /**
     * Do something that a component, the renderer or a value may make fail: what else there is to do
     * for this job, and for the others, goes on.
     * @param {string} name of the job's callback
     * @param {() => void} action
     */
    function attempt(name, action) {
        try {
            action();
        } catch (error) {
            renderer.complain(`A step of the long callback ${name} has failed\n${wordsOf(error)}`);
        }
    }

    // Patches: renderers apply them to what they have asked for themselves; older ones to nothing else.
    // The rules are those of Dash: what is on the way to a place is made if it is missing, what is to
    // be deleted may be missing, and nothing is changed in place.

    /** @param {any} value @param {string | number} key @returns {boolean} */
    function has(value, key) {
        return value !== null && value !== undefined && Object.prototype.hasOwnProperty.call(value, key);
    }

    /** @param {any} value */
    function isPatch(value) {
        return has(value, "__dash_patch_update");
    }

    /** @typedef {(string | number)[]} Place The keys and indices that lead to a part of a value. */

    /** @param {any} root @param {Place} place @returns {any} what is there; undefined if nothing is */
    function at(root, place) {
        return place.reduce((value, key) => (value === null || value === undefined ? undefined : value[key]), root);
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
    function patched(value, previous) {
        if (!isPatch(value)) {
            return value;
        }
        if (previous === undefined) {
            throw new TypeError("the property has no value yet that it could change");
        }
        return value.operations.reduce(patchOne, previous);
    }

    /** @param {any} value @returns {any[]} each Patch on its own, of those that the server has sent as one */
    function apart(value) {
        if (!isPatch(value) || !Array.isArray(value.lengths)) {
            return [value];
        }
        let end = 0;
        return value.lengths.map((/** @type {number} */ length) => {
            end += length;
            return { ...value, operations: value.operations.slice(end - length, end) };
        });
    }

    // The renderer: what it does not document. Whatever is missing, a detached job does without.

    const renderer = {
        /** @returns {any} its state */
        state() {
            return page.store ? page.store.getState() : {};
        },

        /** @param {any} action */
        dispatch(action) {
            if (page.store) {
                page.store.dispatch(action);
            }
        },

        /** Whether the layout is there, and its callbacks were called. */
        ready() {
            return this.state().appLifecycle === "HYDRATED";
        },

        /** @param {string} name @returns {any} how it knows a callback */
        definition(name) {
            const callbacks = (this.state().graphs || {}).callbacks || [];
            return callbacks.find((/** @type {any} */ callback) => callback.output === name);
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
            return found && found.path;
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
         * Change the page without calling the callbacks that listen.
         * @param {() => void} change
         */
        silently(change) {
            const requested = () => (this.state().callbacks || {}).requested || [];
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
            try {
                this.dispatch({ type: "ON_ERROR", payload: { type: "backEnd", error: { message, html: more.join("\n") } } });
            } catch (error) {
                // The console has it, at least.
            }
            console.error(text);
        },

        /**
         * Wait until the code of a component is there, if its library loads it late.
         * @param {{type: string, namespace: string}} component
         */
        async loaded({ type, namespace }) {
            const ready = ((page[namespace] || {})[type] || {})._dashprivate_isLazyComponentReady;
            if (ready && typeof ready.then === "function") {
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

    // What this tab remembers: the questions whose answers the page does not have

    const memory = {
        prefix: once(() => `dash-long-callback ${prefix()} `),

        /** @param {Question} question */
        keep(question) {
            try {
                sessionStorage.setItem(this.prefix() + question.id, JSON.stringify(question));
            } catch (error) {
                // Full, or forbidden: then a reload does not find it.
            }
        },

        /** @param {string} id */
        drop(id) {
            try {
                sessionStorage.removeItem(this.prefix() + id);
            } catch (error) {
                // Forbidden.
            }
        },

        /** @returns {Question[]} the oldest first */
        all() {
            /** @type {Question[]} */
            const found = [];
            try {
                for (const key of Object.keys(sessionStorage).filter((one) => one.startsWith(this.prefix()))) {
                    const question = JSON.parse(sessionStorage.getItem(key) || "null");
                    if (question && Date.now() - question.at < REMEMBER && settings().callbacks[question.name]) {
                        found.push(question);
                    } else {
                        sessionStorage.removeItem(key);
                    }
                }
            } catch (error) {
                // Forbidden, or not ours.
            }
            return found.sort((one, other) => one.at - other.at);
        },
    };

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

    // Jobs

    class Job {
        /** @param {Question} question @param {Config} config */
        constructor(question, config) {
            this.question = question;
            this.id = question.id;
            this.name = question.name;
            this.config = config;
            this.outputs = question.outputs;
            this.slot = question.name + " " + JSON.stringify(question.matched.map(stringify));
            this.seq = 0;
            this.settled = false;
            this.cancelled = false;
            /** Whether it was asked for; not, while it queues behind another. */
            this.begun = false;
            /** Whether the server has it. */
            this.known = false;
            /** Whether it was found when the page was loaded, or its outputs came back. */
            this.found = false;
            this.detached = false;
            /** Whether the page shows that it runs. */
            this.shown = false;
            /** Whether its outputs are on the page. */
            this.here = true;
            /** @type {News | null} The end of it, that waits for its outputs. */
            this.outcome = null;
            /** @type {Set<string>} The outputs that have a value which was yielded. */
            this.yielded = new Set();
            /** @type {Map<number, any>} The latest progress, for components that come back. */
            this.progress = new Map();
            /** How many values of progress no screen has shown yet. */
            this.unseen = 0;
            /** @type {Map<string, Line>} Its events, by component and property. */
            this.lines = new Map();
            /** How many of them wait or are on their way. */
            this.happenings = 0;
            /** @type {News | null} The end of it, that waits for them. */
            this.last = null;
            /** @type {Set<string>} What it could not be given, and has been said. */
            this.complaints = new Set();
            /** @type {(value: any) => void} */
            this.resolve = () => {};
            /** @type {(error: any) => void} */
            this.reject = () => {};
            this.promise = new Promise((resolve, reject) => {
                this.resolve = resolve;
                this.reject = reject;
            });
            this.promise.catch(() => {}); // nobody waits for the promise of a job that was found
        }

        /** Whether its outputs, or what it matched, are on the page. */
        isHere() {
            const ids = this.outputs ? flat(this.outputs).map((output) => output.id) : this.question.matched;
            return !ids.length || ids.some((id) => propsOf(id));
        }

        /** @param {string} id @param {string} property */
        isOutput(id, property) {
            return flat(this.outputs).some((one) => stringify(one.id) === id && bare(one.property) === property);
        }

        /**
         * @param {Target} target
         * @returns {ComponentId[]} the components that it means for this job
         */
        components(target) {
            if (target.all !== undefined) {
                const ids = this.question.every[target.all];
                return Array.isArray(ids) ? ids : [];
            }
            return [this.match(target.id)];
        }

        /** @param {ComponentId} id @returns {ComponentId} with MATCH replaced by what matched */
        match(id) {
            if (typeof id === "string") {
                return id;
            }
            const matched = this.question.matched.filter((other) => typeof other === "object");
            return Object.fromEntries(
                Object.entries(id).map(([key, value]) => {
                    const like = isWild(value, "MATCH") && matched.find((other) => key in other);
                    return [key, like ? like[key] : value];
                })
            );
        }

        /** @param {ComponentId} id @param {string} property @param {any} value */
        set(id, property, value) {
            const props = propsOf(id);
            if (!props) {
                this.here && warnOnce(id, property);
                return;
            }
            for (const one of apart(value)) {
                try {
                    clientside.set_props(id, { [property]: patched(one, (propsOf(id) || props)[property]) });
                } catch (error) {
                    this.complain(id, property, error);
                }
            }
        }

        /**
         * Say, once for each property, that a value could not be set. The job and its other values go on.
         * @param {ComponentId} id
         * @param {string} property
         * @param {any} error
         */
        complain(id, property, error) {
            const name = nameOf(id, property);
            if (!this.complaints.has(name)) {
                this.complaints.add(name);
                renderer.complain(`The long callback ${this.name} could not set ${name}\n${wordsOf(error)}`);
            }
        }

        /** @param {"on" | "off"} which */
        setRunning(which) {
            for (const target of this.config.running) {
                this.components(target).forEach((id) => this.set(id, target.property, target[which]));
            }
        }

        /** @param {number} index @param {any} value */
        setProgress(index, value) {
            const target = this.config.progress[index];
            this.components(target).forEach((id) => this.set(id, target.property, value));
        }

        resetProgress() {
            this.config.progress.forEach((target, index) => {
                const value = this.config.defaults ? this.config.defaults[index] : null;
                for (const id of this.components(target)) {
                    const event = !this.config.defaults && this.lines.has(nameOf(id, target.property));
                    if (!event && !inProgress(id, target.property, this)) {
                        this.set(id, target.property, value);
                    }
                }
            });
        }

        /** Show that it runs, unless it does already. */
        show() {
            if (!this.shown && !this.settled) {
                this.shown = true;
                this.setRunning("on");
            }
        }

        /** Show that it runs no more, unless others of these outputs do. */
        hide() {
            if (this.shown) {
                this.shown = false;
                if (!inSlot(this.slot).some((other) => other !== this && !other.outcome)) {
                    this.setRunning("off");
                }
                this.resetProgress();
            }
        }

        /** The renderer waits for it no more. */
        detach() {
            if (!this.detached) {
                this.detached = true;
                this.reject(clientside.PreventUpdate);
                spin(this.slot);
            }
        }

        /** @param {News} news */
        hear(news) {
            if (this.settled || this.outcome || (news.seq <= this.seq && !news.ended)) {
                return;
            }
            this.seq = news.seq;
            if (!news.ended) {
                this.show();
            }
            for (const [target, value] of news.updates || []) {
                attempt(this.name, () => this.update(target, value));
            }
            if (news.ended) {
                feed.remove(this);
                if (this.unseen) {
                    afterPaint(() => this.finish(news));
                } else {
                    this.finish(news);
                }
            }
        }

        /** @param {Update[0]} target @param {any} value */
        update(target, value) {
            if (typeof target === "number") {
                const { property } = this.config.progress[target];
                const ids = this.components(this.config.progress[target]);
                if (isEvents(value)) {
                    ids.forEach((id) => this.queue(id, property, value));
                    return;
                }
                this.unseen += 1;
                afterPaint(() => (this.unseen -= 1));
                this.progress.set(target, value);
                ids.forEach((id) => inLine(nameOf(id, property), () => this.set(id, property, value)));
                return;
            }
            const [id, property] = [parseId(target[0]), target[1]];
            if (isEvents(value)) {
                this.queue(id, property, value);
            } else if (this.isOutput(target[0], property)) {
                // Yielded. Who listens to an output is called once, at the end.
                this.yielded.add(target.join("."));
                inLine(nameOf(id, property), () => renderer.silently(() => this.set(id, property, value)));
            } else if (!this.repeats(id, property, value)) {
                inLine(nameOf(id, property), () => this.set(id, property, value));
            }
        }

        /**
         * Whether the page was sent to this address before: loaded again, it would be sent again and again.
         * @param {ComponentId} id
         * @param {string} property
         * @param {any} value
         */
        repeats(id, property, value) {
            const component = property === "href" ? componentOf(id) : null;
            if (!component || component.type !== "Location") {
                return false;
            }
            const repeated = this.question.went === value;
            this.question.went = value;
            memory.keep(this.question);
            return repeated;
        }

        /**
         * Events wait in a line for each component and property.
         * @param {ComponentId} id
         * @param {string} property
         * @param {{__dash_long_callback_events: EventKind, events: [number, any][]}} news
         */
        queue(id, property, { __dash_long_callback_events: kind, events }) {
            const name = nameOf(id, property);
            const line = this.lines.get(name) || { id, property, last: 0, here: true, round: 0, kept: new Set() };
            this.lines.set(name, line);
            for (const [seq, value] of events) {
                if (seq > line.last) {
                    line.last = seq;
                    const event = { seq, kind, value };
                    line.kept.add(event);
                    this.happen(line, event);
                }
            }
            for (const event of line.kept) {
                if (line.kept.size <= EVENTS_MAX) {
                    break;
                }
                line.kept.delete(event);
            }
        }

        /** @param {Line} line @param {Happening} event */
        happen(line, event) {
            const { round } = line;
            this.happenings += 1;
            inLine(nameOf(line.id, line.property), async () => {
                try {
                    if (!this.settled && line.round === round) {
                        await this.deliver(line, event);
                    }
                } catch (error) {
                    this.complain(line.id, line.property, error);
                } finally {
                    this.happenings -= 1;
                    if (!this.happenings && this.last) {
                        this.end(this.last);
                    }
                }
            });
        }

        /** @param {Line} line @param {Happening} event */
        async deliver(line, event) {
            const component = componentOf(line.id);
            if (!component) {
                line.here = false; // it may come back
                this.here && warnOnce(line.id, line.property);
                return;
            }
            await renderer.loaded(component);
            if (this.settled) {
                return;
            }
            // Only the page knows whether something that looks like a file is one.
            if (event.kind === "once" || (event.kind === "file" && component.type === "Download")) {
                line.kept.delete(event);
                const name = nameOf(line.id, line.property);
                const happened = (this.question.happened = this.question.happened || {});
                if (event.seq <= (happened[name] || 0)) {
                    return; // before the page was loaded again
                }
                happened[name] = event.seq;
                memory.keep(this.question);
            }
            await give(component, line.id, line.property, event.value);
        }

        /** Components have come or gone: what is new gets the events again that are to be seen in it. */
        reappear() {
            for (const line of this.lines.values()) {
                const here = Boolean(componentOf(line.id));
                if (here && !line.here) {
                    line.round += 1;
                    line.kept.forEach((event) => this.happen(line, event));
                }
                line.here = here;
            }
        }

        /** @param {News} news The end: once all has happened that was to. */
        finish(news) {
            if (this.happenings) {
                this.last = news;
            } else {
                this.end(news);
            }
        }

        /** @param {News} news */
        async end(news) {
            this.last = null;
            try {
                await this.conclude(news);
            } catch (error) {
                this.settle({ error: failure(`Long callback ${this.name}: ${wordsOf(error)}`) });
            }
        }

        /** @param {News} news */
        async conclude(news) {
            if (news.response && !this.isHere() && !this.cancelled && !this.settled) {
                // The user is on another page of the app, and may come back.
                this.outcome = news;
                this.detach();
                this.hide();
                const waiting = alive().filter((job) => job.outcome);
                waiting.slice(0, -OUTCOMES_MAX).forEach((job) => job.settle({}));
            } else if (news.error) {
                this.settle({ error: failure(describe(news.error)) });
            } else if (!news.response || this.cancelled) {
                this.settle({});
            } else {
                const { response = {}, dist } = news.response;
                try {
                    await (dist && Promise.all(dist.map(load)));
                    this.settle({ data: response });
                } catch (error) {
                    this.settle({ error: failure("A component library could not be loaded.") });
                }
            }
        }

        /**
         * The outputs are on the page again, or not any more.
         * @param {boolean} here
         */
        appear(here) {
            if (here === this.here) {
                return;
            }
            this.here = here;
            if (!here) {
                return;
            }
            this.found = true;
            if (this.outcome) {
                const outcome = this.outcome;
                this.outcome = null;
                this.finish(outcome);
            } else if (this.shown) {
                this.setRunning("on");
                this.progress.forEach((value, index) => this.setProgress(index, value));
                this.detach();
                spin(this.slot);
            }
        }

        /**
         * @param {{data?: Object<string, Object<string, any>>, error?: any}} result neither: nothing changes
         * @param {boolean} [remember] whether a reload is to find it
         */
        settle(result, remember = false) {
            if (this.settled) {
                return;
            }
            this.settled = true;
            feed.remove(this);
            leave(this);
            attempt(this.name, () => this.hide());
            attempt(this.name, () => this.give(this.fitting(result)));
            if (!remember) {
                setTimeout(() => memory.drop(this.id)); // once the page has it
            }
            const others = inSlot(this.slot);
            const next = others.find((job) => !job.begun);
            if (next && !others.some((job) => job.begun)) {
                attempt(next.name, () => next.show());
                submit(next);
            }
        }

        /**
         * @param {{data?: Object<string, Object<string, any>>, error?: any}} result
         * @returns {{data?: Object<string, Object<string, any>>, error?: any}} with the values that the outputs
         *     get, and what is to be said of those that do not fit
         */
        fitting(result) {
            if (!result.data) {
                return result;
            }
            /** @type {string[]} */
            const problems = [];
            const data = this.pick(result.data, problems);
            const error = problems.length ? failure(problems.join("\n")) : result.error;
            return { data: Object.keys(data).length ? data : undefined, error };
        }

        /** @param {{data?: Object<string, Object<string, any>>, error?: any}} result */
        give({ data, error }) {
            if (data && error) {
                this.detach(); // a promise ends with one of the two
            }
            if (this.detached) {
                data && attempt(this.name, () => renderer.executed(this, { data }));
                error && attempt(this.name, () => renderer.executed(this, { error }));
                renderer.loading(false, flat(this.outputs));
                spin(this.slot);
            } else if (error) {
                this.reject(error);
            } else if (data) {
                /** @param {any} output @returns {any} in the shape of the outputs */
                const shape = (output) => {
                    if (Array.isArray(output)) {
                        return output.map(shape);
                    }
                    const values = data[stringify(output.id)] || {};
                    return bare(output.property) in values ? values[bare(output.property)] : clientside.no_update;
                };
                this.resolve(shape(this.outputs));
            } else {
                // With no_update, the renderer would still look at each output, and fail over one
                // that has left the page.
                this.reject(clientside.PreventUpdate);
            }
        }

        /**
         * The values for the outputs that are on the page.
         * @param {Object<string, Object<string, any>>} response
         * @param {string[]} problems where to say what does not fit
         * @returns {Object<string, Object<string, any>>}
         */
        pick(response, problems) {
            const byId = new Map(Object.entries(response).map(([id, props]) => [stringify(parseId(id)), props]));
            /** @type {Object<string, Object<string, any>>} */
            const picked = {};
            for (const output of flat(this.outputs)) {
                const [id, property] = [stringify(output.id), bare(output.property)];
                const [values, props] = [byId.get(id), propsOf(output.id)];
                if (props && values && property in values) {
                    try {
                        picked[id] = { ...picked[id], [property]: patched(values[property], props[property]) };
                    } catch (error) {
                        problems.push(`The Patch for ${id}.${property} can't be applied: ${wordsOf(error)}`);
                    }
                } else if (props && this.yielded.has(`${id}.${property}`)) {
                    // It is there already, but nobody was told.
                    picked[id] = { ...picked[id], [property]: props[property] };
                }
            }
            return picked;
        }

        /** The outputs stay as they are from here on, even if the job has just succeeded. */
        cancel() {
            this.cancelled = true;
            if (this.outcome || !this.begun) {
                this.settle({});
            } else if (this.known) {
                cancelJob(this.id);
            }
        }
    }

    /** @param {{type: string, message: string, traceback?: string}} error @returns {string} */
    function describe(error) {
        return error.traceback || `${error.type}: ${error.message}`;
    }

    /** @param {{type: string, url: string}} library @returns {Promise<void>} */
    function load(library) {
        return new Promise((resolve, reject) => {
            const script = library.type === "_js_dist";
            const element = script ? document.createElement("script") : document.createElement("link");
            if (element instanceof HTMLScriptElement) {
                element.src = library.url;
            } else {
                element.href = library.url;
                element.rel = "stylesheet";
            }
            element.onload = () => resolve();
            element.onerror = () => reject(new Error(library.url));
            document.head.appendChild(element);
        });
    }

    /**
     * Tell the server to cancel a job, until it has heard: else the job would run on for nobody.
     * @param {string} id
     */
    async function cancelJob(id) {
        const patience = new Patience();
        /** @type {number | null} */
        let pause = 0;
        while (pause !== null) {
            patience.begin();
            try {
                const response = await post("_dash-long-callback/cancel", JSON.stringify({ jobs: [id] }));
                const trouble = await troubleOf(response);
                if (!trouble) {
                    return;
                }
                pause = patience.fail(trouble);
            } catch (error) {
                pause = patience.fail(new Trouble(String(error)));
            }
            await wait(pause || 0);
        }
    }

    /** The jobs of each set of concrete outputs that have not settled, the oldest first. @type {Map<string, Job[]>} */
    const slots = new Map();

    /** @param {string} slot @returns {Job[]} */
    function inSlot(slot) {
        return slots.get(slot) || [];
    }

    /** @returns {Job[]} */
    function alive() {
        return Array.from(slots.values()).flat();
    }

    /** @param {Job} job */
    function enter(job) {
        slots.set(job.slot, [...inSlot(job.slot), job]);
    }

    /** @param {Job} job */
    function leave(job) {
        const others = inSlot(job.slot).filter((other) => other !== job);
        if (others.length) {
            slots.set(job.slot, others);
        } else {
            slots.delete(job.slot);
        }
    }

    /**
     * Have dcc.Loading show what still runs, once the renderer has taken note of what has ended: it
     * counts an output as loaded when any callback of it ends.
     * @param {string} slot
     */
    function spin(slot) {
        setTimeout(() => {
            const job = inSlot(slot).find((one) => one.detached && !one.outcome);
            if (job) {
                renderer.loading(true, flat(job.outputs));
            }
        });
    }

    /**
     * @param {ComponentId} id
     * @param {string} property
     * @param {Job} [except]
     * @returns {boolean} whether a job that runs, except one, has this among its progress
     */
    function inProgress(id, property, except) {
        const name = stringify(id);
        return alive().some(
            (job) =>
                job !== except &&
                job.begun &&
                job.config.progress.some(
                    (target) =>
                        target.property === property && job.components(target).some((other) => stringify(other) === name)
                )
        );
    }

    // Events: values that are to reach their component each, where of others the latest will do

    /** @typedef {"once" | "step" | "file"} EventKind */
    /** @typedef {{seq: number, kind: EventKind, value: any}} Happening */
    /**
     * @typedef {Object} Line The events of a job for one component and property.
     * @property {ComponentId} id
     * @property {string} property
     * @property {number} last the number of the latest that has come
     * @property {boolean} here whether the component was on the page when it was last looked for
     * @property {number} round how often it has come back
     * @property {Set<Happening>} kept those that it gets when it comes back
     */

    /** @param {any} value */
    function isEvents(value) {
        return has(value, "__dash_long_callback_events");
    }

    /** @param {ComponentId} id @param {string} property @returns {string} */
    function nameOf(id, property) {
        return `${stringify(id)}.${property}`;
    }

    /** What waits, by component and property: the end of each line. @type {Map<string, Promise<void>>} */
    const lines = new Map();

    /**
     * Do something with a property when all that came before is done: at once, if nothing waits.
     * @param {string} name
     * @param {() => void | Promise<void>} action which throws nothing
     */
    function inLine(name, action) {
        const before = lines.get(name);
        const done = before ? before.then(action) : action();
        if (done) {
            lines.set(name, done);
            done.then(() => lines.get(name) === done && lines.delete(name));
        }
    }

    /**
     * Let what the renderer and React have begun come to its end. Timers and pictures would not do: a tab in
     * the background has next to none.
     */
    async function settled() {
        for (let turn = 0; turn < 4; turn++) {
            await new Promise((resolve) => {
                const { port1, port2 } = new MessageChannel();
                port1.onmessage = resolve;
                port2.postMessage(null);
            });
        }
    }

    /** @param {number} ms @returns {Promise<void>} */
    function pause(ms) {
        return new Promise((resolve) => setTimeout(resolve, ms));
    }

    /**
     * Give a component one event, and wait until it has taken it: React would show it only the last of two.
     * @param {{type: string}} component
     * @param {ComponentId} id
     * @param {string} property
     * @param {any} value
     */
    async function give(component, id, property, value) {
        const plot = component.type === "Graph" ? await drawn(id) : null;
        const redrawn = plot && new Promise((resolve) => plot.once("plotly_redraw", resolve));
        clientside.set_props(id, { [property]: value });
        if (redrawn && ["extendData", "prependData"].includes(property)) {
            await Promise.race([redrawn, pause(DRAWN_MAX)]);
        }
        await settled();
    }

    /**
     * Wait until a graph is drawn. Points that come while it draws others, it draws twice.
     * @param {ComponentId} id
     * @returns {Promise<any>} the element that Plotly draws in; null if there is none
     */
    async function drawn(id) {
        for (const until = Date.now() + READY_MAX; Date.now() < until; await pause(50)) {
            const element = document.getElementById(stringify(id));
            const plot = element && element.querySelector(".js-plotly-plot");
            if (plot && !plot.matches(".dash-graph--pending")) {
                return plot;
            }
        }
        return null;
    }

    // One request at a time asks for the news of all jobs of the tab.

    /** @param {News} first @param {News} second @returns {News} what both tell, without what is out of date */
    function merged(first, second) {
        const later = second.updates || [];
        const plain = later.filter(([, value]) => !isPatch(value) && !isEvents(value));
        const replaced = new Set(plain.map(([target]) => String(target)));
        const earlier = (first.updates || []).filter(([target, value]) => isEvents(value) || !replaced.has(String(target)));
        return { ...second, updates: [...earlier, ...later] };
    }

    /** How many clicks the server has not answered yet. */
    let submitting = 0;

    class Feed {
        constructor() {
            /** @type {Map<string, Job>} */
            this.jobs = new Map();
            /** @type {AbortController | null} */
            this.request = null;
            /** @type {ReturnType<typeof setTimeout> | undefined} */
            this.timer = undefined;
            this.due = Infinity;
            this.patience = new Patience();
            this.hidden = document.hidden;
            /** Until when no stream is asked for, and for how long after the next that is kept back. */
            this.noStreams = 0;
            this.streamPause = STREAM_PAUSE;
        }

        /** @param {Job} job @param {number} after seconds */
        add(job, after) {
            this.jobs.set(job.id, job);
            // The request under way is of the others only. It goes on until then: when many jobs
            // begin at once, the next request is of all of them.
            this.schedule(Math.max(after * 1000, submitting ? GATHER : 0));
        }

        /** @param {Job} job */
        remove(job) {
            if (this.jobs.delete(job.id) && !this.jobs.size) {
                clearTimeout(this.timer);
                this.due = Infinity;
                this.stop();
            }
        }

        stop() {
            if (this.request) {
                this.request.abort();
                this.request = null;
            }
        }

        /** @param {number} ms The earliest wins. */
        schedule(ms) {
            const due = Date.now() + ms;
            if (due < this.due) {
                clearTimeout(this.timer);
                this.due = due;
                this.timer = setTimeout(() => {
                    this.due = Infinity;
                    this.ask();
                }, ms);
            }
        }

        /** Ask now: what was said about when to ask is out of date. */
        hurry() {
            if (this.jobs.size) {
                this.schedule(0);
            }
        }

        async ask() {
            this.stop();
            const request = (this.request = new AbortController());
            const asked = Array.from(this.jobs.values());
            const stream = Boolean(page.ReadableStream) && Date.now() > this.noStreams && settings().stream && !this.hidden;
            const body = JSON.stringify({
                tab: TAB,
                jobs: Object.fromEntries(asked.map((job) => [job.id, job.seq])),
                hidden: this.hidden || undefined,
                stream: stream || undefined,
            });
            const late = () => {
                if (stream) {
                    this.noStreams = Date.now() + this.streamPause;
                    this.streamPause *= 2;
                }
                request.abort();
            };
            const timer = setTimeout(late, stream ? STREAM_FIRST : ANSWER_MAX);
            this.patience.begin();
            let after = 0;
            try {
                const response = await post("_dash-long-callback/updates", body, { signal: request.signal });
                if (response.status === 404) {
                    const words = await response.json().catch(() => ({}));
                    if (words.error !== "JobNotFound") {
                        throw new Trouble("status 404"); // a proxy that has lost its server
                    }
                    asked.filter((job) => this.jobs.get(job.id) === job).forEach(expire);
                } else {
                    const trouble = await troubleOf(response);
                    if (trouble) {
                        throw trouble;
                    }
                    if (response.body && (response.headers.get("Content-Type") || "").startsWith("text/event-stream")) {
                        after = await this.read(response.body, request, () => {
                            clearTimeout(timer);
                            this.streamPause = STREAM_PAUSE;
                        });
                    } else {
                        after = this.take([await response.json()], request);
                    }
                }
                this.patience.succeed();
            } catch (error) {
                if (this.request === request) {
                    this.request = null;
                    this.stumble(error instanceof Trouble ? error : new Trouble("the server did not respond"));
                }
                return;
            } finally {
                clearTimeout(timer);
            }
            if (this.request === request) {
                this.request = null;
                if (this.jobs.size) {
                    this.schedule(after * 1000);
                }
            }
        }

        /**
         * @param {any[]} answers in their order; several, if the page was too slow for them
         * @param {AbortController} request what they answer
         * @returns {number} seconds until the next question
         */
        take(answers, request) {
            if (this.request !== request) {
                return 0; // replaced while it was on its way
            }
            /** @type {Map<string, News | null>} */
            const found = new Map();
            for (const answer of answers) {
                for (const [id, news] of Object.entries(answer.jobs)) {
                    const before = found.get(id);
                    found.set(id, before && news ? merged(before, news) : news);
                }
            }
            for (const [id, news] of found) {
                const job = this.jobs.get(id);
                if (job) {
                    attempt(job.name, () => (news ? job.hear(news) : expire(job)));
                }
            }
            return answers.length ? answers[answers.length - 1].after : 0;
        }

        /**
         * @param {ReadableStream<Uint8Array>} body server-sent events
         * @param {AbortController} request
         * @param {() => void} flows called when the first has come
         * @returns {Promise<number>} seconds until the next question
         */
        async read(body, request, flows) {
            const reader = body.getReader();
            const decoder = new TextDecoder();
            let [text, from, after] = ["", 0, 0];
            /** @type {ReturnType<typeof setTimeout> | undefined} */
            let timer;
            try {
                for (;;) {
                    const { done, value } = await reader.read();
                    if (done) {
                        return after;
                    }
                    flows();
                    clearTimeout(timer);
                    timer = setTimeout(() => request.abort(), STREAM_NEXT);
                    text += decoder.decode(value, { stream: true });
                    const answers = [];
                    for (let end = text.indexOf("\n\n", from); end >= 0; end = text.indexOf("\n\n")) {
                        const event = text.slice(0, end);
                        text = text.slice(end + 2);
                        from = 0;
                        if (event.startsWith("data: ")) {
                            answers.push(JSON.parse(event.slice("data: ".length)));
                        }
                    }
                    from = Math.max(0, text.length - 1); // large results come in many pieces
                    if (this.request !== request) {
                        return 0;
                    }
                    this.patience.succeed();
                    this.patience.begin();
                    after = answers.length ? this.take(answers, request) : after;
                }
            } finally {
                clearTimeout(timer);
            }
        }

        /** @param {Trouble} trouble */
        stumble(trouble) {
            const pause = this.patience.fail(trouble);
            if (pause !== null) {
                this.schedule(pause);
                return;
            }
            const words = this.patience.words(
                "The server can't be reached. If the job still runs, reload the page to find it again",
                trouble
            );
            this.patience.succeed();
            Array.from(this.jobs.values()).forEach((job) => job.settle({ error: failure(words) }, true));
        }
    }

    const feed = new Feed();

    /** The server does not know a job. @param {Job} job */
    function expire(job) {
        const words = "JobNotFound: no such job: it never existed or has expired; run the callback again";
        // Of one that was found by a reload the page has shown nothing yet.
        job.settle(job.found && !job.seq ? {} : { error: failure(words) });
    }

    // What the renderer calls

    /**
     * @param {string} name
     * @param {Config} config
     * @returns {Promise<any>}
     */
    function run(name, config) {
        const context = clientside.callback_context;
        const job = new Job(questionOf(name, config, context), config);
        changed();
        const others = inSlot(job.slot);
        const again = others.some((other) => other.found && other.question.values === job.question.values);
        if ((again && !context.triggered.length) || (config.retrigger === "ignore" && others.length)) {
            // What a page asks when it is loaded runs already.
            spin(job.slot);
            return Promise.reject(clientside.PreventUpdate);
        }
        enter(job);
        if (config.retrigger === "replace") {
            others.forEach((other) => replace(other, job));
        } else {
            // The renderer forgets a callback when it is triggered again.
            job.detach();
        }
        if (config.retrigger !== "queue" || !others.length) {
            if (config.cached) {
                // The answer may be there already: then nothing flashes.
                setTimeout(() => job.show(), SHOW_AFTER);
            } else {
                job.show();
            }
            submit(job);
        }
        memory.keep(job.question); // while the request is on its way
        return job.promise;
    }

    /** @param {string} name @param {Config} config @param {any} context @returns {Question} */
    function questionOf(name, config, context) {
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
            every: states.slice(config.states).map(valueOf),
            values: valuesOf(inputs),
            at: Date.now(),
            payload: JSON.stringify(payload),
        };
    }

    /** @param {any} dependency @returns {any} */
    function valueOf(dependency) {
        return Array.isArray(dependency) ? dependency.map(valueOf) : dependency.value;
    }

    /** @param {Job} old @param {Job} job which takes its place */
    function replace(old, job) {
        old.cancel();
        if (!old.settled) {
            old.settled = true;
            feed.remove(old);
            memory.drop(old.id);
            leave(old);
            // "running" simply stays on. So do spinners, which the end of any promise of these outputs
            // turns off: the old one ends with the new.
            const end = () => old.reject(clientside.PreventUpdate);
            job.promise.then(end, end);
        }
        job.shown = job.shown || old.shown;
        job.resetProgress(); // before the new run writes some
    }

    /** @param {Job} job */
    async function submit(job) {
        job.begun = true;
        const body = job.question.payload || "";
        const patience = new Patience();
        for (;;) {
            patience.begin();
            /** @type {Trouble | null} */
            let trouble;
            /** @type {any} */
            let answer = null;
            try {
                // By its name, the server tells a request that comes twice.
                const headers = { "X-Long-Callback-Job": job.id };
                submitting += 1;
                const response = await post("_dash-update-component", body, { headers }).finally(() => (submitting -= 1));
                if (response.status === 204) {
                    job.settle({});
                    return;
                }
                const found = await troubleOf(response.ok ? response : response.clone());
                if (!found) {
                    answer = await response.json();
                    if (!has(answer, "news")) {
                        throw new Trouble("the answer is not from the app"); // of a proxy, perhaps
                    }
                }
                if (found && (response.status === 500 || (found.final && !found.message.startsWith("SessionExpired")))) {
                    job.settle({ error: response }); // what the app has to say of it
                    return;
                }
                trouble = found;
            } catch (error) {
                trouble = new Trouble("the server did not respond"); // or its answer was cut off
            }
            if (!trouble) {
                // Not above: what a component makes of it is not the network's fault.
                attempt(job.name, () => accept(job, answer));
                return;
            }
            const pause = patience.fail(trouble);
            if (job.cancelled || job.settled) {
                job.settle({});
                cancelJob(job.id); // it may be there, and its name lost on the way
                return;
            }
            if (pause === null) {
                // The answer may have got lost, and the job run. But it must not begin long after.
                job.question.payload = undefined;
                job.question.doubtful = true;
                memory.keep(job.question);
                const words = patience.words("The server can't be reached", trouble);
                job.settle({ error: failure(words) }, !trouble.final);
                return;
            }
            await wait(pause);
        }
    }

    /** @param {Job} job @param {{job: string, news: News, after: number}} answer */
    function accept(job, answer) {
        job.known = true;
        job.question.payload = undefined;
        if (answer.job !== job.id) {
            memory.drop(job.id);
            job.id = job.question.id = answer.job;
        }
        if (job.cancelled) {
            cancelJob(job.id); // before the server had it
        }
        if (!answer.news.ended && !job.settled) {
            memory.keep(job.question);
        }
        job.hear(answer.news);
        if (!job.settled && !answer.news.ended) {
            if (alive().filter((other) => other !== job && other.known && !other.detached).length >= PLACES) {
                job.detach();
            }
            feed.add(job, answer.after);
        }
    }

    /** A cancel input has changed. @returns {any} no update, in the shape of the outputs */
    function cancel() {
        const context = clientside.callback_context;
        const changed = context.triggered.map((/** @type {{prop_id: string}} */ t) => t.prop_id);
        for (const job of alive()) {
            const hit = job.config.cancel.some((target) =>
                changed.some((/** @type {string} */ prop) => {
                    const dot = prop.lastIndexOf(".");
                    return prop.slice(dot + 1) === target.property && matches(parseId(prop.slice(0, dot)), job.match(target.id));
                })
            );
            if (hit) {
                job.cancel();
            }
        }
        return noUpdate(context.outputs_list);
    }

    /** @param {ComponentId} id @param {ComponentId} pattern */
    function matches(id, pattern) {
        if (typeof id === "string" || typeof pattern === "string") {
            return id === pattern;
        }
        const keys = Object.keys(pattern);
        return (
            keys.length === Object.keys(id).length &&
            keys.every((key) => isWild(pattern[key], "ALL") || JSON.stringify(pattern[key]) === JSON.stringify(id[key]))
        );
    }

    /** @param {any} outputs @returns {any} */
    function noUpdate(outputs) {
        return Array.isArray(outputs) ? outputs.map(noUpdate) : clientside.no_update;
    }

    /**
     * A progress component has appeared.
     * @param {any} value
     * @returns {any} its default, unless a job writes to it already
     */
    function progressDefault(value) {
        const outputs = clientside.callback_context.outputs_list;
        /** @param {any} output @returns {any} */
        const pick = (output) => {
            if (Array.isArray(output)) {
                return output.map(pick);
            }
            return inProgress(output.id, bare(output.property)) ? clientside.no_update : value;
        };
        return pick(outputs);
    }

    // The page: loaded again, changed, in the background, left

    /** What was asked before this page was loaded, and is not on it yet. */
    const lost = once(() => memory.all());

    /** @type {any} */
    let paths = null;
    let changing = false;

    /** Components have come or gone: jobs may have found their outputs again, or lost them. */
    function changed() {
        // What it sets on the page calls it again: that is for the next round.
        while (!changing && renderer.ready() && renderer.state().paths !== paths) {
            changing = true;
            paths = renderer.state().paths;
            for (const job of alive()) {
                attempt(job.name, () => job.reappear());
                attempt(job.name, () => job.appear(job.isHere()));
            }
            const found = lost().map((question) => new Job(question, settings().callbacks[question.name]));
            for (const job of found.filter((one) => one.isHere())) {
                lost().splice(lost().indexOf(job.question), 1);
                attempt(job.name, () => pickUp(job));
            }
            changing = false;
        }
    }

    /** @param {Job} job that was begun before this page was loaded */
    function pickUp(job) {
        const queues = job.config.retrigger === "queue" && inSlot(job.slot).length;
        job.found = job.detached = true;
        enter(job);
        if (queues && job.question.payload) {
            return;
        }
        if (!job.question.doubtful) {
            job.show();
            spin(job.slot);
        }
        if (job.question.payload) {
            submit(job); // the page was left before the server had answered
        } else {
            job.begun = job.known = true;
            feed.add(job, 0);
        }
    }

    /** Begin to look at the page, once there is one. */
    function begin() {
        if (page.store) {
            // Later: the renderer tells of what it does also in the middle of drawing it.
            page.store.subscribe(() => renderer.state().paths !== paths && setTimeout(changed));
            setTimeout(changed);
        } else {
            setTimeout(begin, 50);
        }
    }

    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let hiding;
    document.addEventListener("visibilitychange", () => {
        clearTimeout(hiding);
        if (document.hidden) {
            hiding = setTimeout(() => {
                feed.hidden = true;
                feed.hurry();
            }, HIDDEN_AFTER);
        } else if (feed.hidden) {
            feed.hidden = false;
            feed.hurry();
        }
    });
    window.addEventListener("online", () => feed.hurry());
    window.addEventListener("pageshow", (event) => event.persisted && feed.hurry());
    window.addEventListener("pagehide", () => {
        const jobs = alive().filter((job) => job.config.leave && job.known).map((job) => job.id);
        if (jobs.length) {
            post("_dash-long-callback/leave", JSON.stringify({ jobs }), { keepalive: true }).catch(() => {});
        }
    });
    begin();

    // The renderer looks functions up by name; ours are the ids of callbacks.
    clientside.long_callback = new Proxy(
        {},
        {
            get(_, name) {
                const key = String(name);
                const config = settings().callbacks[key];
                if (config) {
                    return () => run(key, config);
                }
                if (key === "cancel") {
                    return cancel;
                }
                if (key.startsWith("default ")) {
                    const value = JSON.parse(key.slice("default ".length));
                    return () => progressDefault(value);
                }
                return () => {
                    throw new Error(`The page does not know the long callback ${key}: reload it.`);
                };
            },
        }
    );
})();
