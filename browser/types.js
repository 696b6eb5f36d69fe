/* What the server tells, and the renderer. */

/** @typedef {string | Object<string, any>} ComponentId */
/** @typedef {{id: ComponentId, property: string, all?: number}} Target */
/** @typedef {{id: ComponentId, property: string, value?: any}} Dependency */
/**
 * @typedef {Object} Config What the server tells of one callback.
 * @property {number} states How many of the states are the callback's own.
 * @property {(Target & {on: any, off: any})[]} running
 * @property {Target[]} progress
 * @property {any[] | null} defaults
 * @property {boolean} keeps Whether progress stays what it was last.
 * @property {boolean} cached Whether the answer may be there already.
 * @property {Target[]} cancel
 * @property {"replace" | "ignore" | "queue" | "latest" | "parallel"} retrigger
 * @property {number | null} debounce Milliseconds for which a trigger waits for the next.
 * @property {boolean} leave Whether its jobs end when the page is left.
 * @property {Target[] | null} indicator What its indicator is shown on; of several, on the first that can be seen.
 * @property {boolean} cancelable Whether the indicator has a button that cancels.
 * @property {Target | null} status What gets its status.
 * @property {string} declared A hash of its inputs, states, outputs and progress.
 */
/**
 * @typedef {Object} News
 * @property {string} state
 * @property {number} seq
 * @property {boolean} ended
 * @property {number} [ahead] how many jobs are to begin before it, while it waits
 * @property {number | null} [wait] how many seconds that will take, if such jobs have run lately
 * @property {number} [elapsed] seconds since its attempt began
 * @property {number} [retry] seconds until its next attempt begins, while it waits for that
 * @property {number} [attempt] which it is in, from the second on
 * @property {Update[]} [updates]
 * @property {{response?: Object<string, Object<string, any>>, dist?: any[]}} [response]
 * @property {Failure} [error]
 */
/**
 * @typedef {Object} Failure Why a long callback has not succeeded, as the server tells it or the page finds out.
 * @property {string} kind how it ended, see sentences.js
 * @property {string} [message] that any user may read, unless the dev tools are on
 * @property {boolean} [user] whether these are the author's words
 * @property {string} [ref] the number of the job, which the log has, too
 * @property {boolean} [reload] whether it helps to load the page again, which only the page knows
 * @property {string} [type] this and what follows: for the dev tools only
 * @property {string} [traceback]
 * @property {string} [html] a page with both, as the dev tools show one of an ordinary callback
 * @property {string} [callback] the function
 */
/**
 * @typedef {Object} Tracked What a function reports by `track`; null: not known.
 * @property {number | null} fraction
 * @property {number | null} remaining seconds
 * @property {string | null} text
 * @property {number | null} done items
 * @property {number | null} total items
 * @property {number | null} rate items a second
 */
/** @typedef {[number | [string, string], any]} Update A progress target or id and property. */

export {};
