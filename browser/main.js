/*
 * The browser side of long callbacks.
 *
 * The renderer calls a long callback as it calls any clientside callback, and waits for the promise that it gets.
 * Behind the promise:
 *
 *     run ── POST _dash-update-component ──► the outcome, or "it runs"
 *      │
 *     poller ── POST …/updates ──► news of all jobs of this tab, in one request at a time
 *      │
 *     Job.receive ── set_props for updates ── the outputs at the end
 *
 * What runs is remembered in the tab's sessionStorage until the page has its outcome.
 */

import { watchAttached } from "./attached.js";
import { cancel } from "./cancel_inputs.js";
import { dropAll } from "./debounce.js";
import "./hints.js";
import { post } from "./http.js";
import { bare, mapDependencies } from "./ids.js";
import { watchLayout } from "./layout.js";
import { onPageChange } from "./page_changes.js";
import { clientside, settings } from "./page.js";
import { poller } from "./poller.js";
import { run } from "./run.js";
import { alive, inProgress } from "./slots.js";
import { SENTENCES, sentenceOf } from "./sentences.js";
import { devToolsError, emitFailed } from "./window_events.js";

/** Milliseconds after which a tab counts as one in the background: not while a user switches tabs. */
const HIDDEN_AFTER = 2000;

/**
 * A progress component has appeared.
 * @param {any} value
 * @returns {any} its default, unless a job writes to it already
 */
function progressDefault(value) {
    return mapDependencies(clientside.callback_context.outputs_list, ({ id, property }) =>
        inProgress(id, bare(property)) ? clientside.no_update : value
    );
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;
document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) {
        hiding = setTimeout(() => {
            poller.hidden = true;
            poller.schedule(0);
        }, HIDDEN_AFTER);
    } else if (poller.hidden) {
        poller.hidden = false;
        poller.schedule(0);
    }
});
window.addEventListener("online", () => {
    poller.budget.renew();
    poller.schedule(0);
});
window.addEventListener("pageshow", (event) => event.persisted && poller.schedule(0));
window.addEventListener("pagehide", () => {
    dropAll();
    const jobs = alive().filter((job) => job.config.leave && job.known).map((job) => job.id);
    if (jobs.length) {
        post("_dash-long-callback/leave", JSON.stringify({ jobs }), { keepalive: true }).catch(() => {});
    }
    poller.pause(); // until it is shown again, if the browser keeps it
});
watchLayout(onPageChange);
watchAttached();

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
                const failure = { kind: "changed", reload: true };
                emitFailed(key, outputs_list, failure);
                return Promise.reject(devToolsError(sentenceOf(SENTENCES, failure)));
            };
        },
    }
);
