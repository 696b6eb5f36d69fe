/* Which components are on the page, and where: in another place, it is another one. */

import { stringify } from "./ids.js";
import { clientside, page } from "./page.js";
import { renderer } from "./renderer.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */

/** @type {any} */
let paths = null;

let changing = false;

/** Where the components are that show that jobs run. In another place, it is another one. @type {Map<string, any>} */
let places = new Map();

/** @param {ComponentId} id */
export function notePlace(id) {
    const name = stringify(id);
    if (!places.has(name)) {
        places.set(name, renderer.path(id));
    }
}

/** @param {ComponentId} id @param {string} property @param {any} value */
export function setProperty(id, property, value) {
    const [name, path] = [stringify(id), renderer.path(id)];
    const known = places.get(name) === path;
    clientside.set_props(id, { [property]: value });
    if (known && places.has(name)) {
        places.set(name, renderer.path(id)); // a new array, for the same component
    }
}

/** @param {ComponentId} id @returns {boolean} whether a component has come back, or is another one of its name */
export function isNew(id) {
    const [name, path] = [stringify(id), renderer.path(id)];
    return Boolean(path) && places.has(name) && places.get(name) !== path;
}

/** @param {ComponentId[]} ids of the components whose places matter from now on */
export function notePlaces(ids) {
    places = new Map();
    ids.forEach(notePlace);
}

/** Called when components have come or gone: jobs may have found their outputs again, or lost them. */
let onChange = () => {};

/** Call the listener, if components have come or gone. */
export function checkLayout() {
    // What it sets on the page calls it again: that is for the next round, which the store's listener asks for.
    // Not a loop: values that hold components would keep the page in it.
    if (changing || !renderer.ready() || renderer.state().paths === paths) {
        return;
    }
    changing = true;
    try {
        paths = renderer.state().paths;
        onChange();
    } finally {
        changing = false;
    }
}

/**
 * Listen to changes of the page, once there is one.
 * @param {() => void} action what is done with each change
 */
export function watchLayout(action) {
    onChange = action;
    watchStore(() => renderer.state().paths !== paths, checkLayout);
}

/**
 * Listen to changes of what the renderer keeps, once there is a page.
 * @param {() => boolean} changed whether there is something to look at
 * @param {() => void} look
 */
export function watchStore(changed, look) {
    if (page.store) {
        // Later: the renderer tells of what it does also in the middle of drawing it.
        page.store.subscribe(() => changed() && setTimeout(look));
        setTimeout(look);
    } else {
        setTimeout(() => watchStore(changed, look), 50);
    }
}
