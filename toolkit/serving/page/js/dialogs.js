// Windows over the page. Escape closes them, and the focus goes back to where it was.

import { button, element, icon } from "./element.js";
import { problemOf, sentenceKey } from "./problems.js";
import { say } from "./language.js";

/**
 * @param {{title: string | [string, Object], body: (Node | null)[], tools?: Node[], kind?: string, onClose?: () => void}} parts
 *   tools: beside the title
 * @returns {HTMLDialogElement} open
 */
export function openDialog({ title, body, tools = [], kind = "", onClose = () => {} }) {
  const heading = element("h2", { words: title });
  const close = element(
    "button",
    { type: "button", class: "quiet round", label: "close", onclick: () => dialog.close() },
    icon("close"),
  );
  const dialog = /** @type {HTMLDialogElement} */ (
    element(
      "dialog",
      { class: kind, label: title },
      element("header", {}, heading, element("div", { class: "row" }, ...tools, close)),
      ...body,
    )
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks before something that cannot be undone, and does it.
 * @param {{title: string, text: [string, Object], action: string, typed?: string}} question typed: what has
 *   to be written first
 * @param {() => Promise<void>} work its failure is told in the window
 */
export function confirmThen({ title, text, action, typed }, work) {
  const state = element("p", { class: "wrong", role: "alert" });
  const input =
    typed === undefined ? null : element("input", { id: "typed", autocomplete: "off", spellcheck: "false" });
  const isSure = () => input === null || /** @type {HTMLInputElement} */ (input).value === typed;
  const submit = element("button", { class: "danger solid", words: action });
  const form = element(
    "form",
    {},
    element("p", { words: text }),
    input &&
      element(
        "label",
        { class: "field" },
        element("span", { words: ["confirm.type", { name: typed ?? "" }] }),
        input,
      ),
    state,
    element(
      "div",
      { class: "row end" },
      button("cancel", null, () => dialog.close()),
      submit,
    ),
  );
  const sync = () => submit.toggleAttribute("disabled", !isSure());
  input?.addEventListener("input", sync);
  sync();
  onSubmit(form, state, async () => {
    await work();
    dialog.close();
  });
  const dialog = openDialog({ title, body: [form], kind: "small" });
}

/**
 * Runs work when a form is sent; the form waits meanwhile, and a failure is told in `state`.
 * @param {HTMLElement} form
 * @param {HTMLElement} state
 * @param {() => Promise<void>} work
 */
export function onSubmit(form, state, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      say(state, sentenceKey(problemOf(error)));
    }
    form.removeAttribute("aria-busy");
  });
}
