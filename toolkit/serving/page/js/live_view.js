// Live: what the service does at this moment, from its metrics.

import * as api from "./api.js";
import { chart } from "./chart.js";
import { byId, element } from "./element.js";
import { bytes, number, sayAttribute } from "./language.js";
import { Latest } from "./latest.js";
import { showNothing, showProblem, showWaiting } from "./notices.js";
import { parse } from "./prometheus.js";
import { figures, Reading } from "./readings.js";

const EVERY_MILLISECONDS = 2000;
const [FEWEST, MOST] = [30, 90];

/** @param {number} seconds */
const milliseconds = (seconds) => `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms`;

/** What is shown: the figure of each card, the series behind it, and how the figure is written. */
const CARDS = [
  { name: "requests", series: ["requests", "failures"], write: (value) => number(value, 1) },
  { name: "latency", series: ["median", "slow"], write: milliseconds },
  { name: "queue", series: ["queue"], write: (value) => number(value, 0) },
  { name: "underway", series: ["underway"], write: (value) => number(value, 0) },
  { name: "batch", series: ["batch"], write: (value) => number(value, 1) },
  { name: "records", series: ["records"], write: (value) => number(value, 0) },
  { name: "processor", series: ["processor"], write: (value) => number(value, 2) },
  { name: "memory", series: ["memory"], write: bytes },
];

export class LiveView {
  constructor() {
    this.latest = new Latest();
    /** @type {Reading | null} */ this.before = null;
    /** @type {Object<string, number | null>[]} */ this.history = [];
    byId("charts").replaceChildren(...CARDS.map((card) => this.card(card)));
  }

  enter() {
    if (this.before === null) showWaiting(byId("live-state"), "live.waiting");
    this.timer = setInterval(() => this.look(), EVERY_MILLISECONDS);
    this.look();
  }

  leave() {
    clearInterval(this.timer);
    this.latest.stop();
  }

  look() {
    if (document.hidden) return;
    this.latest.run(
      async (signal, isLatest) => {
        const text = await api.metrics(signal);
        if (!isLatest()) return;
        const now = new Reading(performance.now() / 1000, parse(text));
        if (this.before !== null) this.show(figures(this.before, now));
        this.before = now;
      },
      (error) => showProblem(byId("live-state"), error),
    );
  }

  /** @param {Object<string, number | null>} latest */
  show(latest) {
    showNothing(byId("live-state"));
    this.history.push(latest);
    this.history.splice(0, Math.max(0, this.history.length - MOST));
    for (const { name, series, write } of CARDS) {
      const card = byId(`live-${name}`);
      const values = series.map((key) => this.history.map((one) => one[key]));
      const [now, other] = series.map((key) => latest[key]);
      const figure = now === null ? "–" : write(now);
      card.querySelector(".figure").textContent = figure;
      if (series.length > 1) card.querySelector(".second").textContent = other === null ? "–" : write(other);
      card.querySelector(".plot").replaceChildren(chart(values, Math.max(FEWEST, this.history.length)));
      sayAttribute(card, "aria-label", "live.card", { name: card.querySelector("h2").textContent, figure });
    }
  }

  /** @param {{name: string, series: string[]}} card */
  card({ name, series }) {
    const second = () => [
      element("span", { words: `live.${name}_second` }),
      " ",
      element("b", { class: "second" }, "–"),
    ];
    const unit = () => [element("span", { words: `live.${name}_unit` })];
    return element(
      "article",
      { class: "live-card", id: `live-${name}`, role: "group" },
      element("h2", { words: `live.${name}` }),
      element("p", { class: "figure" }, "–"),
      element("p", { class: "fine" }, ...(series.length > 1 ? second() : unit())),
      element("div", { class: "plot" }),
    );
  }
}
