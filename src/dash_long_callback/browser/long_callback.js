// @ts-check
/*
 * The browser side of long callbacks.
 *
 * The renderer calls a long callback as it calls any clientside callback, and waits for the promise
 * that it gets. Behind the promise:
 *
 *     run() ── POST _dash-update-component ──► a job id, or at once the outcome
 *       │
 *     Poller ── POST …/updates ──► news of all jobs of this tab, in one request at a time
 *       │
 *     Job.hear() ── set_props for updates ── resolves the promise with the outputs at the end
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
     */
    /**
     * @typedef {Object} News
     * @property {string} state
     * @property {number} seq
     * @property {boolean} ended
     * @property {[number | [string, string], any][]} [updates]
     * @property {{response?: Object<string, Object<string, any>>, dist?: any[]}} [response]
     * @property {{type: string, message: string, traceback?: string}} [error]
     */

    /** @type {any} */
    const page = window;
    const clientside = (page.dash_clientside = page.dash_clientside || {});

    /** Milliseconds between tries when the server can't be reached: doubled, up to the second. */
    const RETRY_MIN = 250;
    const RETRY_MAX = 5000;
    /** Milliseconds after which the page shows that a job runs whose result may have been kept. */
    const SHOW_AFTER = 60;
    /** Milliseconds without an answer after which a job is given up. */
    const GIVE_UP = 120000;

    /** Milliseconds to wait for an answer: the server holds a request for a fraction of that. */
    const ANSWER_MAX = 60000;
    /** Statuses of proxies that say "later", below those that say "never". */
    const LATER = [408, 425, 429];
    /** Milliseconds to wait for a picture: it never comes if the tab goes to the background. */
    const PAINT_MAX = 100;

    /**
     * Long jobs that may keep a place among the callbacks that the renderer runs at once, which are
     * twelve. These few have all of its care: its title says "Updating...", and callbacks that need
     * their outputs wait. The others make way for the page's ordinary callbacks.
     */
    const PLACES = 4;

    /** This tab, so that the server knows when a request replaces another. */
    const TAB = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

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
    /** @type {() => Object<string, Config>} */
    const callbacks = once(() => json("_dash-long-callbacks") || {});

    // Requests

    /**
     * @param {string} path
     * @param {Object} body
     * @param {AbortSignal} [signal]
     * @returns {Promise<Response>}
     */
    function post(path, body, signal) {
        const config = dashConfig();
        const options = config.fetch || {};
        /** @type {Object<string, string>} */
        const headers = { Accept: "application/json", "Content-Type": "application/json" };
        const token = document.cookie
            .split("; ")
            .find((cookie) => cookie.startsWith((config.csrf_token_name || "_csrf_token") + "="));
        if (token) {
            headers[config.csrf_header_name || "X-CSRFToken"] = token.slice(token.indexOf("=") + 1);
        }
        return fetch((config.requests_pathname_prefix || "/") + path, {
            credentials: "same-origin",
            ...options,
            method: "POST",
            headers: { ...headers, ...options.headers },
            body: JSON.stringify(body),
            signal,
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

    /** @type {Set<string>} */
    const missing = new Set();

    /**
     * @param {ComponentId} id
     * @returns {Object<string, any> | null} the component's props, or null if it is not on the page
     */
    function propsOf(id) {
        try {
            const component = page.dash_component_api.getLayout(id);
            return component && component.props ? component.props : null;
        } catch (error) {
            return null;
        }
    }

    /** @param {ComponentId} id @param {string} property @param {any} value */
    function setProp(id, property, value) {
        const props = propsOf(id);
        if (!props) {
            const name = stringify(id);
            if (!missing.has(name)) {
                missing.add(name);
                console.warn(`A long callback sets ${name}.${property}, but there is no such component on the page.`);
            }
            return;
        }
        clientside.set_props(id, { [property]: patched(value, props[property]) });
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

    // Patches: older renderers apply them to the outputs of server callbacks only.

    /** @param {any} value */
    function isPatch(value) {
        return value !== null && typeof value === "object" && value.__dash_patch_update === "__dash_patch_update";
    }

    /**
     * @param {any} value
     * @param {any} previous
     * @returns {any} the value, or what it makes of the previous one if it is a Patch
     */
    function patched(value, previous) {
        if (!isPatch(value) || clientside.Patch) {
            return value;
        }
        return value.operations.reduce(patchOne, structuredClone(previous));
    }

    /** @param {any} root @param {{operation: string, location: (string|number)[], params: any}} step */
    function patchOne(root, step) {
        const holder = { root };
        /** @type {any} */
        let parent = holder;
        /** @type {string | number} */
        let key = "root";
        for (const part of step.location) {
            parent = parent[key];
            key = Array.isArray(parent) && Number(part) < 0 ? parent.length + Number(part) : part;
        }
        const value = step.params && step.params.value;
        const target = parent[key];
        switch (step.operation) {
            case "Assign": parent[key] = value; break;
            case "Merge": parent[key] = { ...target, ...value }; break;
            case "Extend": parent[key] = [...target, ...value]; break;
            case "Append": parent[key] = [...target, value]; break;
            case "Prepend": parent[key] = [value, ...target]; break;
            case "Insert": target.splice(step.params.index, 0, value); break;
            case "Clear": parent[key] = Array.isArray(target) ? [] : {}; break;
            case "Reverse": target.reverse(); break;
            case "Remove": parent[key] = target.filter((/** @type {any} */ item) => JSON.stringify(item) !== JSON.stringify(value)); break;
            case "Delete": Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key]; break;
            case "Add": parent[key] = target + value; break;
            case "Sub": parent[key] = target - value; break;
            case "Mul": parent[key] = target * value; break;
            case "Div": parent[key] = target / value; break;
            default: throw new Error(`unknown Patch operation ${step.operation}`);
        }
        return holder.root;
    }

    // Jobs

    class Job {
        /**
         * @param {string} name
         * @param {Config} config
         * @param {any} outputs as the renderer gives them: one, a list, or lists for wildcards
         * @param {any[]} inputs
         * @param {any[]} states values of the states, ours last
         */
        constructor(name, config, outputs, inputs, states) {
            this.name = name;
            this.config = config;
            this.outputs = outputs;
            this.states = states;
            /** What MATCH has matched, if it was used: without outputs, the inputs tell. */
            this.ids = (outputs ? flat(outputs) : inputs.filter((input) => !Array.isArray(input))).map((one) => one.id);
            this.slot = name + " " + JSON.stringify(this.ids.map(stringify));
            /** @type {string | null} */
            this.id = null;
            this.seq = 0;
            this.settled = false;
            this.cancelled = false;
            /** Whether the page shows that it runs. */
            this.shown = false;
            /** How many values of progress no screen has shown yet. */
            this.unseen = 0;
            /** @type {(value: any) => void} */
            this.resolve = () => {};
            /** @type {(error: any) => void} */
            this.reject = () => {};
            /** What the renderer knows it by, while it has no place there. @type {any} */
            this.parked = null;
            this.promise = new Promise((resolve, reject) => {
                this.resolve = resolve;
                this.reject = reject;
            });
        }

        /**
         * @param {Target} target
         * @returns {ComponentId[]} the components that it means for this job
         */
        components(target) {
            if (target.all !== undefined) {
                const ids = this.states[this.config.states + target.all];
                return Array.isArray(ids) ? ids : [];
            }
            return [this.match(target.id)];
        }

        /** @param {ComponentId} id @returns {ComponentId} with MATCH replaced by what matched */
        match(id) {
            if (typeof id === "string") {
                return id;
            }
            const matched = this.ids.filter((other) => typeof other === "object");
            return Object.fromEntries(
                Object.entries(id).map(([key, value]) => {
                    const like = isWild(value, "MATCH") && matched.find((other) => key in other);
                    return [key, like ? like[key] : value];
                })
            );
        }

        /** @param {"on" | "off"} which */
        setRunning(which) {
            for (const target of this.config.running) {
                this.components(target).forEach((id) => setProp(id, target.property, target[which]));
            }
        }

        resetProgress() {
            this.config.progress.forEach((target, index) => {
                const value = this.config.defaults ? this.config.defaults[index] : null;
                for (const id of this.components(target)) {
                    if (!inProgress(id, target.property, this)) {
                        setProp(id, target.property, value);
                    }
                }
            });
        }

        /** @param {News} news */
        hear(news) {
            if (this.settled || (news.seq <= this.seq && !news.ended)) {
                return;
            }
            this.seq = news.seq;
            for (const [target, value] of news.updates || []) {
                if (typeof target === "number") {
                    this.unseen += 1;
                    afterPaint(() => (this.unseen -= 1));
                    const progress = this.config.progress[target];
                    this.components(progress).forEach((id) => setProp(id, progress.property, value));
                } else {
                    setProp(parseId(target[0]), target[1], value);
                }
            }
            if (news.ended) {
                poller.remove(this);
                if (this.unseen) {
                    afterPaint(() => this.end(news));
                } else {
                    this.end(news);
                }
            }
        }

        /** @param {News} news */
        end(news) {
            if (news.error) {
                this.settle(() => this.reject(failure(describe(news))));
            } else if (news.response && !this.cancelled) {
                const { response, dist } = news.response;
                const finish = () => this.settle(() => this.deliver(response || {}));
                if (!dist) {
                    finish();
                    return;
                }
                Promise.all(dist.map(load)).then(finish, () =>
                    this.settle(() => this.reject(failure("A component library could not be loaded.")))
                );
            } else {
                this.settle(() => this.deliver({}));
            }
        }

        /** Show that it runs, unless it does already. */
        show() {
            if (!this.shown && !this.settled) {
                this.shown = true;
                this.setRunning("on");
            }
        }

        /** @param {() => void} finish */
        settle(finish) {
            if (this.settled) {
                return;
            }
            this.settled = true;
            poller.remove(this);
            if (current.get(this.slot) === this) {
                current.delete(this.slot);
                this.unpark();
                if (this.shown) {
                    this.setRunning("off");
                    this.resetProgress();
                }
            }
            finish();
        }

        /**
         * Resolve with the values for the outputs that are still on the page.
         * @param {Object<string, Object<string, any>>} response
         */
        deliver(response) {
            /** @type {Map<string, Object<string, any>>} */
            const byId = new Map(Object.entries(response).map(([id, props]) => [stringify(parseId(id)), props]));
            let anything = false;
            /** @param {any} output @returns {any} in the shape of the outputs */
            const pick = (output) => {
                if (Array.isArray(output)) {
                    return output.map(pick);
                }
                const values = byId.get(stringify(output.id)) || {};
                const property = output.property.split("@")[0];
                const props = propsOf(output.id);
                if (!props || !(property in values)) {
                    return clientside.no_update;
                }
                anything = true;
                return patched(values[property], props[property]);
            };
            const values = this.outputs && pick(this.outputs);
            if (anything) {
                this.resolve(values);
            } else {
                // With no_update, the renderer would still look at each output, and fail over one
                // that has left the page.
                this.reject(clientside.PreventUpdate);
            }
        }

        /** Make way for the page's other callbacks: the renderer forgets this one until it ends. */
        park() {
            const store = page.store;
            if (!store || !store.getState().callbacks) {
                return;
            }
            const { callbacks, paths } = store.getState();
            const mine = JSON.stringify(flat(this.outputs).map((output) => stringify(output.id)));
            this.parked = callbacks.watched.find(
                (/** @type {any} */ pending) =>
                    pending.callback.output === this.name &&
                    JSON.stringify(flat(pending.getOutputs(paths)).map((output) => stringify(output.id))) === mine
            );
            if (this.parked) {
                store.dispatch({ type: "Callbacks.RemoveWatched", payload: [this.parked] });
                // As when a callback has ended: whoever waits for the place takes it now.
                store.dispatch({ type: "Callbacks.Completed", payload: 1 });
            }
        }

        unpark() {
            if (this.parked) {
                page.store.dispatch({ type: "Callbacks.AddWatched", payload: [this.parked] });
                this.parked = null;
            }
        }

        /** The outputs stay as they are from here on, even if the job has just succeeded. */
        cancel() {
            this.cancelled = true;
            if (this.id !== null) {
                cancelJob(this.id);
            }
        }
    }

    /** @param {any} outputs @returns {Dependency[]} */
    function flat(outputs) {
        return outputs ? [outputs].flat(2) : [];
    }

    /** @param {News} news */
    function describe(news) {
        const error = news.error || { type: "Error", message: "" };
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
        const start = Date.now();
        for (let pause = RETRY_MIN; Date.now() - start < GIVE_UP; pause = Math.min(pause * 2, RETRY_MAX)) {
            try {
                const response = await post("_dash-long-callback/cancel", { jobs: [id] });
                if (response.status < 500 && !LATER.includes(response.status)) {
                    return;
                }
            } catch (error) {
                // The network; try again.
            }
            await new Promise((resolve) => setTimeout(resolve, pause));
        }
    }

    /** The newest job of each set of concrete outputs. @type {Map<string, Job>} */
    const current = new Map();

    /**
     * @param {ComponentId} id
     * @param {string} property
     * @param {Job} [except]
     * @returns {boolean} whether a job that runs, except one, has this among its progress
     */
    function inProgress(id, property, except) {
        const name = stringify(id);
        return Array.from(current.values()).some(
            (job) =>
                job !== except &&
                job.config.progress.some(
                    (target) =>
                        target.property === property && job.components(target).some((other) => stringify(other) === name)
                )
        );
    }

    // One request at a time asks for the news of all jobs of the tab.

    class Poller {
        constructor() {
            /** @type {Map<string, Job>} */
            this.jobs = new Map();
            /** @type {AbortController | null} */
            this.request = null;
            /** @type {ReturnType<typeof setTimeout> | undefined} */
            this.timer = undefined;
            this.failures = 0;
            this.failingSince = 0;
        }

        /** @param {Job} job @param {number} after seconds */
        add(job, after) {
            this.jobs.set(/** @type {string} */ (job.id), job);
            if (this.request) {
                // It waits for news of the others only.
                this.request.abort();
                this.request = null;
            }
            this.schedule(after);
        }

        /** @param {Job} job */
        remove(job) {
            if (job.id !== null) {
                this.jobs.delete(job.id);
            }
            if (!this.jobs.size) {
                clearTimeout(this.timer);
                if (this.request) {
                    this.request.abort();
                    this.request = null;
                }
            }
        }

        /** @param {number} after seconds */
        schedule(after) {
            clearTimeout(this.timer);
            if (after > 0) {
                this.timer = setTimeout(() => this.ask(), after * 1000);
            } else {
                this.ask();
            }
        }

        async ask() {
            const request = (this.request = new AbortController());
            const jobs = Object.fromEntries(Array.from(this.jobs.values(), (job) => [job.id, job.seq]));
            /** @type {Response} */
            let response;
            /** @type {any} */
            let answer = null;
            const late = setTimeout(() => request.abort(), ANSWER_MAX);
            try {
                response = await post("_dash-long-callback/updates", { tab: TAB, jobs }, request.signal);
                if (response.ok) {
                    answer = await response.json();
                }
            } catch (error) {
                return this.retry(request, null);
            } finally {
                clearTimeout(late);
            }
            if (this.request !== request) {
                return; // replaced while it was on its way
            }
            if (!answer) {
                return this.retry(request, response);
            }
            this.request = null;
            this.failures = 0;
            for (const [id, news] of Object.entries(answer.jobs)) {
                const job = this.jobs.get(id);
                if (job && news) {
                    job.hear(/** @type {News} */ (news));
                } else if (job) {
                    this.expire(job);
                }
            }
            if (this.jobs.size && !this.request) {
                this.schedule(answer.after);
            }
        }

        /** @param {AbortController} request @param {Response | null} response */
        async retry(request, response) {
            if (this.request !== request) {
                return;
            }
            this.request = null;
            if (response && response.status === 404) {
                Array.from(this.jobs.values()).forEach((job) => this.expire(job));
                return;
            }
            const now = Date.now();
            this.failingSince = this.failures ? this.failingSince : now;
            this.failures += 1;
            const final =
                response && response.status >= 400 && response.status < 500 && !LATER.includes(response.status);
            if (final || now - this.failingSince > GIVE_UP) {
                const why = response ? await response.text() : "the server can't be reached";
                Array.from(this.jobs.values()).forEach((job) =>
                    job.settle(() => job.reject(failure(`The job's news can't be read: ${why}`)))
                );
                this.failures = 0;
                return;
            }
            const pause = Math.min(RETRY_MIN * 2 ** (this.failures - 1), RETRY_MAX);
            this.schedule((pause * (0.75 + Math.random() / 2)) / 1000);
        }

        /** @param {Job} job */
        expire(job) {
            job.settle(() =>
                job.reject(failure("JobNotFound: no such job: it never existed or has expired; run the callback again"))
            );
        }
    }

    const poller = new Poller();

    // What the renderer calls

    /**
     * @param {string} name
     * @param {Config} config
     * @returns {Promise<any>}
     */
    function run(name, config) {
        const context = clientside.callback_context;
        const states = context.states_list || [];
        const job = new Job(name, config, context.outputs_list, context.inputs_list, states.map(valueOf));
        const replaced = current.get(job.slot);
        current.set(job.slot, job);
        if (replaced) {
            replaced.cancel();
            // Before the new run writes progress; "running" simply stays on. So do spinners, which
            // the end of any promise of these outputs turns off: the old one ends with the new.
            const end = () => replaced.deliver({});
            replaced.settle(() => job.promise.then(end, end));
            job.shown = replaced.shown;
            job.resetProgress();
        }
        if (config.cached) {
            // The answer may be there already: then nothing flashes.
            setTimeout(() => job.show(), SHOW_AFTER);
        } else {
            job.show();
        }
        const changed = context.triggered.map((/** @type {{prop_id: string}} */ t) => t.prop_id);
        submit(job, {
            output: name,
            outputs: context.outputs_list,
            inputs: context.inputs_list,
            changedPropIds: changed,
            parsedChangedPropsIds: changed.map((/** @type {string} */ prop) =>
                prop.startsWith("{") ? parseId(prop.slice(0, prop.lastIndexOf("}") + 1)) : prop
            ),
            state: config.states ? states.slice(0, config.states) : undefined,
        });
        return job.promise;
    }

    /** @param {Job} job @param {Object} payload */
    async function submit(job, payload) {
        /** @type {any} */
        let answer;
        try {
            const response = await post("_dash-update-component", payload);
            if (!response.ok || response.status === 204) {
                job.settle(() => (response.ok ? job.deliver({}) : job.reject(response)));
                return;
            }
            answer = await response.json();
        } catch (error) {
            job.settle(() => job.reject(new Error("Callback failed: the server did not respond.")));
            return;
        }
        job.id = answer.job;
        if (job.cancelled) {
            // Before the server had told its name.
            job.cancel();
        }
        if (!answer.news.ended) {
            job.show();
        }
        job.hear(answer.news);
        if (!job.settled && !answer.news.ended) {
            const placed = Array.from(poller.jobs.values()).filter((other) => !other.parked);
            if (placed.length >= PLACES) {
                job.park();
            }
            poller.add(job, answer.after);
        }
    }

    /** @param {any} dependency @returns {any} */
    function valueOf(dependency) {
        return Array.isArray(dependency) ? dependency.map(valueOf) : dependency.value;
    }

    /** A cancel input has changed. @returns {any} no update, in the shape of the outputs */
    function cancel() {
        const context = clientside.callback_context;
        const changed = context.triggered.map((/** @type {{prop_id: string}} */ t) => t.prop_id);
        for (const job of Array.from(current.values())) {
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
            return inProgress(output.id, output.property.split("@")[0]) ? clientside.no_update : value;
        };
        return pick(outputs);
    }

    // The renderer looks functions up by name; ours are the ids of callbacks.
    clientside.long_callback = new Proxy(
        {},
        {
            get(_, name) {
                const key = String(name);
                const config = callbacks()[key];
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
