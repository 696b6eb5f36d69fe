/* The request that starts a job. */

import { RetryBudget } from "./backoff.js";
import { errorOf, faultOf, post, RequestError } from "./http.js";
import { memory } from "./memory.js";
import { dashConfig, prefix, settings } from "./page.js";
import { poller } from "./poller.js";
import { attempt, renderer } from "./renderer.js";
import { alive } from "./slots.js";
import { emit } from "./window_events.js";
import { has } from "./values.js";

/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").News} News */

/**
 * Long jobs that stay attached: the renderer runs twelve callbacks at once. These few have all of
 * its care: its title says "Updating...", and callbacks that need their outputs wait. The others
 * make way for the page's ordinary callbacks.
 */
const PLACES = 4;

/** Characters of a request that a tab remembers while its job runs, so that a reload can ask for the same. */
const ASKED_MAX = 20000;

/**
 * @param {Job} job
 * @param {boolean} [now] whether it was asked for in this moment, so by who is logged in
 */
export async function submit(job, now = false) {
    job.begun = true;
    job.status.begin();
    emit("started", job.name, job.outputs);
    if (job.pending.declared !== job.config.declared) {
        job.fail({ kind: "changed" }); // what was asked would be taken for something else
        return;
    }
    const body = job.pending.payload || "";
    const budget = new RetryBudget();
    for (;;) {
        budget.begin();
        try {
            const answer = await ask(job, body, now);
            job.status.connect(true);
            // What a component makes of it is not the network's fault.
            answer && attempt(job.name, () => accept(job, answer));
            return;
        } catch (error) {
            now = false;
            const fault = faultOf(error);
            const pause = budget.fail(fault);
            job.status.connect(!budget.lasts);
            if (job.cancelled || job.settled) {
                job.settle({});
                cancelJob(job.id); // it may be there, and its name lost on the way
                return;
            }
            if (pause === null) {
                // The answer may have got lost, and the job run. But it must not begin long after.
                job.pending.payload = undefined;
                job.pending.doubtful = true;
                memory.keep(job.pending);
                const failure = fault.session ? { kind: "session", reload: true } : { kind: "unreachable" };
                job.fail(failure, budget.message("The server can't be reached", fault), !fault.final);
                return;
            }
            await budget.wait(pause);
        }
    }
}

/**
 * @param {Job} job
 * @param {string} body
 * @param {boolean} now
 * @returns {Promise<any>} the answer; null if the job has settled by it
 * @throws {Error} if there is none, which another try may bring
 */
async function ask(job, body, now) {
    /** @type {Object<string, string>} */
    const headers = {
        "X-Long-Callback-Job": job.id, // by its name, the server tells a request that comes twice
        "X-Long-Callback-Declared": job.pending.declared || "",
    };
    if (!now && job.pending.owner) {
        headers["X-Long-Callback-Owner"] = job.pending.owner; // it is for this one only
    }
    poller.submitting += 1;
    const response = await post("_dash-update-component", body, { headers }).finally(() => (poller.submitting -= 1));
    if (response.status === 204) {
        job.settle({});
        return null;
    }
    const fault = await errorOf(response.ok ? response : response.clone());
    if (fault && (response.status === 500 || (fault.final && !fault.session))) {
        if (await isChanged(job.name)) {
            job.fail({ kind: "changed", reload: true });
        } else {
            job.fail({ kind: "failed" }, await response.text()); // what the app has to say of it
        }
        return null;
    }
    if (fault) {
        throw fault;
    }
    const answer = await response.json();
    if (has(answer, "response")) {
        job.fail({ kind: "changed", reload: true }); // it is an ordinary callback by now
        return null;
    }
    if (!has(answer, "news")) {
        throw new RequestError("the answer is not from the app"); // of a proxy, perhaps
    }
    return answer;
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
        job.pending.owner = settings().owner = answer.owner;
    }
    const payload = job.pending.payload || "";
    job.pending.asked = job.config.indicator && payload.length <= ASKED_MAX ? payload : undefined;
    job.pending.payload = undefined;
    if (answer.job !== job.id) {
        memory.drop(job.id);
        job.id = job.pending.id = answer.job;
    }
    if (job.cancelled) {
        cancelJob(job.id); // before the server had it
    }
    if (!answer.news.ended && !job.settled) {
        memory.keep(job.pending);
    }
    job.receive(answer.news);
    if (!job.settled && !answer.news.ended) {
        if (alive().filter((other) => other !== job && other.known && !other.detached).length >= PLACES) {
            job.detach();
        }
        poller.add(job, answer.after);
    }
}

/**
 * Ask the server to cancel a job, until it has answered: else the job would run on for nobody.
 * @param {string} id
 */
export async function cancelJob(id) {
    const budget = new RetryBudget();
    for (;;) {
        budget.begin();
        const fault = await post("_dash-long-callback/cancel", JSON.stringify({ jobs: [id] })).then(errorOf, faultOf);
        const pause = fault && budget.fail(fault);
        if (pause === null) {
            return;
        }
        await budget.wait(pause);
    }
}
