/* What this tab does when another tells something: see neighbours.js. */

import { neighbours } from "./neighbours.js";
import { GATHER, poller } from "./poller.js";

neighbours.asked = () => poller.holds || neighbours.tell(poller.seen());
neighbours.left = () => poller.holds || poller.hint();
neighbours.joined = () => poller.budget.failures || poller.schedule(GATHER);
neighbours.moved = (moved) => {
    const isNews = (/** @type {[string, [number, boolean]]} */ [id, [seq, ended]]) =>
        (ended || !poller.hidden) && seq > (poller.jobs.get(id)?.seq ?? Infinity);
    if (!poller.holds && Object.entries(moved).some(isNews)) {
        poller.hint();
    }
};
