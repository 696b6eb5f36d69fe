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
     * @property {string} declared A hash of its inputs, states, outputs and progress.
     */
    /**
     * @typedef {Object} News
     * @property {string} state
     * @property {number} seq
     * @property {boolean} ended
     * @property {Update[]} [updates]
     * @property {{response?: Object<string, Object<string, any>>, dist?: any[]}} [response]
     * @property {Failure} [error]
     */
    /**
     * @typedef {Object} Failure Why a job has not succeeded.
     * @property {string} kind how it ended, see notice.js
     * @property {string} message that any user may read, unless the dev tools are on
     * @property {boolean} user whether these are the author's words
     * @property {string} ref the number of the job, which the log has, too
     * @property {string} [type] this and what follows: for the dev tools only
     * @property {string} [traceback]
     * @property {string} [callback] the function
     */
    /**
     * @typedef {Object} Problem What a job that did not succeed tells the user of the page.
     * @property {string} kind
     * @property {string} [message]
     * @property {boolean} [user]
     * @property {string} [ref]
     * @property {boolean} [reload] whether it helps to load the page again
     */
    /**
     * @typedef {Object} Stop A cancel input that is on the page.
     * @property {number} born when its component came
     * @property {any} value when the component came, or when it was called changed last
     * @property {any} path where the component is
     * @property {any} last the value since it is there: a new layout may set it without a word
     * @property {number} since when
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
     * @property {string[]} [triggers] the properties that have changed
     * @property {number} at when
     * @property {string | null} [owner] whose it is; null: nobody had logged in
     * @property {string} [payload] the request, until the server has it
     * @property {boolean} [doubtful] whether no answer has come, so that the server may not have it
     * @property {string} [declared] how the callback was declared then
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

    /** Milliseconds within which a component that has appeared may set its own properties: some load their code first. */
    const SETTLE = 30000;
    /** Milliseconds within which the initial call may come for outputs that were given the outcome of a job. */
    const INITIAL_CALL = 5000;

    /** Tabs of a browser whose requests may wait: it has six connections to a server for all of them. */
    const HOLDERS = 2;
    /** Milliseconds for which a tab has such a place, and after which it says that it still needs it. */
    const HOLDER_LEASE = 8000;
    const HOLDER_RENEW = 3000;

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
    /** @type {() => {patience: number, stream: boolean, owner?: string | null, callbacks: Object<string, Config>}} */
    const settings = once(() => json("_dash-long-callbacks") || { patience: 0, stream: false, callbacks: {} });
    const prefix = once(() => dashConfig().requests_pathname_prefix || "/");

    // Requests

    /** What went wrong on the way, in words for the page. */
    class Trouble extends Error {
        /**
         * @param {string} message
         * @param {boolean} [final] whether another try makes no sense
         * @param {number} [pause] milliseconds that the server wants us to wait
         * @param {boolean} [session] whether the session has expired
         */
        constructor(message, final = false, pause = 0, session = false) {
            super(message);
            this.final = final;
            this.pause = pause;
            this.session = session;
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
            const how = response.ok ? "the server answered with another page" : status;
            return new Trouble(`${SENTENCES.session} (${how})`, true, 0, true);
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
            this.failures += 1;
            if (navigator.onLine !== false) {
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

        /** The network is back: try at once, and often. */
        renew() {
            this.failures = 0;
        }

        /** @param {number} ms @returns {Promise<void>} after these, or when the network is back */
        wait(ms) {
            return new Promise((resolve) => {
                const online = () => {
                    this.renew();
                    done();
                };
                const done = () => {
                    clearTimeout(timer);
                    window.removeEventListener("online", online);
                    resolve();
                };
                const timer = setTimeout(done, ms);
                window.addEventListener("online", online);
            });
        }
    }

    /**
     * What the dev tools show below the title, which `renderer.titled` gives it.
     * @param {string} text
     * @param {string} [by] the function
     * @returns {Error & {html: string, by: string}}
     */
    function failure(text, by = "") {
        return Object.assign(new Error(text), { html: text, by });
    }

    // What the page is told, by events of the window: notice.js listens, and so may the app.

    /** What happens without the server, or before it knows. @type {Object<string, string>} */
    const SENTENCES = {
        unreachable: "The server can't be reached. Check your connection and try again.",
        session: "Your session has expired. Log in again and reload the page; jobs that still run are found again.",
        expired: "The result is not available any more. Run it again.",
        changed: "The app has changed since this page was loaded. Reload the page.",
        library: "A part of the result could not be loaded. Reload the page.",
        failed: "Something went wrong. Try again.",
    };

    /**
     * @param {"started" | "succeeded" | "failed"} what
     * @param {string} callback
     * @param {any} outputs as the renderer gives them
     * @param {Problem} [problem]
     */
    function tell(what, callback, outputs, problem) {
        const detail = {
            callback,
            outputs: flat(outputs).map(({ id, property }) => ({ id, property: bare(property) })),
            ...(problem && {
                kind: problem.kind,
                message: problem.message || SENTENCES[problem.kind] || SENTENCES.failed,
                user: Boolean(problem.user),
                ref: problem.ref || null,
                reload: Boolean(problem.reload),
            }),
        };
        window.dispatchEvent(new CustomEvent("long-callback-" + what, { detail, cancelable: what === "failed" }));
    }

    /** @param {News} news @returns {Problem} */
    function problemOf({ state, error }) {
        return error ? { kind: error.kind, message: error.message, user: error.user, ref: error.ref } : { kind: state };
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

        /** @returns {any[]} the declarations of all callbacks, as it got them from the server */
        declarations() {
            return (this.state().dependenciesRequest || {}).content || [];
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
         * @param {ComponentId} pattern with ALL, and MATCH for whatever it matches, or an id
         * @returns {ComponentId[]} the components that are on the page
         */
        ids(pattern) {
            if (typeof pattern === "string") {
                return this.path(pattern) ? [pattern] : [];
            }
            const keys = Object.keys(pattern).sort();
            const all = ((this.state().paths || {}).objs || {})[keys.join(",")] || [];
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
         * @param {any} error
         */
        titled(job, error) {
            if (error instanceof Error && "html" in error) {
                const outputs = flat(job.outputs).map(({ id, property }) => `${stringify(id)}.${property}`);
                const title = outputs.length
                    ? `Callback error updating ${outputs.join(", ")}`
                    : `Callback error with no output from input ${(job.question.triggers || []).join(", ")}`;
                const by = /** @type {any} */ (error).by;
                error.message = by ? `${title} by the long callback ${by}` : title;
                Object.defineProperty(error, "stack", { value: undefined });
                this.keepLines();
            }
            return error;
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

        /**
         * Whether the user of this page may have what was remembered in this tab, perhaps by another.
         * @param {Question} question
         * @returns {boolean | null} null: not now, but its owner may be back
         */
        mine(question) {
            const owner = settings().owner;
            if (owner === undefined) {
                return null; // the server could not tell
            }
            if (question.owner !== owner && question.payload) {
                // What one has clicked, nobody else sends. But the server may have it already.
                question.payload = undefined;
                question.doubtful = true;
                this.keep(question);
            }
            if (question.owner === owner || question.owner === null) {
                return true; // also what was asked for before a login: the server knows whose it is
            }
            return owner === null && question.owner ? null : false;
        },

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
                    const kept = question && Date.now() - question.at < REMEMBER;
                    const known = kept && settings().callbacks[question.name];
                    const mine = kept ? this.mine(question) : false;
                    if (known && mine) {
                        found.push(question);
                    } else if (mine !== null) {
                        sessionStorage.removeItem(key);
                        if (kept && mine) {
                            tell("failed", question.name, question.outputs, { kind: "changed" });
                        }
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

    /** @param {any} one @param {any} other @returns {boolean} whether they are the same value; none is null */
    function same(one, other) {
        return JSON.stringify(one === undefined ? null : one) === JSON.stringify(other === undefined ? null : other);
    }

    /** @param {string} property @returns {boolean} whether it counts what somebody, or a clock, does */
    function isCounter(property) {
        return property.startsWith("n_");
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
            /** @type {Map<string, {born: number, value: any, heard: boolean}>} Its cancel inputs, and whether they have changed. */
            this.stops = new Map();
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
                    setProperty(id, property, patched(one, (propsOf(id) || props)[property]));
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
            if (target) {
                this.components(target).forEach((id) => this.set(id, target.property, value));
            }
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

        /** @param {Problem} problem @returns {Problem} with whether it helps to load the page again */
        seen(problem) {
            // Not if that was done: then the page is as new as the app.
            return { ...problem, reload: problem.kind === "session" || (problem.kind === "changed" && !this.found) };
        }

        /** Show that it runs, unless it does already. */
        show() {
            if (!this.shown && !this.settled) {
                this.shown = true;
                this.setRunning("on");
                this.signs().forEach(([id]) => notePlace(stringify(id)));
            }
        }

        /** @returns {[ComponentId, string, any][]} the components that show that it runs, and how */
        signs() {
            const { running, progress } = this.config;
            /** @type {[Target, any][]} */
            const targets = running.map((target) => [target, target.on]);
            progress.forEach((target, index) => targets.push([target, this.progress.get(index)]));
            return targets.flatMap(([target, value]) =>
                this.components(target).map((id) => /** @type {[ComponentId, string, any]} */ ([id, target.property, value]))
            );
        }

        /** @param {(name: string) => boolean} isNew whether a component has come back, or is another one of its name */
        renew(isNew) {
            /** @type {Map<string, [ComponentId, string, any]>} The last of several signs in one place. */
            const latest = new Map();
            for (const sign of this.shown ? this.signs() : []) {
                // A Patch was for what the component had before.
                if (sign[2] !== undefined && !isPatch(sign[2]) && isNew(stringify(sign[0]))) {
                    latest.set(nameOf(sign[0], sign[1]), sign);
                }
            }
            for (const [id, property, value] of latest.values()) {
                if (!same((propsOf(id) || {})[property], value)) {
                    this.set(id, property, value);
                }
            }
        }

        /** Note the values of cancel inputs that have come: only a change of them cancels. */
        watch() {
            for (const target of this.config.cancel) {
                for (const id of renderer.ids(this.match(target.id))) {
                    const name = `${stringify(id)}.${target.property}`;
                    const [stop, mine] = [stops.get(name), this.stops.get(name)];
                    if (stop && (!mine || mine.born !== stop.born)) {
                        this.stops.set(name, { born: stop.born, value: stop.value, heard: false });
                    }
                }
            }
        }

        /**
         * @param {ComponentId} id @param {string} property @param {any} value that the renderer calls new
         * @returns {boolean} whether somebody cancels it thereby
         */
        isCancelledBy(id, property, value) {
            if (!this.config.cancel.some((target) => target.property === property && matches(id, this.match(target.id)))) {
                return false;
            }
            const name = `${stringify(id)}.${property}`;
            const [stop, mine] = [stops.get(name), this.stops.get(name)];
            if (!stop || !mine || mine.born !== stop.born) {
                return isCounter(property) && value > 0; // it has just come
            }
            const { value: before, heard } = mine;
            Object.assign(mine, { value, heard: true });
            const reset = !same(value, stop.last); // to another value than this, without a word
            if (isCounter(property)) {
                return value > 0 && (reset || !same(value, before)); // at 0, it was set back
            }
            return same(value, before) ? reset && !settles(stop.since) : heard || !settles(stop.born);
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
                this.settle({ error: failure(describe(news.error), news.error.callback) }, false, this.seen(problemOf(news)));
            } else if (!news.response || this.cancelled) {
                this.settle({});
            } else {
                const { response = {}, dist } = news.response;
                try {
                    await (dist && Promise.all(dist.map(load)));
                    this.settle({ data: response });
                } catch (error) {
                    const problem = { kind: "library", reload: true };
                    this.settle({ error: failure("A component library could not be loaded.") }, false, problem);
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
                this.detach();
                spin(this.slot);
            }
        }

        /**
         * @param {{data?: Object<string, Object<string, any>>, error?: any}} result neither: nothing changes
         * @param {boolean} [remember] whether a reload is to find it
         * @param {Problem} [problem] what the user is told of an error, or without one for the dev tools
         */
        settle(result, remember = false, problem = result.error && { kind: "failed" }) {
            // The renderer forgets a callback whose outputs have gone, also if they are back already.
            changed();
            if (this.settled) {
                return;
            }
            this.settled = true;
            feed.remove(this);
            leave(this);
            attempt(this.name, () => this.hide());
            const given = this.fitting(result);
            const said = problem || (given.error && { kind: "failed" });
            // The server may never have had a doubtful one, which the user has been told.
            if (said && !this.cancelled && (given.error || !this.question.doubtful)) {
                tell("failed", this.name, this.outputs, said);
            } else if (result.data) {
                tell("succeeded", this.name, this.outputs);
            }
            attempt(this.name, () => this.give(given));
            if (this.found && (result.data || given.error)) {
                answered.set(this.slot, this);
                setTimeout(() => answered.delete(this.slot), INITIAL_CALL);
            }
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
            if (error) {
                error = renderer.titled(this, error);
            }
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

    /** @param {Failure} error @returns {string} */
    function describe(error) {
        return error.traceback || (error.type ? `${error.type}: ${error.message}` : error.message);
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
            await patience.wait(pause || 0);
        }
    }

    /** The jobs of each set of concrete outputs that have not settled, the oldest first. @type {Map<string, Job[]>} */
    const slots = new Map();

    /** Jobs whose outcome was given a moment ago to outputs that had just appeared, by slot. @type {Map<string, Job>} */
    const answered = new Map();

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

    // Whose requests wait: those of a few tabs of the browser. The others ask now and then.

    /*
     * A place is an entry of localStorage: who has it, and until when. Web Locks would do the same, but
     * browsers have them for https and localhost only. Two tabs may take a place at the same moment; the
     * browser then tells the one whose entry was replaced.
     */
    const holder = {
        /** The place that this tab has. */
        key: "",
        /** @type {ReturnType<typeof setInterval> | undefined} */
        timer: undefined,

        /** @returns {boolean} whether a request of this tab may wait */
        take() {
            try {
                if (this.key && !this.isMine()) {
                    this.forget();
                }
                for (let i = 0; i < HOLDERS && !this.key; i++) {
                    const key = `dash-long-callback holder ${i}`;
                    if (this.isFree(localStorage.getItem(key))) {
                        localStorage.setItem(key, `${TAB} ${Date.now() + HOLDER_LEASE}`);
                        this.key = key;
                        this.timer = setInterval(() => this.renew(), HOLDER_RENEW);
                    }
                }
            } catch (error) {
                // Full, or forbidden: then nobody knows who has the places.
            }
            return Boolean(this.key);
        },

        /** @param {string | null} entry */
        isFree(entry) {
            const left = Number((entry || "").split(" ")[1]) - Date.now();
            return !(left > 0 && left <= HOLDER_LEASE); // a clock may have been set back
        },

        /** @returns {boolean} whether nobody else has taken the place */
        isMine() {
            const entry = localStorage.getItem(this.key);
            return !entry || entry.startsWith(TAB);
        },

        renew() {
            try {
                if (this.isMine()) {
                    localStorage.setItem(this.key, `${TAB} ${Date.now() + HOLDER_LEASE}`);
                    return;
                }
            } catch (error) {
                // Full, or forbidden by now.
            }
            this.forget();
            feed.hurry(); // without a place
        },

        forget() {
            clearInterval(this.timer);
            this.key = "";
        },

        /** Leave the place to another tab, which sees it when it asks next. */
        free() {
            try {
                if (this.key && this.isMine()) {
                    localStorage.removeItem(this.key);
                }
            } catch (error) {
                // Forbidden by now.
            }
            this.forget();
        },
    };
    window.addEventListener("storage", (event) => event.key === holder.key && holder.renew());

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
        setProperty(id, property, value);
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
                this.pause();
            }
        }

        /** Ask nothing, and leave the place to another tab. */
        pause() {
            clearTimeout(this.timer);
            this.due = Infinity;
            this.stop();
            holder.free();
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
            if (this.hidden) {
                holder.free();
            }
            const holds = !this.hidden && holder.take();
            const stream = Boolean(page.ReadableStream) && Date.now() > this.noStreams && settings().stream && holds;
            const body = JSON.stringify({
                tab: TAB,
                jobs: Object.fromEntries(asked.map((job) => [job.id, job.seq])),
                hidden: this.hidden || undefined,
                pace: !holds || undefined,
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
                    asked.filter((job) => this.jobs.get(job.id) === job).forEach((job) => expire(job, words.owner));
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
            /** @type {string | null | undefined} */
            let owner;
            for (const answer of answers) {
                owner = "owner" in answer ? answer.owner : owner;
                for (const [id, news] of Object.entries(answer.jobs)) {
                    const before = found.get(id);
                    found.set(id, before && news ? merged(before, news) : news);
                }
            }
            for (const [id, news] of found) {
                const job = this.jobs.get(id);
                if (job) {
                    attempt(job.name, () => (news ? job.hear(news) : expire(job, owner)));
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
            const problem = { kind: trouble.session ? "session" : "unreachable", reload: true };
            Array.from(this.jobs.values()).forEach((job) => job.settle({ error: failure(words) }, true, problem));
        }
    }

    const feed = new Feed();

    /**
     * The server does not know a job, for the user who is logged in now.
     * @param {Job} job
     * @param {string | null} [owner] that user, if the server has said so
     */
    function expire(job, owner) {
        const other = owner !== undefined && job.question.owner && job.question.owner !== owner;
        const words = other
            ? "SessionExpired: you are not logged in any more, or as another user. Log in again and reload the page"
            : "JobNotFound: no such job: it never existed or has expired; run the callback again";
        // Of one that was found by a reload the page has shown nothing yet.
        const problem = { kind: other ? "session" : "expired", reload: Boolean(other) };
        job.settle(job.found && !job.seq ? {} : { error: failure(words) }, Boolean(other && owner === null), problem);
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
        if (isAskedAlready(job, context.triggered) || (config.retrigger === "ignore" && others.length)) {
            // The renderer forgets a callback when it calls it again.
            others.forEach((other) => other.detach());
            spin(job.slot);
            return Promise.reject(clientside.PreventUpdate);
        }
        enter(job);
        // The change that has triggered it does not cancel it, but others may have since.
        context.triggered.forEach((/** @type {any} */ one) => hearStop(one.prop_id, one.value));
        job.watch();
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
            submit(job, true);
        }
        memory.keep(job.question); // while the request is on its way
        return job.promise;
    }

    /**
     * @param {Job} job
     * @param {{prop_id: string}[]} triggered
     * @returns {boolean} whether the renderer only calls it as components have come, or the page was
     *   loaded, and what it asks runs already, or was answered just now
     */
    function isAskedAlready(job, triggered) {
        if (renderer.isChange(job.name, triggered.map((one) => one.prop_id))) {
            return false;
        }
        const last = answered.get(job.slot);
        answered.delete(job.slot);
        return [...inSlot(job.slot), ...(last ? [last] : [])].some(
            (other) => !other.cancelled && other.question.values === job.question.values
        );
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
            triggers: changed,
            at: Date.now(),
            owner: settings().owner,
            payload: JSON.stringify(payload),
            declared: config.declared,
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

    /**
     * @param {Job} job
     * @param {boolean} [now] whether it was asked for in this moment, so by who is logged in
     */
    async function submit(job, now = false) {
        job.begun = true;
        tell("started", job.name, job.outputs);
        if (job.question.declared !== job.config.declared) {
            refuse(job, SENTENCES.changed, { kind: "changed" }); // what was asked would be taken for something else
            return;
        }
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
                /** @type {Object<string, string>} */
                const headers = {
                    "X-Long-Callback-Job": job.id,
                    "X-Long-Callback-Declared": job.question.declared || "",
                };
                if (!now && job.question.owner) {
                    headers["X-Long-Callback-Owner"] = job.question.owner; // it is for this one only
                }
                now = false;
                submitting += 1;
                const response = await post("_dash-update-component", body, { headers }).finally(() => (submitting -= 1));
                if (response.status === 204) {
                    job.settle({});
                    return;
                }
                const found = await troubleOf(response.ok ? response : response.clone());
                if (!found) {
                    answer = await response.json();
                    if (has(answer, "response")) {
                        // It is an ordinary callback by now.
                        refuse(job, SENTENCES.changed, { kind: "changed", reload: true });
                        return;
                    }
                    if (!has(answer, "news")) {
                        throw new Trouble("the answer is not from the app"); // of a proxy, perhaps
                    }
                } else if (response.status === 500 || (found.final && !found.session)) {
                    if (await isChanged(job.name)) {
                        refuse(job, SENTENCES.changed, { kind: "changed", reload: true });
                    } else {
                        job.settle({ error: failure(await response.text()) }, false, { kind: "failed" }); // what the app has to say of it
                    }
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
                const problem = trouble.session ? { kind: "session", reload: true } : { kind: "unreachable" };
                job.settle({ error: failure(words) }, !trouble.final, problem);
                return;
            }
            await patience.wait(pause);
        }
    }

    /** @param {Job} job @param {string} words @param {Problem} problem */
    function refuse(job, words, problem) {
        job.settle({ error: failure(words) }, false, problem);
    }

    /**
     * Whether the server declares a callback otherwise than when this page was loaded, or not at all.
     * Then Dash can't dispatch what the page sends, and answers just 500.
     * @param {string} name
     */
    async function isChanged(name) {
        /** @param {any[]} declarations */
        const find = (declarations) => {
            const { inputs = 0, state = 0 } = declarations.find((one) => one.output === name) || {};
            return JSON.stringify([inputs, state]);
        };
        try {
            const response = await fetch(prefix() + "_dash-dependencies", { credentials: "same-origin", ...dashConfig().fetch });
            return response.ok && find(await response.json()) !== find(renderer.declarations());
        } catch (error) {
            return false; // nobody knows
        }
    }

    /** @param {Job} job @param {{job: string, news: News, after: number, owner?: string | null}} answer */
    function accept(job, answer) {
        job.known = true;
        if (answer.owner !== undefined) {
            // A login or logout by a callback does not load the page again.
            job.question.owner = settings().owner = answer.owner;
        }
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

    /** A cancel input has a new value. @returns {any} no update, in the shape of the outputs */
    function cancel() {
        const context = clientside.callback_context;
        for (const { prop_id, value } of context.triggered) {
            const dot = prop_id.lastIndexOf(".");
            const id = parseId(prop_id.slice(0, dot));
            alive()
                .filter((job) => job.isCancelledBy(id, prop_id.slice(dot + 1), value))
                .forEach((job) => job.cancel());
            hearStop(prop_id, value);
        }
        return noUpdate(context.outputs_list);
    }

    // What the page sets by itself, as it is drawn, is no cancel.

    /** When somebody has last done something on the page. */
    let touched = -Infinity;
    for (const what of ["pointerdown", "keydown", "click", "input", "change", "drop", "popstate"]) {
        window.addEventListener(what, () => (touched = performance.now()), { capture: true, passive: true });
    }

    /** @type {() => Target[]} */
    const cancelInputs = once(() => Object.values(settings().callbacks).flatMap((config) => config.cancel));
    /** The cancel inputs that are on the page. @type {Map<string, Stop>} */
    let stops = new Map();

    function noteStops() {
        /** @type {Map<string, Stop>} */
        const found = new Map();
        const now = performance.now();
        for (const target of cancelInputs()) {
            for (const id of renderer.ids(target.id)) {
                const [name, path] = [`${stringify(id)}.${target.property}`, renderer.path(id)];
                const value = (propsOf(id) || {})[target.property];
                const stop = stops.get(name) || { born: now, value, path, last: value, since: now };
                found.set(name, stop.path === path ? stop : { ...stop, path, last: value, since: now });
            }
        }
        stops = found;
    }

    /** @param {string} name @param {any} value that its change has brought, as a callback was told */
    function hearStop(name, value) {
        const stop = stops.get(name);
        if (stop) {
            Object.assign(stop, { value, last: value });
        }
    }

    /** @param {number} since @returns {boolean} whether that was just now, and nobody has done anything since */
    function settles(since) {
        return touched < since && performance.now() - since < SETTLE;
    }

    /** @param {ComponentId} id @param {ComponentId} pattern */
    function matches(id, pattern) {
        if (typeof id === "string" || typeof pattern === "string") {
            return id === pattern;
        }
        const keys = Object.keys(pattern);
        return (
            keys.length === Object.keys(id).length &&
            keys.every((key) => isWild(pattern[key], "ALL") || isWild(pattern[key], "MATCH") || JSON.stringify(pattern[key]) === JSON.stringify(id[key]))
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
    /** Where the components are that show that jobs run. In another place, it is another one. @type {Map<string, any>} */
    let places = new Map();

    /** @param {string} name of a component */
    function notePlace(name) {
        if (!places.has(name)) {
            places.set(name, renderer.path(parseId(name)));
        }
    }

    /** @param {ComponentId} id @param {string} property @param {any} value */
    function setProperty(id, property, value) {
        const [name, path] = [stringify(id), renderer.path(id)];
        const known = places.get(name) === path;
        clientside.set_props(id, { [property]: value });
        if (known && places.has(name)) {
            places.set(name, renderer.path(id)); // a new array, for the same component
        }
    }

    /** Components have come or gone: jobs may have found their outputs again, or lost them. */
    function changed() {
        // What it sets on the page calls it again: that is for the next round, which the store's listener asks for.
        // Not a loop: values that hold components would keep the page in it.
        if (changing || !renderer.ready() || renderer.state().paths === paths) {
            return;
        }
        changing = true;
        try {
            look();
        } finally {
            changing = false;
        }
    }

    function look() {
        paths = renderer.state().paths;
        noteStops();
        answered.forEach((job) => job.isHere() || answered.delete(job.slot));
        const [before, jobs] = [places, alive()];
        const isNew = (/** @type {string} */ name) => {
            const path = renderer.path(parseId(name));
            return Boolean(path) && before.has(name) && before.get(name) !== path;
        };
        for (const job of jobs) {
            attempt(job.name, () => job.reappear());
            attempt(job.name, () => {
                job.renew(isNew);
                job.appear(job.isHere());
                job.watch();
            });
        }
        places = new Map();
        jobs.forEach((job) => job.signs().forEach(([id]) => notePlace(stringify(id))));
        const found = lost().map((question) => new Job(question, settings().callbacks[question.name]));
        for (const job of found.filter((one) => one.isHere())) {
            lost().splice(lost().indexOf(job.question), 1);
            attempt(job.name, () => pickUp(job));
        }
    }

    /** @param {Job} job that was begun before this page was loaded */
    function pickUp(job) {
        const queues = job.config.retrigger === "queue" && inSlot(job.slot).length;
        job.found = job.detached = true;
        if (job.question.declared !== job.config.declared) {
            job.config = { ...job.config, progress: [] }; // its numbers are those of others by now
        }
        enter(job);
        job.watch();
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
    window.addEventListener("online", () => {
        feed.patience.renew();
        feed.hurry();
    });
    window.addEventListener("pageshow", (event) => event.persisted && feed.hurry());
    window.addEventListener("pagehide", () => {
        const jobs = alive().filter((job) => job.config.leave && job.known).map((job) => job.id);
        if (jobs.length) {
            post("_dash-long-callback/leave", JSON.stringify({ jobs }), { keepalive: true }).catch(() => {});
        }
        feed.pause(); // until it is shown again, if the browser keeps it
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
                    const { outputs_list } = clientside.callback_context;
                    tell("failed", key, outputs_list, { kind: "changed", reload: true });
                    return Promise.reject(failure(SENTENCES.changed));
                };
            },
        }
    );
})();
