// All databases: what is in them, and a new one.

import * as api from "./api.js";
import { byId, button, element, icon } from "./element.js";
import { openDialog, onSubmit } from "./dialogs.js";
import { showNothing, showProblem, showRemark, showWaiting, toast } from "./notices.js";
import { patiently } from "./patience.js";
import { session } from "./session.js";
import { Thumbnails } from "./thumbnails.js";

const COVERS = 4;
const METRICS = ["cosine", "l2", "inner_product"];
const KINDS = ["", "flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary"];

/** @typedef {import("./api.js").Database} Database */

export class DatabasesView {
  /** @param {(place: string) => void} go */
  constructor(go) {
    this.go = go;
    this.state = byId("databases-state");
    this.thumbnails = new Thumbnails();
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "200px" });
    byId("new-database").addEventListener("click", () => this.openNew());
  }

  async enter() {
    showWaiting(this.state, "waiting");
    try {
      await session.refresh();
      this.show();
    } catch (error) {
      showProblem(this.state, error, () => this.enter());
    }
  }

  leave() {
    this.thumbnails.clear();
    this.observer.disconnect();
  }

  show() {
    this.leave();
    byId("shelf").replaceChildren(...session.databases.map((database) => this.card(database)));
    if (session.databases.length > 0) showNothing(this.state);
    else showRemark(this.state, session.canWrite ? "databases.none" : "search.no_database_read");
  }

  /** @param {Database} database */
  card(database) {
    const name = element("b", { class: "shelf-name" }, database.name);
    if (database.damaged !== null) {
      const told = [
        element("span", { class: "wrong", words: "problem.database_damaged" }),
        element("span", { class: "fine" }, database.damaged),
      ];
      return element(
        "li",
        { class: "shelf-card damaged" },
        element("span", { class: "covers" }, icon("warning")),
        name,
        ...told,
      );
    }
    const covers = element("span", { class: "covers", "data-database": database.name });
    const count = element("span", { class: "muted", words: ["pictures", { count: database.count ?? 0 }] });
    if ((database.count ?? 0) > 0) this.observer.observe(covers);
    else covers.append(icon("picture"));
    return element(
      "li",
      { class: "shelf-card" },
      element("a", { href: `#/databases/${encodeURIComponent(database.name)}` }, covers, name, count),
    );
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      this.cover(/** @type {HTMLElement} */ (target));
    }
  }

  /** Shows pictures from all over a database; one that cannot be asked has none. @param {HTMLElement} place */
  async cover(place) {
    const name = place.dataset.database ?? "";
    const count = session.databases.find((one) => one.name === name)?.count ?? 0;
    const offsets = Array.from({ length: Math.min(COVERS, count) }, (_, at) =>
      Math.floor((at * count) / Math.min(COVERS, count)),
    );
    const one = (/** @type {number} */ offset) => api.pictures(name, { offset, limit: 1 });
    try {
      const pages = await Promise.all(offsets.map((offset) => patiently(() => one(offset))));
      for (const picture of pages.flatMap(({ pictures }) => pictures)) {
        const image = /** @type {HTMLImageElement} */ (element("img", { alt: "", class: "thumb" }));
        place.append(image);
        this.thumbnails.show(image, name, picture);
      }
    } catch {
      place.append(icon("picture"));
    }
  }

  openNew() {
    const name = /** @type {HTMLInputElement} */ (
      element("input", {
        id: "new-name",
        required: true,
        maxlength: 64,
        pattern: "[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*",
        autocomplete: "off",
        spellcheck: "false",
      })
    );
    const metric = choice("new-metric", METRICS, "metric");
    const kind = choice("new-kind", KINDS, "kind");
    const state = element("p", { class: "wrong", role: "alert" });
    const field = (/** @type {string} */ words, /** @type {HTMLElement} */ input) =>
      element("label", { class: "field" }, element("span", { words }), input);
    const form = element(
      "form",
      {},
      field("databases.name", name),
      element("p", { class: "fine", words: "databases.name_hint" }),
      element(
        "details",
        {},
        element("summary", { words: "databases.more" }),
        field("databases.metric", metric),
        field("databases.kind", kind),
      ),
      state,
      element(
        "div",
        { class: "row end" },
        button("cancel", null, () => dialog.close()),
        element("button", { class: "primary", words: "databases.make" }),
      ),
    );
    onSubmit(form, state, async () => {
      await api.makeDatabase(name.value, { metric: metric.value, ...(kind.value && { kind: kind.value }) });
      await session.refresh();
      session.database = name.value;
      dialog.close();
      toast("databases.made", { name: name.value });
      this.go(`databases/${encodeURIComponent(name.value)}`);
    });
    const dialog = openDialog({ title: "databases.new", body: [form], kind: "small" });
    name.focus();
  }
}

/** @param {string} id @param {string[]} values @param {string} words their texts are `<words>.<value>` */
function choice(id, values, words) {
  const options = values.map((value) => element("option", { value, words: `${words}.${value || "usual"}` }));
  return /** @type {HTMLSelectElement} */ (element("select", { id }, ...options));
}
