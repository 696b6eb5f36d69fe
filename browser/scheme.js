/* Light or dark: as the page says, else as it looks, else as the user likes it. */

export const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** @returns {string | null} */
function declaredScheme() {
    for (const one of [document.documentElement, document.body]) {
        for (const name of ["data-mantine-color-scheme", "data-bs-theme"]) {
            const value = one.getAttribute(name);
            if (value === "light" || value === "dark") {
                return value;
            }
        }
    }
    const schemes = getComputedStyle(document.documentElement).colorScheme.split(" ");
    const [light, dark] = [schemes.includes("light"), schemes.includes("dark")];
    return light === dark ? null : dark ? "dark" : "light";
}

/** @returns {string | null} that of what is painted in the middle of the page */
function paintedScheme() {
    const painted = [document.body]; // its background is that of the whole page
    let one = document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
    for (; one instanceof HTMLElement; one = one.parentElement) {
        painted.splice(-1, 0, one);
    }
    for (const one of painted) {
        const [red, green, blue, alpha = 1] = (getComputedStyle(one).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
        if (alpha > 0.5) {
            return 0.3 * red + 0.6 * green + 0.1 * blue < 110 ? "dark" : "light";
        }
    }
    return null;
}

/** @returns {string} "light" or "dark" */
export function schemeOfPage() {
    const both = /light dark|dark light/.test(getComputedStyle(document.documentElement).colorScheme);
    return declaredScheme() || (both ? null : paintedScheme()) || (dark.matches ? "dark" : "light");
}
