// One record, large, with all that is known of it and what can be done with it.

import * as api from "./api.js";
import { confirmThen, openDialog } from "./dialogs.js";
import { button, element, icon } from "./element.js";
import { plain } from "./hits.js";
import { percent, say } from "./language.js";
import { shown } from "./thumbnails.js";
import { toast } from "./notices.js";
import { patiently } from "./patience.js";
import { session } from "./session.js";

const SIDE = 1024;

/**
 * @typedef {import("./hits.js").Shown} Shown
 * @typedef {{onSearch: (database: string, record: Shown) => void, onCompare?: (database: string, record: Shown) => void,
 *   onDeleted: () => void}} Actions
 */

/**
 * Opens a record of a list; arrow keys go to its neighbours.
 * @param {string} database
 * @param {Shown[]} records
 * @param {number} at
 * @param {Actions} actions
 */
export function openDetails(database, records, at, actions) {
  let ending = new AbortController();
  const body = element("div", { class: "details" });
  const show = (/** @type {number} */ to) => {
    if (records[to] === undefined) return;
    at = to;
    ending.abort();
    ending = new AbortController();
    body.replaceChildren(...content(database, records[to], ending.signal, actions, () => dialog.close()));
    before.toggleAttribute("disabled", records[at - 1] === undefined);
    next.toggleAttribute("disabled", records[at + 1] === undefined);
  };
  const before = step("hit.before", "back", () => show(at - 1));
  const next = step("hit.next", "next", () => show(at + 1));
  const dialog = openDialog({
    title: "hit.title",
    body: [body],
    tools: [before, next],
    kind: "wide",
    onClose: () => ending.abort(),
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  show(at);
}

/** @param {string} label @param {string} symbol @param {() => void} onclick */
const step = (label, symbol, onclick) =>
  element("button", { type: "button", class: "quiet round", label, onclick }, icon(symbol));

/**
 * @param {string} database
 * @param {Shown} record
 * @param {AbortSignal} signal
 * @param {Actions} actions
 * @param {() => void} close
 */
function content(database, record, signal, actions, close) {
  const image = /** @type {HTMLImageElement} */ (element("img", { class: "large" }));
  image.alt = record.group_id;
  const missing = element("p", { class: "muted", words: "hit.no_picture", hidden: record.savename !== null });
  const isKept = record.savename !== null;
  if (isKept) load(database, record, image, missing, signal);
  const after = (/** @type {((database: string, record: Shown) => void)} */ action) => () => {
    close();
    action(database, record);
  };
  return [
    element("div", { class: "large-frame" }, isKept ? image : null, missing),
    element(
      "div",
      {},
      factsOf(database, record),
      element(
        "div",
        { class: "actions" },
        isKept ? button("hit.search", "search", after(actions.onSearch), { class: "primary" }) : null,
        isKept && actions.onCompare ? button("hit.compare", "compare", after(actions.onCompare)) : null,
        session.canWrite
          ? button("hit.delete", "delete", () => askToDelete(database, record, close, actions), {
              class: "quiet danger",
            })
          : null,
      ),
    ),
  ];
}

/** @param {string} database @param {Shown} record @param {HTMLImageElement} image @param {HTMLElement} missing @param {AbortSignal} signal */
async function load(database, record, image, missing, signal) {
  try {
    const blob = await patiently(() => api.keptPicture(database, record, { side: SIDE, signal }), { signal });
    if (!signal.aborted) await shown(image, blob);
  } catch {
    if (signal.aborted) return;
    missing.hidden = false;
    say(missing, "hit.picture_lost");
  }
}

/** @param {string} database @param {Shown} record */
function factsOf(database, record) {
  const list = element("dl", { class: "facts" });
  const row = (/** @type {Node} */ name, /** @type {string} */ value) =>
    list.append(element("dt", {}, name), element("dd", {}, value));
  const own = (/** @type {string} */ key, /** @type {string} */ value) =>
    row(element("span", { words: key }), value);
  if (record.similarity !== undefined) own("hit.similarity", percent(record.similarity));
  own("hit.group", record.group_id);
  own("hit.number", String(record.intra_id));
  own("hit.database", database);
  for (const [name, value] of Object.entries(record.data)) row(document.createTextNode(name), plain(value));
  return list;
}

/** @param {string} database @param {Shown} record @param {() => void} close @param {Actions} actions */
function askToDelete(database, record, close, actions) {
  const { group_id, intra_id } = record;
  const text = /** @type {[string, Object]} */ ([
    "hit.delete_text",
    { group: group_id, number: String(intra_id) },
  ]);
  confirmThen({ title: "hit.delete", text, action: "delete" }, async () => {
    await api.deletePictures(database, { group_id, intra_id });
    toast("hit.deleted", { group: group_id, number: String(intra_id) });
    close();
    actions.onDeleted();
  });
}
