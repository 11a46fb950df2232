// Pictures on their way into a database: several at once, each told how it went.

import * as api from "./api.js";
import { openDialog } from "./dialogs.js";
import { button, element, icon } from "./element.js";
import { listen, makeIntake } from "./intake.js";
import { announce } from "./notices.js";
import { patiently } from "./patience.js";
import { readPicture } from "./picture.js";
import { problemOf, sentenceKey } from "./problems.js";
import { say } from "./language.js";
import { session } from "./session.js";

const AT_A_TIME = 3;
const MANY_TRIES = 100;

/**
 * Opens the window in which pictures are added.
 * @param {string} database
 * @param {File[]} files that were dropped already
 * @param {string} group to begin with
 * @param {() => void} onClose
 */
export function openAdding(database, files, group, onClose) {
  const adding = new Adding(database, group);
  const stopListening = listen((more) => adding.take(more));
  const dialog = openDialog({
    title: ["add.title", { name: database }],
    body: [adding.body],
    kind: "wide",
    onClose: () => {
      stopListening();
      adding.stop();
      onClose();
    },
  });
  adding.onDone = () => dialog.close();
  // Escape ends no work by accident.
  dialog.addEventListener("cancel", (event) => adding.underWay !== null && event.preventDefault());
  if (files.length > 0) adding.take(files);
}

/** @typedef {{file: File, row: HTMLElement, state: "waiting" | "done" | "failed"}} Item */

class Adding {
  /** @param {string} database @param {string} group */
  constructor(database, group) {
    this.database = database;
    this.onDone = () => {};
    /** @type {Item[]} */ this.items = [];
    /** @type {AbortController | null} */ this.underWay = null;
    this.zone = element("div", { class: "intake" });
    makeIntake(this.zone, (files) => this.take(files), { title: "add.drop", many: true });
    this.group = /** @type {HTMLInputElement} */ (
      element("input", { id: "add-group", maxlength: 256, autocomplete: "off", value: group })
    );
    this.byName = /** @type {HTMLInputElement} */ (
      element("input", { type: "checkbox", id: "add-by-name", onchange: () => this.sync() })
    );
    this.facts = element("div", { class: "rules" });
    this.progress = element("progress", { max: 1, value: 0, label: "add.progress", hidden: true });
    this.said = element("p", { class: "muted", role: "status" });
    this.list = element("ul", { class: "files" });
    this.start = element("button", {
      type: "button",
      class: "primary",
      id: "add-start",
      onclick: () => this.run(),
      words: "add.start",
    });
    this.halt = button("add.stop", null, () => this.stop(), { id: "add-stop", hidden: true });
    this.again = button("add.again", "again", () => this.retry(), { id: "add-again", hidden: true });
    this.body = this.layout();
    this.group.addEventListener("input", () => this.sync());
    this.sync();
  }

  layout() {
    return element(
      "div",
      { class: "adding" },
      this.zone,
      element("label", { class: "field" }, element("span", { words: "add.group" }), this.group),
      element("label", { class: "switch" }, this.byName, element("span", { words: "add.by_name" })),
      element(
        "details",
        {},
        element("summary", { words: "add.facts" }),
        this.facts,
        button("add.fact", "plus", () => this.addFact(), { id: "add-fact" }),
      ),
      this.progress,
      this.said,
      this.list,
      element("div", { class: "row end sticky" }, this.again, this.halt, this.start),
    );
  }

  addFact() {
    const name = element("input", {
      label: "add.fact_name",
      placeholder: "add.fact_name",
      class: "fact-name",
    });
    const value = element("input", {
      label: "filter.value",
      placeholder: "filter.value",
      class: "fact-value",
    });
    this.facts.append(element("div", { class: "rule" }, name, value));
    name.focus();
  }

  /** @returns {Object<string, string | number>} numbers stay numbers, so that filters can say "at least" */
  get data() {
    const rows = [...this.facts.children].map((row) =>
      [...row.querySelectorAll("input")].map((input) => input.value.trim()),
    );
    const full = rows.filter(([name, value]) => name !== "" && value !== "");
    return Object.fromEntries(
      full.map(([name, value]) => [name, String(Number(value)) === value ? Number(value) : value]),
    );
  }

  /** @param {File[]} files */
  take(files) {
    for (const file of files) {
      const row = element(
        "li",
        {},
        element("span", { class: "mark" }),
        element("span", { class: "file-name" }, file.name),
        element("span", { class: "reason" }),
      );
      this.list.append(row);
      this.items.push({ file, row, state: "waiting" });
    }
    this.sync();
  }

  sync() {
    const waiting = this.items.filter((item) => item.state === "waiting").length;
    const failed = this.items.filter((item) => item.state === "failed").length;
    const done = this.items.length - waiting - failed;
    const isRunning = this.underWay !== null;
    this.group.disabled = this.byName.checked || isRunning;
    const hasGroup = this.byName.checked || this.group.value.trim() !== "";
    const isOver = waiting === 0 && done > 0 && !isRunning;
    this.start.toggleAttribute("disabled", isRunning || (!isOver && (waiting === 0 || !hasGroup)));
    say(this.start, isOver ? "close" : "add.start");
    this.halt.hidden = !isRunning;
    // What was told needs the place; more pictures can still be dropped.
    this.zone.hidden = done + failed > 0;
    this.again.hidden = isRunning || failed === 0;
    this.progress.hidden = this.items.length === 0 || done + failed === 0;
    this.progress.setAttribute("value", String((done + failed) / Math.max(1, this.items.length)));
    if (this.items.length === 0) this.said.replaceChildren();
    else if (done + failed === 0)
      say(this.said, hasGroup ? "add.ready" : "add.needs_group", { count: this.items.length });
    else
      say(this.said, failed > 0 ? "add.told_failed" : "add.told", { done, failed, count: this.items.length });
  }

  /** Sends what waits, a few at a time. */
  async run() {
    if (this.items.every((item) => item.state !== "waiting")) return this.onDone();
    this.underWay = new AbortController();
    const { signal } = this.underWay;
    this.sync();
    const waiting = this.items.filter((item) => item.state === "waiting").values();
    const worker = async () => {
      for (const item of waiting) if (!signal.aborted) await this.send(item, signal);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    this.underWay = null;
    this.sync();
    announce("add.over");
  }

  /** @param {Item} item @param {AbortSignal} signal */
  async send(item, signal) {
    const reason = /** @type {HTMLElement} */ (item.row.querySelector(".reason"));
    mark(item.row, element("i", { class: "spinner" }));
    try {
      const { blob } = await readPicture(item.file, /** @type {any} */ (session.about));
      const group_id = this.byName.checked ? stem(item.file.name) : this.group.value.trim();
      const onWait = (/** @type {number} */ seconds) => say(reason, "wait.busy", { seconds });
      const add = () => api.addPicture(this.database, blob, { group_id, data: this.data }, signal);
      await patiently(add, { signal, onWait, tries: MANY_TRIES });
      item.state = "done";
      reason.replaceChildren();
      mark(item.row, icon("done"));
    } catch (error) {
      if (signal.aborted) return mark(item.row);
      item.state = "failed";
      item.row.classList.add("failed");
      this.list.prepend(item.row);
      say(reason, sentenceKey(problemOf(error)));
      mark(item.row, icon("warning"));
    }
    this.sync();
  }

  retry() {
    for (const item of this.items.filter((item) => item.state === "failed")) {
      item.state = "waiting";
      item.row.classList.remove("failed");
    }
    this.run();
  }

  /** Ends what is under way; what was not sent waits. */
  stop() {
    this.underWay?.abort();
  }
}

/** @param {HTMLElement} row @param {...Node} nodes */
const mark = (row, ...nodes) => row.querySelector(".mark")?.replaceChildren(...nodes);

/** @param {string} name of a file @returns {string} without its ending */
const stem = (name) => name.replace(/\.[^.]+$/, "") || name;
