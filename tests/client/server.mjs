// A server that keeps jobs, behind a network that loses, delays and doubles what it carries.

/**
 * @typedef {Object} Served
 * @property {number} n of the click
 * @property {string} out the component that gets the outcome
 * @property {number} began
 * @property {number} steps
 * @property {boolean} cancelled
 */

/** Milliseconds between two updates of a job. */
const STEP = 700;

export class Server {
    /** @param {import("./clock.mjs").Clock} clock @param {() => number} random @param {number} faults how likely one is */
    constructor(clock, random, faults) {
        this.clock = clock;
        this.random = random;
        this.faults = faults;
        /** @type {Map<string, Served>} */
        this.jobs = new Map();
    }

    /** @returns {boolean} whether something goes wrong here */
    chance() {
        return this.random() < this.faults;
    }

    /** @param {string} path @param {any} body @param {any} headers @param {any} signal @returns {Promise<any>} */
    async send(path, body, headers, signal) {
        const ended = new Promise((_, reject) => signal && signal.addEventListener("abort", () => reject(new Error("aborted"))));
        const answered = this.carry(path, body, headers);
        return signal ? Promise.race([answered, ended]) : answered;
    }

    /** @param {string} path @param {any} body @param {any} headers */
    async carry(path, body, headers) {
        await this.clock.wait(this.random() * 40 + (this.chance() ? this.random() * 3000 : 0));
        if (this.chance()) {
            throw new TypeError("lost on the way there");
        }
        if (this.chance()) {
            return answer(503, { error: "later" });
        }
        if (this.chance()) {
            this.clock.wait(this.random() * 5000).then(() => this.handle(path, body, headers)); // comes twice
        }
        const found = await this.handle(path, body, headers);
        await this.clock.wait(this.random() * 40 + (this.chance() ? this.random() * 3000 : 0));
        if (this.chance()) {
            throw new TypeError("lost on the way back");
        }
        if (this.chance()) {
            return { ...found, json: () => Promise.reject(new SyntaxError("cut off")) };
        }
        // The body comes after the head, also if nobody wants it any more.
        return { ...found, json: () => this.clock.wait(this.chance() ? 500 : 0).then(() => found.json()) };
    }

    /** @param {string} path @param {any} body @param {any} headers */
    async handle(path, body, headers) {
        if (path.endsWith("_dash-update-component")) {
            const id = headers["X-Long-Callback-Job"];
            if (!this.jobs.has(id)) {
                const steps = Math.floor(this.random() * 12);
                const [out] = body.output.split(".");
                this.jobs.set(id, { n: body.inputs[0].value, out, began: this.clock.now, steps, cancelled: false });
            }
            return answer(200, { job: id, news: this.news(id, 0), after: 0.1, owner: null });
        }
        if (path.endsWith("/cancel")) {
            for (const id of body.jobs) {
                const job = this.jobs.get(id);
                if (job && !this.ended(job)) {
                    job.cancelled = true;
                }
            }
            return answer(200, {});
        }
        const known = Object.keys(body.jobs).filter((id) => this.jobs.has(id));
        if (!known.length) {
            return answer(404, { error: "JobNotFound", owner: null });
        }
        const jobs = Object.fromEntries(Object.entries(body.jobs).map(([id, seq]) => [id, this.news(id, seq)]));
        return answer(200, { jobs, after: 0.2 + this.random(), owner: null });
    }

    /** @param {Served} job */
    ended(job) {
        return this.clock.now - job.began >= job.steps * STEP;
    }

    /** @param {string} id @param {number} seq @returns {any} null if there is no such job */
    news(id, seq) {
        const job = this.jobs.get(id);
        if (!job) {
            return null;
        }
        if (job.cancelled) {
            return { state: "cancelled", seq: 1000, ended: true };
        }
        const done = Math.min(job.steps, Math.floor((this.clock.now - job.began) / STEP));
        const steps = Array.from({ length: done }, (_, i) => i + 1);
        const updates = [
            ...(done > 0 && done > seq ? [[0, `${done} of ${job.steps}`]] : []),
            ...steps.filter((step) => step > seq).map((step) => [["log", "children"], patch(`${job.n}.${step}`)]),
        ];
        const ended = this.ended(job);
        const response = ended ? { response: { response: { [job.out]: { children: `done ${job.n}` } } } } : {};
        return { state: ended ? "succeeded" : "running", seq: done + (ended ? 1 : 0), ended, updates, ...response };
    }
}

/** @param {string} value */
function patch(value) {
    return {
        __dash_patch_update: "__dash_patch_update",
        operations: [{ operation: "Append", location: [], params: { value } }],
    };
}

/** @param {number} status @param {any} body */
function answer(status, body) {
    const text = JSON.stringify(body);
    /** @type {any} */
    const response = {
        status,
        ok: status < 300,
        headers: { get: (/** @type {string} */ name) => (name === "Content-Type" ? "application/json" : null) },
        json: async () => JSON.parse(text),
        text: async () => text,
        clone: () => response,
    };
    return response;
}
