/* The request that starts a job. */

import { RetryBudget } from "./backoff.js";
import { errorOf, post, RequestError } from "./http.js";
import { memory } from "./memory.js";
import { dashConfig, prefix, settings } from "./page.js";
import { poller } from "./poller.js";
import { attempt, renderer } from "./renderer.js";
import { SENTENCES, sentenceOf } from "./sentences.js";
import { alive } from "./slots.js";
import { devToolsError, emit } from "./window_events.js";
import { has } from "./values.js";

/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").News} News */

/**
 * Long jobs that stay attached: the renderer runs twelve callbacks at once. These few have all of
 * its care: its title says "Updating...", and callbacks that need their outputs wait. The others
 * make way for the page's ordinary callbacks.
 */
const PLACES = 4;

/**
 * @param {Job} job
 * @param {boolean} [now] whether it was asked for in this moment, so by who is logged in
 */
export async function submit(job, now = false) {
    job.begun = true;
    emit("started", job.name, job.outputs);
    if (job.pending.declared !== job.config.declared) {
        refuse(job, { kind: "changed" }); // what was asked would be taken for something else
        return;
    }
    const body = job.pending.payload || "";
    const budget = new RetryBudget();
    for (;;) {
        budget.begin();
        /** @type {RequestError | null} */
        let fault;
        /** @type {any} */
        let answer = null;
        try {
            // By its name, the server tells a request that comes twice.
            /** @type {Object<string, string>} */
            const headers = {
                "X-Long-Callback-Job": job.id,
                "X-Long-Callback-Declared": job.pending.declared || "",
            };
            if (!now && job.pending.owner) {
                headers["X-Long-Callback-Owner"] = job.pending.owner; // it is for this one only
            }
            now = false;
            poller.submitting += 1;
            const response = await post("_dash-update-component", body, { headers }).finally(() => (poller.submitting -= 1));
            if (response.status === 204) {
                job.settle({});
                return;
            }
            const found = await errorOf(response.ok ? response : response.clone());
            if (!found) {
                answer = await response.json();
                if (has(answer, "response")) {
                    // It is an ordinary callback by now.
                    refuse(job, { kind: "changed", reload: true });
                    return;
                }
                if (!has(answer, "news")) {
                    throw new RequestError("the answer is not from the app"); // of a proxy, perhaps
                }
            } else if (response.status === 500 || (found.final && !found.session)) {
                if (await isChanged(job.name)) {
                    refuse(job, { kind: "changed", reload: true });
                } else {
                    job.settle({ error: devToolsError(await response.text()) }); // what the app has to say of it
                }
                return;
            }
            fault = found;
        } catch (error) {
            fault = new RequestError("the server did not respond"); // or its answer was cut off
        }
        if (!fault) {
            // Not above: what a component makes of it is not the network's fault.
            attempt(job.name, () => accept(job, answer));
            return;
        }
        const pause = budget.fail(fault);
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
            const message = budget.message("The server can't be reached", fault);
            const failure = fault.session ? { kind: "session", reload: true } : { kind: "unreachable" };
            job.settle({ error: devToolsError(message) }, !fault.final, failure);
            return;
        }
        await budget.wait(pause);
    }
}

/** @param {Job} job @param {Failure} failure */
function refuse(job, failure) {
    job.settle({ error: devToolsError(sentenceOf(SENTENCES, failure)) }, false, failure);
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
    /** @type {number | null} */
    let pause = 0;
    while (pause !== null) {
        budget.begin();
        try {
            const response = await post("_dash-long-callback/cancel", JSON.stringify({ jobs: [id] }));
            const fault = await errorOf(response);
            if (!fault) {
                return;
            }
            pause = budget.fail(fault);
        } catch (error) {
            pause = budget.fail(new RequestError(String(error)));
        }
        await budget.wait(pause || 0);
    }
}
