// Search: one picture, what is near it, and the part of it that is meant.

import * as api from "./api.js";
import { Crop } from "./crop.js";
import { openDetails } from "./details.js";
import { byId, button, element } from "./element.js";
import { FilterRows } from "./filter.js";
import { Grid } from "./hits.js";
import { listen, makeIntake, takeDrops } from "./intake.js";
import { number, say } from "./language.js";
import { Latest } from "./latest.js";
import { announce, showNothing, showProblem, showRemark, showWaiting } from "./notices.js";
import { patiently } from "./patience.js";
import { cropped, Picture, readPicture } from "./picture.js";
import { session } from "./session.js";

const COUNTS = [12, 24, 48, 100, 300, 1000];

/** @typedef {import("./hits.js").Shown} Shown */

export class SearchView {
  /** @param {{go: (place: string) => void, compare: (a: Blob, b: Blob) => void, newDatabase: () => void}} ways to other views */
  constructor(ways) {
    this.ways = ways;
    this.view = byId("search");
    this.state = byId("search-state");
    this.latest = new Latest();
    /** @type {Picture | null} */ this.query = null;
    this.grid = new Grid(byId("hits"), (records, at) => this.open(records, at));
    this.filter = new FilterRows(byId("filter"), () => this.search());
    this.intake = makeIntake(byId("search-intake"), (files) => this.take(files), { title: "search.drop" });
    this.stage = byId("stage");
    this.photo = /** @type {HTMLImageElement} */ (element("img", { draggable: "false", alt: "" }));
    this.stage.append(this.photo);
    this.crop = new Crop(this.stage, () => this.search());
    takeDrops(this.stage, (files) => this.take(files));
    this.listenToControls();
    session.addEventListener("change", () => this.offerDatabases());
    byId("count").replaceChildren(
      ...COUNTS.map((count) => element("option", { value: count }, String(count))),
    );
    byId("count").value = "24";
  }

  listenToControls() {
    byId("crop").addEventListener("click", () => this.startCrop());
    byId("whole").addEventListener("click", () => this.crop.clear());
    byId("another").addEventListener("click", () => this.intake.choose());
    byId("count").addEventListener("change", () => this.search());
    byId("by-group").addEventListener("change", () => this.filter.changed());
    byId("database").addEventListener("change", () => {
      session.database = byId("database").value;
      this.search();
    });
  }

  enter() {
    this.stopListening = listen((files) => this.take(files));
    this.offerDatabases();
  }

  leave() {
    this.stopListening?.();
  }

  /** Shows which databases there are; none is a remark with a way on. */
  offerDatabases() {
    const names = session.usable.map((database) => database.name);
    byId("database").replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    byId("database").value = session.database ?? "";
    byId("database").disabled = names.length === 0;
    for (const option of byId("count").options)
      option.hidden = Number(option.value) > (session.about?.max_topk ?? Infinity);
    if (session.about !== null && names.length === 0) this.remarkNoDatabase();
    else if (
      this.state.querySelector("[data-words='search.no_database'], [data-words='search.no_database_read']")
    )
      showNothing(this.state);
  }

  remarkNoDatabase() {
    if (!session.canWrite) return showRemark(this.state, "search.no_database_read");
    return showRemark(
      this.state,
      "search.no_database",
      button("databases.new", "plus", this.ways.newDatabase, { class: "primary" }),
    );
  }

  /** @param {File[]} files the first is searched */
  take(files) {
    this.latest.run(
      async (_signal, isLatest) => {
        showWaiting(this.state, "search.reading");
        if (session.about === null) await session.refresh();
        const picture = await readPicture(files[0], /** @type {any} */ (session.about));
        if (!isLatest()) return;
        this.setQuery(picture);
        await this.search();
      },
      (error) => showProblem(this.state, error),
    );
  }

  /** @param {Picture} picture */
  setQuery(picture) {
    this.query?.close();
    this.query = picture;
    this.crop.set(null);
    const canBeShown = picture.size !== null;
    this.view.classList.add("searching");
    this.stage.hidden = !canBeShown;
    byId("query-actions").hidden = false;
    if (picture.size) {
      this.photo.src = picture.url;
      this.stage.style.setProperty("--ratio", String(picture.size.width / picture.size.height));
    }
    this.showCropControls();
  }

  startCrop() {
    if (this.query?.size) this.crop.begin();
    this.showCropControls();
  }

  showCropControls() {
    const isCropped = this.crop.box !== null;
    byId("whole").hidden = !isCropped;
    byId("crop").hidden = isCropped || this.query?.size == null;
    byId("crop-hint").hidden = isCropped || this.query?.size == null;
  }

  /** Searches with what is shown and set; nothing happens before there is a picture. */
  async search() {
    this.showCropControls();
    const { query } = this;
    const database = session.database;
    if (query === null) return;
    if (database === null) {
      this.remarkNoDatabase();
      return;
    }
    byId("hits").setAttribute("aria-busy", "true");
    byId("found").hidden = true;
    await this.latest.run(
      async (signal, isLatest) => {
        showWaiting(this.state, "search.waiting");
        const options = {
          k: Number(byId("count").value),
          by_group: byId("by-group").checked,
          where: this.filter.where,
        };
        const image = this.crop.box === null ? query.blob : await cropped(query, this.crop.box);
        const onWait = (/** @type {number} */ seconds) => showWaiting(this.state, "wait.busy", { seconds });
        const started = performance.now();
        const hits = await patiently(() => api.search(database, image, options, signal), { signal, onWait });
        if (isLatest()) this.show(database, hits, performance.now() - started);
      },
      (error) => this.fail(error),
    );
  }

  /** @param {string} database @param {import("./api.js").Hit[]} hits @param {number} milliseconds */
  show(database, hits, milliseconds) {
    byId("hits").removeAttribute("aria-busy");
    this.filter.learn(hits);
    this.grid.show(database, hits);
    const values = { count: hits.length, database, time: `${number(milliseconds, 0)} ms` };
    byId("found").hidden = hits.length === 0;
    say(byId("found"), "search.found", values);
    announce("search.found", values);
    if (hits.length > 0) showNothing(this.state);
    else
      showRemark(
        this.state,
        Object.keys(this.filter.where).length > 0 ? "search.none_filter" : "search.none",
      );
  }

  /** @param {any} error */
  fail(error) {
    byId("hits").removeAttribute("aria-busy");
    showProblem(this.state, error, () => this.search());
    if (error.kind === "no_database") session.refresh().catch(() => {});
  }

  /** @param {Shown[]} records @param {number} at */
  open(records, at) {
    const query = this.query;
    const compare =
      query &&
      ((/** @type {string} */ database, /** @type {Shown} */ record) =>
        this.compareWith(query, database, record));
    openDetails(this.grid.database, records, at, {
      onSearch: (database, record) => this.searchWith(database, record),
      onCompare: compare ?? undefined,
      onDeleted: () => this.search(),
    });
  }

  /** A record becomes the query. @param {string} database @param {Shown} record */
  searchWith(database, record) {
    this.latest.run(
      async (signal, isLatest) => {
        showWaiting(this.state, "search.waiting");
        const blob = await patiently(() => api.keptPicture(database, record, { signal }), { signal });
        const picture = await readPicture(blob, /** @type {any} */ (session.about));
        if (!isLatest()) return;
        this.setQuery(picture);
        session.database = database;
        await this.search();
        scrollTo({ top: 0 });
      },
      (error) => this.fail(error),
    );
  }

  /** @param {Picture} query @param {string} database @param {Shown} record */
  async compareWith(query, database, record) {
    try {
      const mine = this.crop.box === null ? query.blob : await cropped(query, this.crop.box);
      this.ways.compare(mine, await api.keptPicture(database, record));
    } catch (error) {
      showProblem(this.state, error);
    }
  }
}
