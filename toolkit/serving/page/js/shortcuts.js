// Keys that work anywhere but where text is written, and the window that lists them.

import { openDialog } from "./dialogs.js";
import { element } from "./element.js";

/** @typedef {Object<string, () => void>} Keys key -> what it does; its text is keys.<name> */

/** Key -> name of its text. */
const NAMES = {
  1: "search",
  2: "compare",
  3: "databases",
  4: "live",
  o: "choose",
  c: "crop",
  w: "whole",
  l: "language",
  t: "theme",
  "?": "help",
};
const FURTHER = [
  ["Ctrl+V", "paste"],
  ["← ↑ ↓ →", "arrows"],
  ["⇧ + ← ↑ ↓ →", "resize"],
  ["Enter", "enter"],
  ["Esc", "escape"],
];
const WRITTEN_IN = "input:not([type=checkbox]), textarea, select";

/** @param {Keys} actions */
export function startShortcuts(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (/** @type {Element} */ (event.target).matches(WRITTEN_IN)) return;
    const action = actions[NAMES[event.key]];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}

export function openHelp() {
  const rows = [...Object.entries(NAMES), ...FURTHER].map(([key, name]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("kbd", {}, key)),
      element("td", { words: `keys.${name}` }),
    ),
  );
  const table = element("table", { class: "keys" }, element("tbody", {}, ...rows));
  const paragraphs = ["help.search", "help.crop", "help.token"].map((words) => element("p", { words }));
  openDialog({
    title: "help.title",
    body: [...paragraphs, element("h3", { words: "help.keys" }), table],
    kind: "help",
  });
}
