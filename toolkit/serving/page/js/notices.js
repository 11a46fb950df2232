// What the page says: in the place where something is awaited, in a corner, and to screen readers.

import { button, byId, element, icon } from "./element.js";
import { say } from "./language.js";
import { problemOf, sentenceKey } from "./problems.js";

const TOAST_MILLISECONDS = 6000;

/** Says something that only screen readers need. @param {string} key @param {Object} [values] */
export const announce = (key, values) => say(byId("announcer"), key, values);

/** Says in a corner what was done. @param {string} key @param {Object} [values] */
export function toast(key, values) {
  const node = element("div", { class: "toast" }, icon("done"), element("span", { words: [key, values] }));
  byId("toasts").append(node);
  setTimeout(() => node.remove(), TOAST_MILLISECONDS);
}

/** Shows that something is under way. @param {HTMLElement} place @param {string} key @param {Object} [values] */
export function showWaiting(place, key, values) {
  const text = element("span", { words: [key, values] });
  place.replaceChildren(
    element("div", { class: "note waiting", role: "status" }, element("i", { class: "spinner" }), text),
  );
}

/**
 * Shows what went wrong, and a way on.
 * @param {HTMLElement} place
 * @param {any} error
 * @param {() => void} [again]
 */
export function showProblem(place, error, again) {
  const problem = problemOf(error);
  const facts = [problem.detail, problem.request && `request_id ${problem.request}`]
    .filter(Boolean)
    .join("\n");
  const more =
    facts &&
    element(
      "details",
      {},
      element("summary", { words: "problem.more" }),
      element("p", { class: "fine" }, facts),
    );
  place.replaceChildren(
    element(
      "div",
      { class: "note problem", role: "alert", "data-kind": problem.kind },
      icon("warning"),
      element("div", {}, element("p", { words: sentenceKey(problem) }), more || null),
      again ? button("again", "again", again) : null,
    ),
  );
}

/**
 * Shows a remark, perhaps with something to do.
 * @param {HTMLElement} place
 * @param {string} key
 * @param {HTMLElement | null} [action]
 */
export function showRemark(place, key, action = null) {
  place.replaceChildren(element("div", { class: "note remark" }, element("p", { words: key }), action));
}

/** @param {HTMLElement} place */
export const showNothing = (place) => place.replaceChildren();
