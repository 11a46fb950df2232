// A grid of records. It grows as it is scrolled, so that a thousand cost no more than the first screen.

import { element } from "./element.js";
import { percent } from "./language.js";
import { Thumbnails } from "./thumbnails.js";

const BLOCK = 60;
const SHOWN_FACTS = 2;

/** @typedef {import("./api.js").Picture & {similarity?: number}} Shown */

/** The records in one list element. */
export class Grid {
  /** @param {HTMLElement} list @param {(records: Shown[], at: number) => void} onOpen */
  constructor(list, onOpen) {
    this.list = list;
    this.onOpen = onOpen;
    this.thumbnails = new Thumbnails();
    /** @type {Shown[]} */ this.records = [];
    this.database = "";
    this.end = element("li", { class: "end", "aria-hidden": "true" });
    this.watch = new IntersectionObserver(
      (entries) => entries.some((one) => one.isIntersecting) && this.grow(),
      { rootMargin: "800px" },
    );
    list.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {string} database @param {Shown[]} records */
  show(database, records) {
    this.thumbnails.clear();
    this.watch.disconnect();
    this.database = database;
    this.records = records;
    this.list.replaceChildren();
    this.grow();
  }

  grow() {
    const from = this.list.querySelectorAll(".card").length;
    const cards = this.records.slice(from, from + BLOCK).map((record, at) => this.card(record, from + at));
    this.end.remove();
    this.list.append(...cards);
    // Observed anew, the end tells again when it is still in sight.
    this.watch.disconnect();
    if (from + cards.length >= this.records.length) return;
    this.list.append(this.end);
    this.watch.observe(this.end);
  }

  /** @param {Shown} record @param {number} at */
  card(record, at) {
    const image = /** @type {HTMLImageElement} */ (
      element("img", { alt: "", class: "thumb", decoding: "async" })
    );
    const open = element(
      "button",
      { type: "button", class: "card-button", onclick: () => this.onOpen(this.records, at) },
      element("span", { class: "frame" }, image),
      record.similarity === undefined ? null : likeness(record.similarity),
      element(
        "span",
        { class: "name" },
        element("b", {}, record.group_id),
        element("span", { class: "muted" }, ` #${record.intra_id}`),
      ),
      facts(record.data),
    );
    this.thumbnails.show(image, this.database, record);
    return element("li", { class: "card" }, open);
  }

  /** Arrow keys go from card to card. @param {KeyboardEvent} event */
  key(event) {
    const cards = /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll(".card-button")]);
    const at = cards.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (at < 0) return;
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const next = step === undefined ? undefined : cards[at + step];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
  }
}

/** How alike a hit is, as a figure and a line. @param {number} similarity */
export function likeness(similarity) {
  const line = element("i", { class: "line" });
  line.style.setProperty("--share", String(Math.max(0, Math.min(1, similarity))));
  const figure = element("span", { class: "figure" }, percent(similarity));
  return element(
    "span",
    { class: "likeness" },
    element("span", { class: "heard", words: "hit.similarity" }),
    figure,
    line,
  );
}

/** @param {Object<string, any>} data */
function facts(data) {
  const entries = Object.entries(data).slice(0, SHOWN_FACTS);
  if (entries.length === 0) return null;
  const chips = entries.map(([name, value]) => element("span", { class: "chip" }, `${name} ${plain(value)}`));
  return element("span", { class: "chips" }, ...chips);
}

/** @param {any} value of a record's data, as text */
export const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
