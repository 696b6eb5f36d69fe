/* What notices say. */

import { SENTENCES, sentenceOf } from "../sentences.js";

/** @typedef {import("./main.js").Failure} Failure */

/** Characters of an author's text. */
const TEXT_MAX = 600;

/**
 * By language and kind, as the English sentences are.
 * @type {Object<string, Object<string, string>>}
 */
const TEXTS = {
    en: {
        ...SENTENCES,
        number: "no.",
        times: "times",
        reload: "Reload",
        dismiss: "Dismiss",
    },
    es: {
        failed: "Algo ha salido mal. Inténtelo de nuevo.",
        timed_out: "Ha tardado demasiado y se ha detenido. Inténtelo de nuevo.",
        expired: "No se ha podido empezar a tiempo. Inténtelo más tarde.",
        lost: "Se ha interrumpido antes de terminar. Inténtelo de nuevo.",
        stopped: "El servidor se ha detenido antes de terminar. Inténtelo de nuevo.",
        refused: "El servidor no ha podido empezar. Inténtelo de nuevo en un momento.",
        limit: "Hay demasiadas tareas como esta en marcha. Inténtelo más tarde.",
        unavailable: "El servidor no puede hacerlo en este momento. Inténtelo más tarde.",
        not_stored: "No se ha podido guardar el resultado. Inténtelo más tarde.",
        gone: "El resultado ya no está disponible. Ejecútelo de nuevo.",
        unreachable: "No se puede conectar con el servidor. Compruebe su conexión e inténtelo de nuevo.",
        "unreachable reload":
            "No se puede conectar con el servidor. Si la tarea sigue en marcha, recargue la página para volver a encontrarla.",
        session:
            "Su sesión ha caducado. Inicie sesión de nuevo y recargue la página; las tareas que siguen en marcha se encontrarán de nuevo.",
        changed: "La aplicación ha cambiado desde que se inició esto. Ejecútelo de nuevo.",
        "changed reload": "La aplicación ha cambiado desde que se cargó esta página. Recargue la página.",
        library: "No se ha podido cargar una parte del resultado. Recargue la página.",
        number: "n.º",
        times: "veces",
        reload: "Recargar",
        dismiss: "Cerrar",
    },
};

/** @returns {string} the language of the page, else of the browser, if there are texts in it */
export function language() {
    const language = (document.documentElement.lang || navigator.language || "").split("-")[0].toLowerCase();
    return language in TEXTS ? language : "en";
}

/** @param {Failure} failure @returns {string} */
export function textOf(failure) {
    const { user, message } = failure;
    if (user) {
        return message.length > TEXT_MAX ? message.slice(0, TEXT_MAX) + "…" : message;
    }
    return sentenceOf(texts(), failure);
}

/** @returns {Object<string, string>} the texts in the language of the page */
export function texts() {
    return TEXTS[language()];
}
