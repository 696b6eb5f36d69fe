/* What this tab does when another tells something: see neighbours.js. */

import { neighbours } from "./neighbours.js";
import { GATHER, poller } from "./poller.js";

/** Milliseconds within which tabs ask one after the other: the first takes the place that another has left. */
const IN_TURN = 100;

neighbours.asked = () => poller.holds || neighbours.tell(poller.seen());
neighbours.left = () => poller.hint(Math.random() * IN_TURN);
neighbours.joined = () => poller.budget.failures || poller.schedule(GATHER);
neighbours.moved = (moved) => {
    const isNews = (/** @type {[string, [number, boolean]]} */ [id, [seq, ended]]) =>
        (ended || !poller.hidden) && seq > (poller.jobs.get(id)?.seq ?? Infinity);
    if (Object.entries(moved).some(isNews)) {
        poller.hint();
    }
};
