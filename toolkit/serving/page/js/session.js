// What is known of the service: who we are to it, and its databases. Tells "change" when that changes.

import * as api from "./api.js";
import { byId, button, element } from "./element.js";
import { keepToken, forgetToken, isRemembered, keptToken } from "./token.js";
import { askOnce, onRefused } from "./service.js";
import { onSubmit, openDialog } from "./dialogs.js";
import { patiently } from "./patience.js";

const KEPT = "database";

export const session = new (class extends EventTarget {
  /** @type {import("./api.js").About | null} */ about = null;
  /** @type {import("./api.js").Database[]} */ databases = [];

  get canWrite() {
    return this.about?.access === "write";
  }

  /** Databases that can be searched. */
  get usable() {
    return this.databases.filter((database) => database.damaged === null);
  }

  /** The database that was chosen last, as long as it is there; else the largest. */
  get database() {
    const kept = localStorage.getItem(KEPT);
    const largest = [...this.usable].sort((a, b) => (b.count ?? 0) - (a.count ?? 0))[0];
    return (this.usable.find((one) => one.name === kept) ?? largest)?.name ?? null;
  }

  /** @param {string | null} name */
  set database(name) {
    localStorage.setItem(KEPT, name ?? "");
    this.changed();
  }

  async refresh() {
    this.about = await patiently(api.about);
    this.databases = await patiently(api.databases);
    this.changed();
  }

  changed() {
    byId("read-only").hidden = this.about === null || this.canWrite;
    for (const node of document.querySelectorAll("[data-needs=write]")) {
      /** @type {HTMLElement} */ (node).hidden = !this.canWrite || node.hasAttribute("data-off");
    }
    this.dispatchEvent(new Event("change"));
  }
})();

/** @type {Promise<boolean> | null} one window for all that wait for a token */
let asking = null;

/** Asks for a token; answers whether there is a new one that the service takes. */
export function askForToken() {
  asking ??= new Promise((resolve) => openTokenDialog(resolve)).finally(() => {
    asking = null;
  });
  return asking;
}

onRefused(askForToken);

/** @param {(isRenewed: boolean) => void} resolve */
function openTokenDialog(resolve) {
  let isRenewed = false;
  const input = /** @type {HTMLInputElement} */ (
    element("input", {
      type: "password",
      id: "token-input",
      autocomplete: "off",
      required: true,
      spellcheck: "false",
    })
  );
  const onDevice = /** @type {HTMLInputElement} */ (
    element("input", { type: "checkbox", id: "token-remember" })
  );
  onDevice.checked = isRemembered();
  const state = element("p", { class: "wrong", role: "alert" });
  const forget = button("token.forget", null, () => {
    forgetToken();
    location.reload();
  });
  const form = element(
    "form",
    {},
    element("p", { class: "muted", words: keptToken() ? "token.lead_again" : "token.lead" }),
    element("label", { class: "field" }, element("span", { words: "token.label" }), input),
    element("label", { class: "switch" }, onDevice, element("span", { words: "token.remember" })),
    state,
    element(
      "div",
      { class: "row end" },
      keptToken() ? forget : null,
      element("button", { class: "primary", words: "token.use" }),
    ),
  );
  onSubmit(form, state, async () => {
    await askOnce("v1", input.value.trim());
    keepToken(input.value.trim(), onDevice.checked);
    isRenewed = true;
    dialog.close();
  });
  const dialog = openDialog({
    title: "token.title",
    body: [form],
    kind: "small",
    onClose: () => resolve(isRenewed),
  });
  input.focus();
}
