// The language of the page. A node remembers which text it shows, so a switch says all of them again.

import english from "../words/en.js";
import chinese from "../words/zh.js";

/** @typedef {Object<string, string | number>} Values */

const TABLES = { en: english, zh: chinese };
const KEPT = "language";
const ATTRIBUTES = ["aria-label", "placeholder", "title"];
/** @type {WeakMap<Element, Object<string, Values>>} */
const valuesOf = new WeakMap();

let language =
  localStorage.getItem(KEPT) ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!(language in TABLES)) language = "en";

export const currentLanguage = () => language;

/**
 * @param {string} key of the table
 * @param {Values} [values] put in place of {name}; `count` chooses between [one, many]
 * @returns {string}
 */
export function t(key, values = {}) {
  const found = TABLES[language][key];
  if (found === undefined) throw new Error(`There is no text ${key}.`);
  const isOne = new Intl.PluralRules(language).select(Number(values.count ?? 2)) === "one";
  const text = Array.isArray(found) ? found[isOne ? 0 : 1] : found;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name] ?? whole;
    return typeof value === "number" ? number(value) : value;
  });
}

/** Whether there is such a text. @param {string} key */
export const isKnown = (key) => key in TABLES.en;

/** Shows a text in a node that has no other content. @param {Element} node @param {string} key @param {Values} [values] */
export function say(node, key, values = {}) {
  node.setAttribute("data-words", key);
  remember(node, "text", values);
  node.textContent = t(key, values);
}

/** @param {Element} node @param {string} attribute @param {string} key @param {Values} [values] */
export function sayAttribute(node, attribute, key, values = {}) {
  node.setAttribute(`data-words-${short(attribute)}`, key);
  remember(node, attribute, values);
  node.setAttribute(attribute, t(key, values));
}

/** Says all texts below a node in the present language. @param {Document} root */
export function sayAll(root = document) {
  root.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  root.title = t("brand");
  for (const node of root.querySelectorAll("[data-words]")) {
    say(node, node.getAttribute("data-words") ?? "", valuesOf.get(node)?.text);
  }
  for (const attribute of ATTRIBUTES) {
    const mark = `data-words-${short(attribute)}`;
    for (const node of root.querySelectorAll(`[${mark}]`)) {
      sayAttribute(node, attribute, node.getAttribute(mark) ?? "", valuesOf.get(node)?.[attribute]);
    }
  }
}

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem(KEPT, language);
  sayAll();
}

/** @param {number} value @param {number} [digits] behind the point at most */
export const number = (value, digits = 2) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);

/** @param {number} share 0 to 1 */
export const percent = (share) =>
  new Intl.NumberFormat(language, {
    style: "percent",
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(share);

/** @param {number} bytes */
export function bytes(bytes) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${number(bytes / 1000 ** power, power > 1 ? 1 : 0)} ${["B", "kB", "MB", "GB"][power]}`;
}

/** @param {string} attribute */
const short = (attribute) => attribute.replace("aria-", "");

/** @param {Element} node @param {string} place @param {Values} values */
function remember(node, place, values) {
  valuesOf.set(node, { ...valuesOf.get(node), [place]: values });
}
