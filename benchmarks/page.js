// On the page of each benchmark: times what the page sees, by the page's own clock.
window.bench = {
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),

    // Click a button and wait until the text of another element is another one.
    click(button, output, timeout = 20000) {
        const target = document.getElementById(output);
        const before = target.textContent;
        return new Promise((resolve) => {
            const timer = setTimeout(() => finish(null), timeout);
            const observer = new MutationObserver(() => {
                const end = performance.now();
                if (target.textContent !== before) {
                    finish(end);
                }
            });
            const finish = (end) => {
                clearTimeout(timer);
                observer.disconnect();
                resolve({ start, end, ms: end === null ? null : end - start, text: target.textContent });
            };
            observer.observe(target, { childList: true, characterData: true, subtree: true });
            const start = performance.now();
            document.getElementById(button).click();
        });
    },

    // The same, with the times of the request that answered: wall clock, milliseconds.
    async profile(button, output) {
        performance.clearResourceTimings();
        const click = await this.click(button, output);
        await this.sleep(60);
        const request = performance
            .getEntriesByType("resource")
            .filter((entry) => entry.name.includes("_dash-update-component") && entry.fetchStart >= click.start)
            .pop();
        const zero = performance.timeOrigin;
        return {
            click: zero + click.start,
            "fetch called": zero + request.fetchStart,
            "request sent": zero + request.requestStart,
            "response begins": zero + request.responseStart,
            "response read": zero + request.responseEnd,
            "page changed": zero + click.end,
        };
    },

    // All texts that elements show from now on, each with the time that it was first seen, by element.
    note(...outputs) {
        this.noted = Object.fromEntries(outputs.map((output) => [output, []]));
        for (const output of outputs) {
            const target = document.getElementById(output);
            new MutationObserver(() => target.textContent && this.noted[output].push([target.textContent, Date.now()])).observe(
                target,
                { childList: true, characterData: true, subtree: true }
            );
        }
    },

    // All texts that an element shows, each with the time that it was first seen.
    watch(output) {
        const target = document.getElementById(output);
        const seen = (this.seen = []);
        const observer = (this.observer = new MutationObserver(() => {
            const text = target.textContent;
            if (!seen.length || seen[seen.length - 1][0] !== text) {
                seen.push([text, Date.now()]);
            }
        }));
        observer.observe(target, { childList: true, characterData: true, subtree: true });
    },

    // Click the first buttons of an app that has many, in one go.
    burst(count) {
        for (let i = 0; i < count; i++) {
            document.getElementById(`b${i}`).click();
        }
    },

    // Number and text of each of these elements that has a text: of the outputs, if not told otherwise.
    results(count, name = "o") {
        return Array.from({ length: count }, (_, i) => [i, document.getElementById(name + i).textContent]).filter(
            ([_, text]) => text
        );
    },

    // Note which of these outputs have a text in the moment when the page is left.
    noteAtEnd(count) {
        addEventListener("pagehide", () => sessionStorage.setItem("bench", JSON.stringify(this.results(count))));
    },

    // Click these buttons until there were so many clicks, each as soon as its output has changed.
    async repeat(names, count) {
        let left = count;
        const lane = async (name) => {
            while (left-- > 0) {
                const click = await this.click(name, `${name}-out`);
                if (click.ms === null) {
                    throw new Error(`${name}: nothing changed after a click, ${left} were left`);
                }
            }
        };
        await Promise.all(names.map(lane));
    },

    // Wait until the text of an element begins like this; false if that takes too long.
    until(output, start, timeout = 20000) {
        const target = document.getElementById(output);
        return new Promise((resolve) => {
            const finish = (found) => {
                clearTimeout(timer);
                observer.disconnect();
                resolve(found);
            };
            const timer = setTimeout(() => finish(false), timeout);
            const observer = new MutationObserver(() => target.textContent.startsWith(start) && finish(true));
            observer.observe(target, { childList: true, characterData: true, subtree: true });
            if (target.textContent.startsWith(start)) {
                finish(true);
            }
        });
    },
};
