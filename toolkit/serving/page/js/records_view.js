// One database: its pictures, a page at a time; adding to it and taking away.

import * as api from "./api.js";
import { openAdding } from "./adding.js";
import { openDetails } from "./details.js";
import { confirmThen } from "./dialogs.js";
import { byId } from "./element.js";
import { Grid } from "./hits.js";
import { listen } from "./intake.js";
import { say } from "./language.js";
import { Latest } from "./latest.js";
import { showNothing, showProblem, showRemark, showWaiting, toast } from "./notices.js";
import { patiently } from "./patience.js";
import { session } from "./session.js";

const PAGE = 60;

export class RecordsView {
  /** @param {{go: (place: string) => void, searchWith: (database: string, record: any) => void}} ways */
  constructor(ways) {
    this.ways = ways;
    this.state = byId("records-state");
    this.latest = new Latest();
    this.name = "";
    this.offset = 0;
    this.count = 0;
    /** @type {string} */ this.group = "";
    this.grid = new Grid(byId("pictures"), (records, at) => this.open(records, at));
    byId("group-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.group = byId("group").value.trim();
      this.load(0);
    });
    byId("page-before").addEventListener("click", () => this.load(this.offset - PAGE, true));
    byId("page-next").addEventListener("click", () => this.load(this.offset + PAGE, true));
    byId("add").addEventListener("click", () => this.add([]));
    byId("drop").addEventListener("click", () => this.askToDrop());
    byId("clean").addEventListener("click", () => this.askToClean());
    byId("drop-group").addEventListener("click", () => this.askToDropGroup());
  }

  /** @param {string} name of the database */
  async enter(name) {
    this.name = name;
    this.group = byId("group").value = "";
    byId("records-name").textContent = name;
    this.stopListening = listen((files) => session.canWrite && this.add(files));
    this.grid.show(name, []);
    await this.load(0);
  }

  leave() {
    this.stopListening?.();
    this.latest.stop();
    this.grid.show(this.name, []);
  }

  /** @param {number} offset @param {boolean} [isTurned] a page was turned: begin at its top */
  async load(offset, isTurned = false) {
    await this.latest.run(
      async (signal, isLatest) => {
        showWaiting(this.state, "waiting");
        if (session.about === null) await session.refresh();
        const page = { offset, limit: PAGE, ...(this.group && { group_id: this.group }) };
        const { count, pictures } = await patiently(() => api.pictures(this.name, page, signal), { signal });
        if (!isLatest()) return;
        // The last record of the last page has gone: there is a page before.
        if (pictures.length === 0 && offset > 0)
          return void this.load(Math.max(0, Math.floor((count - 1) / PAGE) * PAGE));
        this.offset = offset;
        this.count = count;
        this.show(pictures);
        if (isTurned) byId("group-form").scrollIntoView();
      },
      (error) => showProblem(this.state, error, () => this.load(offset)),
    );
  }

  /** @param {import("./api.js").Picture[]} pictures */
  show(pictures) {
    this.grid.show(this.name, pictures);
    const { count, offset } = this;
    say(byId("records-facts"), this.group ? "records.of_group" : "pictures", { count, group: this.group });
    byId("pages").hidden = count <= PAGE;
    byId("page-before").disabled = offset === 0;
    byId("page-next").disabled = offset + PAGE >= count;
    say(byId("page-at"), "pages.at", { from: offset + 1, to: offset + pictures.length, of: count });
    byId("drop-group").toggleAttribute("data-off", this.group === "" || count === 0);
    byId("clean").toggleAttribute("data-off", count === 0 || this.group !== "");
    session.changed();
    if (count > 0) showNothing(this.state);
    else if (this.group) showRemark(this.state, "records.no_group");
    else showRemark(this.state, session.canWrite ? "records.none" : "records.none_read");
  }

  /** @param {import("./hits.js").Shown[]} records @param {number} at */
  open(records, at) {
    openDetails(this.name, records, at, {
      onSearch: this.ways.searchWith,
      onDeleted: () => this.load(this.offset),
    });
  }

  /** @param {File[]} files */
  add(files) {
    openAdding(this.name, files, this.group, () => this.load(this.offset));
  }

  askToDrop() {
    const { name } = this;
    confirmThen(
      { title: "databases.delete", text: ["databases.delete_text", { name }], action: "delete", typed: name },
      async () => {
        await api.deleteDatabase(name);
        toast("databases.deleted", { name });
        await session.refresh();
        this.ways.go("databases");
      },
    );
  }

  askToClean() {
    const { name } = this;
    confirmThen(
      {
        title: "records.clean",
        text: ["records.clean_text", { name }],
        action: "records.clean",
        typed: name,
      },
      async () => {
        const { deleted } = await api.cleanDatabase(name);
        toast("records.deleted", { count: deleted });
        this.load(0);
      },
    );
  }

  askToDropGroup() {
    const { group, count } = this;
    confirmThen(
      {
        title: "records.delete_group",
        text: ["records.delete_group_text", { group, count }],
        action: "delete",
      },
      async () => {
        const { deleted } = await api.deletePictures(this.name, { group_id: group });
        toast("records.deleted", { count: deleted });
        this.group = byId("group").value = "";
        this.load(0);
      },
    );
  }
}
