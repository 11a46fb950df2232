// Elements made in one expression. Texts become text nodes: data never becomes markup.

import { say, sayAttribute } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Object<string, any>} [properties] attributes; `onclick` and the like are listeners, `words`
 *   and `label` name texts of the language table (a key, or [key, values])
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "words") say(node, ...text(value));
    else if (name === "label") sayAttribute(node, "aria-label", ...text(value));
    else if (name === "placeholder") sayAttribute(node, "placeholder", ...text(value));
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * @param {string} name a symbol of icons.svg
 * @returns {SVGElement}
 */
export function icon(name) {
  const use = drawn("use", { href: `page/icons.svg#${name}` });
  return drawn("svg", { class: "icon", "aria-hidden": "true" }, use);
}

/**
 * @param {string} tag of SVG
 * @param {Object<string, string | number>} attributes
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function drawn(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * A button with an icon and a word.
 * @param {string} words key of its text
 * @param {string | null} symbol
 * @param {(event: Event) => void} onclick
 * @param {Object<string, any>} [properties]
 */
export function button(words, symbol, onclick, properties = {}) {
  const said = element("span", { words });
  return element(
    "button",
    { type: "button", class: "quiet", onclick, ...properties },
    symbol && icon(symbol),
    said,
  );
}

/** @param {string | [string, Object?]} words @returns {[string, Object?]} */
const text = (words) => (Array.isArray(words) ? words : [words]);

/** @param {string} id @returns {any} the element of index.html with this id */
export const byId = (id) => document.getElementById(id);
