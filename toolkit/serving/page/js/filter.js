// Which records may be found, as rows of field, comparison and value.

import { button, byId, element, icon } from "./element.js";
import { number } from "./language.js";

/** Comparison -> what it makes of the value. A number that was typed may have been kept as text, and the other way round. */
const COMPARISONS = {
  is: (value) => bothForms(value),
  is_not: (value) => ({ not: bothForms(value) }),
  any_of: (value) =>
    value
      .split(/[,，、]/)
      .map((part) => part.trim())
      .filter(Boolean)
      .flatMap(bothForms),
  at_least: (value) => ({ ge: asNumber(value) ?? value }),
  at_most: (value) => ({ le: asNumber(value) ?? value }),
};
const OWN_FIELDS = ["group_id", "intra_id", "savename"];

/** The rows of one search. */
export class FilterRows {
  /** @param {HTMLElement} place @param {() => void} onChange */
  constructor(place, onChange) {
    this.onChange = onChange;
    this.rows = element("div", { class: "rules" });
    this.known = element("datalist", { id: "known-fields" });
    place.replaceChildren(
      this.known,
      this.rows,
      button("filter.add", "plus", () => this.add(), { id: "filter-add" }),
    );
  }

  add() {
    const field = element("input", {
      list: "known-fields",
      label: "filter.field",
      placeholder: "filter.field",
      class: "rule-field",
      spellcheck: "false",
    });
    const comparison = element("select", { label: "filter.comparison", class: "rule-comparison" });
    comparison.append(
      ...Object.keys(COMPARISONS).map((name) => element("option", { value: name, words: `filter.${name}` })),
    );
    const value = element("input", {
      label: "filter.value",
      placeholder: "filter.value",
      class: "rule-value",
    });
    const remove = element(
      "button",
      { type: "button", class: "quiet round", label: "filter.remove" },
      icon("close"),
    );
    const row = element(
      "div",
      { class: "rule", onchange: () => this.changed() },
      field,
      comparison,
      value,
      remove,
    );
    remove.addEventListener("click", () => {
      row.remove();
      this.changed();
    });
    this.rows.append(row);
    field.focus();
  }

  /** Offers the fields that records have. @param {import("./api.js").Picture[]} records */
  learn(records) {
    const names = new Set(["group_id", ...records.flatMap((record) => Object.keys(record.data))]);
    this.known.replaceChildren(...[...names].slice(0, 50).map((name) => element("option", { value: name })));
  }

  /** @returns {Object<string, any>} the filter, as the service takes it; rows that are not full are left out */
  get where() {
    const rules = this.full().map(([field, comparison, value]) => {
      const key = OWN_FIELDS.includes(field) ? field : `data.${field}`;
      const wanted = COMPARISONS[comparison](value);
      return wanted.not === undefined ? { [key]: wanted } : { not: { [key]: wanted.not } };
    });
    // Two rules for one field are both to hold: "not any of the opposites" says so.
    return rules.length < 2 ? (rules[0] ?? {}) : { not: { any: rules.map((rule) => ({ not: rule })) } };
  }

  /** @returns {string[][]} */
  full() {
    const rows = [...this.rows.children].map((row) =>
      [...row.querySelectorAll("input, select")].map((node) =>
        /** @type {HTMLInputElement} */ (node).value.trim(),
      ),
    );
    return rows.filter(([field, , value]) => field !== "" && value !== "");
  }

  changed() {
    const count = this.full().length + Number(byId("by-group").checked);
    byId("filter-count").textContent = count > 0 ? number(count) : "";
    this.onChange();
  }
}

/** @param {string} value */
function asNumber(value) {
  const parsed = Number(value);
  return value.trim() !== "" && Number.isFinite(parsed) ? parsed : null;
}

/** @param {string} value @returns {(string | number)[]} */
function bothForms(value) {
  const parsed = asNumber(value);
  return parsed === null ? [value] : [value, parsed];
}
